"""MLflow for real: a store in a folder, read back by another client, and models of its runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from shelfwise.errors import ModelError
from shelfwise.track import open_trackers, resolve_model

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")

# What the package itself warns of when it is imported and used is no business of these tests.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder in which a run was tracked, and where trackers say the run is."""
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "model" / "parts").mkdir(parents=True)
    (folder / "model" / "model.json").write_text("{}")
    (folder / "model" / "parts" / "a.bin").write_bytes(b"\0\1")
    (folder / "report").mkdir()
    (folder / "report" / "report.html").write_text("<html>")
    from PIL import Image

    Image.new("RGB", (4, 4)).save(folder / "matrix.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with open_trackers(["mlflow"]) as tracker:
            tracker.begin(
                "first run", {"text": {"cost": 0.8}, "long": "x" * 9000}, "f" * 64, {"shop": "demo"}
            )
            tracker.metrics({"level_1/weighted_f1": 0.5, "by_view/größe/accuracy": 1.0})
            for step, loss in enumerate([3.0, 2.0, 1.0]):
                tracker.metrics({"loss": loss}, step)
            tracker.curve("reliability", {40: 0.5, 90: 0.9})
            tracker.text("notes", "Größe")
            tracker.figure("confusion/level 1", folder / "matrix.png")
            tracker.artifact(folder / "report")
            tracker.model(folder / "model")
        assert tracker.notes == []
        yield folder, tracker.places["mlflow"]


@pytest.fixture
def client(run, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(run[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return MlflowClient(f"sqlite:///{run[0]}/mlflow.db")


def test_run_is_listed_with_parameters_metrics_and_data(run, client):
    found = client.search_runs([client.get_experiment_by_name("shelfwise").experiment_id])

    assert [f"mlflow:{one.info.run_id}" for one in found] == [run[1]]
    assert (found[0].info.run_name, found[0].info.status) == ("first run", "FINISHED")
    assert found[0].data.params["text.cost"] == "0.8"
    assert found[0].data.metrics["level_1/weighted_f1"] == 0.5
    assert found[0].data.metrics["by_view/gr__e/accuracy"] == 1.0
    assert found[0].data.tags["shelfwise.data_sha256"] == "f" * 64
    assert found[0].data.tags["shop"] == "demo"
    assert found[0].inputs.dataset_inputs[0].dataset.digest == "f" * 36


def test_curves_have_their_steps(run, client):
    name = run[1].removeprefix("mlflow:")

    assert [(m.step, m.value) for m in client.get_metric_history(name, "loss")] == [
        (0, 3.0),
        (1, 2.0),
        (2, 1.0),
    ]
    assert {m.step: m.value for m in client.get_metric_history(name, "reliability")} == {40: 0.5, 90: 0.9}


def test_files_are_kept_below_the_store(run, client):
    name = run[1].removeprefix("mlflow:")
    paths = {
        file.path for folder in (None, "figures", "report") for file in client.list_artifacts(name, folder)
    }

    assert paths >= {"notes.txt", "figures/confusion-level 1.png", "report/report.html", "model"}
    assert (run[0] / "mlruns" / "shelfwise" / name / "artifacts" / "notes.txt").read_text("utf-8") == "Größe"


def test_model_of_a_run_is_found_again(run, monkeypatch):
    monkeypatch.chdir(run[0])
    folder = resolve_model(run[1])

    assert (folder / "model.json").read_text() == "{}"
    assert (folder / "parts" / "a.bin").read_bytes() == b"\0\1"


def test_unknown_run_and_run_without_a_model_are_told_apart(run, monkeypatch):
    monkeypatch.chdir(run[0])
    with open_trackers(["mlflow"]) as tracker:
        tracker.begin("empty", {}, "", {"model": run[1]})
    with pytest.raises(ModelError, match="the run has no model"):
        resolve_model(tracker.places["mlflow"])
    with pytest.raises(ModelError, match=r"0000.*not found"):
        resolve_model("mlflow:" + "0" * 32)


def test_store_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"there is no MLflow store .*mlflow\.db"):
        resolve_model("mlflow:" + "0" * 32)

    assert list(tmp_path.iterdir()) == []


def test_store_that_cannot_be_opened_costs_a_note(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    for spec in (f"mlflow:{tmp_path}/mlflow.db", "mlflow:http://127.0.0.1:9"):
        with open_trackers([spec]) as tracker:
            tracker.begin("run", {}, "f")
            tracker.metrics({"a": 1.0})
        assert len(tracker.notes) == 1
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "mlflow.db").execute("SELECT * FROM runs")


def test_nothing_is_printed_and_git_is_not_needed(run, tmp_path):
    code = (
        "from shelfwise.track import open_trackers\n"
        "with open_trackers(['mlflow']) as tracker:\n"
        "    tracker.begin('quiet', {'a': 1}, 'f')\n"
        "    tracker.metrics({'b': 1.0})\n"
        "assert tracker.notes == [], tracker.notes"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=run[0], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
