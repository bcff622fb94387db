"""What the doctor looks at: products, where they stand, and what views that never saw them answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from shelfwise.audit.doctor.words import Words
from shelfwise.catalogue.taxonomy import Taxonomy

_BLOCK = 50_000


@dataclass(frozen=True, eq=False)
class Answers:
    """Out-of-fold answers for the labelled products of a catalogue.

    Attributes
    ----------
    taxonomy
        The tree; codes are places in its `labels`.
    y
        int32 [products], the shelf each product stands on.
    candidates, probabilities
        int32 and float32 [products, k], the most probable shelves and how probable each is; -1: none.
    given
        float32 [products], how probable the shelf is that the product stands on.
    groups
        int64 [products], numbers of groups of near-duplicates, from 0.
    titles, product_ids
        [products] texts for people to read; empty where there are none.
    vectors
        float32 [products, width], zeros: nothing to go by (see `audit.embedding`); None: none were made.

    """

    taxonomy: Taxonomy
    y: NDArray[np.int32]
    candidates: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    given: NDArray[np.float32]
    groups: NDArray[np.int64]
    titles: Sequence[str] = ()
    product_ids: Sequence[str] = ()
    vectors: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        rows = len(self.y)
        lengths = [len(part) for part in (self.candidates, self.probabilities, self.given, self.groups)]
        lengths += [len(part) for part in (self.titles, self.product_ids) if len(part)]
        lengths += [] if self.vectors is None else [len(self.vectors)]
        if any(length != rows for length in lengths) or self.candidates.shape != self.probabilities.shape:
            raise ValueError(f"all parts of the answers need {rows} rows; they have {lengths}")

    @property
    def shelves(self) -> int:
        """Number of shelves."""
        return len(self.taxonomy.labels)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Products of each shelf, int64 [shelves]."""
        return np.bincount(self.y, minlength=self.shelves)

    @cached_property
    def groups_of(self) -> NDArray[np.int64]:
        """Products of each shelf that are not near-duplicates of one another, int64 [shelves]."""
        groups = int(self.groups.max(initial=0)) + 1
        pairs = np.unique(self.y.astype(np.int64) * groups + self.groups)
        return np.bincount(pairs // groups, minlength=self.shelves)

    @cached_property
    def answer(self) -> NDArray[np.int32]:
        """The most probable shelf of each product, int32 [products]."""
        best = self.probabilities.argmax(axis=1)
        answer: NDArray[np.int32] = self.candidates[np.arange(len(best)), best]
        return answer

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """Products of each shelf whose answer is that shelf, int64 [shelves]."""
        return np.bincount(self.y[self.answer == self.y], minlength=self.shelves)

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """Mean probability of the shelf itself over its products, float64 [shelves]."""
        sums = np.bincount(self.y, self.given, self.shelves)
        return sums / np.maximum(self.sizes, 1)

    @cached_property
    def spill(self) -> sparse.csr_matrix:
        """Probability of every other shelf, summed over the products of each: float64 [shelves, shelves]."""
        return self._summed(1)

    @cached_property
    def spill_squares(self) -> sparse.csr_matrix:
        """As `spill`, of squared probabilities."""
        return self._summed(2)

    @cached_property
    def rows_by_shelf(self) -> list[NDArray[np.int64]]:
        """The products of each shelf, in order."""
        order = np.argsort(self.y, kind="stable")
        return np.split(order, np.cumsum(self.sizes)[:-1])

    @cached_property
    def words(self) -> Words:
        """The words of the titles."""
        return Words(self.titles, len(self.y))

    def probability_of(self, rows: NDArray[np.int64], code: int) -> NDArray[np.float32]:
        """How probable a shelf is for some products, float32 [rows]; 0 where it is no candidate."""
        among = np.where(self.candidates[rows] == code, self.probabilities[rows], 0).max(axis=1)
        return np.where(self.y[rows] == code, self.given[rows], among).astype(np.float32)

    def told_apart(self, one: int, other: int) -> float:
        """How well the answers tell two shelves apart: 0.5 by chance, 1 without fail (area under the ROC)."""
        sides = [self.rows_by_shelf[code] for code in (one, other)]
        lean = []
        for rows in sides:
            first, second = (self.probability_of(rows, code).astype(np.float64) for code in (one, other))
            lean.append((first + 1e-9) / (first + second + 2e-9))
        ranks = stats.rankdata(np.concatenate(lean))[: len(sides[0])].sum()
        here, there = len(sides[0]), len(sides[1])
        return float((ranks - here * (here + 1) / 2) / max(here * there, 1))

    def knows_which(self, one: int, other: int) -> str:
        """`told_apart` in words."""
        apart = self.told_apart(one, other)
        often = (
            f"in {100 * apart:.0f} %" if apart > 0.55 else "no more often than chance"
        )  # below: chance, too
        return f"of two products, one of each, the model knows {often} which is which"

    def _summed(self, power: int) -> sparse.csr_matrix:
        total = sparse.csr_matrix((self.shelves, self.shelves), dtype=np.float64)
        for start in range(0, len(self.y), _BLOCK):
            part = slice(start, start + _BLOCK)
            codes, given = self.candidates[part], np.repeat(self.y[part], self.candidates.shape[1])
            flat = codes.ravel()
            kept = (flat >= 0) & (flat != given)
            values = self.probabilities[part].ravel()[kept].astype(np.float64) ** power
            places = (given[kept], flat[kept])
            total += sparse.csr_matrix((values, places), shape=total.shape)
        return total
