"""Asking politely: a lane for each host, with a pace of its own, waits that it asked for, and an end.

Lanes read their addresses from the ledger a page at a time, and tell it what came of them in batches: memory
holds what is being asked, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from shelfwise.images import codes
from shelfwise.images.ledger import FAILED, STORED, TODO, Ledger, Link, Result

_PAGE = 256  # addresses that a lane reads at a time
_LANES, _PLACES = 256, 256  # hosts, and addresses, that are asked at once
_FEWEST, _MOST = 4, 128  # addresses of one host that are asked at once
_BATCH, _OFTEN = 256, 0.5  # results, seconds: what a kill costs at most
_IN_A_ROW = 30  # connections that a host did not take, after which it is not asked any more
_DEAD = frozenset([codes.UNKNOWN_HOST, codes.REFUSED, codes.UNREACHABLE])
_SLOWER = 0.5  # seconds that a host rests after "too many requests" that name no time


@dataclass(frozen=True)
class LaneOptions:
    """How hosts are asked.

    rate: addresses a second and host. tries: how often an address is asked where that may help. backoff:
    seconds before the second time, twice as many before each further one. longest: seconds that a host may
    ask to wait; one that asks for more is left for another run.
    """

    rate: float = 10.0
    tries: int = 3
    backoff: float = 1.0
    longest: float = 600.0


@dataclass(frozen=True)
class Told:
    """What came of asking an address: its result, and seconds that the host asks to wait."""

    result: Result
    kept: bool = False
    wait: float | None = None


Ask = Callable[[Link], Awaitable[Told]]


class Lanes:
    """All lanes of a run.

    Parameters
    ----------
    ledger
        What is to ask, and what came of it.
    ask
        Asks an address and stores what it gives.
    options
        See `LaneOptions`.
    notify
        Told of numbers of addresses that were stored and failed, now and then.

    """

    def __init__(
        self, ledger: Ledger, ask: Ask, options: LaneOptions, notify: Callable[[int, int], None] | None = None
    ) -> None:
        self._ledger, self._ask, self._options, self._notify = ledger, ask, options, notify
        self.places = asyncio.Semaphore(_PLACES)
        self._waiting: list[Told] = []
        self.stored = self.failed = 0

    async def run(self) -> None:
        """Ask until nothing is left to ask."""
        clock = asyncio.create_task(self._clock())
        try:
            async with asyncio.TaskGroup() as group:
                free = asyncio.Semaphore(_LANES)
                host = self._ledger.next_host("\0") if self._ledger.next_round("") is None else ""
                while host is not None:
                    await free.acquire()
                    lane = group.create_task(_Lane(self, host).run())
                    lane.add_done_callback(lambda _: free.release())
                    host = self._ledger.next_host(host)
        finally:
            clock.cancel()
            self.flush()

    async def _clock(self) -> None:
        while True:
            await asyncio.sleep(_OFTEN)
            self.flush()

    def add(self, told: Told) -> None:
        """Take what came of an address."""
        self._waiting.append(told)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken into the ledger."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        done = [one for one in waiting if one.result.state != TODO]
        if again := [one.result for one in waiting if one.result.state == TODO]:
            self._ledger.postpone(again)
        if new := [one.result for one in done if not one.kept]:
            self._ledger.put(new)
        if kept := [one.result for one in done if one.kept]:
            self._ledger.keep(kept)
        self.count(
            sum(one.result.state == STORED for one in waiting),
            sum(one.result.state == FAILED for one in waiting),
        )

    def count(self, stored: int, failed: int) -> None:
        """Count what is done."""
        self.stored += stored
        self.failed += failed
        if self._notify is not None:
            self._notify(self.stored, self.failed)

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger

    @property
    def options(self) -> LaneOptions:
        """How hosts are asked."""
        return self._options

    async def ask(self, link: Link) -> Told:
        """Ask an address; whoever does has one of the `places`."""
        return await self._ask(link)


class _Lane:
    """One host: its pace, and what it has said."""

    def __init__(self, lanes: Lanes, host: str) -> None:
        self._lanes, self._host = lanes, host
        self._options = lanes.options
        self._step = 1.0 / lanes.options.rate if host else 0.0  # without a host nothing is asked
        self._next = time.monotonic()
        self._places = asyncio.Semaphore(int(min(_MOST, max(_FEWEST, lanes.options.rate))))
        self._silent = 0
        self._closed = ""

    async def run(self) -> None:
        """Ask all addresses of the host, those that are to be asked again after all others."""
        ledger = self._lanes.ledger
        while (tries := ledger.next_round(self._host)) is not None and not self._closed:
            after = -1
            async with asyncio.TaskGroup() as group:
                while not self._closed and (page := ledger.page(self._host, tries, after, _PAGE)):
                    after = page[-1].id
                    await self._ask_page(page, group)
            self._lanes.flush()
        if self._closed:
            self._lanes.count(0, ledger.fail_host(self._host, self._closed))

    async def _ask_page(self, page: list[Link], group: asyncio.TaskGroup) -> None:
        for link in page:
            await self._places.acquire()
            if self._closed:
                self._places.release()
                return
            await self._turn(link.due)
            await self._lanes.places.acquire()  # before there is a task: thousands that wait would take room
            task = group.create_task(self._one(link))
            task.add_done_callback(self._leave)

    def _leave(self, _: asyncio.Task[None]) -> None:
        self._lanes.places.release()
        self._places.release()

    async def _turn(self, due: float) -> None:
        """Wait for the host's next turn, which what it says meanwhile may put off."""
        rest = due - time.time()
        if rest > 0:
            await asyncio.sleep(rest)
        while (wait := self._next - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        # Who comes late makes up for a twentieth of a second at most: sleeping is coarse, bursts are rude.
        self._next = max(self._next, time.monotonic() - 0.05) + self._step

    async def _one(self, link: Link) -> None:
        if self._closed:
            return
        told = await self._lanes.ask(link)
        result = told.result
        self._silent = self._silent + 1 if result.code in _DEAD else 0
        if self._silent >= _IN_A_ROW:
            self._closed = result.code
        if told.wait is not None or result.code == codes.of_status(429):
            self._rest(_SLOWER if told.wait is None else told.wait)
        if result.state == FAILED and codes.passes(result.code):
            told = self._again(link, told)
        self._lanes.add(told)

    def _again(self, link: Link, told: Told) -> Told:
        """What becomes of a failure that may pass: asked again, or over; what is stored is not lost by it."""
        options = self._options
        if link.tries + 1 < options.tries:
            pause = min(options.longest, options.backoff * 2**link.tries)
            due = time.time() + max(pause, min(told.wait or 0.0, options.longest))
            return Told(replace(told.result, state=TODO, tries=link.tries + 1, due=due))
        return Told(replace(told.result, state=STORED), kept=True) if link.stored else told

    def _rest(self, seconds: float) -> None:
        if seconds > self._options.longest:
            self._closed = codes.WAIT
        else:
            self._next = max(self._next, time.monotonic() + seconds)
