"""The short way for what is asked most: JSON to `/v1/predict`, from the parser to the queue and back.

An ASGI application costs a task, two messages and a walk through routes for each request: together more than
the model takes for a product. So the connection itself reads these requests, hands them to the batcher, and
writes the answer when it comes, in one piece. A refusal of a busy server is written as soon as the headers
are there. Everything else (forms, other routes, requests that come before the last one is answered) goes its
usual way through `guard` and `http`; both ways give the same answers, byte for byte.
"""

from __future__ import annotations

import logging
import time
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol  # noqa: TID253 - what it is about

from shelfwise.serve import bodies
from shelfwise.serve.guard import HEADERS, Guard, headers_of, name_request, refusal_body, too_large
from shelfwise.serve.messages import PredictAnswer, PredictRequest
from shelfwise.serve.refusal import HTTP_STATUS, RefusedError
from shelfwise.serve.service import Order, Service
from shelfwise.serve.turn import Turn

_LOG = logging.getLogger("shelfwise.serve.http")
PATH = b"/v1/predict"
_JSON = b"application/json"
_GONE = 499
_SMALL = 1 << 16  # bytes of a body that is read to its end though its request was refused
_encode = msgspec.json.Encoder().encode
_FIXED = b"content-type: application/json\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in HEADERS)


class _Nobody:
    """Stands for the event that uvicorn sets when there is news for a request."""

    def set(self) -> None:
        """Nobody waits for it."""


class RequestTurn(Turn):
    """One request and its answer; has what uvicorn's protocol expects of a cycle.

    Parameters
    ----------
    door: the connection.
    headers: of the request.
    keep_alive: whether the connection may stay open after it.

    """

    method, path = "POST", PATH.decode()
    message_event = _Nobody()

    __slots__ = (
        "_door", "_timeout", "begun", "body", "disconnected", "id", "keep_alive", "more_body",
        "response_complete",
    )  # fmt: skip

    def __init__(self, door: Door, headers: dict[bytes, bytes], keep_alive: bool) -> None:
        self.begun = time.perf_counter()
        super().__init__(door.service)
        self.id = name_request(headers)
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False
        self.more_body = True
        self.body = bytearray()
        self._door = door
        self._timeout = headers.get(b"x-timeout-seconds")
        try:
            door.guard.check(self.method, self.path, headers)
            self._enter()
        except RefusedError as error:
            if int(headers.get(b"content-length", b"0")[:20] or 0) > _SMALL:
                self.keep_alive = False
            self._refuse(error)

    def take(self, body: bytes) -> None:
        """A part of the body has come."""
        if self.response_complete:
            return
        self.body += body
        if len(self.body) > self._service.limits.body:
            self._refuse(too_large(self._service.limits.body))

    def ask(self) -> None:
        """The body is whole: ask the model."""
        self.more_body = False
        if not self.response_complete:
            self._ask()

    def abandon(self) -> None:
        """The caller has gone."""
        self.disconnected = True
        if not self.response_complete:
            self._give_up()
            self._end(_GONE)

    def _read(self) -> Order:
        asked = bodies.decode(self.body, PredictRequest)
        self.body = bytearray()
        timeout = bodies.seconds_of(None if self._timeout is None else self._timeout.decode("latin-1"))
        return self._service.order(asked, timeout)

    def _give(self, answer: PredictAnswer) -> None:
        self._write(200, _encode(answer))

    def _refuse(self, error: RefusedError) -> None:
        self._service.metrics.refused(error.code)
        more = b""
        for name, value in headers_of(error):
            if name == b"connection":  # unless all has been read
                self.keep_alive = self.keep_alive and not self.more_body
            else:
                more += b"%s: %s\r\n" % (name, value)
        self._write(HTTP_STATUS[error.kind], refusal_body(error), more)

    def _break(self, error: Exception) -> None:
        _LOG.error("a request failed", exc_info=error, extra={"about": {"request_id": self.id}})
        told = "something went wrong in the server; its log says what"
        self._refuse(RefusedError("broken", "broken", told))

    def _write(self, status: int, body: bytes, more: bytes = b"") -> None:
        if self.response_complete:
            return
        door = self._door
        if not self._service.ready:  # the server ends: the next request belongs elsewhere
            self.keep_alive = False
        usual = b"".join(b"%s: %s\r\n" % pair for pair in door.server_state.default_headers)
        close = b"" if self.keep_alive else b"connection: close\r\n"
        door.transport.write(
            b"%s%s%s%scontent-length: %d\r\nx-request-id: %s\r\n%s\r\n%s"
            % (STATUS_LINE[status], usual, _FIXED, more, len(body), self.id.encode(), close, body)
        )
        self._end(status)
        if not self.keep_alive:
            door.transport.close()
        door.on_response_complete()

    def _end(self, status: int) -> None:
        self.response_complete = True
        self._leave()
        self._door.guard.told(self, status)


class Door(HttpToolsProtocol):
    """A connection; `door_of` makes the class for a service."""

    service: ClassVar[Service]
    guard: ClassVar[Guard]
    _turn: RequestTurn | None = None

    def on_headers_complete(self) -> None:
        """Take the short way where it is open."""
        last = self.cycle
        if self.url == PATH and (last is None or last.response_complete) and self._is_plain():
            headers = dict(self.headers)
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind == _JSON and b"content-encoding" not in headers:
                keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
                self._turn = RequestTurn(self, headers, keep_alive)
                self.cycle = self._turn  # type: ignore[assignment]
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a part of a body."""
        turn: object = self.cycle
        if isinstance(turn, RequestTurn):
            turn.take(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand on the end of a request."""
        turn: object = self.cycle
        if isinstance(turn, RequestTurn):
            turn.ask()
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what is under way: nobody would read the answer."""
        super().connection_lost(exc)
        if self._turn is not None:
            self._turn.abandon()

    def _is_plain(self) -> bool:
        parser = self.parser
        return parser.get_method() == b"POST" and not (self.expect_100_continue or parser.should_upgrade())


def door_of(service: Service, guard: Guard) -> type[Door]:
    """Return the class of connections to a service."""
    kept: dict[str, Any] = {"service": service, "guard": guard}
    return type("Door", (Door,), kept)
