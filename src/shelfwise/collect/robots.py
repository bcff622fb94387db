"""Robots: what a shop forbids to fetch, how often it may be asked, and what it reserves.

robots.txt as RFC 9309 has it: what cannot be fetched because the server fails forbids everything, what is
not there (4xx) forbids nothing. `/.well-known/tdmrep.json` reserves text and data mining (TDMRep).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

LARGEST = 500 * 1024  # bytes of robots.txt that are read
TRIES = 4
HOPS = 5


@dataclass(frozen=True)
class Told:
    """An answer as far as it matters here: status (0: there was none), body, where a redirect leads."""

    status: int
    body: bytes = b""
    location: str = ""


Ask = Callable[[str], Awaitable[Told]]


@dataclass(frozen=True)
class SiteRules:
    """What one host allows. why: why nothing is allowed, where that is so."""

    parser: Any = None
    agent: str = ""
    why: str = ""
    delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    reservations: tuple[re.Pattern[str], ...] = ()

    def forbids(self, url: str) -> str | None:
        """Why an address may not be fetched, as a code."""
        if self.why:
            return self.why
        if self.parser is not None and not self.parser.can_fetch(url, self.agent):
            return "robots"
        path = urlsplit(url).path
        return "tdm_reserved" if any(one.match(path) for one in self.reservations) else None


@dataclass
class Robots:
    """The rules of all hosts that were met; `ask` fetches an address."""

    ask: Ask
    agent: str
    sites: dict[str, SiteRules] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def rules(self, url: str) -> SiteRules:
        """The rules for the host of an address, fetched when they are first asked for."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        async with self._locks.setdefault(origin, asyncio.Lock()):
            if origin not in self.sites:
                self.sites[origin] = await self._read(origin)
        return self.sites[origin]

    async def _read(self, origin: str) -> SiteRules:
        told = await self._fetch(f"{origin}/robots.txt")
        if told.status == 0 or told.status >= 500 or told.status == 429:
            return SiteRules(why="robots_unreachable" if told.status else "no_answer")
        text = told.body[:LARGEST] if told.status == 200 else b""
        reserved = await self._fetch(f"{origin}/.well-known/tdmrep.json")
        return parse(text, reserved.body if reserved.status == 200 else b"", self.agent)

    async def _fetch(self, url: str) -> Told:
        """An answer; failing servers are asked again, redirects are followed."""
        told, tries = Told(0), 0
        for _ in range(TRIES + HOPS):
            told = await self.ask(url)
            if 300 <= told.status < 400 and told.location:
                url = urljoin(url, told.location)
                continue
            if told.status and told.status < 500 and told.status != 429:
                return told
            tries += 1
            if tries == TRIES:
                break
        return told if told.status >= 500 or told.status in (0, 429) else Told(404)


def parse(text: bytes, reserved: bytes, agent: str) -> SiteRules:
    """Rules from the bytes of robots.txt and of tdmrep.json."""
    from protego import Protego

    parser = Protego.parse(text.decode("utf-8", "replace").lstrip("\ufeff"))
    delay = parser.crawl_delay(agent)
    sitemaps = tuple(dict.fromkeys(parser.sitemaps))
    return SiteRules(
        parser, agent, "", float(delay) if delay else None, sitemaps, tuple(_reservations(reserved))
    )


def _reservations(data: bytes) -> list[re.Pattern[str]]:
    """The paths that tdmrep.json reserves; `*` stands for anything."""
    try:
        entries = msgspec.json.decode(data) if data else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("tdm-reservation") in (1, "1", True):
            location = entry.get("location")
            if isinstance(location, str) and len(location) <= 500:
                path = ".*".join(re.escape(part) for part in location.removesuffix("$").split("*"))
                found.append(re.compile(path + ("$" if location.endswith("$") else "")))
    return found
