"""Fetching pictures by their addresses: from the public internet alone, a bounded piece, in a bounded time.

Each address has a connection of its own, to the very IP addresses that were checked (see `addresses`);
nothing is kept between two: no cookies, no names, no connections. Proxies and passwords of the environment
are not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import shelfwise
from shelfwise.addresses import Lookup, Rules, Target, follow, read, resolve, socket_factory
from shelfwise.errors import AddressError, PictureError
from shelfwise.outgoing import MOVED, PICTURES, resolver, spelt, unpacked
from shelfwise.serve.limits import LIMITS, Limits

if TYPE_CHECKING:
    import aiohttp

_REDIRECTS = 3
_CONNECTING, _SILENT = 3.0, 5.0  # seconds
_HEADERS = {
    "Accept": PICTURES,
    "Accept-Encoding": "identity",
    "User-Agent": f"shelfwise/{shelfwise.__version__}",
}


@dataclass(frozen=True)
class FetchOptions:
    """What is fetched.

    rules: of addresses. limits: of the server. lookup: finds the IP addresses of a host; None: the system.
    told: told of every IP address and port that a connection is made to.
    """

    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default=LIMITS)
    lookup: Lookup | None = None
    told: Callable[[str, int], None] | None = None


class Fetcher:
    """Fetches pictures, so many at a time; made within an event loop or before it.

    Parameters
    ----------
    options: see `FetchOptions`.

    """

    def __init__(self, options: FetchOptions) -> None:
        import aiohttp  # noqa: F401 - now, and not in the time of the first picture

        self._options = options
        self._places = asyncio.Semaphore(options.limits.fetches)

    async def fetch(self, address: str) -> bytes:
        """Return the bytes that lie at an address; who waits for a place waits beside the time limit.

        Raises
        ------
        PictureError
            With a code of `AddressError`.

        """
        seconds = self._options.limits.fetch_time
        async with self._places:
            try:
                async with asyncio.timeout(seconds):
                    return await self._follow(address)
            except AddressError as error:
                raise PictureError(error.code, str(error)) from error
            except TimeoutError as error:
                told = f"the picture was not there within {seconds:g} s. Send it itself"
                raise PictureError("address_time", told) from error

    async def _follow(self, address: str) -> bytes:
        """Fetch an address and where it leads, each step checked like the first."""
        target = read(address, self._options.rules)
        for _ in range(_REDIRECTS + 1):
            found = await self._get(target)
            if isinstance(found, bytes):
                return found
            target = follow(target, found, self._options.rules)
        raise AddressError("address_redirects", f"the address leads on more than {_REDIRECTS} times")

    async def _get(self, target: Target) -> bytes | str:
        """What lies at a target: bytes, or the address that it leads on to."""
        import aiohttp

        options = self._options
        addresses = await resolve(target, options.rules, options.lookup)

        async def pinned(host: str, port: int) -> list[str]:
            return addresses

        connector = aiohttp.TCPConnector(
            resolver=resolver(pinned), use_dns_cache=False, force_close=True, limit=1,
            socket_factory=socket_factory(target, addresses, options.told),
        )  # fmt: skip
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            headers=_HEADERS, timeout=aiohttp.ClientTimeout(sock_connect=_CONNECTING, sock_read=_SILENT),
        )  # fmt: skip
        try:
            async with session, session.get(spelt(target.url), allow_redirects=False) as response:
                if response.status in MOVED and "Location" in response.headers:
                    return response.headers["Location"]
                if response.status != 200:
                    told = f"the address answers with the status {response.status} and no picture"
                    raise AddressError("address_status", told)
                return await _body(response, options.limits.picture)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            told = f"the picture could not be fetched ({type(error).__name__})"
            raise AddressError("address_failed", told) from error


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of a response, unpacked, as long as it is within the limit."""
    if (response.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for piece in unpacked(response):
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> AddressError:
    return AddressError("address_too_large", f"the picture has more than {limit:,} bytes. Save it smaller")
