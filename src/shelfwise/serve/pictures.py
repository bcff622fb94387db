"""Pictures of requests on their way to the model: fetched where they are an address, then looked at.

Each picture that fails costs itself; a request's time holds for its pictures as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from shelfwise.errors import PictureError
from shelfwise.serve.answerer import Answerer
from shelfwise.serve.fetching import Fetcher
from shelfwise.serve.limits import Limits
from shelfwise.serve.metrics import Metrics
from shelfwise.serve.offers import Offer
from shelfwise.serve.refusal import RefusedError

_OFF = "this server fetches no pictures (--picture-urls); send the picture itself"


class Pictures:
    """Fetches pictures and looks at them, many requests at a time.

    Parameters
    ----------
    limits: of the server.
    metrics: told what became of each.
    fetcher: fetches addresses; None: none is fetched.

    """

    def __init__(self, limits: Limits, metrics: Metrics, fetcher: Fetcher | None = None) -> None:
        self._limits, self._metrics, self._fetcher = limits, metrics, fetcher
        self._threads = ThreadPoolExecutor(limits.picture_workers, thread_name_prefix="shelfwise-pictures")
        self.waiting = 0
        """Pictures that wait to be fetched or decoded, or are."""

    async def look(self, answerer: Answerer, offers: Sequence[Offer], deadline: float) -> None:
        """Look at the pictures of offers; what is wrong with one becomes its offer's `note`.

        Parameters
        ----------
        answerer, offers
            Who is going to be asked what.
        deadline
            Time (`time.monotonic`) after which nobody waits any more.

        Raises
        ------
        RefusedError
            "late" when the deadline passes; "busy", at once, where too many wait already.

        """
        if self.waiting and self.waiting + len(offers) > self._limits.queue:
            raise RefusedError("busy", "busy", "more pictures wait than can be looked at in time", 1.0)
        self.waiting += len(offers)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await asyncio.gather(*(self._look(answerer, offer) for offer in offers))
        except TimeoutError as error:
            raise RefusedError("late", "late", "the time for the answer is over", 1.0) from error
        finally:
            self.waiting -= len(offers)

    async def _look(self, answerer: Answerer, offer: Offer) -> None:
        if offer.picture is None and offer.note is None and offer.address is not None:
            await self._fetch(offer, "picture_url" in answerer.intake.columns)
        if offer.picture is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, answerer.looker.take, offer)
        if offer.picture is not None or offer.note is not None:
            self._metrics.picture("used" if offer.note is None else offer.note[0])

    async def _fetch(self, offer: Offer, usual: bool) -> None:
        """Fetch a picture; `usual`: the catalogue has such addresses itself, and they mean nothing here."""
        assert offer.address is not None
        if self._fetcher is None:
            offer.note = None if usual else ("addresses_off", _OFF)
            return
        try:
            offer.picture = await self._fetcher.fetch(offer.address)
        except PictureError as error:
            offer.note = error.code, str(error)

    def close(self) -> None:
        """End the threads; what waits is not looked at any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
