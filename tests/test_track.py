"""Tracking without any store: specs, several stores as one, failures that cost no run, models of runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.errors import MissingExtraError, ModelError, RecipeError
from shelfwise.evaluate import Outcome, PromiseOutcome, score
from shelfwise.track import Trackers, open_trackers, record_evaluation, record_training, resolve_model
from shelfwise.track.mlflow import tracking_uri
from shelfwise.track.tracker import flatten


class Notebook:
    """A store that writes down what it is told, and fails when told to."""

    def __init__(self, name="notebook", fails=()):
        self.name, self.place, self.fails, self.calls = name, f"{name}:1", fails, []

    def __getattr__(self, method):
        def call(*arguments):
            if method in self.fails:
                raise OSError(28, "No space left on device\nand more")
            self.calls.append((method, *arguments))

        return call

    def told(self, method):
        return [call[1:] for call in self.calls if call[0] == method]


@pytest.fixture(scope="module")
def outcome():
    labels = ["Home > Cups", "Home > Mugs", "Tyres"]
    tree = Taxonomy.build(labels, separator=" > ")
    y = np.array([0, 0, 1, 2] * 10, np.int32)
    answer = np.array([0, 1, 1, 2] * 10, np.int32)
    sure = np.tile(np.array([0.9, 0.4, 0.8, 0.95], np.float32), 10)[:, None]
    kept = PromiseOutcome(0.9, sure[:, 0] > 0.5)
    return Outcome(tree, y, answer[:, None], sure, by_view={"ngrams": answer}, promise=kept)


# -- specs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["mlfow", "", "neptune:x", "MLflow", "none:x"])
def test_unknown_place_is_refused_with_those_that_there_are(spec):
    with pytest.raises(RecipeError, match=r"mlflow\[:URI\], tensorboard\[:DIR\], wandb\[:PROJECT\]"):
        open_trackers(["tensorboard", spec])


def test_colon_wants_something_after_it():
    with pytest.raises(RecipeError, match="must follow the colon"):
        open_trackers(["tensorboard: "])


@pytest.mark.parametrize("name", ["mlflow", "tensorboard", "wandb"])
def test_missing_package_names_the_extra(monkeypatch, name):
    for module in [m for m in sys.modules if m.split(".")[0] == name] or [name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingExtraError, match=rf"shelfwise\[{name}\]"):
        open_trackers([name])


def test_none_tracks_nothing():
    with open_trackers(["none"]) as tracker:
        tracker.begin("run", {}, "f")
        tracker.metrics({"a": 1.0})

    assert not tracker
    assert tracker.places == {}


def test_track_loads_no_store_before_it_is_asked_for():
    code = "import sys, shelfwise.track; print(sorted({'mlflow', 'wandb', 'tensorboard'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "sqlite:///{}/mlflow.db"),
        ("runs.db", "sqlite:///{}/runs.db"),
        ("sqlite:///sub/runs.db", "sqlite:///{}/sub/runs.db"),
        ("sqlite:////elsewhere/runs.db", "sqlite:////elsewhere/runs.db"),
        ("/elsewhere/runs.db", "sqlite:////elsewhere/runs.db"),
        (".", "sqlite:///{}/mlflow.db"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("postgresql+psycopg2://me@there/db", "postgresql+psycopg2://me@there/db"),
        ("databricks", "databricks"),
    ],
)
def test_address_of_the_mlflow_store(tmp_path, monkeypatch, given, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    assert tracking_uri(given) == expected.format(tmp_path)


def test_environment_names_the_mlflow_store(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:1")

    assert tracking_uri() == "http://there:1"
    with pytest.raises(RecipeError, match="no store of the kind 'ftp'"):
        tracking_uri("ftp://there")


# -- several as one ----------------------------------------------------------------------------------------


def test_failing_store_is_noted_once_and_the_others_go_on():
    good, bad, heard = Notebook("good"), Notebook("bad", ["metrics"]), []
    with Trackers([bad, good], heard.append) as tracker:
        tracker.begin("run", {"seed": 1}, "f", {"catalogue": "c"})
        tracker.metrics({"a": 1.0})
        tracker.metrics({"a": 2.0}, 1)

    assert heard == tracker.notes
    assert len(heard) == 1
    assert heard[0].startswith("bad: OSError: ")
    assert "No space left on device" in heard[0]
    assert "\n" not in heard[0]
    assert good.told("metrics") == [({"a": 1.0}, None), ({"a": 2.0}, 1)]
    assert (good.told("end"), bad.told("end")) == ([("finished",)], [("failed",)])
    assert tracker.places == {"good": "good:1"}


@pytest.mark.parametrize(("error", "status"), [(ValueError, "failed"), (KeyboardInterrupt, "killed")])
def test_end_says_how_the_work_ended(error, status):
    book = Notebook()

    def work():
        with Trackers([book]) as tracker:
            tracker.begin("run", {}, "f")
            raise error

    with pytest.raises(error):
        work()
    assert book.told("end") == [(status,)]


def test_run_ends_once():
    book = Notebook()
    with Trackers([book]) as tracker:
        tracker.end("failed")

    assert book.told("end") == [("failed",)]


def test_settings_are_flattened():
    recipe = {"seed": 1, "text": {"weights": {"brand": 0.5}, "words": 2}, "fields": ["a"], "roles": {}}

    assert flatten(recipe) == {
        "seed": 1, "text.weights.brand": 0.5, "text.words": 2, "fields": '["a"]', "roles": "{}",
    }  # fmt: skip


# -- what is recorded --------------------------------------------------------------------------------------


def test_evaluation_has_scores_of_every_level_a_curve_pictures_and_the_report(outcome, tmp_path):
    book, scores = Notebook(), score(outcome, draws=0)
    record_evaluation(book, outcome, scores, tmp_path)
    numbers = book.told("metrics")[0][0]

    assert numbers["accuracy"] == 0.75
    assert numbers["level_1/accuracy"] == 1.0
    assert numbers["level_2/weighted_f1"] == pytest.approx(scores.overall.weighted_f1)
    assert numbers["by_view/ngrams/accuracy"] == 0.75
    assert numbers["promise/coverage"] == 0.75
    assert all(isinstance(value, float | int) for value in numbers.values())
    name, points = book.told("curve")[0]
    assert (name, points[40], points[95]) == ("reliability", 0.0, 1.0)
    assert [name for name, _ in book.told("figure")] == ["confusion_level_1", "confusion_level_2"]
    assert book.told("artifact") == [(tmp_path,)]


def test_training_has_counts_shares_promises_and_the_model(tmp_path):
    training = {
        "rows": 10, "learned": 8, "data_sha256": "f", "notes": ["careful"], "timings": {"total": 1.5},
        "out_of_fold": {"rows": 8, "accuracy": 0.5, "levels": [0.9, 0.5]}, "view_weights": {"ngrams": 1.0},
        "promises": [{"asked": 0.9, "coverage": 0.4}, {"asked": 0.99, "refused": "too few"}],
    }  # fmt: skip
    book = Notebook()
    record_training(book, training, tmp_path)

    assert book.told("metrics")[0][0] == {
        "training/rows": 10, "training/learned": 8, "seconds/total": 1.5, "share/ngrams": 1.0,
        "out_of_fold/rows": 8, "out_of_fold/accuracy": 0.5,
        "out_of_fold/level_1/accuracy": 0.9, "out_of_fold/level_2/accuracy": 0.5,
    }  # fmt: skip
    assert book.told("curve") == [("promise/coverage", {90: 0.4})]
    assert book.told("text") == [("notes", "careful")]
    assert book.told("model") == [(tmp_path,)]


def test_record_of_a_real_training_is_all_numbers(toy_model, tmp_path):
    book = Notebook()
    record_training(book, toy_model.training_.to_dict(), tmp_path)

    numbers = book.told("metrics")[0][0]
    assert numbers["training/categories"] == len(toy_model.taxonomy_.labels)
    json.dumps(numbers, allow_nan=False)


# -- models of runs ----------------------------------------------------------------------------------------


def test_path_is_a_model_folder():
    assert resolve_model("shelf/model") == Path("shelf/model")


@pytest.mark.parametrize("where", ["mlflow:", "mlflow:../../etc", "mlflow: a b"])
def test_what_is_no_run_id_is_refused(where):
    with pytest.raises(ModelError, match="give a run id"):
        resolve_model(where)
