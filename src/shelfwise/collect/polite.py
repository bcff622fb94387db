"""Polite: when a host may be asked again.

Every request of a crawl, of the browser too, waits here for its turn: so long after the last one as the delay
or robots.txt says, longer where the host answers slowly or complains, and not before a Retry-After is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shelfwise.outgoing import LONGEST_WAIT

LONGEST_DELAY = 300.0  # seconds between requests, whatever robots.txt asks for
MOST_STRAIN = 32.0


@dataclass
class _Host:
    """What is known of a host: seconds between requests, when the next may go out, how it complains."""

    gap: float
    strain: float = 1.0
    latency: float = 0.0
    next: float = 0.0
    held: float = 0.0


@dataclass
class Pace:
    """Gives requests their turn, host by host; times are seconds since 1970."""

    delay: float
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    hosts: dict[str, _Host] = field(default_factory=dict)

    async def turn(self, host: str) -> None:
        """Wait until the host may be asked; the one that returns has to ask at once."""
        while True:
            known, now = self._host(host), self.clock()
            begin = max(known.next, known.held)
            if begin <= now:
                known.next = now + self.gap(host)
                return
            await self.sleep(min(begin - now, 60.0) + 0.001)

    def gap(self, host: str) -> float:
        """Seconds between two requests, as things are."""
        known = self._host(host)
        if not known.gap:
            return 0.0
        return min(max(known.gap * known.strain, known.latency if self.delay else 0.0), LONGEST_DELAY)

    def hold(self, host: str, until: float) -> None:
        """Ask nothing of the host before that time; for ever is a day."""
        known = self._host(host)
        known.held = max(known.held, min(until, self.clock() + LONGEST_WAIT))

    def held(self, host: str) -> float:
        """Until when nothing is asked of the host."""
        return self._host(host).held

    def ask_less(self, host: str, delay: float | None) -> None:
        """Keep the delay that robots.txt asks for, where it is longer."""
        if delay:
            known = self._host(host)
            known.gap = max(known.gap, min(delay, LONGEST_DELAY))

    def answered(self, host: str, seconds: float, strained: bool) -> None:
        """Learn from an answer: how long it took, and whether the host complained (429, 503, no answer)."""
        known = self._host(host)
        known.latency = 0.7 * known.latency + 0.3 * seconds
        known.strain = min(2 * known.strain, MOST_STRAIN) if strained else max(1.0, 0.8 * known.strain)

    def _host(self, host: str) -> _Host:
        return self.hosts.setdefault(host, _Host(self.delay))
