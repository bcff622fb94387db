"""What merging shelves gains, out of fold: probabilities of the merged shelves are summed and judged anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Gain

_BLOCK = 50_000


def gain_of_merging(answers: Answers, sets: Sequence[Sequence[int]]) -> Gain:
    """What it gains to make one shelf of each set of shelves (codes; sets share none), all at once."""
    one_of = np.arange(answers.shelves, dtype=np.int32)
    for codes in sets:
        one_of[list(codes)] = min(codes)
    before, after = answers.answer, _answers_anew(answers, one_of)
    told = one_of[answers.y]
    was, now = int((before == answers.y).sum()), int((after == told).sum())
    old, new = _f1(answers.y, before, answers.shelves), _f1(told, after, answers.shelves)
    rows = max(len(answers.y), 1)
    return Gain(now - was, (now - was) / rows, new[0] - old[0], new[1] - old[1])


def _answers_anew(answers: Answers, one_of: NDArray[np.int32]) -> NDArray[np.int32]:
    """The best shelf of each product, int32 [products], once the shelves have become `one_of` them."""
    after = np.where(answers.answer >= 0, one_of[answers.answer], -1)
    moved = one_of != np.arange(len(one_of))
    moved[np.unique(one_of[moved])] = True
    for start in range(0, len(after), _BLOCK):
        codes = answers.candidates[start : start + _BLOCK]
        rows = np.flatnonzero((moved[codes] & (codes >= 0)).any(axis=1))
        codes, values = codes[rows], answers.probabilities[start : start + _BLOCK][rows]
        new = np.where(codes >= 0, one_of[codes], -1)
        sums = np.zeros(values.shape, np.float64)
        for place in range(new.shape[1]):
            sums += values[:, place, None] * (new == new[:, place, None])
        sums[new < 0] = -1
        after[start + rows] = new[np.arange(len(new)), sums.argmax(axis=1)]
    return after.astype(np.int32)


def _f1(truth: NDArray[np.int32], answer: NDArray[np.int32], shelves: int) -> tuple[float, float]:
    """Weighted and macro F1 over the shelves that have products."""
    support = np.bincount(truth, minlength=shelves)
    given = np.bincount(answer[answer >= 0], minlength=shelves)
    right = np.bincount(truth[truth == answer], minlength=shelves)
    there = support > 0
    f1 = 2 * right[there] / (support[there] + given[there])
    return float(f1 @ support[there] / max(support.sum(), 1)), float(f1.mean()) if there.any() else 0.0
