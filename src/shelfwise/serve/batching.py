"""Micro-batching: one bounded queue in front of one thread that predicts.

Requests that arrive while the model is busy are answered together in its next go. So a lone request never
waits for others, and the batches grow with the load by themselves. What would have to wait too long is
refused at the door (`serve.admission`), and callers that have gone or whose time is over are dropped before
they cost anything.

A request costs no task and no timer: it is a `Job` with a function that takes its result, one timer looks
after the deadlines of all, and everything that is read in one turn of the event loop goes together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from shelfwise.serve.admission import Admission
from shelfwise.serve.answerer import Answerer, Asked
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import Prediction
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.tracing import Trace, current

_LOG = logging.getLogger("shelfwise.serve")
_Result = TypeVar("_Result")
_Answer = list[Prediction] | Exception
_EXPLAINING = 30
"""What one product with evidence costs, in products without."""


@dataclass(frozen=True)
class Batch:
    """A batch that went through the model: requests, products, seconds in the model and longest wait."""

    requests: int
    products: int
    seconds: float
    waited: float


@dataclass(eq=False, slots=True)
class Job:
    """A request in the queue. tell: takes its answer, or why there is none; None once it has been told.

    trace: of the request, where it is recorded.
    """

    asked: Asked
    cost: int
    deadline: float
    begun: float
    tell: Callable[[_Answer], None] | None
    trace: Trace | None = None


class Batcher:
    """Asks answerers, many requests at a time; all methods are called in the event loop.

    Parameters
    ----------
    limits: of the queue and the batches.
    seen: told of each batch.

    """

    def __init__(self, limits: Limits, seen: Callable[[Batch], None] | None = None) -> None:
        self._limits, self._seen = limits, seen
        self.admission = Admission(limits)
        self._queues: OrderedDict[Answerer, deque[Job]] = OrderedDict()
        self._queued = 0  # jobs in the queues
        self._running: list[Job] = []  # those that the model has
        self._launched = 0.0  # since when
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shelfwise-model")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._launching: asyncio.Handle | None = None  # the next batch goes when it fires
        self._gathering: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._expected = 1  # requests that may well come again, by how many there were the last time
        self.dropped = 0
        """Requests whose caller had gone before they reached the model."""

    @property
    def waiting(self) -> int:
        """Cost in products of everything that waits or is being answered."""
        return self.admission.waiting

    @property
    def delay(self) -> float:
        """Seconds that a request would have to wait now, by what the model did lately."""
        return self.admission.delay

    def check(self) -> None:
        """Raise RefusedError where any request would have to wait too long; before it is even read."""
        self.admission.check()

    # -- asking ----------------------------------------------------------------------------------------------

    def put(self, answerer: Answerer, asked: Asked, deadline: float, tell: Callable[[_Answer], None]) -> Job:
        """Queue one request; `tell` is called once, later, unless the job is dropped.

        Parameters
        ----------
        answerer, asked
            Who is asked what.
        deadline
            Time (`time.monotonic`) after which nobody wants the answer; `tell` then gets a RefusedError.
        tell
            Takes the predictions, or what went wrong.

        Raises
        ------
        RefusedError
            "busy", at once, when it would wait too long.

        """
        cost = len(asked.offers) * (_EXPLAINING if asked.wish.explain else 1)
        now = time.monotonic()
        self.admission.enter(cost, now)
        job = Job(asked, cost, deadline, now, tell, current())
        queue = self._queues.get(answerer)
        if queue is None:
            queue = self._queues[answerer] = deque()
        queue.append(job)
        self._queued += 1
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._look_after(job, now)
        if not self._running and self._launching is None and (self._gathering is None or self._enough()):
            self._launching = loop.call_soon(self._launch)  # with all that is read in this turn of the loop
        return job

    def drop(self, job: Job) -> None:
        """Forget a request that nobody waits for any more."""
        if job.tell is not None:
            job.tell = None
            self.admission.leave(job.cost)

    async def ask(self, answerer: Answerer, asked: Asked, deadline: float) -> list[Prediction]:
        """Answer one request, see `put`; RefusedError "busy" or "late"."""
        future: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
        job = self.put(answerer, asked, deadline, lambda result: _settle(future, result))
        try:
            return await future
        finally:
            self.drop(job)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Do something else in the thread of the model, between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """End; what waits is not answered any more."""
        for handle in (self._launching, self._gathering, self._sweeping):
            if handle is not None:
                handle.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- batches ---------------------------------------------------------------------------------------------

    def _enough(self) -> bool:
        """Whether as many have come as there were the last time, or a whole batch."""
        most = self.admission.batch
        return self._queued >= min(self._expected, most) or self.waiting >= most

    def _launch(self) -> None:
        """Hand the next batch to the thread."""
        for handle in (self._launching, self._gathering):
            if handle is not None:
                handle.cancel()
        self._launching = self._gathering = None
        answerer, jobs = self._next()
        if answerer is None:
            self._expected = 1
            return
        self._running, self._launched = jobs, time.monotonic()
        if not self._queued:
            self.admission.emptied(self._launched, sum(job.cost for job in jobs))
        assert self._loop is not None
        try:
            self._pool.submit(self._go, self._loop, answerer, jobs)
        except RuntimeError:  # the pool is closed: the process ends
            return

    def _go(self, loop: asyncio.AbstractEventLoop, answerer: Answerer, jobs: list[Job]) -> None:
        """Answer a batch; in the thread of the model."""
        begun = time.monotonic()
        results = _answer(answerer, [job.asked for job in jobs])
        try:
            loop.call_soon_threadsafe(self._finished, jobs, results, begun, time.monotonic())
        except RuntimeError:  # the loop is closed: nobody is there to be told
            return

    def _finished(self, jobs: list[Job], results: Sequence[_Answer], begun: float, ended: float) -> None:
        self._running = []
        # What the loop and the threads take between two batches is a batch's, too: under load it counts.
        self.admission.took(sum(job.cost for job in jobs), time.monotonic() - self._launched)
        products = sum(len(job.asked.offers) for job in jobs)
        for job in jobs:
            if job.trace is not None:
                job.trace.batch((job.begun, begun, ended), len(jobs), products)
        if self._seen is not None:
            self._seen(Batch(len(jobs), products, ended - begun, begun - min(job.begun for job in jobs)))
        self._expected = len(jobs) + self._queued
        # The next batch is on its way before this one's answers are written.
        if self._enough():
            self._launch()
        elif self._limits.wait > 0 and self._expected > 1:
            self._gather()
        elif self._queued:
            self._launch()
        for job, result in zip(jobs, results, strict=True):
            self._tell(job, result)

    def _gather(self) -> None:
        """Let a batch fill up for a moment: callers that were just answered are about to ask again.

        Who was alone is not waited for anybody.
        """
        assert self._loop is not None
        self._gathering = self._loop.call_later(self._limits.wait, self._launch)

    def _next(self) -> tuple[Answerer | None, list[Job]]:
        """The next batch: requests to one answerer, in their order, those of others after it."""
        now, enough, most = time.monotonic(), self.admission.batch, self._limits.batch
        while self._queues:
            answerer, queue = self._queues.popitem(last=False)
            jobs: list[Job] = []
            cost = 0
            while queue and (not jobs or (cost < enough and cost + queue[0].cost <= most)):
                job = queue.popleft()
                self._queued -= 1
                if job.tell is None or job.deadline <= now:
                    self.dropped += 1
                    self._tell(job, _late())
                    continue
                jobs.append(job)
                cost += job.cost
            if queue:
                self._queues[answerer] = queue  # at the end: others first
            if jobs:
                return answerer, jobs
        return None, []

    def _tell(self, job: Job, result: _Answer) -> None:
        tell = job.tell
        if tell is None:
            return
        job.tell = None
        self.admission.leave(job.cost)
        try:
            tell(result)
        except Exception:
            _LOG.exception("an answer could not be given")

    # -- deadlines -------------------------------------------------------------------------------------------

    def _look_after(self, job: Job, now: float) -> None:
        """See to it that somebody looks when the time of a job is over."""
        assert self._loop is not None
        at = self._loop.time() + max(job.deadline - now, 0)
        if self._sweeping is None or at < self._sweeping.when():
            if self._sweeping is not None:
                self._sweeping.cancel()
            self._sweeping = self._loop.call_at(at, self._sweep)

    def _sweep(self) -> None:
        """Tell everyone whose time is over, and look again when the next one's is."""
        self._sweeping = None
        now = time.monotonic()
        for job in self._pending():
            if job.deadline <= now:
                self._tell(job, _late())
        soonest = min(self._pending(), key=lambda job: job.deadline, default=None)
        if soonest is not None:
            self._look_after(soonest, now)

    def _pending(self) -> Iterator[Job]:
        queued = (job for queue in list(self._queues.values()) for job in list(queue))
        return (job for jobs in (self._running, queued) for job in jobs if job.tell is not None)


def _answer(answerer: Answerer, asked: Sequence[Asked]) -> list[_Answer]:
    """Answer some requests together, or one by one where one of them spoils it for all."""
    try:
        return list(answerer.answer(asked))
    except Exception as error:
        if len(asked) == 1:
            _LOG.exception("a request could not be answered")
            return [error]
        return [result for one in asked for result in _answer(answerer, [one])]


def _settle(future: asyncio.Future[list[Prediction]], result: _Answer) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _late() -> RefusedError:
    return RefusedError("late", "late", "the time for the answer is over", 1.0)
