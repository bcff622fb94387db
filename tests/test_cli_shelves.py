"""`shelfwise shelves`: a changed model is saved whole, says what was done, and refuses nonsense."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

import shelfwise
from shelfwise.cli import main


@pytest.fixture
def folder(toy_model, tmp_path):
    toy_model.save(tmp_path / "model")
    return tmp_path / "model"


def run(*arguments):
    """Run the group as the program does."""
    return CliRunner().invoke(main, ["shelves", *map(str, arguments)])


def told(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_change_is_carried_by_the_folder_and_listed(folder, toys, tmp_path):
    toys.head(3).write_csv(tmp_path / "more.csv")
    clogs = toys.filter(pl.col("category") == "Shoes > Sandals").head(4)
    clogs.with_columns(new=pl.Series(["Shoes > Clogs", "Shoes > Clogs", None, "Shoes > Sandals"])).write_csv(
        tmp_path / "split.csv"
    )
    told("add", folder, "Home > Lamps", "--words", "light bulb", "--examples", tmp_path / "more.csv")
    told("rename", folder, "Watches", "Clocks")
    told("merge", folder, "Clocks", "--into", "Home > Clocks")
    told("split", folder, "Shoes > Sandals", tmp_path / "split.csv", "--column", "new")
    listed = told("list", folder)

    assert [row["category"] for row in listed["shelves"]] == [
        "Home > Clocks", "Home > Lamps", "Shoes > Boots", "Shoes > Clogs", "Shoes > Sandals",
    ]  # fmt: skip
    # One of the three lamps is a clog, by the later word on it.
    assert [row["products"] for row in listed["shelves"]] == [30, 2, 30, 2, 30]
    assert [entry["did"] for entry in listed["log"]] == ["added", "renamed", "merged", "split"]
    assert "Clocks" in (folder / "README.md").read_text("utf-8")
    assert "1 split" in run("list", folder).output


def test_decisions_correct_the_model(folder, toys, tmp_path):
    toys.write_parquet(tmp_path / "shop.parquet")
    rows = [
        {"product_id": f"P{i:03}", "row": i, "before": "x", "category": "Watches", "action": "move"}
        for i in (0, 1)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "decisions.parquet")
    done = told(
        "correct",
        folder,
        tmp_path / "decisions.parquet",
        tmp_path / "shop.parquet",
        "--output",
        tmp_path / "new",
    )

    assert done["corrected"]["taken"] == 2
    assert shelfwise.load(tmp_path / "new").predict(toys.head(2))["category"].to_list() == ["Watches"] * 2
    assert not shelfwise.load(folder).corrections_  # the first is as it was
    said = run("correct", folder, tmp_path / "decisions.parquet", tmp_path / "shop.parquet").output
    assert "2 products corrected" in said
    assert f"Saved in {folder}" in said


def test_errors_leave_the_model_as_it_was(folder, toys, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    row = {"product_id": "P000", "row": 0, "before": "x", "category": "Watchs", "action": "move"}
    pl.DataFrame([row]).write_csv(tmp_path / "decisions.csv")
    toys.write_csv(tmp_path / "shop.csv")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for arguments, said in (
        (("correct", folder, tmp_path / "decisions.csv", tmp_path / "shop.csv"), "did you mean 'Watches'"),
        (("rename", folder, "Watchs", "x"), "no shelf 'Watchs'"),
        (("merge", folder, "Watches", "--into", "Watches"), "nothing to merge"),
        (("add", folder, "Watches"), "already"),
        (("split", folder, "Watches", tmp_path / "shop.csv", "--column", "kind"), "no column 'kind'"),
        (("rename", folder, "Watches", "x", "--output", tmp_path / "mine"), "not a Shelfwise model"),
        (("list", tmp_path / "nowhere"), "no model folder"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, done.output
        assert said in done.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
