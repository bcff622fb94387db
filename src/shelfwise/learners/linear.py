"""The backbone: one linear classifier a category on sparse rows, trained only against those that rival it.

Each class minimises 1/2 |w|^2 + cost x sum of squared hinge losses, class against the rest, by dual
coordinate descent with shrinking (Hsieh et al. 2008, "A Dual Coordinate Descent Method for Large-scale Linear
SVM"). Visiting every row for every class is what makes that slow with thousands of categories, and nearly all
visits are to rows that the class already keeps far away. So it works on an active set (the idea of cutting
planes; compare teacher-forced and matcher-aware negatives in PECOS, Yu et al. 2022, arXiv:2010.05878): class
centroids name the first rivals of each row, the problem is solved on those, the solution names the next
rivals, and it is solved again from where it stood. Small weights are dropped and the rest kept in half
precision: a model is a few million weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.learners import linear_kernels as kernels

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
_ROUNDS = (Round(0.05, 16, 3), Round(-0.8, 32, 3), Round(-0.8, 32, 3))


class LinearLearner:
    """One-vs-rest L2-regularised squared hinge with active negatives.

    Parameters
    ----------
    cost: weight of a row's loss against the size of the weights (see `costs`); larger fits closer.
    smallest: weights below this size are dropped.
    threads: for fitting; classes and rows are shared among that many, and the result does not depend on it.

    After fitting: `posts_` int64 [features + 1], `classes_` int32 and `weights_` float32 (values that float16
    can hold), the weights by feature; `heavy_` int8 [heavy, classes] and `scales_` float32 [heavy], those of
    the features `heavy_features_` int32; `bias_` float32 [classes].

    """

    def __init__(self, *, cost: float = 0.8, smallest: float = 0.02, threads: int = 1) -> None:
        self.cost = cost
        self.smallest = smallest
        self.threads = threads

    def fit(self, X: sparse.csr_matrix, y: NDArray[np.int32], classes: int) -> LinearLearner:
        """Learn from rows float32 [rows, features] of codes y [rows] < `classes`; a class may have no row."""
        y = np.array(y, np.int32)  # a copy: read-only arrays would be one more type to compile for
        active = _ActiveSet.of_own_rows(y, classes)
        squares = np.concatenate([_squares(X[run.start : run.stop]) for run in _runs(len(y), 50_000)])
        self._keep(_centroids(X, y, classes), np.zeros(classes, np.float32))
        for number, step in enumerate(_ROUNDS):
            if number < len(_ROUNDS) - 1:
                active = active.with_rivals(self._rivals(X, y, step), y)
            weights, bias = self._solve(X, squares, active, step.passes)
            self._keep(weights, bias)
        return self

    def scores(self, X: sparse.csr_matrix) -> NDArray[np.float32]:
        """Margins + 1, float32 [rows, classes]: about 2 on the right class, else 0; on the calling thread."""
        out = np.empty((X.shape[0], len(self.bias_)), np.float32)
        kernels.score_rows(
            X.indptr.astype(np.int64, copy=False), X.indices, X.data, self.posts_, self.classes_,
            self.weights_, self._heavy_of, self.heavy_, self.scales_, self.bias_ + np.float32(1), out,
        )  # fmt: skip
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays; weights and class codes in 16 bits where that loses nothing."""
        narrow = np.uint16 if len(self.bias_) <= 1 << 16 else np.int32
        return {
            "sizes": np.diff(self.posts_).astype(np.int32),
            "classes": self.classes_.astype(narrow),
            "weights": self.weights_.astype(np.float16),
            "heavy_features": self.heavy_features_,
            "heavy": self.heavy_,
            "scales": self.scales_,
            "bias": self.bias_,
        }

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> LinearLearner:
        """Take the state that `tensors` gave."""
        self.posts_ = np.concatenate([[0], np.cumsum(tensors["sizes"], dtype=np.int64)])
        self.classes_ = tensors["classes"].astype(np.int32)
        self.weights_ = tensors["weights"].astype(np.float32)
        self.heavy_features_ = tensors["heavy_features"].astype(np.int32)
        self.heavy_ = tensors["heavy"].astype(np.int8)
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

    def _keep(self, weights: sparse.csr_matrix, bias: NDArray[np.float32]) -> None:
        """Store the weights by feature, rounded as in the model folder, so that saving loses nothing.

        Most of the work of scoring is on features that many classes weigh. Those are laid out dense in 8 bits
        with one scale a feature: a quarter of the memory to fetch, and whole vectors to add. The rest stays
        sparse in 16 bits.
        """
        classes = len(bias)
        by_feature = weights.tocsc()
        sizes = np.diff(by_feature.indptr)
        heavy = np.flatnonzero(sizes * _HEAVY_SHARE >= classes)
        most = max(_HEAVY_BYTES // classes, 1)
        if len(heavy) > most:
            heavy = np.sort(heavy[np.argsort(-sizes[heavy], kind="stable")[:most]])
        place = np.full(len(sizes), -1, np.int32)
        place[heavy] = np.arange(len(heavy), dtype=np.int32)
        row = np.repeat(place, sizes)
        dense = row >= 0
        values = by_feature.data.astype(np.float32)
        self.scales_ = np.zeros(len(heavy), np.float32)
        np.maximum.at(self.scales_, row[dense], np.abs(values[dense]) / np.float32(127))
        self.heavy_ = np.zeros((len(heavy), classes), np.int8)
        self.heavy_[row[dense], by_feature.indices[dense]] = np.rint(values[dense] / self.scales_[row[dense]])
        self.heavy_features_ = heavy.astype(np.int32)
        self.posts_ = np.concatenate([[0], np.cumsum(np.where(place >= 0, 0, sizes))]).astype(np.int64)
        self.classes_ = by_feature.indices[~dense].astype(np.int32)
        self.weights_ = values[~dense].astype(np.float16).astype(np.float32)
        self.bias_ = bias
        self._heavy_of = place

    def _rivals(self, X: sparse.csr_matrix, y: NDArray[np.int32], step: Round) -> NDArray[np.int64]:
        """Pairs (class, row) of rivals as class * rows + row."""
        rows, classes = X.shape[0], len(self.bias_)
        most = min(step.rivals, classes)
        indptr = X.indptr.astype(np.int64, copy=False)

        def find(run: range) -> NDArray[np.int64]:
            rivals = np.empty((len(run), most), np.int32)
            found = np.empty(len(run), np.int32)
            kernels.find_rivals(
                indptr, X.indices, X.data, run.start, y, self.posts_, self.classes_, self.weights_,
                self._heavy_of, self.heavy_, self.scales_, self.bias_, np.float32(step.above), most, rivals,
                found,
            )  # fmt: skip
            named = np.arange(most) < found[:, None]
            row = np.broadcast_to(np.arange(run.start, run.stop, dtype=np.int64)[:, None], rivals.shape)
            pairs: NDArray[np.int64] = rivals[named].astype(np.int64) * rows + row[named]
            return pairs

        return np.concatenate(self._share(find, _runs(rows, 1024)))

    def _solve(
        self, X: sparse.csr_matrix, squares: NDArray[np.float32], active: _ActiveSet, passes: int
    ) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
        classes = len(active.positives)
        costs = self.costs(active.positives)
        bias = np.full(classes, -1, np.float32)
        indptr = X.indptr.astype(np.int64, copy=False)

        def solve(run: range) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
            features, weights, sizes = kernels.solve_classes(
                indptr, X.indices, X.data, squares, active.rows, active.starts[run.start : run.stop + 1],
                active.positives[run.start : run.stop], active.alphas, costs[run.start : run.stop], passes,
                np.float32(0.1), np.float32(self.smallest), X.shape[1], bias[run.start : run.stop],
            )  # fmt: skip
            return features, weights, sizes

        parts = self._share(solve, active.runs(64))
        starts = np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, _, sizes in parts]))])
        matrix = sparse.csr_matrix((classes, X.shape[1]), dtype=np.float32)
        matrix.indices = np.concatenate([features for features, _, _ in parts])
        matrix.data = np.concatenate([weights for _, weights, _ in parts])
        matrix.indptr = starts
        return matrix, bias

    def _share(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        if self.threads <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(self.threads, os.cpu_count() or 1)) as pool:
            return list(pool.map(work, items))


@dataclass(frozen=True)
class _ActiveSet:
    """The rows that each class is solved on, its own first, with their dual variables.

    rows int32 and alphas float32, class after class; starts int64 [classes + 1]; positives int64 [classes].
    """

    rows: NDArray[np.int32]
    alphas: NDArray[np.float32]
    starts: NDArray[np.int64]
    positives: NDArray[np.int64]

    @staticmethod
    def of_own_rows(y: NDArray[np.int32], classes: int) -> _ActiveSet:
        positives = np.bincount(y, minlength=classes).astype(np.int64)
        rows = np.argsort(y, kind="stable").astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(positives)])
        return _ActiveSet(rows, np.zeros(len(rows), np.float32), starts, positives)

    def with_rivals(self, pairs: NDArray[np.int64], y: NDArray[np.int32]) -> _ActiveSet:
        """The set with more (class, row) pairs, as class * rows + row; known ones keep their alphas.

        Some classes at a time: sorting needs several times the memory of what is sorted.
        """
        classes = len(self.positives)
        step = -(-classes // 16)
        pairs = np.sort(pairs)
        parts = []
        for first in range(0, classes, step):
            last = min(first + step, classes)
            begin, end = np.searchsorted(pairs, [first * len(y), last * len(y)])
            parts.append(self._merge(first, last, pairs[begin:end], y))
        return _ActiveSet(
            np.concatenate([rows for rows, _, _ in parts]),
            np.concatenate([alphas for _, alphas, _ in parts]),
            np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, _, sizes in parts]))]),
            self.positives,
        )

    def _merge(
        self, first: int, last: int, pairs: NDArray[np.int64], y: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
        """Rows and dual variables of the classes first..last, and how many each class has; own rows first."""
        n = len(y)
        inside = slice(self.starts[first], self.starts[last])
        owner = np.repeat(np.arange(first, last, dtype=np.int64), np.diff(self.starts[first : last + 1]))
        known = owner * n + self.rows[inside]
        known_order = np.argsort(known, kind="stable")
        if len(known):
            at = np.searchsorted(known, pairs, sorter=known_order)
            at[at == len(known)] = 0
            pairs = pairs[known[known_order[at]] != pairs]
        every = np.concatenate([known, pairs])
        alphas = np.concatenate([self.alphas[inside], np.zeros(len(pairs), np.float32)])
        owner, row = every // n, (every % n).astype(np.int32)
        order = np.lexsort((row, y[row] != owner, owner))
        sizes = np.bincount(owner - first, minlength=last - first)
        return row[order], alphas[order], sizes

    def runs(self, parts: int) -> list[range]:
        """The classes in runs of about equal work; how they are cut does not touch the result."""
        cuts = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], parts + 1)[1:-1]).tolist()
        edges = sorted({0, len(self.positives), *(min(c, len(self.positives)) for c in cuts)})
        return [range(a, b) for a, b in pairwise(edges)]


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
