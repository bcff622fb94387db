"""The whole flow on the generated shop, by the real command: inspect, train, evaluate, predict, explain."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest


def shelfwise(*arguments):
    """Run the command in a process of its own and return what it printed."""
    command = [sys.executable, "-m", "shelfwise", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The folder of a demo shop with a trained model, a report and sorted new arrivals."""
    folder = tmp_path_factory.mktemp("shop")
    shelfwise("demo", "--output", folder, "--products", 1500)
    shelfwise("train", folder / "catalogue.parquet", "--model", folder / "model", "--split", "split")
    return folder


def test_what_was_planted_is_found_by_inspect(shop):
    told = json.loads(shelfwise("inspect", shop / "catalogue.parquet", "--json"))
    roles = {column["role"]: column["name"] for column in told["columns"]}

    assert (roles["label"], roles["title"], roles["split"]) == ("category", "title", "split")
    assert told["labels"]["singletons"] == 3
    assert told["labels"]["levels"][-1][0] == 3


def test_held_out_products_land_on_the_right_shelf(shop):
    command = ["evaluate", shop / "model", shop / "catalogue.parquet", "--split", "split"]
    told = json.loads(shelfwise(*command, "--promise", "0.9", "--report", shop / "report", "--json"))

    tested = pl.read_parquet(shop / "catalogue.parquet").filter(
        (pl.col("split") == "test") & (pl.col("category").fill_null("") != "")
    )
    assert told["rows"] == tested.height
    assert told["accuracy"] > 0.8  # few products a category, and three in a hundred misplaced
    assert told["levels"][0]["accuracy"] >= told["accuracy"]
    assert told["promise"]["asked"] == 0.9
    assert "<html" in (shop / "report" / "report.html").read_text(encoding="utf-8")
    assert json.loads((shop / "report" / "scores.json").read_text())["accuracy"] == told["accuracy"]


def test_new_arrivals_are_sorted_with_a_promise_and_reasons(shop):
    arrivals = pl.read_csv(shop / "new-arrivals.csv")
    output = shop / "sorted.jsonl"
    options = ["--output", output, "--promise", "0.9", "--explain", "--top", "3"]
    shelfwise("predict", shop / "model", shop / "new-arrivals.csv", *options)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]

    assert [row["product_id"] for row in rows] == arrivals["product_id"].to_list()
    assert {row["status"] for row in rows} == {"ok"}
    for row in rows:
        assert row["candidates"][0]["category"] == row["category"]
        assert row["evidence"]
        if row["shelf"] is not None:
            assert row["category"].startswith(row["shelf"])
    assert any(row["accepted"] for row in rows)


@pytest.mark.parametrize("name", ["sorted.parquet", "sorted.csv"])
def test_every_format_holds_the_same_answers(shop, name):
    jsonl, other = shop / "answers.jsonl", shop / name
    for output in (jsonl, other):
        shelfwise("predict", shop / "model", shop / "new-arrivals.csv", "--output", output)
    read = {"sorted.parquet": pl.read_parquet, "sorted.csv": pl.read_csv}[name]

    expected = [json.loads(line)["category"] for line in jsonl.read_text(encoding="utf-8").splitlines()]
    assert read(other)["category"].to_list() == expected


def test_library_gives_what_the_command_wrote(shop):
    import shelfwise as library

    output = shop / "file.parquet"
    shelfwise("predict", shop / "model", shop / "new-arrivals.csv", "--output", output)
    model = library.load(shop / "model")

    assert model.predict(pl.read_csv(shop / "new-arrivals.csv", infer_schema=False)).equals(
        pl.read_parquet(output)
    )
