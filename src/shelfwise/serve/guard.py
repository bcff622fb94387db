"""What stands before every route of the HTTP door: who may ask, how large, how many, what is written down.

A refusal is given before the body is read: by the header alone for a body that is too large, by a count for a
server that is full. Every answer carries the id of its request, which the log has as well.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import itertools
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from shelfwise.serve.refusal import HTTP_STATUS, RefusedError
from shelfwise.serve.service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("shelfwise.serve.http")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
OPEN = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
"""Paths that are answered without a token, for probes."""

_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}").fullmatch
_RUN, _NUMBERS = secrets.token_hex(4), itertools.count(1)
"""What ids of requests are made of: random numbers each time would take longer than all else here."""

_FAILED = (500, 504)
_FOREIGN = (b"cross-site", b"same-site")


class Guard:
    """ASGI middleware around all routes.

    Parameters
    ----------
    app: what is guarded.
    service: counts requests and knows the limits.
    token: what a request has to carry as a bearer token (or as the password of basic authentication, so that
        a browser can ask for it); None: everyone may ask.
    log_all: whether every request is written down, or only those that the server failed at.

    """

    def __init__(
        self, app: ASGIApp, service: Service, token: str | None = None, log_all: bool = False
    ) -> None:
        self._app, self._service, self._log_all = app, service, log_all
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._service.ready)
        entered = False
        try:
            self._check(scope, exchange)
            if scope["method"] == "POST":
                self._service.enter()
                entered = True
            await self._app(scope, self._limited(receive), exchange.send)
        except RefusedError as error:
            self._service.metrics.refused(error.code)
            await refuse(exchange.send, error)
        finally:
            if entered:
                self._service.leave()
            self._told(exchange)

    def _check(self, scope: Scope, exchange: _Exchange) -> None:
        """Raise RefusedError where the headers say enough."""
        headers = exchange.headers
        if self._token is not None and scope["path"] not in OPEN and not self._knows(headers):
            raise RefusedError("token", "token", "send the server's token: Authorization: Bearer TOKEN")
        if scope["method"] != "POST":
            return
        if headers.get(b"sec-fetch-site") in _FOREIGN:
            raise RefusedError("forbidden", "origin", "another web page asked; only pages of this server may")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self._service.limits.body:
            raise _too_large(self._service.limits.body)

    def _knows(self, headers: dict[bytes, bytes]) -> bool:
        assert self._token is not None
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        given = given.strip()
        if kind.lower() == b"basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except (ValueError, binascii.Error):
                return False
        return kind.lower() in (b"basic", b"bearer") and hmac.compare_digest(given, self._token)

    def _limited(self, receive: Receive) -> Receive:
        """`receive` that refuses a body that is longer than it said, or said nothing."""
        taken, most = 0, self._service.limits.body

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise _too_large(most)
            return message

        return limited

    def _told(self, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.begun
        metrics = self._service.metrics
        metrics.request("http", str(exchange.status or "gone"), seconds)
        if self._log_all or exchange.status in _FAILED:
            about = {
                "request_id": exchange.id, "method": exchange.method, "path": exchange.path,
                "status": exchange.status, "ms": round(seconds * 1000, 2),
            }  # fmt: skip
            _LOG.log(
                logging.ERROR if exchange.status == 500 else logging.INFO, "request", extra={"about": about}
            )


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, ready: bool) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = given if _ID(given) else f"{_RUN}-{next(_NUMBERS)}"
        scope["shelfwise.request_id"] = self.id
        self.method, self.path, self.status = scope["method"], scope["path"], 0
        self.begun = time.perf_counter()
        self._send, self._ready = send, ready

    async def send(self, message: Message) -> None:
        """Send a part of the answer; its first one gets the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [*_HEADERS, (b"x-request-id", self.id.encode())]
            if not self._ready:  # the server ends: the next request belongs elsewhere
                own.append((b"connection", b"close"))
            given = list(message.get("headers", []))
            names = {name for name, _ in given}
            message["headers"] = [*given, *((name, value) for name, value in own if name not in names)]
        await self._send(message)


def _too_large(most: int) -> RefusedError:
    return RefusedError("too_large", "too_large", f"the request is larger than {most:,} bytes")


async def refuse(send: Send, error: RefusedError) -> None:
    """Answer with a refusal."""
    body, headers = refusal_body(error), [(b"content-type", b"application/json")]
    headers += [(b"content-length", str(len(body)).encode()), *_extra(error)]
    await send({"type": "http.response.start", "status": HTTP_STATUS[error.kind], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def refusal_body(error: RefusedError) -> bytes:
    """The JSON of a refusal."""
    return msgspec.json.encode({"error": {"code": error.code, "message": str(error)}})


def _extra(error: RefusedError) -> Iterable[tuple[bytes, bytes]]:
    if error.retry_after is not None:
        yield b"retry-after", str(error.seconds).encode()
    if error.kind == "token":
        yield b"www-authenticate", b'Bearer realm="shelfwise", Basic realm="shelfwise"'
    # The rest of a body is not worth reading; and whoever comes again to a busy server may reach another one.
    if error.kind in ("too_large", "busy"):
        yield b"connection", b"close"
