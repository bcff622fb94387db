"""The backbone: one linear classifier a category on sparse rows, trained only against those that rival it.

Each class minimises 1/2 |w|^2 + cost x sum of squared hinge losses, class against the rest, by dual
coordinate descent with shrinking (Hsieh et al. 2008, "A Dual Coordinate Descent Method for Large-scale Linear
SVM"). Visiting every row for every class is what makes that slow with thousands of categories, and nearly all
visits are to rows that the class already keeps far away. So it works on an active set (the idea of cutting
planes; compare teacher-forced and matcher-aware negatives in PECOS, Yu et al. 2022, arXiv:2010.05878): class
centroids name the first rivals of each row, the problem is solved on those, the solution names the next
rivals, and it is solved again from where it stood. A fit can also start from what an earlier one found on
some of the rows (`Support`); that takes a third to a half of the time. Small weights are dropped and the rest
kept in half precision: a model is a few million weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.learners import linear_kernels as kernels
from shelfwise.learners.active_set import ActiveSet, Support
from shelfwise.learners.lanes import LANES

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Round:
    """A round of the active set: add each row's rivals that score above `above`, at most `rivals`; solve."""

    above: float
    rivals: int
    passes: int


_HEAVY_BYTES = 1 << 26
_HEAVY_SHARE = 12
"""Features that at least one in so many classes weighs lie dense."""
_CENTROID_ROWS = 64
_CENTROID_FEATURES = 2048
_SCORED_ROWS = 512
_ROUNDS: tuple[Round, ...] = (Round(0.05, 16, 3), Round(-0.8, 32, 3), Round(-0.8, 0, 3))
_ROUNDS_FROM_START: tuple[Round, ...] = (Round(-0.8, 32, 3), Round(-0.8, 0, 2))


class LinearLearner:
    """One-vs-rest L2-regularised squared hinge with active negatives.

    Parameters
    ----------
    cost: weight of a row's loss against the size of the weights (see `costs`); larger fits closer.
    smallest: weights below this size are dropped.
    threads: for fitting; classes and rows are shared among that many, and the result does not depend on it.

    After fitting: `posts_` int64 [features + 1], `classes_` (uint16 where that suffices) and `weights_`
    float32 (values that float16 can hold), the weights by feature; `heavy_` int8 [tiles, heavy, 16] and
    `scales_` float32 [heavy], those of the features `heavy_features_` int32; `bias_` float32 [classes];
    `support_`, from which another fit can start (not stored with a model).

    """

    def __init__(self, *, cost: float = 0.8, smallest: float = 0.03, threads: int = 1) -> None:
        self.cost = cost
        self.smallest = smallest
        self.threads = threads

    def fit(
        self, X: sparse.csr_matrix, y: NDArray[np.int32], classes: int, start: Support | None = None
    ) -> LinearLearner:
        """Learn from rows float32 [rows, features] of codes y [rows] < `classes`; a class may have no row.

        `start`: what a fit on some of these rows found, in numbers of these rows; its features and its cost
        may have been others.
        """
        y = np.array(y, np.int32)  # a copy: read-only arrays would be one more type to compile for
        squares = np.concatenate([_squares(X[run.start : run.stop]) for run in _runs(len(y), 50_000)])
        if start is None:
            active, rounds = ActiveSet.of_own_rows(y, classes), _ROUNDS
            self._keep(_Weights.of(_centroids(X, y, classes)))
        else:
            active, rounds = ActiveSet.of_support(start, y, classes), _ROUNDS_FROM_START
            known, missing = self._solve(X, squares, active, 0), np.diff(start.starts) == 0
            self._keep(known.with_centroids(_centroids(X, y, classes), missing) if missing.any() else known)
        for step in rounds:
            if step.rivals:
                rivals, found = self._rivals(X, y, step)
                active = active.with_rivals(rivals, found)
                del rivals, found
            weights = self._solve(X, squares, active, step.passes)
            if step.rivals or step is rounds[-1]:
                self._keep(weights)
        self.support_ = active.support()
        return self

    def scores(self, X: sparse.csr_matrix) -> NDArray[np.float32]:
        """Margins + 1, float32 [rows, classes]: about 2 on the right class, else 0; on the calling thread."""
        return self._score(X.indptr.astype(np.int64, copy=False), X, self.bias_ + np.float32(1))

    def _score(
        self, indptr: NDArray[np.int64], X: sparse.csr_matrix, bias: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        out = np.empty((len(indptr) - 1, len(bias)), np.float32)
        kernels.score_rows(
            indptr, _unsigned(X.indices), X.data, self.posts_, self.classes_, self.weights_, self._heavy_of,
            self.heavy_, self.scales_, bias, out,
        )  # fmt: skip
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays; weights and class codes in 16 bits where that loses nothing."""
        return {
            "sizes": np.diff(self.posts_).astype(np.int32),
            "classes": self.classes_,
            "weights": self.weights_.astype(np.float16),
            "heavy_features": self.heavy_features_,
            "heavy": _untiled(self.heavy_, len(self.bias_)),
            "scales": self.scales_,
            "bias": self.bias_,
        }

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> LinearLearner:
        """Take the state that `tensors` gave."""
        self.posts_ = np.concatenate([[0], np.cumsum(tensors["sizes"], dtype=np.int64)])
        self.classes_ = tensors["classes"].astype(_narrow(len(tensors["bias"])))
        self.weights_ = tensors["weights"].astype(np.float32)
        self.heavy_features_ = tensors["heavy_features"].astype(np.int32)
        self.heavy_ = _tiled(tensors["heavy"].astype(np.int8))
        self.scales_ = tensors["scales"].astype(np.float32)
        self.bias_ = tensors["bias"].astype(np.float32)
        self._heavy_of = np.full(len(self.posts_) - 1, -1, np.int32)
        self._heavy_of[self.heavy_features_] = np.arange(len(self.heavy_features_), dtype=np.int32)
        return self

    def costs(self, positives: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cost of each class, float32 [classes]: one of few products has to be fitted closer to be found.

        The form and the factor 7 are measured: on catalogues with long tails it is worth 1 point of weighted
        and 1.5 of macro F1 over one cost for all, and on even ones it changes nothing beyond noise.
        """
        return (self.cost * (1 + 7 / np.sqrt(np.maximum(positives, 1)))).astype(np.float32)

    def _keep(self, learned: _Weights) -> None:
        """Store the weights by feature, rounded as in the model folder, so that saving loses nothing.

        Most of the work of scoring is on features that many classes weigh. Those are laid out dense in 8 bits
        with one scale a feature: a quarter of the memory to fetch, and whole vectors to add. The rest stays
        sparse in 16 bits.
        """
        classes = len(learned.bias)
        sizes = np.bincount(learned.features, minlength=learned.width)
        heavy = np.flatnonzero(sizes * _HEAVY_SHARE >= classes)
        most = max(_HEAVY_BYTES // classes, 1)
        if len(heavy) > most:
            heavy = np.sort(heavy[np.argsort(-sizes[heavy], kind="stable")[:most]])
        place = np.full(len(sizes), -1, np.int32)
        place[heavy] = np.arange(len(heavy), dtype=np.int32)
        sizes[heavy] = 0
        self.posts_ = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.classes_ = np.empty(self.posts_[-1], _narrow(classes))
        weights = np.empty(self.posts_[-1], np.float32)
        self.scales_ = np.zeros(len(heavy), np.float32)
        self.heavy_ = np.zeros((-(-classes // LANES), len(heavy), LANES), np.int8)
        kernels.lay_out(
            learned.features, learned.weights, learned.sizes, place, self.posts_.copy(), self.classes_,
            weights, self.scales_, self.heavy_,
        )  # fmt: skip
        self.weights_ = weights.astype(np.float16).astype(np.float32)
        self.heavy_features_ = heavy.astype(np.int32)
        self.bias_ = learned.bias
        self._heavy_of = place

    def _rivals(
        self, X: sparse.csr_matrix, y: NDArray[np.int32], step: Round
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The rivals of each row's class, int32 [rows, most], and how many of them there are [rows]."""
        rows = X.shape[0]
        most = min(step.rivals, len(self.bias_))
        indptr = X.indptr.astype(np.int64, copy=False)
        rivals, found = np.empty((rows, most), np.int32), np.empty(rows, np.int32)

        def find(run: range) -> None:
            here = slice(run.start, run.stop)
            scores = self._score(indptr[run.start : run.stop + 1], X, self.bias_)
            kernels.pick_rivals(scores, y[here], np.float32(step.above), rivals[here], found[here])

        self._share(find, _runs(rows, _SCORED_ROWS))
        return rivals, found

    def _solve(
        self, X: sparse.csr_matrix, squares: NDArray[np.float32], active: ActiveSet, passes: int
    ) -> _Weights:
        classes = len(active.positives)
        costs = self.costs(active.positives)
        bias = np.full(classes, -1, np.float32)
        indptr = X.indptr.astype(np.int64, copy=False)

        def solve(run: range) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
            features, weights, sizes = kernels.solve_classes(
                indptr, _unsigned(X.indices), X.data, squares, active.rows,
                active.starts[run.start : run.stop + 1], active.positives[run.start : run.stop],
                active.alphas, costs[run.start : run.stop], passes, np.float32(0.1),
                np.float32(self.smallest), X.shape[1], bias[run.start : run.stop],
            )  # fmt: skip
            return features, weights, sizes

        parts = self._share(solve, active.runs(64))
        return _Weights(
            np.concatenate([features for features, _, _ in parts]),
            np.concatenate([weights for _, weights, _ in parts]),
            np.concatenate([sizes for _, _, sizes in parts]),
            bias,
            X.shape[1],
        )

    def _share(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        if self.threads <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(self.threads, os.cpu_count() or 1)) as pool:
            return list(pool.map(work, items))


@dataclass(frozen=True)
class _Weights:
    """Weights class after class: of class c the next `sizes[c]` of `features` int32 and `weights` float32.

    `bias`: float32 [classes]; `width`: how many features there are.
    """

    features: NDArray[np.int32]
    weights: NDArray[np.float32]
    sizes: NDArray[np.int64]
    bias: NDArray[np.float32]
    width: int

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> _Weights:
        bias = np.zeros(matrix.shape[0], np.float32)
        sizes = np.diff(matrix.indptr).astype(np.int64)
        return _Weights(matrix.indices.astype(np.int32), matrix.data, sizes, bias, matrix.shape[1])

    def with_centroids(self, centroids: sparse.csr_matrix, missing: NDArray[np.bool_]) -> _Weights:
        """The same, but the `missing` classes [classes], which have no weights, get their centroids.

        Their bias makes the cosines that name rivals in a first round do so in a later one.
        """
        here = np.repeat(missing, np.diff(centroids.indptr))
        added = np.where(missing, np.diff(centroids.indptr), 0)
        at = np.repeat(np.cumsum(self.sizes), added)
        bias = np.where(missing, np.float32(_ROUNDS_FROM_START[0].above - _ROUNDS[0].above), self.bias)
        return _Weights(
            np.insert(self.features, at, centroids.indices[here]),
            np.insert(self.weights, at, centroids.data[here]),
            self.sizes + added,
            bias,
            self.width,
        )


def _unsigned(indices: NDArray[np.int32]) -> NDArray[np.uint32]:
    """The same numbers, known not to be negative: a kernel then need not ask for each whether it is."""
    return indices.view(np.uint32)


def _narrow(classes: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if classes <= 1 << 16 else np.uint32


def _tiled(heavy: NDArray[np.int8]) -> NDArray[np.int8]:
    """Dense weights [heavy, classes] cut into tiles of sixteen classes, [tiles, heavy, 16]."""
    features, classes = heavy.shape
    tiles = -(-classes // LANES)
    padded = np.zeros((features, tiles * LANES), np.int8)
    padded[:, :classes] = heavy
    return np.ascontiguousarray(padded.reshape(features, tiles, LANES).transpose(1, 0, 2))


def _untiled(heavy: NDArray[np.int8], classes: int) -> NDArray[np.int8]:
    tiles, features, _ = heavy.shape
    flat = heavy.transpose(1, 0, 2).reshape(features, tiles * LANES)
    return np.ascontiguousarray(flat[:, :classes])


def _centroids(X: sparse.csr_matrix, y: NDArray[np.int32], classes: int) -> sparse.csr_matrix:
    """Rough mean directions of the classes, float32 [classes, features], just good enough to name rivals.

    Of each class at most 64 rows, and of their mean the 2,048 largest values (or all, with few classes).
    """
    order = np.argsort(y, kind="stable")
    sizes = np.bincount(y, minlength=classes)
    place = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.maximum(
        np.repeat(sizes, sizes) // _CENTROID_ROWS, 1
    )  # spread over the class, not its first rows
    rows = np.sort(order[(place % step == 0) & (place // step < _CENTROID_ROWS)])
    members = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (y[rows], np.arange(len(rows)))), shape=(classes, len(rows))
    )
    sums = (members @ (X[rows] if len(rows) < len(y) else X)).tocsr()
    lengths = np.sqrt(np.asarray(sums.multiply(sums).sum(axis=1)).ravel())
    sums.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(sums.indptr)).astype(np.float32)
    for c in np.flatnonzero(np.diff(sums.indptr) > _CENTROID_FEATURES).tolist():
        values = sums.data[sums.indptr[c] : sums.indptr[c + 1]]
        values[values < np.partition(values, -_CENTROID_FEATURES)[-_CENTROID_FEATURES]] = 0
    sums.eliminate_zeros()
    return sums


def _squares(X: sparse.csr_matrix) -> NDArray[np.float32]:
    """Squared length of each row with its constant feature, float32 [rows]."""
    lengths: NDArray[np.float32] = np.asarray(X.multiply(X).sum(axis=1), np.float32).ravel() + np.float32(1)
    return lengths


def _runs(rows: int, size: int) -> list[range]:
    return [range(a, min(a + size, rows)) for a in range(0, rows, size)]
