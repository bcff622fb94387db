"""Processes of one machine may die at any time: the output is the same, and the next run goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from scale_shop import children, dump, sha256
from shelfwise.errors import CatalogueError, ModelError
from shelfwise.scale import Bulk, BulkOptions, bulk
from shelfwise.scale.local import _Pool
from shelfwise.scale.shards import Done, Failed, Job, Task

TWO = BulkOptions(workers=2)


@pytest.fixture
def straight(saved_toy, tmp_path, monkeypatch):
    """The digest of an output that one process has written in one go, in shards of fifty rows."""
    monkeypatch.setattr(bulk, "SHARD", 50)
    Bulk.load(saved_toy).predict(dump(900), tmp_path / "straight.parquet")
    return sha256(tmp_path / "straight.parquet")


def test_workers_that_are_killed_change_nothing(saved_toy, tmp_path, straight):
    killed = []

    def listen(rows):
        if not killed:
            killed.extend(process.pid for process in multiprocessing.active_children())
            os.kill(killed[0], signal.SIGKILL)

    report = Bulk.load(saved_toy).predict(dump(900), tmp_path / "a.parquet", TWO, listen)

    assert len(killed) == 2
    assert (report.written.rows, report.workers) == (900, 2)
    assert sha256(tmp_path / "a.parquet") == straight
    assert multiprocessing.active_children() == []


SCRIPT = """
from shelfwise.scale import bulk
bulk.SHARD = 50
from shelfwise.cli import main
main()
"""


def test_run_that_is_killed_ends_its_workers_and_goes_on_later(saved_toy, tmp_path, straight):
    dump(900).write_parquet(tmp_path / "dump.parquet")
    asked = [str(saved_toy), str(tmp_path / "dump.parquet"), "--output", str(tmp_path / "a.parquet")]
    command = [sys.executable, "-c", SCRIPT, "predict", *asked, "--workers", "2"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    work = tmp_path / ".a.parquet.shards"
    while not list(work.glob("*.json")):
        assert run.poll() is None
        time.sleep(0.01)
    workers = children(run.pid)
    run.kill()
    run.wait()

    assert not (tmp_path / "a.parquet").exists()
    finished = len(list(work.glob("*.json")))
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):
        assert time.monotonic() < deadline, "workers outlive the run"
        time.sleep(0.05)
    report = Bulk.load(saved_toy).predict(tmp_path / "dump.parquet", tmp_path / "a.parquet")
    assert report.resumed >= 50 * finished
    assert sha256(tmp_path / "a.parquet") == straight
    assert not work.exists()


@pytest.fixture
def pool(tmp_path):
    """Two processes of a job whose model is not there: every shard fails at once."""
    job = Job(str(tmp_path / "no-model"), "", None, None, str(tmp_path), program="")
    job.__dict__["made_from"] = {}
    held = _Pool(job, 2)
    yield held
    held.end()


def test_pool_starts_anew_when_all_have_died(pool):
    first = pool.result(pool.submit(Task(0, "")))
    for process in multiprocessing.active_children():
        process.kill()
        process.join()

    assert first == pool.result(pool.submit(Task(0, "")))
    assert isinstance(first, Failed)
    assert not pool._out


def test_workers_that_die_again_and_again_are_told(pool, monkeypatch):
    ticket = pool.submit(Task(7, ""))
    monkeypatch.setattr(pool, "_hand_out", lambda task: _dead())
    ticket.future = _dead()

    with pytest.raises(CatalogueError, match=r"died 4 times in a row at about shard 7.*--workers"):
        pool.result(ticket)


def _dead():
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    future = Future()
    future.set_exception(BrokenProcessPool())
    return future


def test_error_in_a_worker_comes_back_as_it_was(saved_toy, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "SHARD", 50)
    monkeypatch.setattr(bulk, "digest_model", lambda folder: "another")
    with pytest.raises(ModelError, match="changed during the run"):
        Bulk.load(saved_toy).predict(dump(120), tmp_path / "a.csv", TWO)
    assert list(tmp_path.iterdir()) == []


def test_what_was_done_before_passes_through(pool):
    from shelfwise.scale.local import run

    done = Done(0, 1, {"ok": 1}, None, "")

    assert list(run(pool._job, [done], 1)) == [done]
    assert list(run(pool._job, [done], 2)) == [done]
