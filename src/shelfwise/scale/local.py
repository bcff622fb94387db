"""The engine of one machine: processes, each with its models, that may die without anything being lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Generic, cast

from shelfwise.errors import CatalogueError
from shelfwise.scale.engine import AHEAD, DoneT, Failed, Shard, ShardT, Work, do, in_order

_DEATHS = 3
"""So many times in a row may workers die before any shard is finished."""
_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(job: Work[ShardT, DoneT], tasks: Iterable[ShardT | DoneT], workers: int) -> Iterator[DoneT | Failed]:
    """Do the tasks with so many processes; with one, in this process.

    Raises
    ------
    CatalogueError
        Processes died again and again, without finishing a shard.

    """
    if workers <= 1:
        yield from (job.do(cast(ShardT, task)) if isinstance(task, Shard) else task for task in tasks)
        return
    pool = _Pool(job, workers)
    try:
        yield from in_order(tasks, pool.submit, pool.result, AHEAD * workers)
    finally:
        pool.end()


@dataclass(eq=False)
class _Ticket(Generic[ShardT, DoneT]):
    """A task that was handed out."""

    task: ShardT
    future: Future[DoneT | Failed]


class _Pool(Generic[ShardT, DoneT]):
    """Processes that are started anew when one of them dies, with all that was handed out."""

    def __init__(self, job: Work[ShardT, DoneT], workers: int) -> None:
        self._job, self._workers = job, workers
        self._out: dict[_Ticket[ShardT, DoneT], None] = {}
        self._deaths = 0
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._job.threads,)
        )

    def submit(self, task: ShardT) -> _Ticket[ShardT, DoneT]:
        """Hand a task out."""
        try:
            future = self._hand_out(task)
        except BrokenProcessPool:
            self._renew()
            future = self._hand_out(task)
        ticket = _Ticket[ShardT, DoneT](task, future)
        self._out[ticket] = None
        return ticket

    def result(self, ticket: _Ticket[ShardT, DoneT]) -> DoneT | Failed:
        """Wait for what came of a task."""
        while True:
            try:
                outcome = ticket.future.result()
            except BrokenProcessPool:
                self._renew()
                continue
            del self._out[ticket]
            self._deaths = 0
            return outcome

    def _hand_out(self, task: ShardT) -> Future[DoneT | Failed]:
        with _environment(self._job.threads):  # processes are started when there is something to do
            return self._executor.submit(do, self._job, task)

    def _renew(self) -> None:
        """Start the processes anew, and hand out again what they had not finished."""
        self._deaths += 1
        if self._deaths > _DEATHS:
            first = next(iter(self._out)).task.number
            raise CatalogueError(
                f"worker processes died {self._deaths} times in a row at about shard {first}, most likely "
                f"because the memory did not suffice: try fewer than {self._workers} with --workers. "
                "Run the same command again: of a prediction or an encoding what is done is kept."
            )
        self.end()
        self._executor = self._start()
        for ticket in self._out:
            if not ticket.future.done() or ticket.future.cancelled() or ticket.future.exception() is not None:
                ticket.future = self._hand_out(ticket.task)

    def end(self) -> None:
        """End the processes, whatever they do: shards are written whole or not at all."""
        for process in list((getattr(self._executor, "_processes", None) or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What processes that are started now find in their environment: how many threads libraries may use."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(threads: int) -> None:
    """Start a worker: it ends with the process that started it, however that ends; Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="shelfwise-watch").start()
