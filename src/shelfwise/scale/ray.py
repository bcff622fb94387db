"""The engine of a Ray cluster: a shard is a task, and Ray does those of a machine that died again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale.engine import AHEAD, Outcome, in_order
from shelfwise.scale.shards import Done, Job, Task, work

_TRIES = 5
"""Times that a shard is done again after its worker died."""


def run(job: Job, tasks: Iterable[Task | Done], workers: int) -> Iterator[Outcome]:
    """Do the tasks on a cluster: that of RAY_ADDRESS, one that runs here, or a new one of this machine.

    Plain tasks and no actors: those hold processors that reading tasks wait for. workers: shards under way at
    a time; 0: one for each processor of the cluster.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    RecipeError
        The cluster cannot be reached.

    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("--engine ray", "ray") from None
    began = not ray.is_initialized()
    if began:
        try:
            ray.init(log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RecipeError(
                f"--engine ray finds no cluster: {error}. Is RAY_ADDRESS right, and are RAY_AUTH_MODE and "
                "RAY_AUTH_TOKEN the same on all machines?"
            ) from error
    try:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        most = workers or AHEAD * max(1, int(resources.get("CPU", 1)))
        remote: Any = ray.remote(num_cpus=job.threads, max_retries=_TRIES)(work)
        shared = ray.put(job)
        yield from in_order(tasks, lambda task: remote.remote(shared, task), ray.get, most)
    finally:
        if began:
            ray.shutdown()
