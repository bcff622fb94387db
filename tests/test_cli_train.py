"""`shelfwise train --from` and `--recipe MODEL`: an update, what it says, and what it refuses."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

from shelfwise.cli import main


def run(*words, code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def dumps(toys, tmp_path_factory):
    """Yesterday's dump, today's with ten more products and a side for testing, and yesterday's model."""
    box = tmp_path_factory.mktemp("dumps")
    side = pl.when(pl.int_range(pl.len()) % 5 == 4).then(pl.lit("test")).otherwise(pl.lit("train"))
    today = toys.with_columns(side.alias("side"))
    today.write_parquet(box / "today.parquet")
    today[:80].filter(pl.col("side") == "train").drop("side").write_parquet(box / "yesterday.parquet")
    run("train", box / "yesterday.parquet", "--model", box / "old", "--seed", "3")
    return box


def test_an_update_says_what_moved(dumps, tmp_path):
    words = ("train", dumps / "today.parquet", "--model", tmp_path / "new", "--from", dumps / "old")
    said = run(*words, "--split", "side")

    assert "64 as it was, 8 new" in said
    assert "18 products that are held out" in said
    assert "0 answers differ" in said
    card = (tmp_path / "new" / "README.md").read_text()
    assert "## What changed since the model before" in card
    assert "64 are as they were, 8 are new" in card
    assert "with seed 3" in card  # the settings are those of the model before


def test_an_update_in_place_as_json(dumps, tmp_path):
    model = tmp_path / "shelf"
    run("train", dumps / "yesterday.parquet", "--model", model)
    words = ("train", dumps / "today.parquet", "--model", model, "--from", model, "--split", "side", "--json")
    told = json.loads(run(*words))["update"]

    assert (told["same"], told["new"], told["taken_over"]) == (64, 8, True)
    assert told["change"]["scores"]["old"]["rows"] == told["change"]["scores"]["new"]["rows"] == 18
    stored = json.loads((model / "model.json").read_bytes())["training"]["update"]
    assert stored == told


def test_the_same_update_is_the_same_bytes(dumps, tmp_path):
    for name in ("one", "two"):
        run("train", dumps / "today.parquet", "--model", tmp_path / name, "--from", dumps / "old")

    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_recipe_file_names_what_differs_from_the_model(dumps, tmp_path):
    (tmp_path / "more.toml").write_text("[decision]\npromises = [0.5]\n")
    (tmp_path / "other.toml").write_text("[text]\nwords = 1\n")
    words = (
        "train",
        dumps / "today.parquet",
        "--model",
        tmp_path / "new",
        "--from",
        dumps / "old",
        "--recipe",
    )
    told = json.loads(run(*words, tmp_path / "more.toml", "--json"))
    recipe = json.loads((tmp_path / "new" / "model.json").read_bytes())["recipe"]

    assert [promise["asked"] for promise in told["promises"]] == [0.5]
    assert recipe["seed"] == 3
    assert "text.words is 2" in run(*words, tmp_path / "other.toml", code=2)


def test_a_model_is_made_again_from_its_folder(dumps, tmp_path):
    words = ("--model", tmp_path / "again", "--recipe", dumps / "old")
    said = run("train", dumps / "yesterday.parquet", *words)
    assert "fingerprint" not in said
    for path in sorted((dumps / "old").iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name

    said = " ".join(run("train", dumps / "today.parquet", *words).split())
    assert "its fingerprint is" in said
    assert "the model is another" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "nothing"), "there is no model folder nothing"),
        (("--from", "{box}"), "is not a Shelfwise model"),
        (("--from", "{box}/old", "--label", "title"), "learned the column 'category', not 'title'"),
        (("--from", "{box}/old", "--text-encoder", "hf:other"), "encoder.encoder is 'none'"),
        (("--from", "{box}/old", "--fields", "brand"), "train anew, without --from"),
        (("--from", "{box}/old", "--role", "title=category"), "title is title, not category"),
        (("--recipe", "{box}"), "cannot read the recipe"),
    ],
)
def test_what_cannot_be_started_from_is_refused(dumps, tmp_path, words, said):
    words = [word.format(box=dumps) for word in words]
    output = run("train", dumps / "today.parquet", "--model", tmp_path / "new", *words, code=2)

    assert said in output
    assert not (tmp_path / "new").exists()


def test_two_models_are_compared(dumps, tmp_path):
    run("train", dumps / "today.parquet", "--model", tmp_path / "new", "--split", "side")
    words = ("evaluate", tmp_path / "new", dumps / "today.parquet", "--against", dumps / "old")
    told = json.loads(run(*words, "--split", "side", "--json"))

    assert told["against"]["products"] == told["rows"] == 18
    assert told["against"]["scores"]["new"]["accuracy"] == told["accuracy"]
    assert "No scores" in run(*words)
    assert "against" not in json.loads(run(*words[:3], "--json"))
