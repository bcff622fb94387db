"""What every engine does: hand out shards, never more than a few at a time, and give them back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from shelfwise.scale.shards import Done, Failed, Task

Outcome = Done | Failed
_Ticket = TypeVar("_Ticket")
AHEAD = 3
"""Shards handed out for each worker: none of them waits while another one is being read or written."""


def in_order(
    tasks: Iterable[Task | Done],
    submit: Callable[[Task], _Ticket],
    result: Callable[[_Ticket], Outcome],
    most: int,
) -> Iterator[Outcome]:
    """Outcomes in the order of the tasks; those that were done before pass through.

    `submit` hands a task out and returns at once, `result` waits for what came of it. `most` are handed out
    at a time.
    """
    waiting: deque[Done | list[_Ticket]] = deque()

    def first() -> Outcome:
        held = waiting.popleft()
        return held if isinstance(held, Done) else result(held[0])

    for task in tasks:
        waiting.append(task if isinstance(task, Done) else [submit(task)])
        if len(waiting) >= most:
            yield first()
    while waiting:
        yield first()
