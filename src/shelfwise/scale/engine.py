"""What every engine does: hand out shards, never more than a few at a time, and give them back in order.

An engine knows nothing of the work. A job says what is done with a shard, and is plain values that pass to
other processes and machines; a shard says which one it is; what comes of it is up to the job.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, Protocol, TypeVar, cast, get_args

from shelfwise import errors
from shelfwise.errors import RecipeError, ShelfwiseError

EngineName = Literal["local", "ray", "spark"]
AHEAD = 3
"""Shards handed out for each worker: none of them waits while another one is being read or written."""


@dataclass(frozen=True)
class Shard:
    """What is handed out: the number of a piece of work, with whatever its job needs to know."""

    number: int


@dataclass(frozen=True)
class Failed:
    """A shard that cannot be done, and would not be another time: the error's kind and message."""

    kind: str
    message: str

    def error(self) -> ShelfwiseError:
        """The error, as it was raised where the work was done."""
        kind = getattr(errors, self.kind, ShelfwiseError)
        error: ShelfwiseError = kind.__new__(kind, self.message)
        error.args = (self.message,)
        return error


ShardT = TypeVar("ShardT", bound=Shard)
DoneT = TypeVar("DoneT")
_Taken = TypeVar("_Taken", bound=Shard, contravariant=True)
_Made = TypeVar("_Made", covariant=True)
_Ticket = TypeVar("_Ticket")


class Work(Protocol[_Taken, _Made]):
    """A job: what all shards of a run have in common."""

    @property
    def threads(self) -> int:
        """Processors of one worker."""

    @property
    def gpu(self) -> bool:
        """Whether a worker is quicker with a GPU to itself."""

    def do(self, task: _Taken) -> _Made | Failed:
        """Do a shard, in any process; the same comes of it however often it is done."""


_WAITING = 8


def do(job: Work[ShardT, DoneT], task: ShardT) -> DoneT | Failed:
    """Do a shard of a job; for engines that hand out functions."""
    return job.do(task)


def failing(task: Shard, work: Callable[[], DoneT]) -> DoneT | Failed:
    """What comes of some work on a shard; errors that a user can mend are values, and pass as such."""
    try:
        return work()
    except ShelfwiseError as error:
        return Failed(type(error).__name__, str(error))
    except (OSError, MemoryError) as error:
        told = f"shard {task.number} on {socket.gethostname()}: {str(error) or type(error).__name__}"
        return Failed("CatalogueError", told)


def in_order(
    tasks: Iterable[ShardT | DoneT],
    submit: Callable[[ShardT], _Ticket],
    result: Callable[[_Ticket], DoneT | Failed],
    most: int,
) -> Iterator[DoneT | Failed]:
    """Outcomes in the order of the tasks; those that were done before, and are no `Shard`, pass through.

    `submit` hands a task out and returns at once, `result` waits for what came of it. `most` are handed out
    at a time; so many times as many wait for the first of them at most.
    """
    waiting: deque[tuple[DoneT, None] | tuple[None, _Ticket]] = deque()
    out = 0

    def first() -> DoneT | Failed:
        nonlocal out
        done, ticket = waiting.popleft()
        out -= ticket is not None
        return done if ticket is None else result(ticket)  # type: ignore[return-value]

    for task in tasks:
        if isinstance(task, Shard):
            out += 1
            waiting.append((None, submit(cast(ShardT, task))))
        else:
            waiting.append((task, None))
        while waiting and (waiting[0][1] is None or out >= most or len(waiting) >= _WAITING * most):
            yield first()
    while waiting:
        yield first()


def check_engine(name: str) -> None:
    """RecipeError if there is no such engine."""
    if name not in get_args(EngineName):
        raise RecipeError(f"engines are {', '.join(get_args(EngineName))}; got {name!r}")


def run(
    name: EngineName, job: Work[ShardT, DoneT], tasks: Iterable[ShardT | DoneT], workers: int
) -> Generator[DoneT | Failed, None, None]:
    """Have an engine do the tasks; `workers`: processes of this machine, or shards under way on a cluster.

    Raises
    ------
    MissingExtraError, RecipeError, CatalogueError
        As the engine's own `run`.

    """
    used = import_module(f"shelfwise.scale.{name}")
    found: Generator[DoneT | Failed, None, None] = used.run(job, tasks, workers)
    return found


def unseen(what: str, where: str) -> str:
    """What to say where a worker does not see what the machine that began the run does."""
    return (
        f"{socket.gethostname()} does not see {what} in {where}: with several machines, models, encoders, "
        "pictures and --work have to be at paths that all of them see, or --work in an object store"
    )
