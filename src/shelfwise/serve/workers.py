"""Several processes on the same ports, and one above them that starts them, replaces them and ends them.

The system shares connections out among all that listen on a port (SO_REUSEPORT). Each worker is a whole
server of its own; what has to be common goes through the disk: corrections through their journal, which all
follow, and metrics through a folder (prometheus_client's multiprocess mode). A reload that one was asked for
is handed on to the others.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from shelfwise.errors import RecipeError, ShelfwiseError
from shelfwise.serve.metrics import WORKERS
from shelfwise.serve.server import Addresses, ServerOptions, open_socket, run

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from shelfwise.serve.service import Service

_LOG = logging.getLogger("shelfwise.serve")
_FIRST, _MOST = 0.5, 30.0  # seconds before a worker that died is replaced, twice as long each time
_STEADY = 60.0  # seconds after which a worker counts as sound, and the next one is replaced soon again
_GRACE = 10.0  # seconds more than `drain` that a worker has to end


@dataclass
class _Worker:
    """One process; ready: whether it has told where it is reached. failed: what it could not start for."""

    process: SpawnProcess
    line: Connection
    begun: float = field(default_factory=time.monotonic)
    ready: bool = False
    failed: str = ""


def run_workers(
    count: int, make: Callable[[], Service], options: ServerOptions, ready: Callable[[Addresses], None]
) -> int:
    """Serve with several processes until told to end; the worst exit code of them.

    Parameters
    ----------
    count
        How many.
    make
        Loads the models and returns the service, in each process: it has to be picklable.
    options
        See `ServerOptions`.
    ready
        Told where the server is reached, as soon as all answer.

    Raises
    ------
    RecipeError
        A port is taken, or this system cannot share ports.
    ShelfwiseError
        A worker could not start, the first time.

    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise RecipeError("this system cannot share a port among workers: leave --workers out")
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="shelfwise-metrics-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_environment(WORKERS, folder))
        held = {}
        for name in ("http_port", "grpc_port"):
            port = getattr(options, name)
            if port is not None:
                # Bound and not listening: it keeps the number, and gets no connections.
                if port:
                    open_socket(options.host, port).close()  # nobody else's, who would share it
                kept = stack.enter_context(open_socket(options.host, port, shared=True))
                held[name] = kept.getsockname()[1]
        return _Parent(count, make, replace(options, shared=True, **held), ready).live()


class _Parent:
    """The process above the workers."""

    def __init__(
        self,
        count: int,
        make: Callable[[], Service],
        options: ServerOptions,
        ready: Callable[[Addresses], None],
    ) -> None:
        self._make, self._options, self._told = make, options, ready
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker | None] = [None] * count
        self._due = [0.0] * count  # when a worker is started
        self._pause = [_FIRST] * count
        self._ending = 0.0  # time at which nobody is waited for any more; 0: not ending
        self._worst = 0
        self._all_ready = False

    def live(self) -> int:
        with _signals() as (wakes, signals):
            try:
                while not self._ending or any(self._workers):
                    self._start_due()
                    self._hear(wakes)
                    for number in signals():
                        self._signalled(number)
                    self._bury()
            finally:
                for worker in filter(None, self._workers):
                    worker.process.kill()
                    worker.process.join()
        return self._worst

    def _start_due(self) -> None:
        if self._ending:
            return
        for place, worker in enumerate(self._workers):
            if worker is None and time.monotonic() >= self._due[place]:
                here, there = self._context.Pipe()
                process = self._context.Process(
                    target=_work, args=(self._make, self._options, there), name=f"shelfwise-{place}"
                )
                process.start()
                there.close()
                self._workers[place] = _Worker(process, here)

    def _hear(self, wakes: socket.socket) -> None:
        """Wait for whatever happens next, and take what workers say."""
        alive = [worker for worker in self._workers if worker is not None]
        times = [due for place, due in enumerate(self._due) if self._workers[place] is None]
        if self._ending:
            times = [self._ending]
        left = max(min(times, default=time.monotonic() + 3600) - time.monotonic(), 0.01)
        happened = wait([wakes, *(w.line for w in alive), *(w.process.sentinel for w in alive)], left)
        for worker in alive:
            if worker.line in happened:
                with contextlib.suppress(EOFError, OSError):
                    self._said(worker, worker.line.recv())
        if self._ending and time.monotonic() >= self._ending:
            for worker in alive:
                worker.process.kill()

    def _said(self, worker: _Worker, message: tuple[str, Any]) -> None:
        kind, value = message
        if kind == "failed":
            worker.failed = value
        elif kind == "reload":
            for other in self._workers:
                if other is not None and other is not worker and other.ready:
                    with contextlib.suppress(OSError):
                        other.line.send(value)
        elif kind == "ready":
            worker.ready = True
            if not self._all_ready and all(one is not None and one.ready for one in self._workers):
                self._all_ready = True
                self._told(value)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._pass_on(signal.SIGHUP)
        elif self._ending:  # Ctrl-C twice: at once
            self._ending = time.monotonic()
        else:
            limits = self._options.limits
            self._ending = time.monotonic() + self._options.lame_duck + limits.drain + _GRACE
            self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int) -> None:
        for worker in filter(None, self._workers):
            if worker.process.is_alive() and (worker.ready or number == signal.SIGTERM):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid or 0, number)

    def _bury(self) -> None:
        """Take leave of workers that ended; one that should not have is replaced, later each time."""
        from prometheus_client.multiprocess import mark_process_dead

        for place, worker in enumerate(self._workers):
            if worker is None or worker.process.is_alive():
                continue
            while worker.line.poll():  # its last words
                try:
                    self._said(worker, worker.line.recv())
                except (EOFError, OSError):
                    break
            code = worker.process.exitcode or 0
            mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]
            worker.line.close()
            self._workers[place] = None
            if self._ending:
                # One that had not begun had nothing to finish.
                if worker.ready or code not in (-signal.SIGTERM, 128 + signal.SIGTERM):
                    self._worst = max(self._worst, code if code >= 0 else 128 - code)
                continue
            if not self._all_ready:
                raise ShelfwiseError(worker.failed or f"a worker ended before it began, with code {code}")
            lived = time.monotonic() - worker.begun
            pause = self._pause[place] = _FIRST if lived > _STEADY else self._pause[place]
            self._due[place], self._pause[place] = time.monotonic() + pause, min(pause * 2, _MOST)
            told = "worker %d ended with code %d; another one begins in %g s %s"
            _LOG.error(told, place, code, pause, worker.failed)


def _work(make: Callable[[], Service], options: ServerOptions, line: Connection) -> None:
    """A worker; in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent says what to do
    try:
        run(make, options, lambda addresses: line.send(("ready", addresses)), line)
    except ShelfwiseError as error:
        line.send(("failed", str(error)))
        raise SystemExit(1) from error


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _signals() -> Iterator[tuple[socket.socket, Callable[[], list[int]]]]:
    """A socket that can be read once a signal came, and what came since."""
    reads, writes = socket.socketpair()
    for end in (reads, writes):
        end.setblocking(False)
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in wanted}
    old = signal.set_wakeup_fd(writes.fileno())

    def came() -> list[int]:
        try:
            return [number for number in reads.recv(64) if number in wanted]
        except BlockingIOError:
            return []

    try:
        yield reads, came
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        reads.close()
        writes.close()
