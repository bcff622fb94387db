"""The commands about encoders: fine-tune, export, search and tracking, as words, as JSON and as errors."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

import finetune_bases as bases
from shelfwise.cli import main
from shelfwise.features.vectors import HELD_OUT

RECIPE = """
threads = 1
[finetune]
epochs = 1
batch = 16
device = "cpu"
"""


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def catalogue(tmp_path):
    pl.DataFrame(
        {
            "product_id": [f"P{row}" for row in range(90)],
            "title": [
                f"{bases.FILLERS[row % 5]} {bases.KINDS[row % 3]} {bases.FILLERS[row // 5 % 5]} no{row}"
                for row in range(90)
            ],
            "category": [bases.KINDS[row % 3] for row in range(90)],
        }
    ).write_parquet(tmp_path / "products.parquet")
    (tmp_path / "small.toml").write_text(RECIPE)
    return "products.parquet"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_finetune_says_what_came_of_it_and_goes_on_from_there(catalogue, tmp_path):
    base = bases.text_base(tmp_path / "bert")
    asked = ("finetune", catalogue, "--output", "out", "--recipe", "small.toml", "--text-encoder", base)

    done = run(*asked)

    assert done.exit_code == 0, done.output
    assert "weighted F1" in done.stdout
    assert (tmp_path / "out" / HELD_OUT).is_file()
    again = run(*asked, "--json")
    told = json.loads(again.stdout)
    assert told["modality"] == "text"
    assert told["products"] + told["validated"] == 90
    assert told == json.loads(run(*asked, "--json").stdout)  # its seconds as well: nothing was done again


def test_finetune_without_a_base_is_a_message(catalogue):
    done = run("finetune", catalogue, "--output", "out")

    assert done.exit_code == 2
    assert "encoder.encoder as hf:" in done.stderr
    assert "Traceback" not in done.stderr


def test_export_measures_what_is_lost(catalogue, tmp_path):
    pytest.importorskip("onnx")
    base = bases.text_base(tmp_path / "bert")

    done = run("export", base, catalogue, "--output", "onnx", "--precision", "float32", "--json")

    assert done.exit_code == 0, (done.output, done.exception)
    told = json.loads(done.stdout)
    assert told["cosine_least"] > 0.999
    used = run("train", catalogue, "--model", "model", "--text-encoder", "onnx:onnx", "--threads", "1")
    assert used.exit_code == 0, used.output


def test_search_writes_a_recipe(catalogue, tmp_path):
    pytest.importorskip("optuna")

    done = run("search", catalogue, "--output", "found", "--trials", "2", "--minutes", "1", "--json")

    assert done.exit_code == 0, (done.output, done.exception)
    assert (tmp_path / "found" / "best.toml").is_file()


def test_tracking_somewhere_unknown_is_a_message(catalogue):
    done = run("train", catalogue, "--model", "model", "--track", "nowhere")

    assert done.exit_code == 2
    assert "--track nowhere" in done.stderr


def test_a_tracked_run_says_where_it_is(catalogue, tmp_path):
    pytest.importorskip("tensorboard")

    done = run("train", catalogue, "--model", "model", "--track", "tensorboard:runs", "--json")

    assert done.exit_code == 0, (done.output, done.exception)
    assert "runs" in json.loads(done.stdout)["tracked"]["tensorboard"]
