"""Where a model is wrong: scores of each category, and the confusions that cost most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.evaluate.intervals import count_classes
from shelfwise.evaluate.outcome import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CategoryScores:
    """One entry for each category that is true or answered somewhere, in the order of their codes.

    `codes` (of `Outcome.truth`), `support` (true rows), `answered` (rows that were given this category),
    `precision`, `recall`, `f1` (0..1, 0 where undefined), `mistaken_for` (code of the most common wrong
    answer, -1 = none) and `mistaken_rows` (how often), each `[categories]`.
    """

    codes: Ints
    support: Ints
    answered: Ints
    precision: Floats
    recall: Floats
    f1: Floats
    mistaken_for: Ints
    mistaken_rows: Ints


@dataclass(frozen=True, eq=False)
class Confusions:
    """Pairs of a true category and a wrong answer, the dearest first, each array `[pairs]`.

    `cost` is `rows` x `distance`, the steps between the two in the tree: a cup that lands among mugs can be
    found, a cup that lands among tyres is lost. Two labels of one path are 0 steps apart, and cost as if it
    were one. Labels that the learner never saw and rows without an answer are no confusions.
    """

    true: Ints
    answer: Ints
    rows: Ints
    distance: Ints
    cost: Ints


def score_categories(outcome: Outcome) -> CategoryScores:
    """Precision, recall, F1 and the most common wrong answer of every category."""
    hits, support, answered = count_classes(outcome.truth, outcome.answer)
    mistaken_for, mistaken_rows = _commonest_mistake(outcome, len(hits))
    here = np.flatnonzero(support + answered)
    hits, support, answered = hits[here], support[here], answered[here]
    return CategoryScores(
        codes=here.astype(np.int64),
        support=support.astype(np.int64),
        answered=answered.astype(np.int64),
        precision=hits / np.maximum(answered, 1),
        recall=hits / np.maximum(support, 1),
        f1=2 * hits / (support + answered),
        mistaken_for=mistaken_for[here],
        mistaken_rows=mistaken_rows[here],
    )


def count_pairs(outcome: Outcome) -> tuple[Ints, Ints, Ints]:
    """Wrong answers as (true code, answered code, rows), each `[pairs]`, in the order of the codes."""
    wrong = (outcome.truth != outcome.answer) & (outcome.answer >= 0)
    pairs = np.column_stack((outcome.truth[wrong], outcome.answer[wrong])).astype(np.int64)
    pairs, rows = np.unique(pairs, axis=0, return_counts=True)
    return pairs[:, 0], pairs[:, 1], rows.astype(np.int64)


def find_confusions(outcome: Outcome) -> Confusions:
    """All confusions, the one that costs most first; ties by rows, then by tree order."""
    true, answer, rows = count_pairs(outcome)
    known = true < len(outcome.taxonomy.labels)
    true, answer, rows = true[known], answer[known], rows[known]
    distance = np.asarray(outcome.taxonomy.distance(true, answer), np.int64)
    cost = rows * np.maximum(distance, 1)
    order = np.lexsort((answer, true, -rows, -cost))
    return Confusions(true[order], answer[order], rows[order], distance[order], cost[order])


def _commonest_mistake(outcome: Outcome, width: int) -> tuple[Ints, Ints]:
    true, answer, rows = count_pairs(outcome)
    code, count = np.full(width, -1, np.int64), np.zeros(width, np.int64)
    order = np.lexsort((-answer, rows))  # the commonest comes last and so stays; the lower code on a tie
    code[true[order]], count[true[order]] = answer[order], rows[order]
    return code, count
