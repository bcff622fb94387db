"""Doubts in a real MLflow store: kept by the audit, found by the id of its run or of the model's."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

from audit_shop import plant, recipe, shop
from review_client import served
from shelfwise.categorizer import Categorizer
from shelfwise.cli import main
from shelfwise.errors import ModelError
from shelfwise.track import open_trackers
from shelfwise.track.doubts import resolve_doubts

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")

# What the package itself warns of when it is imported and used is no business of these tests.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with a store: a tracked training, an audit with its model and one without; what those told."""
    folder = tmp_path_factory.mktemp("mlflow")
    plant(shop(12), 3)[0].write_csv(folder / "shop.csv")
    Categorizer(recipe()).fit(folder / "shop.csv").save(folder / "model")
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with open_trackers(["mlflow"]) as tracker:
            tracker.begin("training", {}, "f")
            tracker.model(folder / "model")
        told["model"] = tracker.places["mlflow"]
        for name, words in {"with": ["--model", told["model"]], "without": ["--seed", "5"]}.items():
            done = CliRunner().invoke(
                main,
                ["audit", "shop.csv", "--output", f"{name}.parquet", "--no-map", "--json", "--track",
                 "mlflow", *words],
            )  # fmt: skip
            assert done.exit_code == 0, done.output
            told[name] = json.loads(done.stdout)
        yield folder, told


@pytest.fixture(autouse=True)
def here(store, monkeypatch):
    monkeypatch.chdir(store[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_an_audit_keeps_what_it_found_and_its_settings(store):
    from mlflow import MlflowClient

    told = store[1]["with"]
    run = MlflowClient(f"sqlite:///{store[0]}/mlflow.db").get_run(
        told["tracked"]["mlflow"].removeprefix("mlflow:")
    )

    metrics = run.data.metrics
    assert metrics["audit/expected_wrong"] == pytest.approx(told["expected_wrong"], abs=0.1)
    assert metrics["audit/products"] == told["products"] == 108
    assert metrics["audit/doubted"] == told["doubted"]
    assert {f"share/{kind}": share for kind, share in told["shares"].items()}.items() <= metrics.items()
    assert run.data.params["seed"] == "0"
    assert run.data.tags["catalogue"] == "shop.csv"
    assert f"mlflow:{run.data.tags['mlflow.parentRunId']}" == run.data.tags["model"] == store[1]["model"]


@pytest.mark.parametrize(("asked", "name"), [("with", "with"), ("model", "with"), ("without", "without")])
def test_doubts_are_found_by_their_run_or_by_that_of_the_model(store, asked, name):
    told = store[1]
    where = told["model"] if asked == "model" else told[asked]["tracked"]["mlflow"]
    found = resolve_doubts(where)

    assert pl.read_parquet(found.path).equals(pl.read_parquet(f"{name}.parquet"))
    assert found.model == (told["model"] if name == "with" else "")
    assert f"mlflow:{found.run}" == where


def test_the_page_opens_a_run_and_its_model_has_a_say(store):
    with served(store[1]["model"], cwd=store[0]) as client:
        about = client.get("about")
        assert about["products"] == 108
        assert about["model"] == store[1]["model"]
        client.decide({"id": 0, "action": "unsure"})
        assert client.get("shelves", product=0)["items"][0]["source"] == "model"
    run = store[1]["model"].removeprefix("mlflow:")
    assert (store[0] / f"doubts-{run}.decisions.sqlite").is_file()


def test_a_run_without_doubts_says_how_to_make_them(store):
    with open_trackers(["mlflow"]) as tracker:
        tracker.begin("trained", {}, "f")
        tracker.model(store[0] / "model")
    with open_trackers(["mlflow"]) as other:
        other.begin("empty", {}, "f")
    run = tracker.places["mlflow"]
    done = CliRunner().invoke(main, ["review", run])

    assert done.exit_code == 2
    assert "the run has no doubts" in done.output
    command = f"shelfwise audit CATALOGUE --output doubts.parquet --model {run} --track mlflow"
    assert command in done.output
    with pytest.raises(ModelError, match=r"--output doubts\.parquet --track mlflow"):
        resolve_doubts(other.places["mlflow"])


@pytest.mark.parametrize(
    ("where", "told"), [("mlflow:" + "0" * 32, "not found"), ("mlflow:../x", "give a run id")]
)
def test_what_is_no_run_is_told(where, told):
    with pytest.raises(ModelError, match=told):
        resolve_doubts(where)


def test_a_store_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no MLflow store"):
        resolve_doubts("mlflow:" + "0" * 32)

    assert list(tmp_path.iterdir()) == []
