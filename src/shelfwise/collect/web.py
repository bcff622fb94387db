"""Web: one guarded GET. Hosts are looked up once and checked, answers are capped in size and time.

Nothing is followed, kept or tried again here; that is the frontier's. What comes out is an `Answer`, or a
`FetchError` with a code.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shelfwise import addresses
from shelfwise.collect.polite import Pace
from shelfwise.collect.traps import host_of
from shelfwise.errors import AddressError
from shelfwise.outgoing import resolver, retry_after, spelt

if TYPE_CHECKING:
    import aiohttp

ACCEPT = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}
COMPLAINTS = frozenset((429, 500, 502, 503, 504))
_CHUNK = 65_536
_LOOKS = 4  # rounds of the event loop in which what lies in a socket becomes an answer
_QUICK = 0.05  # seconds in which nothing can have come in that matters
_PATIENCE = 100  # looks, on a machine that is never quick


class FetchError(Exception):
    """There is no answer.

    `code`: "private_address", "no_such_host", "refused", "tls", "timeout", "too_slow" (it began),
    "reset", "truncated", "too_large" or "bad_answer".
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """bytes: of a body, unpacked. seconds: for all of an answer. connections: at once."""

    bytes: int = 16_000_000
    seconds: float = 30.0
    connections: int = 16


@dataclass(frozen=True)
class Answer:
    """Status, headers (names as sent) and body of an answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """All values of a header, joined; empty where it is not there."""
        return ", ".join(value for known, value in self.headers if known.lower() == name)


@dataclass
class Web:
    """Asks for addresses, host by host in turn.

    guard: which addresses may be asked. agent: what the crawler calls itself.
    """

    guard: addresses.Rules
    pace: Pace
    agent: str
    limits: Limits = field(default_factory=Limits)
    _session: aiohttp.ClientSession | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for an address when its host's turn comes.

        Raises:
            FetchError: there is no answer, or one that is not taken.

        """
        await self.check(url)
        host = host_of(url)
        await self._turn(host)
        began = time.monotonic()
        try:
            answer = await self._get(url, host, headers or {})
        except FetchError as error:
            strained = error.code in ("timeout", "too_slow", "reset", "truncated", "refused")
            self.pace.answered(host, time.monotonic() - began, strained)
            raise
        self.pace.answered(host, time.monotonic() - began, answer.status in COMPLAINTS)
        return answer

    async def _turn(self, host: str) -> None:
        """Wait for the host's turn; an answer that came in meanwhile and asks to wait is heard first.

        Where the event loop was busy while it looked (a page was read, the disk was slow), more may have come
        in since, and it looks again.
        """
        await self.pace.turn(host)
        for _ in range(_PATIENCE):
            began = time.monotonic()
            for _ in range(_LOOKS):
                await asyncio.sleep(0)
            if self.pace.held(host) > time.time():
                await self.pace.turn(host)
            elif time.monotonic() - began < _QUICK:
                break
        while self.pace.held(host) > time.time():
            await self.pace.turn(host)

    async def check(self, url: str) -> addresses.Target:
        """Refuse an address that leads where nothing is asked."""
        try:
            target = addresses.read(url, self.guard)
            if target.host[-1].isdigit() or ":" in target.host:  # the connector looks up names alone
                await addresses.resolve(target, self.guard)
        except AddressError as error:
            raise FetchError("private_address", str(error)) from error
        return target

    def mind(self, host: str, status: int, wait: str, seconds: float) -> None:
        """Learn from an answer how soon the host may be asked again."""
        self._heed(host, status, wait)
        self.pace.answered(host, seconds, status in COMPLAINTS)

    def _heed(self, host: str, status: int, wait: str) -> None:
        """Keep a Retry-After."""
        now = time.time()
        seconds = retry_after(wait, now) if wait and status in (429, 503, 301, 302) else None
        if seconds is not None:
            self.pace.hold(host, now + seconds)

    async def _get(self, url: str, host: str, headers: Mapping[str, str]) -> Answer:
        import aiohttp

        session = self._opened()
        try:
            async with session.get(
                spelt(url), headers={**ACCEPT, **headers}, allow_redirects=False
            ) as answer:
                # at once: the body may be long in coming, or never end, and the wish holds all the same
                self._heed(host, answer.status, ", ".join(answer.headers.getall("Retry-After", ())))
                try:
                    body = await self._read(answer)
                except TimeoutError as error:
                    raise FetchError("too_slow", "the answer began, and did not end in time") from error
                listed = tuple((name, value) for name, value in answer.headers.items())
                return Answer(answer.status, listed, body)
        except FetchError:
            raise
        except TimeoutError as error:
            raise FetchError("timeout") from error
        except aiohttp.ClientConnectorDNSError as error:
            cause = error.__cause__ or error.os_error
            code = "private_address" if isinstance(cause, _Refused) else "no_such_host"
            raise FetchError(code, str(error)) from error
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise FetchError("tls", str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise FetchError("refused", str(error)) from error
        except aiohttp.ClientPayloadError as error:
            raise FetchError("truncated", str(error)) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as error:
            raise FetchError("reset", str(error)) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchError("bad_answer", f"{type(error).__name__}: {error}"[:200]) from error

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The body, unpacked piece by piece and never more than is allowed."""
        pieces, size = [], 0
        async for piece in answer.content.iter_chunked(_CHUNK):
            size += len(piece)
            if size > self.limits.bytes:
                answer.close()
                raise FetchError("too_large", f"more than {self.limits.bytes:,} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(
                resolver=resolver(_checked(self.guard)), limit=self.limits.connections, ttl_dns_cache=300
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self.limits.seconds, sock_connect=10.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.agent},
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Refused(OSError):
    """A name that leads where nothing is asked."""


def _checked(guard: addresses.Rules) -> Callable[[str, int], Awaitable[list[str]]]:
    """Finds the addresses of names for the connector: each of them was checked."""

    async def find(host: str, port: int) -> list[str]:
        try:
            return await addresses.resolve(addresses.Target("http", host, port, "/"), guard, _look_up)
        except AddressError as error:
            if isinstance(error.__cause__, socket.gaierror):
                raise error.__cause__ from None
            raise _Refused(str(error)) from error

    return find


async def _look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
