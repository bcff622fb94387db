"""The short way for products over gRPC: from the core's queue to the batcher and back, without a task.

`Predict` and `PredictBatch` are what is asked most. A call of theirs is refused as soon as its headers are
there where the server is busy; else its message goes to the batcher, and the answer is written when it comes.
Where requests are traced they go the usual way, see `rpc`; both ways give the same answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from shelfwise.serve.batching import Job
from shelfwise.serve.calls import NO_MESSAGE, YOUNG, Call
from shelfwise.serve.messages import Prediction, PredictRequest
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.rpc import end, parse
from shelfwise.serve.service import Order, Service
from shelfwise.serve.wire import write_answer

_LOG = logging.getLogger("shelfwise.serve.grpc")


class Turn:
    """One call and its answer.

    Parameters
    ----------
    service: what is asked.
    read: makes a request of the bytes of a message.
    call: the call.

    """

    __slots__ = ("_begun", "_call", "_entered", "_job", "_order", "_read", "_service", "_task")

    def __init__(self, service: Service, read: Callable[[bytes], PredictRequest], call: Call) -> None:
        self._begun = time.perf_counter()
        self._service, self._read, self._call = service, read, call
        self._entered = False
        self._job: Job | None = None
        self._order: Order | None = None
        self._task: asyncio.Task[None] | None = None
        call.gone = self._abandon
        try:
            service.check()
        except RefusedError as error:
            self._refuse(error)
        else:
            call.receive(self._ask)

    def _ask(self, message: bytes | None) -> None:
        """The message is there: ask the model."""
        if message is None:
            self._call.watch()  # if the caller has gone, or sent too much, the core is about to say so
            asyncio.get_running_loop().call_later(YOUNG, self._ask_nothing)
            return
        if self._call.is_gone:
            return
        try:
            self._service.enter()
            self._entered = True
            order = self._order = self._service.order(self._read(message), self._call.time_remaining())
            if order.pictures:
                self._task = asyncio.get_running_loop().create_task(self._look(order))
            else:
                self._put(order)
        except RefusedError as error:
            self._refuse(error)
        except Exception as error:
            self._break(error)

    def _ask_nothing(self) -> None:
        if not self._call.is_gone:
            self._refuse(RefusedError("malformed", "message", NO_MESSAGE))

    async def _look(self, order: Order) -> None:
        try:
            await self._service.look(order)
            self._put(order)
        except RefusedError as error:
            self._refuse(error)
        except Exception as error:
            self._break(error)

    def _put(self, order: Order) -> None:
        if order.asked.offers:
            put = self._service.batcher.put
            self._job = put(order.loaded.answerer, order.asked, order.deadline, self._tell)
        else:
            self._tell([])

    def _tell(self, result: list[Prediction] | Exception) -> None:
        self._job = None
        if isinstance(result, list):
            assert self._order is not None
            try:
                self._call.answer(write_answer(self._service.answer(self._order, result)))
            except Exception as error:
                self._break(error)
            else:
                self._end("OK")
        elif isinstance(result, RefusedError):
            self._refuse(result)
        else:
            self._break(result)

    def _refuse(self, error: RefusedError) -> None:
        self._service.metrics.refused(error.code)
        self._end(end(self._call, error))

    def _break(self, error: Exception) -> None:
        _LOG.error("a call failed", exc_info=error)
        self._end(end(self._call, None))

    def _abandon(self) -> None:
        """The caller has gone."""
        if self._job is not None:
            self._service.batcher.drop(self._job)
        if self._task is not None:
            self._task.cancel()
        self._end("CANCELLED")

    def _end(self, status: str) -> None:
        if self._entered:
            self._service.leave()
            self._entered = False
        self._service.metrics.request("grpc", status, time.perf_counter() - self._begun)


def short_way(service: Service, kind: Any, read: Callable[[Any], PredictRequest]) -> Callable[[Call], None]:  # noqa: ANN401
    """Return what takes the calls of a method; kind: of its messages, which `read` makes requests of."""

    def read_bytes(data: bytes) -> PredictRequest:
        return read(parse(kind, data))

    def take(call: Call) -> None:
        Turn(service, read_bytes, call)

    return take
