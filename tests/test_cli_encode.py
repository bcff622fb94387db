"""`shelfwise encode`: options become a run, and the commands after it find what they need."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from click.testing import CliRunner

from encode_shop import BAD, ROWS, recipe_of, shop
from shelfwise.cli import main
from shelfwise.features.batching import BatchedEncoder
from shelfwise.scale import encode as encoding

BOTH = ("--text-encoder", "onnx:text", "--image-encoder", "onnx:picture", "--images", "images")


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A shop in the working folder, read in shards of forty rows."""
    monkeypatch.setattr(encoding, "TEXTS", 40)
    monkeypatch.setattr(encoding, "PICTURES", 40)
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    recipe = recipe_of(shop(tmp_path))
    bare = replace(recipe, encoder=replace(recipe.encoder, encoder="none"))
    (tmp_path / "bare.toml").write_text(bare.to_toml())


def test_result_is_told_as_json_and_in_words():
    asked = ("encode", "products.parquet", *BOTH, "--recipe", "bare.toml", "--workers", "1")
    told = json.loads(run(*asked, "--json").stdout)
    assert (told["rows"], told["fields"]) == (ROWS, ["title"])
    assert [one["encoder"] for one in told["encoders"]] == ["onnx:text", "onnx:picture"]
    assert [one["encoded"] for one in told["encoders"]] == [ROWS * 3 // 4, 40]

    again = run(*asked)

    assert again.exit_code == 0, again.output
    words = " ".join(again.stdout.split())
    assert "Texts are title." in words
    assert "onnx:picture 60 41 40 0 1" in words
    assert "not_a_picture" in words
    assert "Vectors are in" in words


def test_train_and_predict_after_it_encode_nothing(tmp_path, monkeypatch):
    pl.read_parquet("products.parquet").head(30).drop("category").write_parquet("new.parquet")
    settings = (*BOTH, "--recipe", "bare.toml", "--threads", "1")
    assert run("encode", "products.parquet", *settings).exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(BatchedEncoder, "run_filled", _nobody)
        trained = run("train", "products.parquet", "--model", "model", *settings)
    assert trained.exit_code == 0, trained.output
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path / "other"))
    assert (
        "needs no vectors" in run("encode", "new.parquet", "--model", "model").stderr
    )  # not without pictures
    asked = ("--images", "images")
    told = json.loads(run("encode", "new.parquet", "--model", "model", *asked, "--json").stdout)
    assert told["encoders"][-1]["vectors"] == "pictures"
    assert told["encoders"][-1]["encoded"] == 30 - BAD
    with monkeypatch.context() as patch:
        patch.setattr(BatchedEncoder, "run_filled", _nobody)
        predicted = run("predict", "model", "new.parquet", "--output", "out.csv", *asked)
    assert predicted.exit_code == 0, predicted.output


def _nobody(self, items):
    raise AssertionError(f"{self.name} had to encode {len(items)}")


def test_mistakes_are_messages(monkeypatch):
    nothing = run("encode", "products.parquet", "--image-encoder", "none")
    assert nothing.exit_code == 2
    assert "give --text-encoder or --image-encoder" in nothing.stderr
    both = run("encode", "products.parquet", "--model", "model", "--recipe", "bare.toml")
    assert both.exit_code == 2
    assert "--model says how a catalogue is read" in both.stderr
    broken = run("encode", "products.parquet", "--text-encoder", "onnx:nowhere")
    assert broken.exit_code == 2
    assert "the folder nowhere does not exist" in broken.stderr
