"""The ground: the products that a model keeps as neighbours, and how far a correction reaches among them.

A corrected product speaks for all that is more like it than any learned product of another category is (its
nearest rival): the "reduced Coulomb energy" classifier's spheres of influence (Reilly, Cooper, Elbaum 1982).
Measured on instacart, fashion and pricerunner: outside of these spheres no weight at all is best, and inside
the best weight grows with the share t of the way from the border (0) to the product itself (1), whatever the
catalogue and however long its texts, which a threshold on the similarity itself does not do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.corrections.rows import neighbours_of, unit
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.neighbours import NeighboursLearner
from shelfwise.views.panel import Views

RIVALS = 32
"""So many of the nearest learned products are looked at for a rival."""
LEAST, MOST = 0.2, 0.999
"""Borders of the similarity that a sphere ends at."""
ALONE = 0.95
"""Where a sphere ends if there is nothing to compare with."""
_ASKED = 500
_INSIDE = 0.3
_FEW = 20
_USUAL = 0.8


@dataclass(frozen=True)
class Ground:
    """Kept products as rows float32 [kept, n-grams] of length 1, with their trained codes, ids and titles."""

    rows: sparse.csr_matrix
    index: NeighboursLearner
    kept: pl.DataFrame

    @staticmethod
    def of(views: Views, kept: pl.DataFrame) -> Ground | None:
        """The ground of a model's views; None where there is no text. `kept`: product_id and title."""
        if views.text is None:
            return None
        learned = views.text.neighbours
        rows = unit(learned.rows())
        return Ground(rows, NeighboursLearner().fit(rows, learned.y_, views.classes), kept)

    @property
    def y(self) -> NDArray[np.int32]:
        """Trained codes of the kept products."""
        return self.index.y_

    def nearest(self, rows: sparse.csr_matrix) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The `RIVALS` most similar kept products: places int32 [rows, RIVALS] (-1: none) and cosines."""
        return self.index.nearest(rows, RIVALS)

    def replaced(self, table: pl.DataFrame, by_id: bool) -> NDArray[np.bool_]:
        """Which kept products corrections speak of, bool [kept]: by id, by title where there are no ids."""
        if by_id:
            same = self.kept["product_id"].is_in(
                table["product_id"].filter(table["product_id"] != "").implode()
            )
        else:
            same = self.kept["title"].is_in(table["title"].filter(table["title"] != "").implode())
        return same.fill_null(False).to_numpy()

    def strength(self, accuracy: float) -> float:
        """How likely a label very near by is right where it and the model's answer differ, 0.55 to 0.98.

        By Bayes' rule, of how often labels agree that near to each other and how often the model is right
        (`accuracy`): where the catalogue's labels are noisier than the model, nearness proves little. Never
        below 0.55, so that the very same text takes the category that people gave it.
        """
        labels = self._consistency()
        for_it, against = labels * (1 - accuracy), accuracy * (1 - labels)
        return round(float(np.clip(for_it / max(for_it + against, 1e-9), 0.55, 0.98)), 3)

    def _consistency(self) -> float:
        """How often a learned product has the category of one in whose sphere it lies well inside."""
        asked = np.unique(np.linspace(0, len(self.y) - 1, _ASKED).astype(np.int64))
        near, cosine = self.index.nearest(self.rows[asked], RIVALS)
        other = np.where((near >= 0) & (near != asked[:, None]), cosine, -1)
        best = other.argmax(axis=1)
        every = np.arange(len(asked))
        found, s = near[every, best], other[every, best]
        there = s > LEAST
        asked, found, s = asked[there], found[there], s[there]
        border = self._border(found, asked)
        inside = depth(s, border) >= _INSIDE
        same = self.y[asked[inside]] == self.y[found[inside]]
        if len(same) < _FEW:
            return _USUAL
        return float((same.sum() + 1) / (len(same) + 2))

    def _border(self, places: NDArray[np.int32], but: NDArray[np.int64]) -> NDArray[np.float32]:
        """Where the spheres of kept products end; `but`: one product each that does not count."""
        near, cosine = self.index.nearest(self.rows[places], RIVALS)
        rival = (self.y[near] != self.y[places][:, None]) & (near != but[:, None])
        return border_of(near, cosine, rival)


def border_of(
    near: NDArray[np.int32], cosine: NDArray[np.float32], rival: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Similarity to the nearest rival, float32 [rows]; none among the nearest: that of the last of them."""
    there = near >= 0
    nearest = np.where(there & rival, cosine, np.float32(0)).max(axis=1, initial=0)
    full = there.all(axis=1) & (nearest == 0)
    found = np.where(full, cosine[:, -1] if cosine.shape[1] else 0, nearest)
    border: NDArray[np.float32] = np.clip(found, LEAST, MOST).astype(np.float32)
    return border


def depth(similarity: NDArray[np.float32], border: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far inside of a sphere: 0 at the border and outside, 1 at the product itself."""
    inside: NDArray[np.float32] = np.clip((similarity - border) / (1 - border), 0, 1).astype(np.float32)
    return inside


def dense_border(
    views: Views,
    name: str,
    directions: NDArray[np.float32],
    codes: NDArray[np.int32],
    into: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Where the spheres of vectors float32 [rows, width] of codes [rows] end; `into`: trained code -> code.

    Without learned vectors to compare with, only what is nearly the same is reached.
    """
    learned = neighbours_of(views, name)
    if learned is None or len(learned.y_) == 0:
        return np.full(len(directions), ALONE, np.float32)
    near, cosine = index_of(learned.rows_, learned.y_).nearest(directions, RIVALS)
    return border_of(near, cosine, (into[learned.y_[near]] != codes[:, None]) & (cosine < MOST))


def index_of(directions: NDArray[np.floating[Any]], codes: NDArray[np.int32]) -> CosineNeighbours:
    """Neighbours among directions float32 [rows, width], which are compared as they are."""
    state = {
        "rows": directions,
        "y": codes,
        "mean": np.zeros(directions.shape[1], np.float32),
        "count": np.array([1]),
        "width": np.array([1.0]),
    }
    return CosineNeighbours().restore(state, int(codes.max(initial=0)) + 1)
