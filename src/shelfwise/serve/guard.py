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
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

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
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
"""What every answer has among its headers."""
OPEN = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
"""Paths that are answered without a token, for probes."""

_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}").fullmatch
_RUN, _NUMBERS = secrets.token_hex(4), itertools.count(1)
"""What ids of requests are made of: random numbers each time would take longer than all else here."""

_FAILED = (500, 504)
_OIP = "/v2/"
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
            self.check(scope["method"], scope["path"], exchange.headers)
            if scope["method"] == "POST":
                self._service.enter()
                entered = True
            await self._app(scope, self._limited(receive), exchange.send)
        except RefusedError as error:
            self._service.metrics.refused(error.code)
            await refuse(exchange.send, error, exchange.path)
        finally:
            if entered:
                self._service.leave()
            self.told(exchange, exchange.status)

    def check(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise RefusedError where the headers say enough; their names are in small letters."""
        if self._token is not None and path not in OPEN and not self._knows(headers):
            raise RefusedError("token", "token", "send the server's token: Authorization: Bearer TOKEN")
        if method != "POST":
            return
        if headers.get(b"sec-fetch-site") in _FOREIGN:
            raise RefusedError("forbidden", "origin", "another web page asked; only pages of this server may")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self._service.limits.body:
            raise too_large(self._service.limits.body)

    def _knows(self, headers: Mapping[bytes, bytes]) -> bool:
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
                raise too_large(most)
            return message

        return limited

    def told(self, exchange: About, status: int) -> None:
        """Count a request that ended with a status, 0: nobody was there any more; and write it down."""
        seconds = time.perf_counter() - exchange.begun
        self._service.metrics.request("http", str(status or "gone"), seconds)
        if self._log_all or status in _FAILED:
            about = {
                "request_id": exchange.id, "method": exchange.method, "path": exchange.path,
                "status": status, "ms": round(seconds * 1000, 2),
            }  # fmt: skip
            _LOG.log(logging.ERROR if status == 500 else logging.INFO, "request", extra={"about": about})


class About(Protocol):
    """What is told of a request; begun: by `time.perf_counter`."""

    id: str
    method: str
    path: str
    begun: float


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, ready: bool) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = name_request(self.headers)
        scope["shelfwise.request_id"] = self.id
        self.method, self.path, self.status = scope["method"], scope["path"], 0
        self.begun = time.perf_counter()
        self._send, self._ready = send, ready

    async def send(self, message: Message) -> None:
        """Send a part of the answer; its first one gets the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [*HEADERS, (b"x-request-id", self.id.encode())]
            if not self._ready:  # the server ends: the next request belongs elsewhere
                own.append((b"connection", b"close"))
            given = list(message.get("headers", []))
            names = {name for name, _ in given}
            message["headers"] = [*given, *((name, value) for name, value in own if name not in names)]
        await self._send(message)


def name_request(headers: Mapping[bytes, bytes]) -> str:
    """The id of a request: its own where it brings a sound one."""
    given = headers.get(b"x-request-id")
    if given is not None and _ID(name := given.decode("latin-1")):
        return name
    return f"{_RUN}-{next(_NUMBERS)}"


def too_large(most: int) -> RefusedError:
    """The refusal of a body with too many bytes."""
    return RefusedError("too_large", "too_large", f"the request is larger than {most:,} bytes")


async def refuse(send: Send, error: RefusedError, path: str = "") -> None:
    """Answer with a refusal; path: of the request."""
    body, headers = refusal_body(error, path), [(b"content-type", b"application/json")]
    headers += [(b"content-length", str(len(body)).encode()), *headers_of(error)]
    await send({"type": "http.response.start", "status": status_of(error, path), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def status_of(error: RefusedError, path: str) -> int:
    """The status of a refusal; the Open Inference Protocol knows 400 for whatever does not fit."""
    return 400 if error.kind == "invalid" and path.startswith(_OIP) else HTTP_STATUS[error.kind]


def refusal_body(error: RefusedError, path: str = "") -> bytes:
    """The JSON of a refusal; the Open Inference Protocol has a text where we have code and message."""
    if path.startswith(_OIP):
        return msgspec.json.encode({"error": str(error)})
    return msgspec.json.encode({"error": {"code": error.code, "message": str(error)}})


def headers_of(error: RefusedError) -> Iterable[tuple[bytes, bytes]]:
    """What the headers say of a refusal."""
    if error.retry_after is not None:
        yield b"retry-after", str(error.seconds).encode()
    if error.kind == "token":
        yield b"www-authenticate", b'Bearer realm="shelfwise", Basic realm="shelfwise"'
    if error.kind == "too_large":  # the rest of the body is not worth reading
        yield b"connection", b"close"
