"""Micro-batching: one bounded queue in front of one thread that predicts.

Requests that arrive while the model is busy are answered together in its next go. So a lone request never
waits for others, and the batches grow with the load by themselves. What would have to wait too long is
refused at the door (Little's law: what is in the queue, times what one takes, is the wait), and callers that
have gone or whose time is over are dropped before they cost anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from shelfwise.serve.answerer import Answerer, Asked
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import Prediction
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.tracing import Trace, current

_LOG = logging.getLogger("shelfwise.serve")
_Result = TypeVar("_Result")
_EXPLAINING = 30
"""What one product with evidence costs, in products without."""
_SMOOTH = 0.2
_LEAST = 8  # products a batch counts as at least: small ones would make a product look dear


@dataclass(frozen=True)
class Batch:
    """A batch that went through the model: requests, products, seconds in the model and longest wait."""

    requests: int
    products: int
    seconds: float
    waited: float


@dataclass
class _Job:
    asked: Asked
    cost: int
    deadline: float
    begun: float
    future: asyncio.Future[list[Prediction]] = field(repr=False)
    trace: Trace | None = None


class Batcher:
    """Asks answerers, many requests at a time.

    Parameters
    ----------
    limits: of the queue and the batches.
    seen: told of each batch.

    """

    def __init__(self, limits: Limits, seen: Callable[[Batch], None] | None = None) -> None:
        self._limits = limits
        self._seen = seen
        self._queues: OrderedDict[Answerer, deque[_Job]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shelfwise-model")
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seconds = 0.0  # that a product took lately
        self._expected = 1  # requests that may well come again, by how many there were the last time
        self.waiting = 0
        """Cost in products of everything that waits or is being answered."""
        self.dropped = 0
        """Requests whose caller had gone before they reached the model."""

    @property
    def delay(self) -> float:
        """Seconds that a request would have to wait now, by what the model did lately."""
        return self.waiting * self._seconds

    async def ask(self, answerer: Answerer, asked: Asked, deadline: float) -> list[Prediction]:
        """Answer one request.

        Parameters
        ----------
        answerer, asked
            Who is asked what.
        deadline
            Time (`time.monotonic`) after which nobody wants the answer.

        Raises
        ------
        RefusedError
            "busy", at once, when it would wait too long; "late" when the deadline has passed.

        """
        cost = len(asked.offers) * (_EXPLAINING if asked.wish.explain else 1)
        self._admit(cost)
        now, future = time.monotonic(), asyncio.get_running_loop().create_future()
        job = _Job(asked, cost, deadline, now, future, current())
        self._queues.setdefault(answerer, deque()).append(job)
        self.waiting += cost
        self._start()
        try:
            async with asyncio.timeout(max(deadline - now, 0)):
                return await job.future
        except TimeoutError as error:
            raise _late() from error
        finally:
            self.waiting -= cost

    def check(self) -> None:
        """Raise RefusedError where any request would have to wait too long; before it is even read."""
        if self.delay > self._limits.delay:
            raise self._busy()

    def _busy(self) -> RefusedError:
        told = "the server has more to do than it can in time; try again later"
        return RefusedError("busy", "busy", told, self.delay)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Do something else in the thread of the model, between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """End; what waits is not answered any more."""
        if self._task is not None:
            self._task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _admit(self, cost: int) -> None:
        if not self.waiting:
            return  # whatever it costs, nobody is before it
        if self.waiting + cost > self._limits.queue:
            raise self._busy()
        self.check()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        self._wake.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            await self._gather(loop)
            answerer, jobs = self._next()
            if answerer is None:
                self._wake.clear()
                self._expected = 1
                continue
            begun = time.monotonic()
            try:
                results = await loop.run_in_executor(
                    self._pool, _answer, answerer, [job.asked for job in jobs]
                )
            except RuntimeError:  # the pool is closed: the process ends
                return
            self._told(jobs, begun, time.monotonic())
            self._expected = len(jobs) + self._queued()
            for job, result in zip(jobs, results, strict=True):
                if not job.future.done():
                    _settle(job.future, result)

    async def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a batch fill up for a moment: until as many have come as there were the last time.

        Callers that were just answered are about to ask again. Who was alone is not waited for anybody.
        """
        enough, wait = min(self._expected, self._limits.batch), self._limits.wait
        end = loop.time() + wait
        while (
            self._queued() < enough and self.waiting < self._limits.batch and (left := end - loop.time()) > 0
        ):
            await asyncio.sleep(min(left, wait / 8))

    def _queued(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def _next(self) -> tuple[Answerer | None, list[_Job]]:
        """The next batch: requests to one answerer, in their order, those of others after it."""
        now = time.monotonic()
        while self._queues:
            answerer, queue = self._queues.popitem(last=False)
            jobs: list[_Job] = []
            cost = 0
            while queue and (not jobs or cost + queue[0].cost <= self._limits.batch):
                job = queue.popleft()
                if job.future.done() or job.deadline <= now:
                    self.dropped += 1
                    continue
                jobs.append(job)
                cost += job.cost
            if queue:
                self._queues[answerer] = queue  # at the end: others first
            if jobs:
                return answerer, jobs
        return None, []

    def _told(self, jobs: Sequence[_Job], begun: float, ended: float) -> None:
        cost = sum(job.cost for job in jobs)
        each = (ended - begun) / max(cost, _LEAST)
        self._seconds = each if not self._seconds else self._seconds + _SMOOTH * (each - self._seconds)
        products = sum(len(job.asked.offers) for job in jobs)
        for job in jobs:
            if job.trace is not None:
                job.trace.batch((job.begun, begun, ended), len(jobs), products)
        if self._seen is not None:
            self._seen(Batch(len(jobs), products, ended - begun, begun - min(job.begun for job in jobs)))


def _answer(answerer: Answerer, asked: Sequence[Asked]) -> list[list[Prediction] | Exception]:
    """Answer some requests together, or one by one where one of them spoils it for all."""
    try:
        return list(answerer.answer(asked))
    except Exception as error:
        if len(asked) == 1:
            _LOG.exception("a request could not be answered")
            return [error]
        return [result for one in asked for result in _answer(answerer, [one])]


def _settle(future: asyncio.Future[list[Prediction]], result: list[Prediction] | Exception) -> None:
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _late() -> RefusedError:
    return RefusedError("late", "late", "the time for the answer is over", 1.0)
