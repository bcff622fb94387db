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

from shelfwise.serve.calls import NO_MESSAGE, YOUNG, Call
from shelfwise.serve.messages import PredictAnswer, PredictRequest
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.rpc import end, parse
from shelfwise.serve.service import Order, Service
from shelfwise.serve.turn import Turn
from shelfwise.serve.wire import write_answer

_LOG = logging.getLogger("shelfwise.serve.grpc")


class CallTurn(Turn):
    """One call and its answer.

    Parameters
    ----------
    service: what is asked.
    parsed: makes a request of the bytes of a message.
    call: the call.

    """

    __slots__ = ("_begun", "_call", "_message", "_parsed")

    def __init__(self, service: Service, parsed: Callable[[bytes], PredictRequest], call: Call) -> None:
        self._begun = time.perf_counter()
        super().__init__(service)
        self._parsed, self._call = parsed, call
        self._message = b""
        call.gone = self._abandon
        try:
            service.check()
        except RefusedError as error:
            self._refuse(error)
        else:
            call.receive(self._take)

    def _take(self, message: bytes | None) -> None:
        """The message is there: ask the model."""
        if message is None:
            self._call.watch()  # if the caller has gone, or sent too much, the core is about to say so
            asyncio.get_running_loop().call_later(YOUNG, self._ask_nothing)
        elif not self._call.is_gone:
            self._message = message
            self._ask()

    def _ask_nothing(self) -> None:
        if not self._call.is_gone:
            self._refuse(RefusedError("malformed", "message", NO_MESSAGE))

    def _read(self) -> Order:
        self._enter()
        message, self._message = self._message, b""
        return self._service.order(self._parsed(message), self._call.time_remaining())

    def _give(self, answer: PredictAnswer) -> None:
        self._call.answer(write_answer(answer))
        self._end("OK")

    def _refuse(self, error: RefusedError) -> None:
        self._service.metrics.refused(error.code)
        self._end(end(self._call, error))

    def _break(self, error: Exception) -> None:
        _LOG.error("a call failed", exc_info=error)
        self._end(end(self._call, None))

    def _abandon(self) -> None:
        """The caller has gone."""
        self._give_up()
        self._end("CANCELLED")

    def _end(self, status: str) -> None:
        self._leave()
        self._service.metrics.request("grpc", status, time.perf_counter() - self._begun)


def short_way(service: Service, kind: Any, read: Callable[[Any], PredictRequest]) -> Callable[[Call], None]:  # noqa: ANN401
    """Return what takes the calls of a method; kind: of its messages, which `read` makes requests of."""

    def read_bytes(data: bytes) -> PredictRequest:
        return read(parse(kind, data))

    def take(call: Call) -> None:
        CallTurn(service, read_bytes, call)

    return take
