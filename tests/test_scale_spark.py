"""Spark does the same shards as one process does, and those of a worker that died again."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

import encode_shop
import fold_shop
from scale_shop import check_kills_change_nothing, check_unseen_model_is_told, children, dump, sha256
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale import Bulk, BulkOptions, FoldEngine, bulk

SPARK = BulkOptions(engine="spark")
# Spark leaves sockets to the end of the process.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("spark")]


@pytest.fixture(scope="module")
def session():
    """Spark on this machine, with two processors; a shard is tried four times."""
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        builder = sql.SparkSession.builder.master("local[2,4]").appName("tests")
        opened = builder.config("spark.ui.enabled", "false").getOrCreate()
        opened.sparkContext.setLogLevel("OFF")
        yield opened
        opened.stop()


@pytest.fixture
def straight(saved_toy, tmp_path, monkeypatch):
    """The digest of what one process writes, in shards of fifty rows."""
    monkeypatch.setattr(bulk, "SHARD", 50)
    Bulk.load(saved_toy).predict(dump(700), tmp_path / "straight.parquet")
    return sha256(tmp_path / "straight.parquet")


@pytest.fixture
def kill(session):
    """What ends all Python workers of the session."""
    java = session.sparkContext._gateway.proc.pid

    def kill():
        found = [worker for daemon in children(java) for worker in children(daemon)]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found

    return kill


def test_spark_writes_the_same_bytes_though_workers_are_killed(kill, saved_toy, tmp_path, straight):
    check_kills_change_nothing(saved_toy, tmp_path, SPARK, straight, kill)


def test_spark_keeps_the_same_vectors_though_workers_are_killed(kill, tmp_path, monkeypatch):
    encode_shop.in_small_shards(monkeypatch)
    encode_shop.check_kills_change_nothing(encode_shop.shop(tmp_path), "spark", kill)


def test_spark_answers_the_folds_of_an_audit_to_the_bit(session, tmp_path, monkeypatch):
    fold_shop.check_same_answers(FoldEngine("spark", 0, 1, str(tmp_path / "work")), monkeypatch)


def test_what_a_machine_does_not_see_is_told(session, saved_toy, tmp_path, monkeypatch):
    check_unseen_model_is_told(saved_toy, tmp_path, SPARK, monkeypatch)


def test_spark_that_is_not_installed_is_told(saved_toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with pytest.raises(MissingExtraError, match=r"shelfwise\[spark\]"):
        Bulk.load(saved_toy).predict(dump(20), tmp_path / "a.csv", SPARK)
    assert list(tmp_path.iterdir()) == []


def test_java_that_is_missing_is_told(saved_toy, tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setattr(sql.SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(RecipeError, match="needs Java"):
        Bulk.load(saved_toy).predict(dump(20), tmp_path / "a.csv", SPARK)
