"""The engine of a Ray cluster: a shard is a task, and Ray does those of a machine that died again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale.engine import AHEAD, DoneT, Failed, ShardT, Work, do, in_order

_TRIES = 5
"""Times that a shard is done again after its worker died."""


def run(job: Work[ShardT, DoneT], tasks: Iterable[ShardT | DoneT], workers: int) -> Iterator[DoneT | Failed]:
    """Do the tasks on a cluster: that of RAY_ADDRESS, one that runs here, or a new one of this machine.

    workers: shards under way at a time, or of a job that wants GPUs, where there are some, actors with one
    each; 0: as many as the cluster has processors, or GPUs.

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
        gpus = int(resources.get("GPU", 0)) if job.gpu else 0
        shared = ray.put(job)
        if gpus:
            crew = _Crew[ShardT, DoneT](ray, job, shared, min(workers or gpus, gpus))
            try:
                yield from in_order(tasks, crew.submit, crew.result, AHEAD * crew.size)
            finally:
                crew.end()
            return
        # Plain tasks and no actors: those hold processors that reading tasks wait for.
        most = workers or AHEAD * max(1, int(resources.get("CPU", 1)))
        remote: Any = ray.remote(num_cpus=job.threads, max_retries=_TRIES)(do)
        yield from in_order(tasks, lambda task: remote.remote(shared, task), ray.get, most)
    finally:
        if began:
            ray.shutdown()


class _Worker:
    """A process that keeps its GPU, and what it has loaded there, from one shard to the next."""

    def __init__(self, job: Any) -> None:  # noqa: ANN401 - a `Work`
        self._job = job

    def begun(self) -> None:
        """Answer as soon as there is a place for it."""

    def do(self, task: Any) -> Any:  # noqa: ANN401 - a shard, and what comes of it
        """Do a shard."""
        return self._job.do(task)


@dataclass(frozen=True)
class _Ticket:
    """A task that was handed out: to which actor, and what will come of it."""

    number: int
    promised: Any


class _Crew(Generic[ShardT, DoneT]):
    """Actors with a GPU each. Tasks go to those that have begun: others may wait long for a place."""

    def __init__(self, ray: Any, job: Work[ShardT, DoneT], shared: Any, size: int) -> None:  # noqa: ANN401
        self._ray, self.size = ray, size
        kind = ray.remote(num_cpus=job.threads, num_gpus=1, max_restarts=-1, max_task_retries=_TRIES)(_Worker)
        self._actors = [kind.remote(shared) for _ in range(size)]
        self._coming = {actor.begun.remote(): number for number, actor in enumerate(self._actors)}
        self._load: dict[int, int] = {}

    def submit(self, task: ShardT) -> _Ticket:
        """Give a task to the actor that has the fewest; the first one waits until there is an actor."""
        if self._coming:
            wanted, patience = (len(self._coming), 0) if self._load else (1, None)
            begun, _ = self._ray.wait(list(self._coming), num_returns=wanted, timeout=patience)
            self._load |= {self._coming.pop(one): 0 for one in begun}
        number = min(self._load, key=lambda one: self._load[one])
        self._load[number] += 1
        return _Ticket(number, self._actors[number].do.remote(task))

    def result(self, ticket: _Ticket) -> DoneT | Failed:
        """Wait for what came of a task."""
        outcome: DoneT | Failed = self._ray.get(ticket.promised)
        self._load[ticket.number] -= 1
        return outcome

    def end(self) -> None:
        """Give the GPUs back."""
        for actor in self._actors:
            self._ray.kill(actor)
