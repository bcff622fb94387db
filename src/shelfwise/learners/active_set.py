"""The active set of the linear learner: which rows each class is solved on, with their dual variables.

What is solved can be taken up again: the dual variables that are not zero (`Support`) are all that another
fit needs in order to start near its solution, on more rows or at another cost (alpha seeding, DeCoste and
Wagstaff 2000; warm starts, Chu et al. 2015, "Warm Start for Parameter Selection of Linear Classifiers").
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.learners import linear_kernels as kernels
from shelfwise.learners.rows import Rows
from shelfwise.workspace import Workspace

SHARE = 0.04
"""Of the workspace's memory, how much each of the arrays here may fill before it is a file."""


@dataclass(frozen=True)
class Support:
    """The rows of each class whose dual variable is not zero; they alone make its weights.

    rows int32 and alphas float32, class after class; starts int64 [classes + 1].
    """

    rows: NDArray[np.int32]
    alphas: NDArray[np.float32]
    starts: NDArray[np.int64]

    def renumbered(self, rows: NDArray[np.int64], space: Workspace | None = None) -> Support:
        """The same, where row i has become row rows[i]."""
        now = (space or Workspace()).empty(len(self.rows), np.int32, SHARE)
        np.take(rows.astype(np.int32), self.rows, out=now, mode="clip")
        return Support(now, self.alphas, self.starts)


@dataclass(frozen=True)
class ActiveSet:
    """The rows that each class is solved on, its own first, with their dual variables.

    rows int32 and alphas float32, class after class; starts int64 [classes + 1]; positives int64 [classes].
    """

    rows: NDArray[np.int32]
    alphas: NDArray[np.float32]
    starts: NDArray[np.int64]
    positives: NDArray[np.int64]

    @staticmethod
    def of_own_rows(y: NDArray[np.int32], classes: int) -> ActiveSet:
        """Every class's own rows alone, with dual variables of 0; y int32 [rows]."""
        positives = np.bincount(y, minlength=classes).astype(np.int64)
        rows = np.argsort(y, kind="stable").astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(positives)])
        return ActiveSet(rows, np.zeros(len(rows), np.float32), starts, positives)

    @staticmethod
    def of_support(
        support: Support, y: NDArray[np.int32], classes: int, space: Workspace | None = None
    ) -> ActiveSet:
        """Every class's own rows, and those that its support names, with its dual variables."""
        space = space or Workspace()
        fresh = ActiveSet.of_own_rows(y, classes)
        starts = np.zeros(classes + 1, np.int64)
        kernels.count_active(support.rows, support.starts, y, fresh.positives, starts)
        starts = np.cumsum(starts)
        rows = space.empty(int(starts[-1]), np.int32, SHARE)
        alphas = space.empty(int(starts[-1]), np.float32, SHARE)
        kernels.take_up(
            support.rows, support.alphas, support.starts, y, fresh.rows, fresh.starts, starts, rows, alphas
        )
        return ActiveSet(rows, alphas, starts, fresh.positives)

    def with_rivals(
        self, rivals: NDArray[np.int32], found: NDArray[np.int32], space: Workspace | None = None
    ) -> ActiveSet:
        """The set with more rivals, int32 [rows, most], of which each row has the first `found` [rows].

        Pairs of class and row that are known keep their alphas.
        """
        space = space or Workspace()
        named = np.zeros(len(self.starts), np.int64)
        kernels.count_named(rivals, found, named)
        named = np.cumsum(named)
        room = len(self.rows) + int(named[-1])
        rows, alphas = space.empty(room, np.int32, SHARE), space.empty(room, np.float32, SHARE)
        starts = np.zeros(len(self.starts), np.int64)
        used = first = 0
        while first < len(self.positives):  # as many classes at once as their new rows fit into memory
            most = int(named[first]) + max(space.part(SHARE) // 4, 1)
            last = max(first + 1, int(np.searchsorted(named, most, "right")) - 1)
            used = kernels.merge_rivals(
                rivals, found, named[first : last + 1], first, self.rows, self.alphas, self.starts, rows,
                alphas, starts,
            )  # fmt: skip
            space.release()
            first = last
        return ActiveSet(rows[:used], alphas[:used], starts, self.positives)

    def support(self, space: Workspace | None = None) -> Support:
        """What another fit can start from."""
        space = space or Workspace()
        starts = np.zeros(len(self.starts), np.int64)
        kernels.count_support(self.alphas, self.starts, starts)
        starts = np.cumsum(starts)
        rows = space.empty(int(starts[-1]), np.int32, SHARE)
        alphas = space.empty(int(starts[-1]), np.float32, SHARE)
        kernels.keep_support(self.rows, self.alphas, rows, alphas)
        return Support(rows, alphas, starts)

    def blocks(self, X: Rows) -> list[range]:
        """The classes in runs whose rows fit into memory together; a run has one class at least."""
        if X.whole is not None:
            return [range(len(self.positives))]
        ends = np.empty(len(self.positives), np.int64)
        count = kernels.cut_blocks(self.rows, self.starts, X.lengths, X.room, ends)
        return [range(a, b) for a, b in pairwise([0, *ends[:count].tolist()])]

    def part(self, block: range, X: Rows, squares: NDArray[np.float32]) -> Part:
        """A run of classes with the rows that it is solved on; `squares`: of all rows."""
        if X.whole is not None:
            return Part(X.whole, squares, self)
        begin, end = int(self.starts[block.start]), int(self.starts[block.stop])
        used = np.zeros(X.shape[0], np.bool_)
        used[self.rows[begin:end]] = True
        rows, matrix = X.gather(np.flatnonzero(used))
        place = np.empty(X.shape[0], np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        here = ActiveSet(
            place[self.rows[begin:end]],
            self.alphas[begin:end],
            self.starts[block.start : block.stop + 1] - begin,
            self.positives[block.start : block.stop],
        )
        return Part(matrix, squares[rows], here)

    def runs(self, parts: int) -> list[range]:
        """The classes in runs of about equal work; how they are cut does not touch the result."""
        cuts = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], parts + 1)[1:-1]).tolist()
        edges = sorted({0, len(self.positives), *(min(c, len(self.positives)) for c in cuts)})
        return [range(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True)
class Part:
    """Some classes with their rows: `active` counts in rows of X, float32 [rows, features].

    squares: float32 [rows], of those rows. Dual variables that are written to `active` are the whole set's.
    """

    X: sparse.csr_matrix
    squares: NDArray[np.float32]
    active: ActiveSet
