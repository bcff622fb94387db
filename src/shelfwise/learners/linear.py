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
from shelfwise.learners.active_set import SHARE, ActiveSet, Part, Support
from shelfwise.learners.centroids import centroids_of
from shelfwise.learners.kept_weights import ClassWeights, KeptWeights
from shelfwise.learners.rows import Rows, as_rows, runs_of

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Into = tuple[NDArray[np.integer], NDArray[np.int32], NDArray[np.int32]]
_Solved = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Round:
    """A round of the active set: add each row's rivals that score above `above`, at most `rivals`; solve."""

    above: float
    rivals: int
    passes: int


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

    After fitting: `kept_`, the weights; `support_`, from which another fit can start (it is not stored).

    """

    def __init__(self, *, cost: float = 0.8, smallest: float = 0.03, threads: int = 1) -> None:
        self.cost = cost
        self.smallest = smallest
        self.threads = threads

    def fit(
        self,
        matrix: sparse.csr_matrix | Rows,
        y: NDArray[np.int32],
        classes: int,
        start: Support | None = None,
    ) -> LinearLearner:
        """Learn from rows float32 [rows, features] of codes y [rows] < `classes`; a class may have no row.

        `start`: what a fit on some of these rows found, in numbers of these rows; its features and its cost
        may have been others.
        """
        X = as_rows(matrix)
        y = np.array(y, np.int32)  # a copy: read-only arrays would be one more type to compile for
        squares = _squares(X)
        if start is None:
            active, rounds = ActiveSet.of_own_rows(y, classes), _ROUNDS
            self.kept_ = KeptWeights.of(ClassWeights.of(centroids_of(X, y, classes)))
        else:
            active, rounds = ActiveSet.of_support(start, y, classes, X.space), _ROUNDS_FROM_START
            known, missing = self._solve(X, squares, active, 0), np.diff(start.starts) == 0
            if missing.any():
                # Their bias makes the cosines that name rivals in a first round do so in a later one.
                bias = _ROUNDS_FROM_START[0].above - _ROUNDS[0].above
                known = known.with_centroids(centroids_of(X, y, classes), missing, bias)
            self.kept_ = KeptWeights.of(known)
        for step in rounds:
            if step.rivals:
                rivals, found = self._rivals(X, y, step)
                active = active.with_rivals(rivals, found, X.space)
                del rivals, found
            weights = self._solve(X, squares, active, step.passes)
            if step.rivals or step is rounds[-1]:
                self.kept_ = KeptWeights.of(weights)
        self.support_ = active.support(X.space)
        return self

    def scores(self, X: sparse.csr_matrix) -> NDArray[np.float32]:
        """Margins + 1, float32 [rows, classes]: about 2 on the right class, else 0; on the calling thread."""
        return self.kept_.scores(X.indptr.astype(np.int64, copy=False), X, self.bias_ + np.float32(1))

    @property
    def bias_(self) -> NDArray[np.float32]:
        """Of each class, float32 [classes]."""
        return self.kept_.bias

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays, see `KeptWeights`."""
        return self.kept_.tensors()

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> LinearLearner:
        """Take the state that `tensors` gave; large arrays are not copied."""
        self.kept_ = KeptWeights.restore(tensors)
        return self

    def costs(self, positives: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cost of each class, float32 [classes]: one of few products has to be fitted closer to be found.

        The form and the factor 7 are measured: on catalogues with long tails it is worth 1 point of weighted
        and 1.5 of macro F1 over one cost for all, and on even ones it changes nothing beyond noise.
        """
        return (self.cost * (1 + 7 / np.sqrt(np.maximum(positives, 1)))).astype(np.float32)

    def _rivals(
        self, X: Rows, y: NDArray[np.int32], step: Round
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The rivals of each row's class, int32 [rows, most], and how many of them there are [rows]."""
        rows = X.shape[0]
        most = min(step.rivals, len(self.bias_))
        rivals = X.space.empty(rows * most, np.int32, SHARE).reshape(rows, most)
        found = np.empty(rows, np.int32)
        for numbers, part in runs_of(X):
            self._find_rivals(part, y[numbers], step, (numbers, rivals, found))
            del part  # before the next one is made
            X.space.release()
        return rivals, found

    def _find_rivals(self, X: sparse.csr_matrix, y: NDArray[np.int32], step: Round, into: _Into) -> None:
        """Find the rivals of some rows and write them where they belong."""
        numbers, rivals, found = into
        indptr = X.indptr.astype(np.int64, copy=False)

        def find(run: range) -> None:
            here = slice(run.start, run.stop)
            scores = self.kept_.scores(indptr[run.start : run.stop + 1], X, self.bias_)
            named, count = np.zeros((len(run), rivals.shape[1]), np.int32), np.empty(len(run), np.int32)
            kernels.pick_rivals(scores, y[here], np.float32(step.above), named, count)
            rivals[numbers[here]], found[numbers[here]] = named, count

        self._share(find, _runs(X.shape[0], _SCORED_ROWS))

    def _solve(self, X: Rows, squares: NDArray[np.float32], active: ActiveSet, passes: int) -> ClassWeights:
        bias = np.full(len(active.positives), -1, np.float32)
        parts = []
        for block in active.blocks(X):
            parts += self._solve_block(active.part(block, X, squares), bias[block.start : block.stop], passes)
            X.space.release()
        return ClassWeights(
            np.concatenate([features for features, _, _ in parts]),
            np.concatenate([weights for _, weights, _ in parts]),
            np.concatenate([sizes for _, _, sizes in parts]),
            bias,
            X.shape[1],
        )

    def _solve_block(self, part: Part, bias: NDArray[np.float32], passes: int) -> list[_Solved]:
        """Weights of a run of classes, in runs of them; writes their `bias` and dual variables."""
        X, active = part.X, part.active
        costs = self.costs(active.positives)
        indptr = X.indptr.astype(np.int64, copy=False)

        def solve(run: range) -> _Solved:
            features, weights, sizes = kernels.solve_classes(
                indptr, _unsigned(X.indices), X.data, part.squares, active.rows,
                active.starts[run.start : run.stop + 1], active.positives[run.start : run.stop],
                active.alphas, costs[run.start : run.stop], passes, np.float32(0.1),
                np.float32(self.smallest), X.shape[1], bias[run.start : run.stop],
            )  # fmt: skip
            return features, weights, sizes

        return self._share(solve, active.runs(64))

    def _share(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        if self.threads <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(self.threads, os.cpu_count() or 1)) as pool:
            return list(pool.map(work, items))


def _unsigned(indices: NDArray[np.int32]) -> NDArray[np.uint32]:
    """The same numbers, known not to be negative: a kernel then need not ask for each whether it is."""
    return indices.view(np.uint32)


def _squares(X: Rows) -> NDArray[np.float32]:
    """Squared length of each row with its constant feature, float32 [rows]."""
    squares = np.empty(X.shape[0], np.float32)
    for numbers, part in runs_of(X, 50_000):
        squares[numbers] = np.asarray(part.multiply(part).sum(axis=1), np.float32).ravel() + np.float32(1)
    return squares


def _runs(rows: int, size: int) -> list[range]:
    return [range(a, min(a + size, rows)) for a in range(0, rows, size)]
