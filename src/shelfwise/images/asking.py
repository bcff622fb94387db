"""One question over HTTP: for a picture at an address of the public internet, within bounds.

All questions share one client, which keeps connections. What may be connected to is decided when a socket is
made, by the very address that it will connect to: a name that leads elsewhere a moment later leads nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import shelfwise
from shelfwise.addresses import Rules, Target, follow, is_public, is_reachable, look_up, read
from shelfwise.catalogue.decoding import picture_format
from shelfwise.errors import AddressError, RecipeError
from shelfwise.images import codes
from shelfwise.outgoing import MOVED, PICTURES, resolver, retry_after, spelt, unpacked

if TYPE_CHECKING:
    import aiohttp

HOME = "https://github.com/shelfwise/shelfwise"
_REDIRECTS = 5
_SMALL = 2**20  # bytes; larger bodies wait for a place, so that memory stays bounded
_LARGE_ONES = 8
_LOOK = 64 * 2**10  # bytes that a check reads
_NOT_FOR_US = frozenset(["noai", "noimageai", "noindex", "noimageindex", "none"])


@dataclass(frozen=True)
class AskingOptions:
    """How is asked.

    private: hosts in private networks and on this machine too. seconds: of silence after which a question is
    given up; one that trickles in is given up after six times as many. most: bytes of a picture. contact: of
    who asks, in the user agent. only_look: read no more than tells whether it is a picture.
    """

    private: bool = False
    seconds: float = 10.0
    most: int = 10 * 2**20
    contact: str = ""
    only_look: bool = False


@dataclass
class Answer:
    """What came back: a body, or "kept" (as it was), or a code that says why there is neither."""

    code: str = ""
    http: int | None = None
    body: bytes = b""
    kept: bool = False
    wait: float | None = None
    etag: str | None = None
    modified: str | None = None
    kind: str = ""
    length: int | None = None
    held: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack, repr=False)
    """To be closed when the body is no longer needed."""


def check_contact(contact: str) -> str:
    """Return a contact that a header may hold, or raise RecipeError."""
    if len(contact) > 200 or not contact.isascii() or not contact.replace(" ", "").isprintable():
        raise RecipeError(f"--contact {contact[:40]!r}: up to 200 ASCII signs, such as shop@example.com")
    return contact


class _NoSuchHost(OSError):
    """A name that leads nowhere."""


class Asker:
    """Asks addresses; to be used within an event loop, in a block of `async with`.

    Parameters
    ----------
    options: see `AskingOptions`.

    """

    def __init__(self, options: AskingOptions) -> None:
        self._options = options
        self._rules = Rules(private=options.private)
        self._large = asyncio.Semaphore(_LARGE_ONES)

    async def __aenter__(self) -> Asker:
        import aiohttp

        options = self._options
        connector = aiohttp.TCPConnector(
            resolver=resolver(self._allowed), ttl_dns_cache=300, limit=0, socket_factory=self._socket,
            keepalive_timeout=15.0,
        )  # fmt: skip
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            headers=_headers(options.contact), timeout=aiohttp.ClientTimeout(
                total=6 * options.seconds, sock_connect=options.seconds, sock_read=options.seconds),
        )  # fmt: skip
        return self

    async def __aexit__(self, *about: object) -> None:
        await self._session.close()

    async def ask(self, url: str, etag: str | None = None, modified: str | None = None) -> Answer:
        """Ask an address, and where it leads; never raises for what a host does."""
        import aiohttp

        known = {"If-None-Match": etag, "If-Modified-Since": None if etag else modified}
        headers = {name: value for name, value in known.items() if value}
        held = contextlib.AsyncExitStack()
        try:
            answer = await self._follow(url, headers, held)
        except AddressError as error:
            answer = Answer(error.code)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            answer = Answer(_code_of(error))
        except BaseException:
            await held.aclose()
            raise
        answer.held = held
        return answer

    async def _follow(self, url: str, headers: dict[str, str], held: contextlib.AsyncExitStack) -> Answer:
        target = read(url, self._rules)
        for _ in range(_REDIRECTS + 1):
            self._check_literal(target)
            async with self._session.get(
                spelt(target.url), allow_redirects=False, headers=headers
            ) as response:
                if response.status in MOVED and "Location" in response.headers:
                    target = follow(target, response.headers["Location"], self._rules)
                    continue
                return await self._answer(response, held)
        raise AddressError("address_redirects", f"the address leads on more than {_REDIRECTS} times")

    async def _answer(self, response: aiohttp.ClientResponse, held: contextlib.AsyncExitStack) -> Answer:
        answer = Answer(http=response.status, etag=_short(response, "ETag"))
        answer.modified = _short(response, "Last-Modified")
        answer.kind, answer.length = _short(response, "Content-Type") or "", response.content_length
        if _opts_out(response.headers.getall("X-Robots-Tag", [])):
            answer.code = codes.OPTED_OUT
        elif response.status == 304:
            answer.kept = True
        elif response.status != 200:
            answer.code, answer.wait = (
                codes.of_status(response.status),
                retry_after(response.headers.get("Retry-After"), time.time()),
            )
        elif self._options.only_look:
            answer.code = await _look(response)
        else:
            answer.body = await self._body(response, held)
        return answer

    async def _body(self, response: aiohttp.ClientResponse, held: contextlib.AsyncExitStack) -> bytes:
        """The body, unpacked, as long as it is within the limit."""
        most, pieces, size, waits = self._options.most, [], 0, True
        if (response.content_length or 0) > most:
            raise _too_large(most)
        async for piece in unpacked(response):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise _too_large(most)
            if waits and size > _SMALL:
                waits = False
                await held.enter_async_context(self._large)
        return b"".join(pieces)

    # -- where to --------------------------------------------------------------------------------------------

    def _check_literal(self, target: Target) -> None:
        """Refuse a host that is an IP address of its own; names are checked when they were looked up."""
        with contextlib.suppress(ValueError):
            if not self._is_allowed(str(ip_address(target.host))):
                raise AddressError("address_refused", f"{target.host} is not fetched from")

    def _is_allowed(self, address: str) -> bool:
        return (is_reachable if self._options.private else is_public)(address)

    async def _allowed(self, host: str, port: int) -> list[str]:
        """The IP addresses of a host; one that may not be asked spoils them all."""
        if host.endswith(".invalid"):  # never a name (RFC 6761), whatever a server of names makes of it
            raise _NoSuchHost(host)
        try:
            found = await look_up(host, port)
        except (OSError, UnicodeError) as error:
            raise _NoSuchHost(host) from error
        if not found or not all(map(self._is_allowed, found)):
            raise AddressError("address_refused", f"{host} is no host on the public internet")
        return found

    def _socket(self, about: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = about
        if not self._is_allowed(where[0]):
            raise AddressError("address_refused", f"{where[0]} is not fetched from")
        return socket.socket(family, kind, protocol)


async def _look(response: aiohttp.ClientResponse) -> str:
    """The code of a body by its first bytes; "" for a picture."""
    start = bytearray()
    async for piece in unpacked(response):
        start += piece
        if len(start) >= _LOOK:
            break
    if not start:
        return "empty"
    return "" if picture_format(bytes(start)) else "not_a_picture"


def _code_of(error: BaseException) -> str:
    """The code of what a client raised."""
    import aiohttp

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NoSuchHost):
            return codes.UNKNOWN_HOST
        if isinstance(cause, AddressError):
            return cause.code
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return codes.TIMEOUT
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return codes.CERTIFICATE
    if isinstance(error, aiohttp.ClientConnectorError):
        return codes.REFUSED if error.os_error.errno == errno.ECONNREFUSED else codes.UNREACHABLE
    if isinstance(error, aiohttp.ClientError | OSError | ValueError):
        return codes.BROKEN
    raise error


def _opts_out(tags: list[str]) -> bool:
    """Whether a host says, to all or to us, that its picture is not to be used so."""
    for tag in tags:
        agent, colon, rest = tag.lower().partition(":")
        words = tag.lower().split(",")
        if colon and "," not in agent and agent.strip() != "unavailable_after":
            words = rest.split(",") if agent.strip() == "shelfwise" else []
        if any(word.strip() in _NOT_FOR_US for word in words):
            return True
    return False


def _short(response: aiohttp.ClientResponse, name: str) -> str | None:
    value = response.headers.get(name)
    return value if value and len(value) <= 256 and value.isprintable() else None


def _too_large(most: int) -> AddressError:
    return AddressError("address_too_large", f"more than {most:,} bytes")


def _headers(contact: str) -> dict[str, str]:
    about = f"+{HOME}" + (f"; {contact}" if contact else "")
    return {
        "Accept": PICTURES,
        "Accept-Encoding": "identity",
        "User-Agent": f"shelfwise/{shelfwise.__version__} ({about})",
    }
