"""Whether confidence means what it says: calibration, coverage against precision, and the kept promise.

Calibration error with bins of equal mass: Nixon et al. (2019), "Measuring Calibration in Deep Learning"; the
score of a probability: Brier (1950); coverage against precision: El-Yaniv and Wiener (2010), selective
classification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.evaluate.intervals import Interval, wilson
from shelfwise.evaluate.outcome import Outcome

BINS = 15
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of equal mass, least sure first.

    Mean `confidence`, `accuracy`, number of `rows`, the accuracy's 95 % ends `low` and `high`: each `[bins]`.
    """

    confidence: Floats
    accuracy: Floats
    rows: NDArray[np.int64]
    low: Floats
    high: Floats

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by rows, 0..1."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.rows))

    @property
    def maximum_error(self) -> float:
        """The worst bin's distance between confidence and accuracy, 0..1."""
        return float(np.abs(self.confidence - self.accuracy).max())


@dataclass(frozen=True, eq=False)
class Coverage:
    """Precision among the rows at least as sure as a `threshold`, and the share of rows that are.

    Each float64 `[points]`, surest first. Rows of equal confidence are accepted together: a threshold cannot
    tell them apart.
    """

    threshold: Floats
    coverage: Floats
    precision: Floats

    def coverage_at(self, precision: float) -> float:
        """Largest share of rows that could be accepted at this precision, known only after the fact."""
        enough = self.precision >= precision
        return float(self.coverage[enough].max()) if enough.any() else 0.0


@dataclass(frozen=True)
class Kept:
    """A promise against the truth.

    `kept`: precision among `accepted_rows`, None when nothing was. `interval`: its 95 % ends (Wilson).
    """

    asked: float
    kept: float | None
    coverage: float
    interval: Interval
    accepted_rows: int
    wrong_rows: int
    shelves: Kept | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        own: dict[str, object] = {
            "asked": self.asked,
            "kept": None if self.kept is None else round(self.kept, 6),
            "coverage": round(self.coverage, 6),
            "interval": [round(end, 6) for end in self.interval],
            "accepted_rows": self.accepted_rows,
            "wrong_rows": self.wrong_rows,
        }
        return own | ({"shelves": self.shelves.to_dict()} if self.shelves else {})


def measure_reliability(sure: Floats, right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Compare what was said with what was so, in `bins` of equal mass by confidence.

    `sure`: float64 `[n]`, 0..1. `right`: bool `[n]`. Fewer bins when there are fewer than ten rows for each.
    Each row is in exactly one bin; equal confidences may fall on both sides of a cut and are spread over it
    in input order.
    """
    bins = max(1, min(bins, len(sure) // 10))
    parts = np.array_split(np.argsort(sure, kind="stable"), bins)
    hits = [int(right[part].sum()) for part in parts]
    ends = np.array([wilson(hit, len(part)) for hit, part in zip(hits, parts, strict=True)])
    return Reliability(
        confidence=np.array([sure[part].mean() for part in parts]),
        accuracy=np.array([right[part].mean() for part in parts]),
        rows=np.array([len(part) for part in parts], np.int64),
        low=ends[:, 0],
        high=ends[:, 1],
    )


def measure_coverage(sure: Floats, right: NDArray[np.bool_]) -> Coverage:
    """Coverage against precision at every threshold that the rows allow."""
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    taken = np.flatnonzero(last) + 1
    return Coverage(ranked[last], taken / len(sure), np.cumsum(right[order])[last] / taken)


def brier(sure: Floats, right: NDArray[np.bool_]) -> float:
    """Mean squared distance between the confidence in the answer and whether it was right; 0 is perfect."""
    return float(np.mean((sure - right) ** 2))


def log_loss(sure: Floats, right: NDArray[np.bool_]) -> float:
    """Mean negative log-likelihood (nats) of "the answer is right" under its confidence; 0 is perfect."""
    edge = np.clip(sure, 1e-7, 1 - 1e-7)  # one float32 step: a confidence of exactly 1 cannot cost infinity
    return float(-np.mean(np.where(right, np.log(edge), np.log1p(-edge))))


def check_promise(outcome: Outcome) -> Kept | None:
    """Compare what was asked with what was kept, for categories and, where there are any, for shelves."""
    promise = outcome.promise
    if promise is None:
        return None
    shelves = None
    if promise.shelf is not None:
        shelves = _keep(promise.asked, promise.shelf >= 0, shelf_is_right(outcome, promise.shelf), None)
    return _keep(promise.asked, promise.accepted, outcome.right, shelves)


def shelf_is_right(outcome: Outcome, shelf: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where the shelf is the true label's own node or one above it, bool `[n]`.

    `shelf`: int32 `[n]`, a node of the tree; -1 = none, which is not right.
    """
    tree = outcome.taxonomy
    node = np.where(outcome.y >= 0, tree.node_of_label[outcome.y], -1)
    right = np.zeros(outcome.rows, bool)
    for _ in range(tree.depth + 1):
        right |= (node == shelf) & (node >= 0)
        node = np.where(node >= 0, tree.parent[node], -1)
    return right


def _keep(asked: float, accepted: NDArray[np.bool_], right: NDArray[np.bool_], shelves: Kept | None) -> Kept:
    rows, hits = int(accepted.sum()), int((accepted & right).sum())
    return Kept(
        asked=float(asked),
        kept=hits / rows if rows else None,
        coverage=rows / len(accepted),
        interval=wilson(hits, rows),
        accepted_rows=rows,
        wrong_rows=rows - hits,
        shelves=shelves,
    )
