"""What every door calls: requests in, answers out, by values; knows neither HTTP nor gRPC."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from shelfwise.errors import ShelfwiseError
from shelfwise.serve.answerer import Asked, Wish
from shelfwise.serve.batching import Batcher
from shelfwise.serve.corrections import Correction
from shelfwise.serve.fetching import Fetcher
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import (
    CorrectAnswer,
    CorrectRequest,
    PredictAnswer,
    Prediction,
    PredictRequest,
)
from shelfwise.serve.metrics import Metrics
from shelfwise.serve.models import Loaded, Models
from shelfwise.serve.offers import Offer
from shelfwise.serve.pictures import Pictures
from shelfwise.serve.refusal import RefusedError, invalid, too_many
from shelfwise.serve.tracing import Tracing, note, part

_LOG = logging.getLogger("shelfwise.serve")


@dataclass(frozen=True, slots=True)
class Order:
    """A request as a model takes it."""

    loaded: Loaded
    asked: Asked
    deadline: float
    ignored: set[str]

    @property
    def pictures(self) -> list[Offer]:
        """What has to do with a picture: one that was sent, one to fetch, or one that cannot be used."""
        return [offer for offer in self.asked.offers if offer.picture or offer.address or offer.note]


class Service:
    """Models behind limits and a queue.

    Parameters
    ----------
    models: loaded.
    limits: of requests.
    metrics: told of everything that happens.
    fetcher: fetches pictures whose address is sent; None: none is fetched.
    tracing: records requests for a collector; None: nothing is recorded.

    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        metrics: Metrics,
        fetcher: Fetcher | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.models, self.limits, self.metrics, self.tracing = models, limits, metrics, tracing
        self.batcher = Batcher(limits, metrics.batch)
        self.under_way = 0
        self.ready = True
        """Whether more requests should be sent here; false once the server has been told to end."""
        self._pictures = Pictures(limits, metrics, fetcher)
        self.tell_others: Callable[[str], None] = lambda name: None
        """Told of a model that was reloaded because a request said so."""
        metrics.watch(lambda: self.batcher.waiting, lambda: self.under_way)
        metrics.watch_models(lambda: models.all)
        models.told = metrics.reloaded

    # -- admission -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise RefusedError where any request would be refused now."""
        if self.under_way >= self.limits.concurrency:
            raise RefusedError("busy", "busy", "the server answers as many requests as it can", 1.0)
        self.batcher.check()

    def enter(self) -> None:
        """Take a place among the requests under way, or RefusedError at once; give it back with `leave`."""
        self.check()
        self.under_way += 1

    def leave(self) -> None:
        """Give back a place."""
        self.under_way -= 1

    # -- asking ----------------------------------------------------------------------------------------------

    async def predict(self, request: PredictRequest, timeout: float | None = None) -> PredictAnswer:
        """Answer a request, see `order`."""
        order = self.order(request, timeout)
        await self.look(order)
        named = order.loaded.named
        note(model_name=named.name, model_version=named.version, products=len(order.asked.offers))
        if not order.asked.offers:
            return self.answer(order, [])
        return self.answer(order, await self.batcher.ask(order.loaded.answerer, order.asked, order.deadline))

    def order(self, request: PredictRequest, timeout: float | None = None) -> Order:
        """Return a request as the model takes it.

        Parameters
        ----------
        request
            What is asked.
        timeout
            Seconds that the caller will wait; the server's own limit where that is shorter.

        Raises
        ------
        RefusedError
            The request as a whole cannot be answered; what is wrong with one product is in its prediction.

        """
        seconds = self.limits.timeout if timeout is None else min(timeout, self.limits.timeout)
        deadline = time.monotonic() + seconds
        loaded = self.models.get(request.model)
        wish = self._wish(request, loaded)
        products = self._checked(request)
        ignored: set[str] = set()
        intake = loaded.answerer.intake
        offers = [intake.read(product, ignored) for product in products]
        return Order(loaded, Asked(offers, wish, loaded.answerer.corrections_made), deadline, ignored)

    async def look(self, order: Order) -> None:
        """Fetch and decode the pictures of an order, before they get near the model."""
        pictures = order.pictures
        if pictures:
            with part("pictures", pictures=len(pictures)):
                await self._pictures.look(order.loaded.answerer, pictures, order.deadline)

    def answer(self, order: Order, predictions: list[Prediction]) -> PredictAnswer:
        """Return the answer to an order."""
        named = order.loaded.named_after(order.asked.corrected)
        self.metrics.answered(named.name, order.loaded.answerer.top_shelf, predictions)
        return PredictAnswer(named, predictions, sorted(order.ignored)[:20] if order.ignored else UNSET)

    async def correct(self, request: CorrectRequest) -> CorrectAnswer:
        """Remember products with their right categories; RefusedError where one cannot be used."""
        products, categories = request.listed
        if len(products) != len(categories):
            told = f"{len(products)} products have {len(categories)} categories: give one for each"
            raise invalid("categories", told)
        if len(products) > self.limits.items:
            raise too_many(len(products), self.limits.items)
        if not all(isinstance(product, dict) for product in products):
            raise invalid("not_an_object", "a product is an object of named fields")
        asked = self.models.get(request.model)
        own = "picture_url" in asked.answerer.intake.columns or not asked.answerer.pictures
        if not own and any(one.get("picture_url") and not one.get("picture") for one in products):
            told = "a correction is kept with its picture: send the picture itself and not its address"
            raise invalid("picture_url", told)
        name = asked.name
        wanted = [
            Correction(name, product, category, request.new_shelves)
            for product, category in zip(products, categories, strict=True)
        ]
        loaded = await self.batcher.run(lambda: self.models.correct(name, wanted))
        return CorrectAnswer(loaded.named, len(wanted))

    async def follow(self, seconds: float) -> None:
        """Take over what other workers do, and count for all, every so many seconds; never returns."""
        journal = self.models.journal
        while True:
            await asyncio.sleep(seconds)
            self.metrics.flush()
            if journal is not None and journal.has_more:
                try:
                    await self.batcher.run(self.models.catch_up)
                except ShelfwiseError as error:
                    _LOG.error("corrections of another worker were not taken: %s", error)

    def close(self) -> None:
        """End threads; what waits is not answered any more."""
        self.metrics.flush()
        self.batcher.close()
        self.models.close()
        self._pictures.close()
        if self.tracing is not None:
            self.tracing.close()

    def _checked(self, request: PredictRequest) -> Sequence[object]:
        products = request.listed
        limit = self.limits.explained if request.explain else self.limits.items
        if len(products) > limit:
            raise too_many(len(products), limit, request.explain)
        return products

    def _wish(self, request: PredictRequest, loaded: Loaded) -> Wish:
        if not 1 <= request.top <= self.limits.top:
            raise invalid(
                "top", f"top is the number of candidates, 1 to {self.limits.top}; got {request.top}"
            )
        return Wish(request.top, loaded.thresholds(request.promise), request.explain)
