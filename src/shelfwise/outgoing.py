"""Outgoing requests: what everything that asks addresses over HTTP has in common, on top of `addresses`.

Scraping, fetching pictures for a catalogue and fetching one for a server differ in what they keep and in what
they report; how a name becomes checked addresses, how a packed body is unpacked within bounds and how long a
Retry-After asks to wait is one matter.
"""

from __future__ import annotations

import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from shelfwise.errors import AddressError

if TYPE_CHECKING:
    import aiohttp
    import yarl

MOVED = frozenset([301, 302, 303, 307, 308])
"""Statuses that lead on to another address."""
PICTURES = "image/jpeg, image/png, image/webp, image/gif, image/*;q=0.5"
"""What may come where a picture is asked for (header Accept)."""
LONGEST_WAIT = 86_400.0
"""Seconds that a Retry-After is believed."""
_PIECE = 64 * 2**10


def spelt(url: str) -> yarl.URL:
    """An address for the client, which is not to write it in yet another way."""
    from yarl import URL

    return URL(url, encoded=True)


def resolver(find: Callable[[str, int], Awaitable[Sequence[str]]]) -> aiohttp.abc.AbstractResolver:
    """What looks up names for a client's connections: of a host and a port, the addresses that may be asked.

    `find` raises what it wants to be told of: nothing is connected to then.
    """
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Checked(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [
                ResolveResult(
                    hostname=host, host=one, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                    family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                )
                for one in await find(host, port)
            ]  # fmt: skip

        async def close(self) -> None:
            pass

    return Checked()


async def unpacked(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body of a response that was asked for as it is, in pieces of at most 64 kB, unpacked if need be.

    Raises
    ------
    AddressError
        It is packed in a way that nobody asked for, or is damaged (`address_encoding`).

    """
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        async for piece in response.content.iter_chunked(_PIECE):
            yield piece
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        told = f"the picture is packed ({coding[:20]}), and was asked for as it is"
        raise AddressError("address_encoding", told)
    unpack = zlib.decompressobj(47)  # gzip or zlib
    async for piece in response.content.iter_chunked(_PIECE):
        while piece:
            try:
                yield unpack.decompress(piece, _PIECE)
            except zlib.error as error:
                told = f"the picture is packed and damaged: {error}"
                raise AddressError("address_encoding", told) from error
            piece = unpack.unconsumed_tail


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After asks to wait, at most a day; None where it says nothing that can be read.

    value: a number of seconds, or a date (RFC 9110, 10.2.3). now: in seconds since 1970.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        then = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(then - now, 0.0), LONGEST_WAIT)
