"""Ray does the same shards as one process does, and those of a worker that died again."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import encode_shop
import fold_shop
from scale_shop import check_kills_change_nothing, check_unseen_model_is_told, dump, sha256
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale import Bulk, BulkOptions, FoldEngine, bulk
from shelfwise.scale.engine import Shard
from shelfwise.scale.ray import run

RAY = BulkOptions(engine="ray")
# Ray opens sockets and files that it leaves to the end of the process.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine, with two processors, and two GPUs that nobody looks for."""
    ray = pytest.importorskip("ray")
    ray.init(
        address="local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False,
        configure_logging=False,
    )  # fmt: skip
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see the tests
    yield ray
    ray.shutdown()


@pytest.fixture
def straight(saved_toy, tmp_path, monkeypatch):
    """The digest of what one process writes, in shards of fifty rows."""
    monkeypatch.setattr(bulk, "SHARD", 50)
    Bulk.load(saved_toy).predict(dump(700), tmp_path / "straight.parquet")
    return sha256(tmp_path / "straight.parquet")


def pid():
    return os.getpid()


@pytest.fixture
def kill(cluster):
    """What ends the workers that do plain tasks."""
    pid_of = cluster.remote(pid)

    def kill():
        found = set(cluster.get([pid_of.remote() for _ in range(4)]))
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found

    return kill


def test_ray_writes_the_same_bytes_though_workers_are_killed(kill, saved_toy, tmp_path, straight):
    check_kills_change_nothing(saved_toy, tmp_path, RAY, straight, kill)


def test_ray_keeps_the_same_vectors_though_workers_are_killed(kill, tmp_path, monkeypatch):
    encode_shop.in_small_shards(monkeypatch)
    encode_shop.check_kills_change_nothing(encode_shop.shop(tmp_path), "ray", kill)


def test_ray_answers_the_folds_of_an_audit_to_the_bit(cluster, tmp_path, monkeypatch):
    fold_shop.check_same_answers(FoldEngine("ray", 0, 1, str(tmp_path / "work")), monkeypatch)


@dataclass(frozen=True)
class Asking:
    """A job of workers that say where they are; the second shard's ends with its process, once."""

    flag: str
    threads: int = 1
    gpu: bool = True

    def do(self, task):
        flag = Path(self.flag)
        if task.number == 1 and not flag.exists():
            flag.touch()
            os._exit(1)
        return task.number, os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_that_want_gpus_keep_one_each_and_begin_again_when_they_die(cluster, tmp_path, workers):
    job = Asking(str(tmp_path / "flag"))

    told = list(run(job, map(Shard, range(12)), workers))

    assert [number for number, _, _ in told] == list(range(12))
    assert (tmp_path / "flag").exists()
    processes = {pid for _, pid, _ in told}
    assert len(processes) <= (workers or 2) + 1  # the one that died, and who does its work now
    assert {device for _, _, device in told} <= {"0", "1"}
    assert len({device for _, _, device in told}) <= (workers or 2)


def test_errors_come_back_and_what_a_machine_does_not_see_is_told(cluster, saved_toy, tmp_path, monkeypatch):
    check_unseen_model_is_told(saved_toy, tmp_path, RAY, monkeypatch)


def test_cluster_that_cannot_be_reached_is_told(saved_toy, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")

    def init(**options):
        raise ConnectionError("nobody at 127.0.0.1:9")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(RecipeError, match=r"nobody at.*RAY_ADDRESS"):
        Bulk.load(saved_toy).predict(dump(20), tmp_path / "a.csv", RAY)
    assert list(tmp_path.iterdir()) == []


def test_ray_that_is_not_installed_is_told(saved_toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtraError, match=r"shelfwise\[ray\]"):
        Bulk.load(saved_toy).predict(dump(20), tmp_path / "a.csv", RAY)
    assert list(tmp_path.iterdir()) == []
