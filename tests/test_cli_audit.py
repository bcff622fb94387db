"""`shelfwise audit`: what it says, what it writes, and what it refuses before any work."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

from audit_shop import plant, shop
from shelfwise.categorizer import Categorizer
from shelfwise.cli import main
from shelfwise.recipe import CatalogueRecipe, Recipe


def run(*words):
    """Run the command under the program's own group, which turns errors into messages."""
    return CliRunner().invoke(main, ["audit", *map(str, words)])


@pytest.fixture(scope="module")
def planted():
    return plant(shop(24), 3)


@pytest.fixture(scope="module")
def catalogue(planted, tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    planted[0].write_csv(path)
    return path


@pytest.fixture(scope="module")
def done(catalogue):
    """The output of an audit without a map, and its file."""
    output = catalogue.parent / "doubts.parquet"
    return run(catalogue, "--output", output, "--no-map", "--threads", 1), output


def test_it_writes_doubts_and_says_what_comes_next(done, planted):
    told, output = done

    assert told.exit_code == 0, told.output
    assert "216 labelled products of 216 rows" in told.output
    assert f"Written to {output}. Next: shelfwise review {output}" in told.output
    assert "Note" not in told.output
    table = pl.read_parquet(output)
    assert set(table["product_id"].head(6)) == set(planted[1])
    assert table["x"].is_nan().all()


def test_the_surest_doubts_are_shown(done):
    told, output = done
    for row in pl.read_parquet(output).head(8).iter_rows(named=True):
        assert (
            f"  {row['doubt']:.2f}  {row['product_id']}: {row['given']} -> {row['suggested']}" in told.output
        )


def test_the_same_as_json(catalogue, tmp_path):
    output = tmp_path / "doubts.parquet"
    told = run(catalogue, "--output", output, "--no-map", "--json")
    summary = json.loads(told.stdout)
    table = pl.read_parquet(output)

    assert summary["output"] == str(output)
    assert (summary["products"], summary["rows"], summary["unlabelled"]) == (216, 216, 0)
    assert summary["doubted"] == (table["doubt"] >= 0.5).sum() == sum(summary["kinds"].values())
    assert summary["expected_wrong"] == pytest.approx(float(table["doubt"].sum()), abs=0.1)
    assert set(summary["shares"]) == {"anywhere", "sister", "confusion"}


def test_the_seed_and_the_settings_are_those_of_the_options(catalogue, tmp_path, done):
    (tmp_path / "mine.toml").write_text("seed = 3\n")
    for name, words in {
        "seed": ("--seed", 3), "file": ("--recipe", tmp_path / "mine.toml"),
        "fields": ("--fields", "title", "--label", "category", "--role", "title=title"),
    }.items():  # fmt: skip
        told = run(catalogue, "--output", tmp_path / f"{name}.parquet", "--no-map", *words)
        assert told.exit_code == 0, told.output

    assert (tmp_path / "seed.parquet").read_bytes() == (tmp_path / "file.parquet").read_bytes()
    assert not pl.read_parquet(tmp_path / "seed.parquet").equals(pl.read_parquet(done[1]))
    assert pl.read_parquet(tmp_path / "fields.parquet").equals(pl.read_parquet(done[1]))


def test_a_map_is_drawn_where_one_is_wanted(catalogue, tmp_path):
    pytest.importorskip("openTSNE")
    told = run(catalogue, "--output", tmp_path / "d.parquet", "--map")

    assert told.exit_code == 0, told.output
    assert pl.read_parquet(tmp_path / "d.parquet")["x"].is_finite().all()


def test_with_the_settings_of_a_model_and_its_label(planted, tmp_path):
    frame = planted[0].rename({"category": "regal"})
    frame.write_csv(tmp_path / "shop.csv")
    settings = Recipe(threads=1, seed=4, catalogue=CatalogueRecipe(label="regal"))
    Categorizer(settings).fit(frame).save(tmp_path / "model")
    with_model = run(
        tmp_path / "shop.csv", "--output", tmp_path / "m.parquet", "--no-map", "--model", tmp_path / "model"
    )
    by_hand = run(
        tmp_path / "shop.csv", "--output", tmp_path / "h.parquet", "--no-map", "--label", "regal", "--seed", 4
    )
    reseeded = run(
        tmp_path / "shop.csv", "--output", tmp_path / "r.parquet", "--no-map", "--model", tmp_path / "model",
        "--seed", 5, "--role", "title=title",
    )  # fmt: skip

    assert (with_model.exit_code, by_hand.exit_code, reseeded.exit_code) == (0, 0, 0), with_model.output
    tables = {name: pl.read_parquet(tmp_path / f"{name}.parquet") for name in "mhr"}
    assert tables["m"].equals(tables["h"])
    assert not tables["m"].equals(tables["r"])
    about = json.loads(pl.read_parquet_metadata(tmp_path / "m.parquet")["shelfwise.audit"])
    assert about["model"] == str(tmp_path / "model")


def test_what_a_catalogue_could_do_to_a_terminal_is_not_shown(tmp_path):
    frame = plant(shop(8), 2)[0].with_columns("\x1b[31m" + pl.col("product_id"))
    frame.write_parquet(tmp_path / "shop.parquet")
    told = run(tmp_path / "shop.parquet", "--output", tmp_path / "d.parquet", "--no-map")

    assert told.exit_code == 0
    assert "\x1b" not in told.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "doubts.csv"], "end in .parquet"),
        (["--output", "d.parquet", "--model", "m", "--recipe", "r"], "not both"),
        (["--output", "d.parquet", "--fields", "colour"], "colour is no text field"),
        (["--output", "d.parquet", "--role", "title"], "is not ROLE=COL"),
        (["--output", "d.parquet", "--model", "nowhere"], "nowhere"),
        (["--output", "d.parquet", "--recipe", "nowhere.toml"], "nowhere.toml"),
        ([], "Missing option '--output'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_catalogue_is_read(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("not-there.csv", *words)

    assert told.exit_code == 2
    assert said in told.output
    assert "not-there" not in told.output
    assert list(tmp_path.iterdir()) == []


def test_a_catalogue_that_cannot_be_audited_leaves_no_file(tmp_path):
    (tmp_path / "shop.csv").write_text("title,category\nred boot,a\nblue hat,b\n")
    told = run(tmp_path / "shop.csv", "--output", tmp_path / "d.parquet", "--no-map")

    assert told.exit_code == 2
    assert "too few to hold a part back" in told.output
    assert "Traceback" not in told.output
    assert [path.name for path in tmp_path.iterdir()] == ["shop.csv"]


def test_workers_find_the_same_doubts_to_the_bit(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr("shelfwise.audit.evidence._STEADY", 10)  # the first fold is small: leave the others
    alone, several = tmp_path / "alone.parquet", tmp_path / "several.parquet"
    run(catalogue, "--output", alone, "--no-map", "--threads", 1)

    told = run(catalogue, "--output", several, "--no-map", "--threads", 2, "--workers", 2)

    assert told.exit_code == 0, told.output
    assert several.read_bytes() == alone.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.parquet", "several.parquet"]


def test_help_names_every_option():
    told = run("--help").output
    for name in ("--output", "--images", "--label", "--fields", "--role", "--model", "--recipe",
                 "--text-encoder", "--image-encoder", "--map", "--seed", "--threads", "--engine",
                 "--workers", "--work", "--json"):  # fmt: skip
        assert name in told
