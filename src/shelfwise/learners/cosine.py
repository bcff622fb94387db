"""The vote of the nearest labelled rows by cosine, on dense vectors, in blocks of rows.

Vectors of one encoder point all in about one direction, so the mean is taken off first: cosines then tell
near from far. How many neighbours vote, and how much more the nearest count, is chosen on rows held out.

Few rows are compared with all; of many, an index (see `learners.cells`) names those that may be the nearest.
Cosines are exact either way: to the bit those of the comparison with all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError
from shelfwise.features.compiled import compiled
from shelfwise.features.dense_rows import DenseRows, as_dense
from shelfwise.learners.cells import CellIndex, Cells, installed, kept_cells
from shelfwise.learners.heldout import ENOUGH, held_out
from shelfwise.learners.matrix import Workers

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

MOST = 20
"""Neighbours that vote at most."""
EXACT_BELOW = 200_000
"""From so many rows on there is an index."""
_CHOSEN_ON = 4000
_QUERIES, _ROWS = 256, 8192
_WIDTHS = (0.02, 0.05, 0.1, 0.3)
_DEFAULT = (10, 0.1)
_SPARE = 40  # candidates that the index names beyond twice as many as are wanted: it knows codes alone
_RESCORED = 64  # queries whose candidates are in memory at once
_SINGLE = 20_000_000  # numbers that are held in single precision: one query alone is answered faster


class CosineNeighbours:
    """k nearest rows by cosine; a neighbour's vote falls by e for each `width` that it is less similar.

    Parameters
    ----------
    count: how many neighbours vote; None: chosen from 1 to 20 on held-out rows.
    seed: of the choice of held-out rows. threads: for all work; the result does not depend on it.
    exact_below: rows from which on there is an index, where FAISS is installed.

    After fitting: `rows_` (see there); `y_` int32 [rows], their classes; `mean_` float32 [features]; `count_`
    and `width_`, what was chosen; `cells_`, those of the index, None: there is none; `notes_`, what to know.

    """

    def __init__(
        self, *, count: int | None = None, seed: int = 0, threads: int = 1, exact_below: int = EXACT_BELOW
    ) -> None:
        self.count = count
        self.seed = seed
        self.threads = threads
        self.exact_below = exact_below

    def fit(self, X: Floats | DenseRows, y: Codes, classes: int) -> CosineNeighbours:
        """Keep the rows float32 [rows, features] with their classes y [rows]."""
        X = as_dense(X)
        total = np.zeros(X.width)
        for _, part in X.blocks():
            total += part.sum(axis=0, dtype=np.float64)
        self.mean_ = (total / max(len(X), 1)).astype(np.float32)
        kept = X.changed(self._directions, kind=np.float16)
        self.y_, self.classes_ = y.astype(np.int32), classes
        self.notes_: list[str] = []
        cells = None
        if len(kept) >= self.exact_below and installed():
            cells, note = kept_cells(kept, self.threads)
            self.notes_ += [note] if note else []
        self._keep(kept, cells)
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
        return self._nearest(self._directions(X), count or self.count_)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        cells = {} if self.cells_ is None else self.cells_.tensors()
        return {
            "rows": self.rows_.astype(np.float16, copy=False),
            "y": self.y_,
            "mean": self.mean_,
            "count": np.array([self.count_], np.int32),
            "width": np.array([self.width_], np.float64),
            **{f"cells.{name}": array for name, array in cells.items()},
        }

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> CosineNeighbours:
        """Take the state that `tensors` gave.

        Raises:
            ModelError: the arrays do not fit each other: kernels check no bounds.

        """
        few = tensors["rows"].size <= _SINGLE
        rows: NDArray[Any] = tensors["rows"].astype(np.float32 if few else np.float16, copy=False)
        self.y_ = tensors["y"].astype(np.int32)
        self.mean_ = tensors["mean"].astype(np.float32)
        self.count_, self.width_ = int(tensors["count"][0]), float(tensors["width"][0])
        self.classes_ = classes
        sound = rows.shape == (len(self.y_), len(self.mean_)) and self.count_ > 0 and self.width_ > 0
        if not sound or (len(self.y_) and not 0 <= self.y_.min() <= self.y_.max() < classes):
            raise ModelError(
                "the arrays of the neighbours of vectors do not fit each other: the model is damaged"
            )
        own = {name.removeprefix("cells."): array for name, array in tensors.items() if name[:6] == "cells."}
        self.notes_ = []
        self._keep(DenseRows(rows), Cells.restore(own, *rows.shape) if own else None)
        return self

    def _keep(self, rows: DenseRows, cells: Cells | None) -> None:
        """Take rows and the cells of their index; without FAISS there is none, and that is said."""
        self.cells_, self._rows = cells, rows
        self._index = CellIndex(rows, cells) if cells is not None and installed() else None
        if len(rows) >= self.exact_below and not installed():
            self.notes_.append(
                f"the nearest of {len(rows):,} vectors are found by comparing with all of them, which is "
                'slow: an index needs FAISS (pip install "shelfwise[faiss]")'
                + (", and the model be trained with it" if cells is None else "")
            )

    @property
    def rows_(self) -> NDArray[np.floating[Any]]:
        """The kept rows [rows, features], centred, of length 1, with values that float16 can hold."""
        return self._rows.whole()

    def _directions(self, X: Floats) -> Floats:
        Z: Floats = np.asarray(X, np.float32) - self.mean_
        lengths = np.sqrt(np.square(Z, dtype=np.float64).sum(axis=1, keepdims=True))
        directions: Floats = (Z / np.maximum(lengths, 1e-12)).astype(np.float32)
        return directions

    def _nearest(
        self, queries: Floats, count: int, known: NDArray[np.bool_] | None = None
    ) -> tuple[Codes, Floats]:
        """As `nearest`, of directions; known: the rows that may be found, bool [rows]."""
        found = np.full((len(queries), count), -1, np.int32)
        cosine = np.full((len(queries), count), -np.inf, np.float32)
        asked = np.arange(len(queries))
        if self._index is not None:
            asked = self._look_up(queries, known, found, cosine)
        if len(asked):
            found[asked], cosine[asked] = self._compare(queries[asked], count, known)
        cosine[found < 0] = 0
        return found, cosine

    def _compare(self, queries: Floats, count: int, known: NDArray[np.bool_] | None) -> tuple[Codes, Floats]:
        """Compare queries with all rows."""
        found = np.full((len(queries), count), -1, np.int32)
        cosine = np.full((len(queries), count), -np.inf, np.float32)
        numbers = None if known is None else np.flatnonzero(known)
        rows = self._rows if numbers is None else self._rows.only(numbers)
        with Workers(self.threads) as workers:
            for place, part in rows.blocks(_ROWS):
                for at in range(0, len(queries), _QUERIES):
                    asked = slice(at, at + _QUERIES)
                    similar = workers.product(part, np.ascontiguousarray(queries[asked].T))
                    keep_kernel(similar, place.start, found[asked], cosine[asked])
        if numbers is not None and len(numbers):
            found = np.where(found >= 0, numbers[found], -1).astype(np.int32)
        return found, cosine

    def _look_up(
        self, queries: Floats, known: NDArray[np.bool_] | None, found: Codes, cosine: Floats
    ) -> NDArray[np.int64]:
        """Ask the index, and fill in what is found; returns the queries that it has too few rows for."""
        assert self._index is not None
        count = found.shape[1]
        named = self._index.candidates(queries, 2 * count + _SPARE, self.threads)
        if known is not None:
            named = np.where((named >= 0) & known[named], named, -1)
        for at in range(0, len(queries), _RESCORED):
            asked = slice(at, at + _RESCORED)
            part = np.sort(named[asked], axis=1)  # of equals, the earlier row comes first
            rows = self._rows.take(np.maximum(part, 0).ravel()).reshape(*part.shape, -1)
            rescore_kernel(queries[asked], rows, part, found[asked], cosine[asked])
        wanted = min(count, len(self.y_) if known is None else int(known.sum()))
        return np.flatnonzero((found[:, :wanted] < 0).any(axis=1))

    def _choose(self, X: DenseRows) -> tuple[int, float]:
        """Neighbours and width with the most right answers on held-out rows; of equals, the fewest."""
        out = held_out(X, self.y_, 0.1, self.seed)
        shuffled = np.random.default_rng(self.seed).permutation(len(out))
        asked = np.sort(shuffled[out[shuffled]][:_CHOSEN_ON])
        if len(asked) < ENOUGH:
            return self.count or min(_DEFAULT[0], len(out)), _DEFAULT[1]
        found, cosine = self._nearest(self._rows.take(asked), self.count or MOST, ~out)
        best, chosen = -1, _DEFAULT
        votes = np.zeros((len(asked), self.classes_), np.float32)
        for count in range(1, MOST + 1) if self.count is None else [self.count]:
            for width in _WIDTHS:
                votes[:] = 0
                vote_kernel(found[:, :count], cosine[:, :count], self.y_, np.float32(width), votes)
                right = int((votes.argmax(axis=1) == self.y_[asked]).sum())
                if right > best:
                    best, chosen = right, (count, width)
        return chosen


@compiled
def take_kernel(found: Codes, cosine: Floats, q: int, number: int, value: np.float32) -> None:
    """Put a row among the best of query q, if it is one; of equals, the earlier stays."""
    at = found.shape[1] - 1
    if value <= cosine[q, at]:
        return
    while at > 0 and cosine[q, at - 1] < value:
        cosine[q, at] = cosine[q, at - 1]
        found[q, at] = found[q, at - 1]
        at -= 1
    cosine[q, at] = value
    found[q, at] = number


@compiled
def keep_kernel(similar: Floats, first: int, found: Codes, cosine: Floats) -> None:
    """Take rows [rows, queries], numbered from `first`, into the best; of equals, the earlier stays."""
    for row in range(similar.shape[0]):
        for q in range(similar.shape[1]):
            take_kernel(found, cosine, q, first + row, similar[row, q])


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


@compiled(fastmath={"contract"})  # type: ignore[untyped-decorator]
def rescore_kernel(
    queries: Floats, rows: Floats, named: NDArray[np.int64], found: Codes, cosine: Floats
) -> None:
    """Take the named rows [queries, some, width], -1: none, into the best; of equals, the earlier stays.

    Each cosine is summed in the order of `multiply_kernel`, so that it has the same bits.
    """
    for q in range(named.shape[0]):
        for k in range(named.shape[1]):
            if named[q, k] < 0:
                continue
            value = np.float32(0)
            for d in range(queries.shape[1]):
                value = value + rows[q, k, d] * queries[q, d]
            take_kernel(found, cosine, q, named[q, k], value)
