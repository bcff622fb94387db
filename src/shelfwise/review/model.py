"""A model beside the doubts: its candidates in the picker, which heed what was decided a moment ago.

The audit's own candidates come from models that never saw the product, so they go first; these follow. The
model is only held in memory here: its folder is not changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import msgspec
import polars as pl

from shelfwise.catalogue.roles import Roles
from shelfwise.categorizer import Categorizer, load
from shelfwise.predictions import PredictOptions
from shelfwise.review.doubts import Candidate
from shelfwise.review.products import Products
from shelfwise.track.model import resolve_model

_TOP = 10
_CACHED = 2000  # products whose candidates are remembered


class Voice:
    """What a model says about products.

    Parameters
    ----------
    where: a model folder, or mlflow:RUN_ID.

    Raises
    ------
    ModelError
        There is no such model, or it cannot be read.

    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._model: Categorizer = load(resolve_model(where))
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, list[Candidate]] = OrderedDict()
        self._before = self._model.corrections_
        self._decided: dict[int, str | None] = {}
        self._heard: dict[int, str | None] = {}

    def candidates(self, products: Products, place: int) -> list[Candidate]:
        """Return the likeliest categories of a product, by its place in `Products.frame`."""
        with self._lock:
            self._learn(products)
            if place not in self._cache:
                self._cache[place] = self._ask(products, place)
                while len(self._cache) > _CACHED:
                    self._cache.popitem(last=False)
            return self._cache[place]

    def _ask(self, products: Products, place: int) -> list[Candidate]:
        rows = _rows(products, [place], self._model.roles_)
        said = self._model.predict(rows, PredictOptions(_TOP))["candidates"][0]
        return [] if said is None else [Candidate(**one) for one in said.to_list()]

    def hear(self, decided: dict[int, str | None]) -> None:
        """Take in what was decided, category by place; None takes a decision back.

        It is learned when the next candidates are asked for, so that deciding waits for nothing.
        """
        with self._lock:
            self._heard |= decided

    def _learn(self, products: Products) -> None:
        if not self._heard:
            return
        self._decided |= self._heard
        new = self._heard
        if None in self._heard.values():  # what was taken back is forgotten by beginning anew
            self._model.corrections_ = self._before
            self._decided = new = {at: name for at, name in self._decided.items() if name is not None}
        if new:
            self._model.correct(_rows(products, list(new), self._model.roles_), list(new.values()))
        self._heard = {}
        self._cache.clear()


def _rows(products: Products, places: list[int], roles: Roles) -> pl.DataFrame:
    """Products as rows of a catalogue with the columns that a model knows."""
    texts = [products.text(place) for place in places]
    frame = products.frame[places]
    columns: dict[str | None, Any] = {
        roles.product_id: frame["product_id"],
        roles.title: frame["title"],
        roles.shop: frame["shop"],
        roles.description: [text.description for text in texts],
        roles.brand: [text.brand for text in texts],
        roles.url: [text.url for text in texts],
    }
    if roles.attributes:
        # One object for each pair: names may repeat.
        pairs = [[{name: value} for name, value in text.attributes] for text in texts]
        columns[roles.attributes[0]] = [msgspec.json.encode(items).decode() for items in pairs]
    if roles.image is not None:
        columns[roles.image] = frame["image"]
    return pl.DataFrame({name: column for name, column in columns.items() if name is not None})
