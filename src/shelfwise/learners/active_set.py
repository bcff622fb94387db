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

from shelfwise.learners import linear_kernels as kernels


@dataclass(frozen=True)
class Support:
    """The rows of each class whose dual variable is not zero; they alone make its weights.

    rows int32 and alphas float32, class after class; starts int64 [classes + 1].
    """

    rows: NDArray[np.int32]
    alphas: NDArray[np.float32]
    starts: NDArray[np.int64]

    def renumbered(self, rows: NDArray[np.int64]) -> Support:
        """The same, where row i has become row rows[i]."""
        return Support(rows[self.rows].astype(np.int32), self.alphas, self.starts)


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
    def of_support(support: Support, y: NDArray[np.int32], classes: int) -> ActiveSet:
        """Every class's own rows, and those that its support names, with its dual variables."""
        fresh = ActiveSet.of_own_rows(y, classes)
        owner = np.repeat(np.arange(classes, dtype=np.int64), np.diff(support.starts))
        own = y[support.rows] == owner
        others = np.bincount(owner[~own], minlength=classes)
        starts = np.concatenate([[0], np.cumsum(fresh.positives + others)])
        rows, alphas = np.empty(starts[-1], np.int32), np.zeros(starts[-1], np.float32)
        place = np.empty(len(y), np.int64)  # of each row among those of its own class
        place[fresh.rows] = np.arange(len(y)) + np.repeat(starts[:-1] - fresh.starts[:-1], fresh.positives)
        rows[place[fresh.rows]] = fresh.rows
        alphas[place[support.rows[own]]] = support.alphas[own]
        before = np.cumsum(others) - others
        at = np.arange(others.sum()) + np.repeat(starts[:-1] + fresh.positives - before, others)
        rows[at], alphas[at] = support.rows[~own], support.alphas[~own]
        return ActiveSet(rows, alphas, starts, fresh.positives)

    def with_rivals(self, rivals: NDArray[np.int32], found: NDArray[np.int32]) -> ActiveSet:
        """The set with more rivals, int32 [rows, most], of which each row has the first `found` [rows].

        Pairs of class and row that are known keep their alphas.
        """
        room = len(self.rows) + int(found.sum())
        rows, alphas = np.empty(room, np.int32), np.empty(room, np.float32)
        starts = np.zeros(len(self.starts), np.int64)
        used = kernels.merge_rivals(rivals, found, self.rows, self.alphas, self.starts, rows, alphas, starts)
        return ActiveSet(rows[:used], alphas[:used], starts, self.positives)

    def support(self) -> Support:
        """What another fit can start from."""
        heard = self.alphas != 0
        kept = np.concatenate([[0], np.cumsum(heard)])
        return Support(self.rows[heard], self.alphas[heard], kept[self.starts])

    def runs(self, parts: int) -> list[range]:
        """The classes in runs of about equal work; how they are cut does not touch the result."""
        cuts = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], parts + 1)[1:-1]).tolist()
        edges = sorted({0, len(self.positives), *(min(c, len(self.positives)) for c in cuts)})
        return [range(a, b) for a, b in pairwise(edges)]
