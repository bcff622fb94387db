"""How far a score can be trusted: Wilson's interval of a share, the bootstrap's of accuracy and F1.

Wilson (1927), "Probable inference, the law of succession, and statistical inference"; Efron and Tibshirani
(1993), "An Introduction to the Bootstrap"; near-duplicates are drawn together (the cluster bootstrap; Davison
and Hinkley 1997, section 3.8), because ten offers of one article are not ten independent questions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Floats = NDArray[np.float64]

_Z = 1.959963984540054  # the normal distribution's 97.5 % point
_FAMILIES = ("accuracy", "weighted_f1", "macro_f1")


def wilson(right: int, rows: int) -> Interval:
    """95 % interval of a share, `right` of `rows`; (0, 1) when there are no rows."""
    if rows == 0:
        return 0.0, 1.0
    share, z2 = right / rows, _Z * _Z / rows
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z * np.sqrt(share * (1 - share) / rows + z2 / (4 * rows)) / (1 + z2)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    # In exact arithmetic the end meets the share when it is 0 or 1; rounding must not push it past.
    return float(min(low, share)), float(max(high, share))


def f1_scores(hits: Floats, support: Floats, answered: Floats) -> tuple[Floats, Floats]:
    """Weighted and macro F1 from per-class counts.

    All three are `[..., classes]`: right answers, true rows, and answers per class; the results `[...]`.
    Classes that occur in neither truth nor answers do not count, as in scikit-learn's `f1_score` with its
    default labels.
    """
    either = support + answered
    per_class = 2 * hits / np.maximum(either, 1)
    macro = per_class.sum(axis=-1) / np.maximum((either > 0).sum(axis=-1), 1)
    weighted = (per_class * support).sum(axis=-1) / np.maximum(support.sum(axis=-1), 1)
    return weighted, macro


def count_classes(truth: NDArray[np.integer], answer: NDArray[np.integer]) -> tuple[Floats, Floats, Floats]:
    """Hits, support and answers per class, each float64 `[classes]`; an answer of -1 is no answer."""
    width = int(max(truth.max(initial=-1), answer.max(initial=-1))) + 1
    hits = np.bincount(truth[truth == answer], minlength=width).astype(np.float64)
    support = np.bincount(truth, minlength=width).astype(np.float64)
    answered = np.bincount(answer[answer >= 0], minlength=width).astype(np.float64)
    return hits, support, answered


def bootstrap(
    truth: NDArray[np.integer],
    answer: NDArray[np.integer],
    groups: NDArray[np.integer] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Mapping[str, Interval]:
    """95 % intervals of accuracy, weighted F1 and macro F1.

    `truth`, `answer`, `groups`: int `[n]`. Rows with the same truth, answer and group are one entry with a
    count, and a draw weighs the entries, so that its cost grows with the confusions and not with the rows.

    The draws are centred on the score itself: a resample misses rare classes, which pulls its macro F1 to one
    side, and a plain percentile interval would then leave the score outside (bias correction, Efron and
    Tibshirani, 10.6). When every draw is alike, as with no error at all, Wilson's interval over the groups
    stands in.
    """
    group = np.zeros(len(truth), np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    cells, counts = _count_cells(truth, answer, group)
    whole = _score_weighted(cells, counts.astype(np.float64))
    units = len(truth) if groups is None else int(group.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = np.empty((draws, len(whole)))
    for draw in drawn:
        if groups is None:
            weight = rng.multinomial(len(truth), counts / len(truth))
        else:
            weight = np.bincount(rng.integers(0, units, units), minlength=units)[cells[2]] * counts
        draw[:] = _score_weighted(cells, weight.astype(np.float64))
    return {
        name: _interval(scores, score, units)
        for name, scores, score in zip(_FAMILIES, drawn.T, whole, strict=True)
    }


def _count_cells(
    truth: NDArray[np.integer], answer: NDArray[np.integer], group: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (truth, answer, group) as `[3, cells]`, and the rows of each."""
    # One number a row: sorting those is many times quicker than sorting triples.
    answers, groups = int(answer.max(initial=-1)) + 2, int(group.max()) + 1
    keys = (truth.astype(np.int64) * answers + answer + 1) * groups + group
    cells, counts = np.unique(keys, return_counts=True)
    pairs, group_of_cell = np.divmod(cells, groups)
    truths, answers_plus_one = np.divmod(pairs, answers)
    return np.stack((truths, answers_plus_one - 1, group_of_cell)), counts.astype(np.int64)


def _score_weighted(cells: NDArray[np.int64], weight: Floats) -> tuple[float, float, float]:
    """Accuracy, weighted and macro F1 when each cell counts `weight` times."""
    truth, answer = cells[0], cells[1]
    right, spoke = truth == answer, answer >= 0
    width = int(max(truth.max(), answer.max())) + 1
    hits = np.bincount(truth[right], weight[right], minlength=width)
    support = np.bincount(truth, weight, minlength=width)
    answered = np.bincount(answer[spoke], weight[spoke], minlength=width)
    # Without an entry to weigh, bincount gives integers.
    weighted, macro = f1_scores(*np.stack((hits, support, answered)).astype(np.float64))
    return float(hits.sum() / weight.sum()), float(weighted), float(macro)


def _interval(scores: Floats, score: float, units: int) -> Interval:
    low, high = np.quantile(scores, (0.025, 0.975)) - scores.mean() + score
    if high - low < 1e-12:
        return wilson(round(score * units), units)
    return float(max(0.0, min(low, score))), float(min(1.0, max(high, score)))
