"""The vote of the nearest labelled rows by cosine, on dense vectors; exact, in blocks of rows.

Vectors of one encoder point all in about one direction, so the mean is taken off first: cosines then tell
near from far. How many neighbours vote, and how much more the nearest count, is chosen on rows held out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError
from shelfwise.features.compiled import compiled
from shelfwise.learners.heldout import ENOUGH, held_out
from shelfwise.learners.matrix import Workers

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

MOST = 20
"""Neighbours that vote at most."""
_CHOSEN_ON = 4000
_QUERIES, _ROWS = 256, 8192
_WIDTHS = (0.02, 0.05, 0.1, 0.3)
_DEFAULT = (10, 0.1)


class CosineNeighbours:
    """k nearest rows by cosine; a neighbour's vote falls by e for each `width` that it is less similar.

    Parameters
    ----------
    count: how many neighbours vote; None: chosen from 1 to 20 on held-out rows.
    seed: of the choice of held-out rows. threads: for all work; the result does not depend on it.

    After fitting: `rows_` float32 [rows, features], centred, of length 1 (values that float16 can hold); `y_`
    int32 [rows], their classes; `mean_` float32 [features]; `count_` and `width_`, what was chosen.

    """

    def __init__(self, *, count: int | None = None, seed: int = 0, threads: int = 1) -> None:
        self.count = count
        self.seed = seed
        self.threads = threads

    def fit(self, X: Floats, y: Codes, classes: int) -> CosineNeighbours:
        """Keep the rows float32 [rows, features] with their classes y [rows]."""
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.rows_ = self._directions(X).astype(np.float16).astype(np.float32)
        self.y_, self.classes_ = y.astype(np.int32), classes
        self.count_, self.width_ = self._choose(X)
        return self

    def scores(self, X: Floats) -> Floats:
        """Each class's share of the vote, float32 [rows, classes]; shares sum to 1."""
        found, cosine = self.nearest(X, self.count_)
        votes = np.zeros((len(X), self.classes_), np.float32)
        vote_kernel(found, cosine, self.y_, np.float32(self.width_), votes)
        return votes

    def nearest(self, X: Floats, count: int | None = None) -> tuple[Codes, Floats]:
        """The most similar kept rows: numbers int32 [rows, count] (-1: none) and cosines, best first."""
        return self._nearest(self._directions(X), self.rows_, count or self.count_)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        return {
            "rows": self.rows_.astype(np.float16),
            "y": self.y_,
            "mean": self.mean_,
            "count": np.array([self.count_], np.int32),
            "width": np.array([self.width_], np.float64),
        }

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> CosineNeighbours:
        """Take the state that `tensors` gave.

        Raises:
            ModelError: the arrays do not fit each other: kernels check no bounds.

        """
        self.rows_ = tensors["rows"].astype(np.float32)
        self.y_ = tensors["y"].astype(np.int32)
        self.mean_ = tensors["mean"].astype(np.float32)
        self.count_, self.width_ = int(tensors["count"][0]), float(tensors["width"][0])
        self.classes_ = classes
        sound = self.rows_.shape == (len(self.y_), len(self.mean_)) and self.count_ > 0 and self.width_ > 0
        if not sound or (len(self.y_) and not 0 <= self.y_.min() <= self.y_.max() < classes):
            raise ModelError(
                "the arrays of the neighbours of vectors do not fit each other: the model is damaged"
            )
        return self

    def _directions(self, X: Floats) -> Floats:
        Z: Floats = np.asarray(X, np.float32) - self.mean_
        lengths = np.sqrt(np.square(Z, dtype=np.float64).sum(axis=1, keepdims=True))
        directions: Floats = (Z / np.maximum(lengths, 1e-12)).astype(np.float32)
        return directions

    def _nearest(self, queries: Floats, rows: Floats, count: int) -> tuple[Codes, Floats]:
        found = np.full((len(queries), count), -1, np.int32)
        cosine = np.full((len(queries), count), -np.inf, np.float32)
        with Workers(self.threads) as workers:
            for at in range(0, len(queries), _QUERIES):
                asked = slice(at, at + _QUERIES)
                columns = np.ascontiguousarray(queries[asked].T)
                for first in range(0, len(rows), _ROWS):
                    similar = workers.product(rows[first : first + _ROWS], columns)
                    keep_kernel(similar, first, found[asked], cosine[asked])
        cosine[found < 0] = 0
        return found, cosine

    def _choose(self, X: Floats) -> tuple[int, float]:
        """Neighbours and width with the most right answers on held-out rows; of equals, the fewest."""
        out = held_out(X, self.y_, 0.1, self.seed)
        shuffled = np.random.default_rng(self.seed).permutation(len(out))
        asked = np.sort(shuffled[out[shuffled]][:_CHOSEN_ON])
        if len(asked) < ENOUGH:
            return self.count or min(_DEFAULT[0], len(out)), _DEFAULT[1]
        known = np.flatnonzero(~out)
        found, cosine = self._nearest(self.rows_[asked], self.rows_[known], self.count or MOST)
        best, chosen = -1, _DEFAULT
        votes = np.zeros((len(asked), self.classes_), np.float32)
        for count in range(1, MOST + 1) if self.count is None else [self.count]:
            for width in _WIDTHS:
                votes[:] = 0
                vote_kernel(found[:, :count], cosine[:, :count], self.y_[known], np.float32(width), votes)
                right = int((votes.argmax(axis=1) == self.y_[asked]).sum())
                if right > best:
                    best, chosen = right, (count, width)
        return chosen


@compiled
def keep_kernel(similar: Floats, first: int, found: Codes, cosine: Floats) -> None:
    """Take rows [rows, queries], numbered from `first`, into the best; of equals, the earlier stays."""
    most = found.shape[1]
    for row in range(similar.shape[0]):
        for q in range(similar.shape[1]):
            value = similar[row, q]
            if value <= cosine[q, most - 1]:
                continue
            at = most - 1
            while at > 0 and cosine[q, at - 1] < value:
                cosine[q, at] = cosine[q, at - 1]
                found[q, at] = found[q, at - 1]
                at -= 1
            cosine[q, at] = value
            found[q, at] = first + row


@compiled
def vote_kernel(found: Codes, cosine: Floats, y: Codes, width: np.float32, votes: Floats) -> None:
    """Add each query's votes, which sum to 1."""
    for q in range(found.shape[0]):
        total = np.float32(0)
        for k in range(found.shape[1]):
            if found[q, k] >= 0:
                total += np.exp((cosine[q, k] - cosine[q, 0]) / width)
        for k in range(found.shape[1]):
            if found[q, k] >= 0:
                votes[q, y[found[q, k]]] += np.exp((cosine[q, k] - cosine[q, 0]) / width) / total
