"""How far corrections reach: the spheres of the remembered products, asked for each new product.

A product inside of a sphere is moved towards the sphere's category: its probabilities become
(1 - w) p + w [category], where w grows with the square of the depth and is at most how likely a label that
near is right where it and the model differ (`Ground.strength`). For the very same text it is just that, so
that the person's category wins, and for the very same product, by its id as well, 1. Where spheres meet, the
largest w counts, shared by them in proportion. A product in no sphere is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.corrections.ground import Ground, border_of, dense_border, depth, index_of
from shelfwise.corrections.lookup import Lookup
from shelfwise.corrections.memory import NAMED, Memory
from shelfwise.corrections.rows import Rows, vector_digests
from shelfwise.corrections.shelves import Shelves
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.neighbours import NeighboursLearner

SHALLOW = np.float32(0.3)
"""So near to its border a sphere does not count yet: measured, no weight is best there as well."""
_HEARD = 8
"""So many spheres may speak for a product."""
_ALIKE = 0.99
"""Below that similarity two texts are not the same."""
_SAME = np.float32(0.98)
"""Texts that are more alike are always looked at, wherever a sphere ends: they may be the same."""


@dataclass(frozen=True)
class _Spheres:
    """Remembered products by one kind of rows: places in the memory, borders, the place of each digest."""

    index: Lookup | CosineNeighbours
    places: NDArray[np.int64]
    border: NDArray[np.float32]
    exact: dict[int, int]


@dataclass(frozen=True)
class Touch:
    """Products that corrections speak of.

    products: int64 [k], their places. found: int32 [k, spheres], places in the memory (-1: none). similarity
    and weight: float32 [k, spheres]; the weights of a product sum to at most 1.
    """

    products: NDArray[np.int64]
    found: NDArray[np.int32]
    similarity: NDArray[np.float32]
    weight: NDArray[np.float32]


class Reach:
    """The spheres of a memory, for the shelves as they are now.

    strength: the most that nearness counts. by_id: product ids tell products apart.
    """

    def __init__(
        self, memory: Memory, shelves: Shelves, rows: Rows, strength: float, by_id: bool = True
    ) -> None:
        self.rows, self.strength = rows, np.float32(strength)
        self.codes = shelves.taxonomy.codes(memory.table["label"])
        self._remembered = memory.rows
        self._ids = memory.table["product_id"].to_list() if by_id else None
        self._text: _Spheres | None = None
        self._dense: dict[str, _Spheres] = {}

    def of_text(self, memory: Memory, shelves: Shelves, ground: Ground, replaced: NDArray[np.bool_]) -> Reach:
        """Take the texts; `replaced`: kept products that corrections speak of, bool [kept]."""
        product = (memory.table["kind"] != NAMED).to_numpy()
        places = np.flatnonzero(product)
        if len(places) == 0:
            return self
        near = memory.near[places]
        rival = (shelves.into[ground.y[near]] != self.codes[places][:, None]) & ~replaced[near]
        border = border_of(near, memory.cosine[places], rival)
        index = Lookup(memory.rows[places], np.minimum(border + SHALLOW * (1 - border), _SAME))
        exact = {int(memory.digests[place]): int(place) for place in places if memory.digests[place]}
        self._text = _Spheres(index, places, border, exact)
        return self

    def of_vectors(self, memory: Memory, shelves: Shelves) -> Reach:
        """Take the vectors, which speak for products without text."""
        for name, part in memory.vectors.items():
            if len(part.places):
                codes = self.codes[part.places]
                border = dense_border(self.rows.views, name, part.directions, codes, shelves.into)
                exact = dict(zip(part.digests.tolist(), part.places.tolist(), strict=True))
                self._dense[name] = _Spheres(index_of(part.directions, codes), part.places, border, exact)
        return self

    def ask(self, products: pl.DataFrame, rows: sparse.csr_matrix) -> Touch:
        """Which products of a block corrections speak of; `rows`: those of the products."""
        silent = np.diff(rows.indptr) == 0
        parts = []
        if self._text is not None:
            parts.append(self._ask_texts(products, rows, self._text))
        for name, spheres in self._dense.items():
            directions, known = self.rows.vectors(products, name)
            asked = np.flatnonzero(known & silent)
            silent[asked] = False
            if len(asked):
                parts.append(self._ask_vectors(products[asked.tolist()], directions[asked], asked, spheres))
        if not parts:
            none = np.empty((0, _HEARD), np.float32)
            return Touch(np.empty(0, np.int64), none.astype(np.int32), none, none)
        return Touch(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def nearest(
        self, products: pl.DataFrame, rows: sparse.csr_matrix
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most similar remembered products: places int32 [products, few] (-1: none) and cosines."""
        places = np.full((products.height, _HEARD), -1, np.int32)
        cosine = np.zeros((products.height, _HEARD), np.float32)
        if self._text is not None:
            found, cosine = self._evidence.nearest(rows, _HEARD)
            places = np.where(found >= 0, self._text.places[found], -1).astype(np.int32)
        silent = np.diff(rows.indptr) == 0
        for name, spheres in self._dense.items():
            directions, known = self.rows.vectors(products, name)
            asked = np.flatnonzero(known & silent)
            silent[asked] = False
            assert isinstance(spheres.index, CosineNeighbours)
            found, cosine[asked] = spheres.index.nearest(directions[asked], _HEARD)
            places[asked] = np.where(found >= 0, spheres.places[found], -1)
        return places, cosine

    @cached_property
    def _evidence(self) -> NeighboursLearner:
        """All remembered texts, however far they reach: built when somebody asks why."""
        assert self._text is not None
        places = self._text.places
        classes = int(self.codes.max(initial=0)) + 1
        return NeighboursLearner().fit(self._remembered[places], self.codes[places], classes)

    def _ask_texts(self, products: pl.DataFrame, rows: sparse.csr_matrix, spheres: _Spheres) -> _Parts:
        assert isinstance(spheres.index, Lookup)
        found, cosine = spheres.index.inside(rows, _HEARD)
        alike = np.flatnonzero((cosine[:, 0] >= _ALIKE) | (np.diff(rows.indptr) == 0))
        same = self._same(
            products,
            alike,
            (self.rows.digests(products.select(self.rows.views.fields)[alike.tolist()]), found[alike, 0]),
            spheres,
        )
        return self._weigh(np.arange(products.height), (found, cosine), same, spheres)

    def _ask_vectors(
        self,
        products: pl.DataFrame,
        directions: NDArray[np.float32],
        asked: NDArray[np.int64],
        spheres: _Spheres,
    ) -> _Parts:
        assert isinstance(spheres.index, CosineNeighbours)
        found, cosine = spheres.index.nearest(directions, _HEARD)
        alike = np.flatnonzero(cosine[:, 0] >= _ALIKE)
        same = self._same(products, alike, (vector_digests(directions[alike]), found[alike, 0]), spheres)
        return self._weigh(asked, (found, cosine), same, spheres)

    def _same(
        self,
        products: pl.DataFrame,
        alike: NDArray[np.int64],
        near: tuple[NDArray[np.uint64], NDArray[np.int32]],
        spheres: _Spheres,
    ) -> list[_Same]:
        """Products that are remembered themselves: their numbers, places in the memory, and weights.

        near: of the `alike`, their digests, and the numbers of the spheres nearest to them.
        """
        digests, nearest = near[0], near[1].tolist()
        ids = products["product_id"].gather(alike).to_list()
        told: list[_Same] = []
        for row, digest, name, first in zip(alike.tolist(), digests.tolist(), ids, nearest, strict=True):
            place = spheres.exact.get(digest, -1)
            named = self._ids is not None and first >= 0 and self._ids[spheres.places[first]] == name
            if place < 0 and named:  # learned products are remembered without their texts
                place = int(spheres.places[first])
            if place >= 0:
                own = self._ids is not None and self._ids[place] == name
                told.append((row, place, 1.0 if own else float(self.strength)))
        return told

    def _weigh(
        self,
        asked: NDArray[np.int64],
        near: tuple[NDArray[np.int32], NDArray[np.float32]],
        same: list[_Same],
        spheres: _Spheres,
    ) -> _Parts:
        found, cosine = near
        deep = depth(cosine, spheres.border[found])
        single = np.where((found >= 0) & (deep > SHALLOW), self.strength * deep**2, np.float32(0))
        total = single.sum(axis=1, keepdims=True)
        weight = single * (single.max(axis=1, initial=0)[:, None] / np.maximum(total, np.float32(1e-12)))
        places = np.where(found >= 0, spheres.places[found], -1).astype(np.int32)
        for row, place, sure in same:  # nobody else has a say
            places[row], weight[row] = -1, 0
            places[row, 0], cosine[row, 0], weight[row, 0] = place, 1, sure
        touched = np.flatnonzero(weight.any(axis=1))
        return asked[touched], places[touched], cosine[touched], weight[touched].astype(np.float32)


_Same = tuple[int, int, float]
_Parts = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
