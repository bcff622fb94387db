"""What keeps other web pages out: headers of every answer, and who may ask.

The server listens on this machine, but every page that the browser shows could speak to it. So a request
must name this server as its host (a page that points its own name here, "DNS rebinding", does not), what
changes anything must come from the page itself (Origin, Sec-Fetch-Site) and carry a token that only the page
can read, and what is shown must not load or run anything that was not served from here
(Content-Security-Policy).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""Headers of every answer, errors too."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
BODY = 16 * 2**20  # bytes of a request; the ids of a million products fit

_FORMS = ("application/json",)
_OWN = ("same-origin", "none")  # none: typed into the address bar


class Guard:
    """ASGI middleware that refuses what does not come from the page, and sets the headers of every answer.

    Parameters
    ----------
    app
        What is guarded.
    token
        What a request that changes something carries in X-Shelfwise.
    hosts
        Names that this server answers to beside those of loopback. Addresses of numbers always count when
        `remote`: a foreign page cannot point those here.
    remote
        Whether other machines may ask.

    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str] = (), remote: bool = False) -> None:
        self._app, self._token, self._remote = app, token, remote
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        api = scope["path"].startswith("/api")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_headers(message.get("headers", []), api)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send_guarded, *refusal)
            return
        await self._app(scope, _limited(receive), send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, code and message of why a request is not answered, None where it is."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._is_own(host):
            return 403, "host", "This address is not the review page's. Open the address that was printed."
        site = headers.get("sec-fetch-site")
        data = scope["path"].startswith(("/api", "/pictures"))
        if data and site is not None and site not in _OWN:
            return 403, "origin", "Another web page asked; only the review page may."
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "origin", "Another web page asked; only the review page may."
        if scope["method"] in ("GET", "HEAD"):
            return None
        if scope["method"] != "POST":
            return 405, "method", "Only GET and POST are answered."
        return self._refusal_to_change(headers)

    def _refusal_to_change(self, headers: dict[str, str]) -> tuple[int, str, str] | None:
        if headers.get("content-type", "").split(";")[0].strip().lower() not in _FORMS:
            return 415, "content_type", "Send JSON (Content-Type: application/json)."
        given = headers.get("x-shelfwise", "")
        if not secrets.compare_digest(given.encode("latin-1", "replace"), self._token.encode()):
            return 403, "token", "The server was started anew. Load the page again."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY:
            return 413, "too_large", f"The request is larger than {BODY:,} bytes."
        return None

    def _is_own(self, host: str) -> bool:
        name = _host_name(host)
        if name in self._hosts:
            return True
        if not self._remote:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; "" for what is none."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        fine = bool(closed) and (not rest or (rest[0] == ":" and rest[1:].isdigit()))
        return name.lower() if fine else ""
    name, colon, port = host.partition(":")
    return name.lower() if not colon or port.isdigit() else ""


def _with_headers(headers: Iterable[tuple[bytes, bytes]], api: bool) -> list[tuple[bytes, bytes]]:
    own = [(name.encode(), value.encode()) for name, value in HEADERS]
    if api:
        own.append((b"cache-control", b"no-store"))
    names = {name for name, _ in own}
    return [*((name, value) for name, value in headers if name.lower() not in names), *own]


def _limited(receive: Receive) -> Receive:
    """`receive` that breaks off a body that is longer than it said."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > BODY else message

    return limited


async def _refuse(send: Send, status: int, code: str, message: str) -> None:
    body = msgspec.json.encode({"error": {"code": code, "message": message}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
