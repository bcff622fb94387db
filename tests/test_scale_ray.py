"""Ray does the same shards as one process does, and those of a worker that died again."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from scale_shop import check_kills_change_nothing, check_unseen_model_is_told, dump, sha256
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale import Bulk, BulkOptions, bulk

RAY = BulkOptions(engine="ray")
# Ray opens sockets and files that it leaves to the end of the process.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine, with two processors."""
    ray = pytest.importorskip("ray")
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False
    )
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


def test_ray_writes_the_same_bytes_though_workers_are_killed(cluster, saved_toy, tmp_path, straight):
    cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see the tests
    pid_of = cluster.remote(pid)

    def kill():
        found = set(cluster.get([pid_of.remote() for _ in range(4)]))
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found

    check_kills_change_nothing(saved_toy, tmp_path, RAY, straight, kill)


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
