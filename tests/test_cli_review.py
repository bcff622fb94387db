"""The commands review and correct: what they say, and what they refuse before any work."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

from review_client import served
from review_shop import make_shop
from shelfwise.cli import main


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 40, pictures=False)


def test_help_names_every_option():
    told = run("review", "--help").output
    for option in ("--catalogue", "--images", "--model", "--decisions", "--port", "--host", "--allow-remote"):
        assert option in told


def test_a_review_from_doubts_to_the_corrected_catalogue(shop, tmp_path):
    doubts, catalogue, _ = shop
    decisions = tmp_path / "d.sqlite"
    with served(doubts, "--decisions", str(decisions)) as client:
        client.decide(
            {"id": 0, "action": "accept"}, {"id": 1, "action": "keep"}, {"id": 2, "action": "unsure"}
        )
        wanted = client.get("products/0")
        export = client.ask("GET", "/api/export?form=csv")[2]
    (tmp_path / "d.csv").write_bytes(export)
    for source in (decisions, tmp_path / "d.csv"):
        done = run("correct", source, catalogue, "--output", tmp_path / "new.parquet", "--json")
        told = json.loads(done.stdout)
        assert (done.exit_code, told["changed"], told["kept"], told["undecided"]) == (0, 1, 1, 1)
        new, old = pl.read_parquet(tmp_path / "new.parquet"), pl.read_parquet(catalogue)
        assert new["category"][wanted["row"]] == wanted["suggested"]
        assert new.drop("category").equals(old.drop("category"))
    said = run("correct", decisions, catalogue, "--output", tmp_path / "new.csv").stdout
    assert "42 products, 1 on another shelf than before" in said
    assert "1 were left open" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["review", "mlflow:abc"], "MLflow store"),
        (["review", "absent.parquet"], "no such file"),
        (["review", "DOUBTS", "--host", "0.0.0.0"], "--allow-remote"),
        (["review", "CATALOGUE"], "not written by an audit"),
        (["review", "DOUBTS", "--decisions", "CATALOGUE"], "is no file of decisions"),
        (["correct", "absent.sqlite", "CATALOGUE", "--output", "x.csv"], "no such file"),
        (["correct", "CATALOGUE", "CATALOGUE", "--output", "x.csv"], "is no file of decisions"),
        (["correct", "CATALOGUE", "CATALOGUE", "--output", "x.docx"], "ending"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(shop, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no store
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    names = {"DOUBTS": str(shop[0]), "CATALOGUE": str(shop[1])}
    done = run(*(names.get(word, word) for word in words))
    assert done.exit_code == 2
    assert told in done.output
    assert "Traceback" not in done.output
