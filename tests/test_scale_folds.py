"""Folds answered elsewhere come to the same, to the bit, and what goes wrong there is told here."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from fold_shop import evidence, plain
from shelfwise.audit import evidence as module
from shelfwise.errors import CatalogueError, RecipeError
from shelfwise.scale import FoldEngine, folds
from shelfwise.scale.engine import Failed, Shard
from shelfwise.scale.folds import FoldJob


@pytest.fixture(autouse=True)
def steady(monkeypatch):
    """The views are weighed by one fold, and four are left for others."""
    monkeypatch.setattr(module, "_STEADY", 10)


def test_two_processes_of_which_one_is_killed_come_to_the_same(tmp_path):
    expected, told = plain(), []

    def listen(step):
        told.append(step)
        if len(told) == 3:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    engine = FoldEngine("local", 2, 2, str(tmp_path / "work"))

    assert evidence(engine, listen) == expected
    assert told == ["reading", *(f"part {number} of 5" for number in range(1, 6))]
    assert not (tmp_path / "work").exists()
    assert multiprocessing.active_children() == []


def test_a_process_of_its_own_work_reads_the_products_once(tmp_path, monkeypatch):
    read, unpack = [], folds.unpack
    monkeypatch.setattr(folds, "unpack", lambda content: read.append(1) or unpack(content))
    folds._kept.clear()

    assert evidence(FoldEngine("local", 1, 1, str(tmp_path / "work"))) == plain()
    assert len(read) == 1


def test_nothing_is_sent_where_no_fold_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_STEADY", 10_000)
    monkeypatch.setattr(folds, "_send", None)

    assert evidence(FoldEngine("local", 2, 2, str(tmp_path / "work"))) == plain()


@pytest.fixture
def job(tmp_path):
    return FoldJob(None, (), (), {}, None, "digest", str(tmp_path / "nowhere"))


def test_what_a_worker_does_not_see_and_other_versions_are_told(job, tmp_path):
    folds._kept.clear()

    assert "does not see the products" in job.do(Shard(3)).message
    assert "another version of Shelfwise" in replace(job, program="older").do(Shard(3)).message
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "999999.in").write_bytes(b"of another audit")
    failed = job.do(Shard(3))
    assert isinstance(failed, Failed)
    assert "was changed while it was worked on" in failed.message


def test_error_of_a_fold_is_told_and_engines_have_names(tmp_path, monkeypatch):
    monkeypatch.setattr(folds, "_send", lambda dealt, work: "of another file")
    with pytest.raises(CatalogueError, match="does not see the products"):
        evidence(FoldEngine("local", 1, 1, str(tmp_path / "work")))
    assert not (tmp_path / "work").exists()
    with pytest.raises(RecipeError, match="engines are local, ray, spark"):
        FoldEngine("dask", 1, 1, "work")
