"""Calls of gRPC, taken from the core of grpcio by the event loop itself.

`grpc.aio` makes three tasks and half a dozen futures of a call, and wakes the loop for each of its steps:
that costs more than the model takes for a product. Here the loop reads the core's queue as far as there is
anything in it, and each event calls a method. A thread waits in the loop's place only while the queue is
empty. All else (HTTP/2, TLS, deadlines, flow control, sizes) is the core's, as it is for `grpc.aio`. Methods
that are not asked often run as tasks, and find in a `Call` what they expect of `grpc.aio`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc._cython import cygrpc

_LOG = logging.getLogger("shelfwise.serve.grpc")
_ASKED = 32
"""Calls that the core may hand over before it has to be asked for more."""
_MOST = 32  # events after which others in the loop have their turn: the model's next batch is among them
_PAST = 0.0  # a deadline that makes the queue tell what it has
_NOTHING, _CLOSED = cygrpc.CompletionType.queue_timeout, cygrpc.CompletionType.queue_shutdown
_NEVER = 253_402_300_800.0  # the year 10000: a deadline after it is none
_CANCELLED = 1
YOUNG = 0.02
"""Seconds, and at most twice as many, in which nobody looks whether a caller has gone."""
NO_MESSAGE = "the call has no message"
"""What is told to a caller who sent none."""
Take = Callable[["Call"], None]
"""Takes a call in the event loop; whatever it does not do at once it has to begin."""


class AbortedError(Exception):
    """Ends a method whose call has been ended."""


class Call:
    """One call.

    method: its whole name. metadata: pairs that the caller sent. gone: told once where the caller has gone,
    or the time is over, before the call was ended. written: makes bytes of messages; None: they are bytes.
    """

    __slots__ = (
        "_call", "_code", "_deadline", "_details", "_loop", "_tell", "_told", "_watched", "ended", "gone",
        "is_gone", "metadata", "method", "written",
    )  # fmt: skip

    def __init__(self, event: Any, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ANN401 - of cygrpc
        details = event.call_details
        self.method: bytes = details.method
        self.metadata: Sequence[tuple[str, str | bytes]] = event.invocation_metadata
        self._deadline: float = details.deadline
        self._call, self._loop = event.call, loop
        self._told = self._watched = self.ended = self.is_gone = False
        self._code: Any = None
        self._details = ""
        self._tell: Callable[[bytes | None], None] | None = None
        self.gone: Callable[[], None] | None = None
        self.written: Callable[[Any], bytes] | None = None

    def watch(self) -> None:
        """From now on `gone` is told; calls that are ended at once save an event by doing without."""
        if not (self._watched or self.ended):
            self._watched = True
            self._begin((cygrpc.ReceiveCloseOnServerOperation(0),), self._closed)

    def receive(self, tell: Callable[[bytes | None], None]) -> None:
        """Have the next message told; None: there is none."""
        self._tell = tell
        self._begin((cygrpc.ReceiveMessageOperation(0),), self._received)

    def answer(self, message: bytes) -> None:
        """End the call with a message."""
        self._end((cygrpc.SendMessageOperation(message, 0),), 0, "", ())

    def end(self, code: int = 0, details: str = "", trailing: Sequence[tuple[str, str]] = ()) -> None:
        """End the call with a status and no (more) message."""
        self._end((), code, details, tuple(trailing))

    # -- what methods written for grpc.aio expect ------------------------------------------------------------

    async def read(self) -> bytes | None:
        """The next message; None: there is none."""
        future: asyncio.Future[bytes | None] = self._loop.create_future()
        self.receive(lambda message: None if future.done() else future.set_result(message))
        return await future

    def bytes_of(self, message: Any) -> bytes:  # noqa: ANN401
        """A message as it is sent."""
        return message if self.written is None else self.written(message)

    async def write(self, message: Any) -> None:  # noqa: ANN401
        """Send one message of several; returns when there is room for the next one."""
        if self.ended or self.is_gone:
            raise AbortedError
        future: asyncio.Future[bool] = self._loop.create_future()
        operations = (*self._head(), cygrpc.SendMessageOperation(self.bytes_of(message), 0))
        self._begin(operations, lambda event: None if future.done() else future.set_result(event.success))
        if not await future:
            raise AbortedError

    async def abort(self, code: Any, details: str = "", trailing: Sequence[tuple[str, str]] = ()) -> None:  # noqa: ANN401 - grpc.StatusCode
        """End the call with a status, and the method with an exception."""
        self._code = code
        self.end(code.value[0], details, trailing)
        raise AbortedError

    def time_remaining(self) -> float | None:
        """Seconds that the caller still waits; None: as long as it takes."""
        return None if self._deadline >= _NEVER else max(self._deadline - time.time(), 0.0)

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Pairs that the caller sent."""
        return self.metadata

    def set_code(self, code: Any) -> None:  # noqa: ANN401
        """The status in case that the method raises something."""
        self._code = code

    def set_details(self, details: str) -> None:
        """What is told in that case."""
        self._details = details

    def code(self) -> Any:  # noqa: ANN401
        """The status that was set or ended the call; None: none but OK."""
        return self._code

    def details(self) -> str:
        """What was set with `set_details`."""
        return self._details

    def cancelled(self) -> bool:
        """Whether the caller has gone, or its time was over."""
        return self.is_gone

    # -- events ----------------------------------------------------------------------------------------------

    def _begin(self, operations: tuple[Any, ...], tell: Callable[[Any], None]) -> None:
        """Have the core do something; `tell` gets the event of its end."""
        error = self._call.start_server_batch(operations, tell)
        if error:
            raise RuntimeError(f"the core of gRPC did not take operations of a call: error {error}")

    def _head(self) -> tuple[Any, ...]:
        if self._told:
            return ()
        self._told = True
        return (cygrpc.SendInitialMetadataOperation((), 0),)

    def _end(self, before: tuple[Any, ...], code: int, details: str, trailing: tuple[Any, ...]) -> None:
        if self.ended or self.is_gone:
            return
        self.ended = True
        self.gone = None
        last: tuple[Any, ...] = (cygrpc.SendStatusFromServerOperation(trailing, code, details, 0),)
        if not self._watched:  # the core wants to have been asked
            last = (*last, cygrpc.ReceiveCloseOnServerOperation(0))
        self._begin((*self._head(), *before, *last), _sent)

    def _received(self, event: Any) -> None:  # noqa: ANN401
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(event.batch_operations[0].message())

    def _closed(self, event: Any) -> None:  # noqa: ANN401
        """The core is through with the call."""
        if event.batch_operations[0].cancelled() and not self.ended:
            self.is_gone = True
            gone, self.gone = self.gone, None
            if gone is not None:
                gone()


def _sent(event: object) -> None:
    """An answer is on its way: nobody waits for it here."""


class Core:
    """A server of gRPC in the running event loop.

    Parameters
    ----------
    methods: who takes the calls of each method, by its whole name; of others nobody knows.
    settings: of the core, by their names.

    """

    def __init__(self, methods: Mapping[str, Take], settings: Sequence[tuple[str, int]]) -> None:
        self._methods = {name.encode(): take for name, take in methods.items()}
        self._loop = asyncio.get_running_loop()
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(tuple((name.encode(), value) for name, value in settings), False)
        self._server.register_completion_queue(self._queue)
        self._empty = threading.Lock()  # released where the thread has to wait for the next event
        self._over: asyncio.Future[None] | None = None  # done when the last call has ended
        self._new: list[Call] = []  # since the last look
        self._young: list[Call] = []  # since the one before
        self._looking: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._wait, name="shelfwise-grpc", daemon=True)

    def listen(self, where: str, tls: tuple[bytes, bytes] | None = None) -> int:
        """Take an address; the port. OSError where that cannot be. tls: key and certificates (PEM)."""
        try:
            if tls is None:
                port = self._server.add_http2_port(where.encode())
            else:
                proof = grpc.ssl_server_credentials([tls])
                port = self._server.add_http2_port(where.encode(), proof._credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {where}: {error}") from error
        if not port:
            raise OSError(f"cannot listen on {where}")
        return int(port)

    def start(self) -> None:
        """Take calls."""
        self._server.start()
        for _ in range(_ASKED):
            self._server.request_call(self._queue, self._queue, self._called)
        self._empty.acquire()
        self._thread.start()

    async def stop(self, seconds: float) -> None:
        """Take no more calls; those under way have so many seconds."""
        if self._over is not None or not self._thread.is_alive():
            return
        over = self._over = self._loop.create_future()
        self._server.shutdown(self._queue, lambda _: None if over.done() else over.set_result(None))
        try:
            await asyncio.wait_for(asyncio.shield(over), max(seconds, 0))
        except TimeoutError:
            self._server.cancel_all_calls()
            await over
        if self._looking is not None:
            self._looking.cancel()
        self._server.destroy()
        self._queue.shutdown()

    # -- the queue -------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for the first event after the queue was empty; the only thing that the thread does."""
        while True:
            event = self._queue.poll()
            try:
                self._loop.call_soon_threadsafe(self._came, event)
            except RuntimeError:  # the loop is closed: the process ends
                return
            if event.completion_type == _CLOSED:
                return
            del event  # the core keeps what belongs to a call for as long as there is one
            self._empty.acquire()

    def _came(self, event: Any) -> None:  # noqa: ANN401
        if event.completion_type != _CLOSED:
            _tell(event)
            self._drain()

    def _drain(self) -> None:
        """Take what is in the queue, and come again until it is empty."""
        poll, event = self._queue.poll, None
        for count in range(_MOST):
            event = None
            event = poll(_PAST)
            kind = event.completion_type
            if kind in (_NOTHING, _CLOSED):
                if count:  # what was just answered may be asked again before long
                    break
                self._empty.release()
                return
            _tell(event)
        self._loop.call_soon(self._drain)

    def _called(self, event: Any) -> None:  # noqa: ANN401
        """A new call."""
        if not event.success:  # the server ends
            return
        if self._over is None:
            self._server.request_call(self._queue, self._queue, self._called)
        call = Call(event, self._loop)
        take = self._methods.get(call.method)
        if take is None:
            call.end(grpc.StatusCode.UNIMPLEMENTED.value[0], "Method not found!")
            return
        take(call)
        if not call.ended:
            self._new.append(call)
            if self._looking is None:
                self._looking = self._loop.call_later(YOUNG, self._look)

    def _look(self) -> None:
        """Watch calls that have not been ended soon."""
        for call in self._young:
            call.watch()
        self._young, self._new = self._new, []
        self._looking = self._loop.call_later(YOUNG, self._look) if self._young else None


def _tell(event: Any) -> None:  # noqa: ANN401
    try:
        event.tag(event)
    except Exception:
        _LOG.exception("a call failed")


# -- methods that run as tasks -------------------------------------------------------------------------------


def in_task(handler: Any) -> Take:  # noqa: ANN401 - a handler of grpc
    """Return what takes the calls of a method that was written for `grpc.aio`: one task a call."""
    tasks: set[asyncio.Task[None]] = set()

    def take(call: Call) -> None:
        task = asyncio.get_running_loop().create_task(_serve(handler, call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        call.gone = task.cancel  # type: ignore[assignment]  # whether it could be is of no interest
        call.watch()

    return take


async def _serve(handler: Any, call: Call) -> None:  # noqa: ANN401
    """One call of a method, whatever comes of it."""
    try:
        await _run(handler, call)
    except AbortedError:
        call.end(_CANCELLED)  # where it has not been ended
    except asyncio.CancelledError:
        call.end(_CANCELLED)
        if not call.is_gone:
            raise
    except DecodeError:
        call.end(grpc.StatusCode.INVALID_ARGUMENT.value[0], "the bytes are no message of this method")
    except Exception as error:
        code = call.code() or grpc.StatusCode.UNKNOWN
        if code is grpc.StatusCode.UNKNOWN:
            _LOG.exception("%s failed", call.method.decode("utf-8", "replace"))
        call.end(code.value[0], call.details() or f"unexpected {type(error).__name__}")


async def _run(handler: Any, call: Call) -> None:  # noqa: ANN401
    call.written = handler.response_serializer
    asked: Any = _messages(call, handler.request_deserializer)
    if not handler.request_streaming:
        asked = await anext(asked, None)
        if asked is None:
            call.end(grpc.StatusCode.INVALID_ARGUMENT.value[0], NO_MESSAGE)
            return
    if not handler.response_streaming:
        work = handler.stream_unary if handler.request_streaming else handler.unary_unary
        call.answer(call.bytes_of(await work(asked, call)))
        return
    answers = (handler.stream_stream if handler.request_streaming else handler.unary_stream)(asked, call)
    if hasattr(answers, "__aiter__"):
        async for answer in answers:
            await call.write(answer)
    else:
        await answers  # it writes for itself
    call.end()


async def _messages(call: Call, read: Callable[[bytes], Any] | None) -> AsyncIterator[Any]:
    while (message := await call.read()) is not None:
        yield message if read is None else read(message)
