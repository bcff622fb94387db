"""Scores of a model's answers as plain numbers: how often right, on which level, how sure, how certain.

Hierarchical precision, recall and F1 are those of Kiritchenko et al. (2005), "Functional annotation of genes
using hierarchical text categorization", recommended by Silla and Freitas (2011), "A survey of hierarchical
classification across different application domains": overlap of the sets of ancestors, each label among its
own, the root left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.evaluate import reliability
from shelfwise.evaluate.intervals import Interval, bootstrap, count_classes, f1_scores
from shelfwise.evaluate.outcome import Codes, Outcome
from shelfwise.evaluate.reliability import Kept, check_promise, measure_reliability

TOP = (1, 3, 5)
DRAWS = 200


@dataclass(frozen=True)
class Headline:
    """Share of right answers and F1 over `rows` products; `intervals` (95 %) by the name of the score."""

    rows: int
    accuracy: float
    weighted_f1: float
    macro_f1: float
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON, rounded to a millionth."""
        return {
            "rows": self.rows,
            "accuracy": _round(self.accuracy),
            "weighted_f1": _round(self.weighted_f1),
            "macro_f1": _round(self.macro_f1),
            "intervals": _plain_intervals(self.intervals),
        }


@dataclass(frozen=True)
class Level:
    """Scores of answers and truth cut to `depth` levels, 1 = the top; `categories`: how many there are."""

    depth: int
    categories: int
    headline: Headline

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {"depth": self.depth, "categories": self.categories, **self.headline.to_dict()}


@dataclass(frozen=True)
class Calibration:
    """Error of the confidence in the first candidate; see `reliability` for each."""

    expected: float
    maximum: float
    brier: float
    log_loss: float
    bins: int

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        names = ("expected", "maximum", "brier", "log_loss")
        errors = {name: _round(getattr(self, name)) for name in names}
        return {**errors, "bins": self.bins}


@dataclass(frozen=True)
class Scores:
    """Everything that `shelfwise evaluate --json` prints."""

    overall: Headline
    levels: tuple[Level, ...]
    hierarchical: tuple[float, float, float]
    top_k: Mapping[int, float]
    calibration: Calibration
    promise: Kept | None
    by_view: Mapping[str, Headline]
    left_out: Mapping[str, Headline]
    unseen: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON with the keys of the contract; shares are 0..1."""
        overall = self.overall.to_dict()
        precision, recall, f1 = (_round(value) for value in self.hierarchical)
        return {
            **{name: overall[name] for name in ("rows", "accuracy", "weighted_f1", "macro_f1", "intervals")},
            "levels": [level.to_dict() for level in self.levels],
            "hierarchical_f1": {"precision": precision, "recall": recall, "f1": f1},
            "top_k": {str(k): _round(value) for k, value in self.top_k.items()},
            "calibration_error": _round(self.calibration.expected),
            "calibration": self.calibration.to_dict(),
            "promise": self.promise.to_dict() if self.promise else None,
            "by_view": {name: headline.to_dict() for name, headline in self.by_view.items()},
            "left_out": {name: headline.to_dict() for name, headline in self.left_out.items()},
            "unseen": dict(self.unseen),
        }


def score(outcome: Outcome, draws: int = DRAWS, seed: int = 0) -> Scores:
    """Score an outcome, with intervals from `draws` bootstrap samples (0 = none) that `seed` picks."""

    def headline(truth: NDArray[np.integer], answer: NDArray[np.integer], rows: slice | Codes) -> Headline:
        groups = None if outcome.groups is None else np.asarray(outcome.groups)[rows]
        return _score_answers(truth[rows], answer[rows], groups, (draws, seed))

    everything = slice(None)
    tree, names, truth = outcome.taxonomy, outcome.unseen_names, outcome.truth
    return Scores(
        overall=headline(truth, outcome.answer, everything),
        levels=tuple(
            Level(depth, _count_categories(tree, depth), headline(*cut_to_level(outcome, depth), everything))
            for depth in range(1, tree.depth + 1)
        ),
        hierarchical=hierarchical_f1(outcome),
        top_k={k: _top_accuracy(outcome, k) for k in TOP},
        calibration=_score_confidence(outcome),
        promise=check_promise(outcome),
        by_view={
            name: headline(truth, codes, np.flatnonzero(codes >= 0).astype(np.int32))
            for name, codes in outcome.by_view.items()
        },
        left_out={name: headline(truth, codes, everything) for name, codes in outcome.left_out.items()},
        unseen={name: int((truth == len(tree.labels) + i).sum()) for i, name in enumerate(names)},
    )


def cut_to_level(outcome: Outcome, depth: int) -> tuple[Codes, Codes]:
    """Truth and first candidate as nodes at `depth` (1 = top): two int32 `[n]`.

    Labels that end above that depth stay themselves. Unseen labels are cut as well, and have codes beyond the
    nodes where the tree does not know what is left of them. They are wrong on every level: an answer that
    names their department becomes no answer (-1).
    """
    tree, labels = outcome.taxonomy, len(outcome.taxonomy.labels)
    known, spoke = outcome.y >= 0, outcome.answer >= 0
    truth = np.append(_cut_unseen(outcome, depth), -1)[np.maximum(outcome.truth - labels, -1)].astype(
        np.int32
    )
    truth[known] = tree.level(outcome.y[known], depth)
    answer = np.full(outcome.rows, -1, np.int32)
    answer[spoke] = tree.level(outcome.answer[spoke], depth)
    answer[~known & (answer == truth)] = -1
    return truth, answer


def _cut_unseen(outcome: Outcome, depth: int) -> Codes:
    """Node of each unseen label's ancestor at `depth`, or a code after the nodes for one not in the tree."""
    nodes = {path: node for node, path in enumerate(outcome.taxonomy.nodes)}
    cut = [path[:depth] for path in outcome.unseen_paths]
    for path in cut:
        nodes.setdefault(path, len(nodes))
    return np.array([nodes[path] for path in cut], np.int32)


def hierarchical_f1(outcome: Outcome) -> tuple[float, float, float]:
    """Precision, recall and F1 over sets of ancestors, summed over all rows (Kiritchenko et al. 2005)."""
    tree = outcome.taxonomy
    length = np.array([len(path) for path in tree.paths], np.int64)
    known, spoke = outcome.y >= 0, outcome.answer >= 0
    unseen = np.array([*(len(path) for path in outcome.unseen_paths), 0], np.int64)
    of_truth = np.where(known, length[outcome.y], unseen[np.maximum(outcome.truth - len(length), -1)])
    of_answer = np.where(spoke, length[outcome.answer], 0)
    shared = 0
    for depth in range(1, tree.depth + 1):
        truth, answer = cut_to_level(outcome, depth)
        shared += int(((truth == answer) & (depth <= of_truth) & (depth <= of_answer)).sum())
    precision, recall = shared / max(int(of_answer.sum()), 1), shared / int(of_truth.sum())
    return precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0


def _score_answers(
    truth: NDArray[np.integer],
    answer: NDArray[np.integer],
    groups: NDArray[np.integer] | None,
    sampling: tuple[int, int],
) -> Headline:
    if len(truth) == 0:
        return Headline(0, 0.0, 0.0, 0.0)
    draws, seed = sampling
    hits, support, answered = count_classes(truth, answer)
    weighted, macro = f1_scores(hits, support, answered)
    intervals = bootstrap(truth, answer, groups, draws, seed) if draws else {}
    return Headline(len(truth), float(hits.sum() / len(truth)), float(weighted), float(macro), intervals)


def _top_accuracy(outcome: Outcome, k: int) -> float:
    found = (outcome.codes[:, :k] == outcome.y[:, None]).any(axis=1) & (outcome.y >= 0)
    return float(found.mean())


def _score_confidence(outcome: Outcome) -> Calibration:
    sure, right = outcome.sure, outcome.right
    bins = measure_reliability(sure, right)
    return Calibration(
        expected=bins.expected_error,
        maximum=bins.maximum_error,
        brier=reliability.brier(sure, right),
        log_loss=reliability.log_loss(sure, right),
        bins=len(bins.rows),
    )


def _count_categories(taxonomy: Taxonomy, depth: int) -> int:
    return len(np.unique(taxonomy.level(np.arange(len(taxonomy.labels), dtype=np.int32), depth)))


def _plain_intervals(intervals: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: [_round(low), _round(high)] for name, (low, high) in intervals.items()}


def _round(value: float) -> float:
    return round(float(value), 6)
