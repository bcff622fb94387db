"""`shelfwise queue`: what it says, what it writes, and what it refuses before any work."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

from queue_shop import HIDDEN, catalogue, trained
from shelfwise.cli import main

ASKED = HIDDEN + 12


def run(*words):
    return CliRunner().invoke(main, ["queue", *map(str, words)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A catalogue and a model."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue().write_csv(folder / "shop.csv")
    trained().save(folder / "model")
    return folder


def test_it_writes_a_queue_and_says_what_comes_next(shop, tmp_path):
    output = tmp_path / "queue.parquet"
    told = run(shop / "shop.csv", "--model", shop / "model", "--output", output, "--count", 20, "--no-map")
    table = pl.read_parquet(output)

    assert told.exit_code == 0, told.output
    assert f"20 products to label of {ASKED} without a category (96 have one, 228 rows)." in told.output
    assert f"  {table['doubt'][0]:.2f}  {table['product_id'][0]}: {table['reasons'][0][0]}" in told.output
    assert f"Written to {output}. Next: shelfwise review {output}" in told.output
    assert "Note" not in told.output
    assert json.loads(pl.read_parquet_metadata(output)["shelfwise.audit"])["model"] == str(shop / "model")


def test_the_same_as_json_and_the_same_bytes_for_any_threads(shop, tmp_path):
    words = (shop / "shop.csv", "--model", shop / "model", "--no-map", "--json", "--count", 30)
    one = run(*words, "--output", tmp_path / "1.parquet", "--threads", 1, "--seed", 0)
    two = run(*words, "--output", tmp_path / "2.parquet", "--threads", 2, "--seed", 0)
    told = json.loads(one.stdout)

    assert told | {"output": ""} == json.loads(two.stdout) | {"output": ""}
    assert (told["products"], told["rows"], told["unlabelled"], told["labelled"]) == (30, 228, ASKED, 96)
    assert (told["foreign"], told["empty"], told["unreadable"], told["notes"]) == (0, 0, 0, [])
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_fewer_than_asked_for_is_said(shop, tmp_path):
    told = run(shop / "shop.csv", "--model", shop / "model", "--output", tmp_path / "q.parquet", "--no-map")

    assert "products are all that there are to ask about, not 500" in told.output


def test_a_map_is_drawn_where_one_is_wanted(shop, tmp_path):
    pytest.importorskip("openTSNE")
    output = tmp_path / "q.parquet"
    told = run(shop / "shop.csv", "--model", shop / "model", "--output", output, "--count", 20, "--map")

    assert told.exit_code == 0, told.output
    assert pl.read_parquet(output)["x"].is_finite().all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "q.csv", "--model", "m"], "end in .parquet"),
        (["--output", "q.parquet"], "Missing option '--model'"),
        (["--output", "q.parquet", "--model", "nowhere"], "nowhere"),
        (["--output", "q.parquet", "--model", "m", "--count", "0"], "--count"),
    ],
)
def test_what_cannot_be_is_refused_before_the_catalogue_is_read(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("not-there.csv", *words)

    assert told.exit_code == 2
    assert said in told.output
    assert "not-there" not in told.output
    assert list(tmp_path.iterdir()) == []


def test_a_catalogue_in_which_all_is_labelled_leaves_no_file(shop, tmp_path):
    catalogue().drop_nulls().write_csv(tmp_path / "shop.csv")
    told = run(tmp_path / "shop.csv", "--model", shop / "model", "--output", tmp_path / "q.parquet")

    assert told.exit_code == 2
    assert "there is none to ask for" in told.output
    assert "Traceback" not in told.output
    assert not (tmp_path / "q.parquet").exists()


def test_help_names_every_option():
    told = run("--help").output
    for name in ("--model", "--output", "--count", "--images", "--label", "--map", "--seed", "--threads",
                 "--json"):  # fmt: skip
        assert name in told
