"""The recipe of each system that Shelfwise replaces, from its format to scores, with encoders made here."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import five_systems
import shelfwise
from shelfwise.cli import main
from shelfwise.features.vectors import HELD_OUT

for package in ("torch", "transformers", "accelerate"):
    pytest.importorskip(package)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Caches and stores of a test are its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    """Run a command as JSON; what it printed."""
    calm = ["--threads", "1"] if arguments[0] in ("train", "predict") else []
    done = CliRunner().invoke(main, [str(argument) for argument in (*arguments, *calm, "--json")])
    assert done.exit_code == 0, (done.stderr, done.exception)
    return json.loads(done.stdout)


def test_shoe_shop(tmp_path):
    """A: tracked, scored by the run's id, with a report; text by sentences, pictures fine-tuned."""
    pytest.importorskip("mlflow")
    pytest.importorskip("sentence_transformers")
    shoes = five_systems.shoe_shop(tmp_path)
    told = run(
        *("train", shoes, "--model", "shoes", "--label", "category", "--split", "split"),
        *("--recipe", "shoe-shop", "--images", "images", "--track", "mlflow"),
        *("--text-encoder", five_systems.text_encoder(tmp_path / "st", sentence=True)),
        *("--image-encoder", five_systems.picture_encoder(tmp_path / "vit")),
    )

    assert (told["categories"], told["pictures"]) == (14, told["learned"])
    place = told["tracked"]["mlflow"]
    assert place.startswith("mlflow:")
    scores = run(
        *("evaluate", place, shoes, "--split", "split", "--images", "images"),
        *("--report", "report", "--track", "mlflow"),
    )
    assert (tmp_path / "report" / "report.html").is_file()
    assert scores["accuracy"] > 0.9  # the majority is 1 in 14
    assert scores["by_view"]["encoder"]["accuracy"] > 0.5
    assert scores["by_view"]["pixels"]["rows"] == scores["rows"]
    assert scores["by_view"]["pixels"]["accuracy"] > 0.5
    import mlflow

    runs = mlflow.search_runs(search_all_experiments=True)
    curves = [name for name in runs.columns if "loss" in name and name.startswith("metrics.")]
    assert runs[curves].notna().any(axis=None), "the losses of the fine-tuning are not tracked"


def test_noisy_export(tmp_path):
    """B: fourteen files, fourteen main categories as seven, half of the pictures."""
    pytest.importorskip("tensorboard")
    export, mapping, pictures = five_systems.csv_export(tmp_path)
    told = run(
        *("train", export, "--model", "model", "--label", "main_category", "--mapping", mapping),
        *("--recipe", "noisy-export", "--images", pictures, "--track", "tensorboard:runs"),
        *("--image-encoder", five_systems.picture_encoder(tmp_path / "resnet", "resnet")),
    )

    assert told["categories"] == 7
    assert told["rows"] == 14 * 26 + 13 * 3
    assert told["learned"] // 3 < told["pictures"] < 2 * told["learned"] // 3
    assert told["groups"] <= 14 * 26
    assert list((tmp_path / "runs").rglob("*tfevents*"))
    fresh = tmp_path / "fresh"
    again, _, more = five_systems.csv_export(fresh, each=30)
    scores = run("evaluate", "model", again, "--images", more)
    assert scores["accuracy"] > 0.8
    assert {"pictures", "pixels"} <= scores["by_view"].keys()
    assert scores["by_view"]["pictures"]["accuracy"] > 0.4
    assert scores["by_view"]["pixels"]["accuracy"] > 0.4


def test_every_view(tmp_path):
    """C: dictionaries, HTML, numbers and pictures; classes from one product to a hundred."""
    pytest.importorskip("pytorch_metric_learning")
    pytest.importorskip("imblearn")
    counts = [100, 60, 40, 25, 15, 10, 6, 4, 1, 1]
    train = five_systems.dump(tmp_path, counts)
    told = run(
        *("train", train, "--model", "model", "--label", "category_id", "--images", "images"),
        *("--recipe", "every-view"),
        *("--text-encoder", five_systems.text_encoder(tmp_path / "bert")),
        *("--image-encoder", five_systems.picture_encoder(tmp_path / "beit", "beit")),
    )

    assert (told["categories"], told["singletons"]) == (10, 2)
    fresh = tmp_path / "fresh"
    new = five_systems.dump(fresh, [20] * 8, seed=9)
    scores = run("evaluate", "model", new, "--images", fresh / "images")
    assert scores["accuracy"] > 0.8
    assert {"encoder", "pictures", "table"} <= scores["by_view"].keys()
    for view in ("encoder", "pictures", "table"):
        assert scores["by_view"][view]["accuracy"] > 0.2, view  # by chance: 1 in 8


def test_fine_tuned_text(tmp_path):
    """D: learn from train.parquet, answer test.parquet with two columns."""
    truth = _dumps(tmp_path, [30] * 8, [6] * 8)
    run(
        *("train", "train.parquet", "--model", "model", "--label", "category_id", "--images", "images"),
        *("--recipe", "fine-tuned-text"),
        *("--text-encoder", five_systems.text_encoder(tmp_path / "bert")),
        *("--image-encoder", five_systems.picture_encoder(tmp_path / "vit")),
    )
    run(
        *("predict", "model", "test.parquet", "--images", "images"),
        *("--output", "result.parquet", "--ids-only"),
    )

    assert _right("result.parquet", truth) > 0.9
    held = set(json.loads((tmp_path / "model-encoder" / HELD_OUT).read_text()))
    assert 0.3 <= len(held) / 240 <= 0.5
    assert shelfwise.load("model").training_.out_of_fold["rows"] == len(held)
    scores = run("evaluate", "model", "train.parquet", "--images", "images")
    assert {"encoder", "pictures", "pixels"} <= scores["by_view"].keys()


def test_two_thousand_products_of_a_dump(tmp_path):
    """D, larger: forty categories, at a size of settings that a test can afford."""
    truth = _dumps(tmp_path, [50] * 40, [3] * 40)  # 20 kinds of goods, for men or for anyone
    built_in = shelfwise.recipe.built_in()["fine-tuned-text"]
    smaller = built_in.replace("epochs = 4", "epochs = 2").replace("[encoder]", "[encoder]\nunits = 64")
    assert smaller != built_in
    (tmp_path / "smaller.toml").write_text(smaller)
    told = run(
        *("train", "train.parquet", "--model", "model", "--label", "category_id", "--images", "images"),
        *("--recipe", "smaller.toml"),
        *("--text-encoder", five_systems.text_encoder(tmp_path / "bert")),
        *("--image-encoder", five_systems.picture_encoder(tmp_path / "vit")),
    )

    assert (told["learned"], told["categories"]) == (2000, 40)
    run(
        *("predict", "model", "test.parquet", "--images", "images"),
        *("--output", "result.parquet", "--ids-only"),
    )
    assert _right("result.parquet", truth) > 0.9


def test_frozen_sample(tmp_path):
    """E: a tenth of a feed, classes keeping their shares, then new products."""
    told = run(
        *("train", five_systems.feed(tmp_path / "feed.csv"), "--model", "model", "--label", "main_cat"),
        *("--recipe", "frozen-sample"),
        *("--text-encoder", five_systems.text_encoder(tmp_path / "distilbert")),
    )

    assert told["learned"] == pytest.approx(300, abs=30)
    assert told["left_out_by_sample"] == 3000 - told["learned"]
    new = five_systems.feed(tmp_path / "new.csv", 200, seed=5)
    scores = run("evaluate", "model", new)
    assert scores["accuracy"] > 0.9
    assert scores["by_view"]["encoder"]["accuracy"] > 0.5  # the majority is 1 in 8
    run("predict", "model", new, "--output", "sorted.csv")
    answers = pl.read_csv("sorted.csv")
    assert answers.height == 200
    assert answers["category"].n_unique() == 8


def _dumps(folder, train, test):
    """Write train.parquet and test.parquet with their pictures; the categories of the test products."""
    five_systems.dump(folder, train)
    five_systems.dump(folder, test, "test", seed=7)
    kinds = np.repeat(np.arange(len(test)), test)
    return {700_000 + at: 10_000 + int(kind) for at, kind in enumerate(kinds)}


def _right(result, truth):
    """The share of products on their category; the file has one row for each, and two columns."""
    found = pl.read_parquet(result)
    assert found.columns == ["product_id", "predicted_category_id"]
    answers = {int(row): int(label) for row, label in found.iter_rows()}
    assert answers.keys() == truth.keys()
    return np.mean([answers[row] == label for row, label in truth.items()])
