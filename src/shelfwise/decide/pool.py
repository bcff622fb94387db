"""The pool: one probability for each category from the scores of all views of the text.

The views' scores are pooled, e(c) = sum over views of share x score(c), and a power law makes probabilities
of them: p(c) ~ (max(e(c), 0) + 0.05) ** sharpness. Two measurements chose this form over the usual softmax of
scores and over a product of the views:

- Margins of one-vs-rest classifiers are near -1 (scores near 0) for all wrong categories. A softmax gives
  those hundreds of categories most of the mass; a power law next to none. On held-out rows of five catalogues
  it takes the calibration error from 2-7 % to 0.5-2 %, with the same number of parameters (a temperature, Guo
  et al. 2017, arXiv:1706.04599).
- A product of views lets any one view veto a category, and small categories are unknown to some view most
  often; the pool is better by 0.1 to 0.3 points of weighted F1 and up to 1 of macro F1.

Both are fitted on out-of-fold scores, each by what it is for: the shares by the expected number of right
answers (the log loss would give much to views that are seldom right but never sure), the sharpness so that
the mean confidence is the share of right answers (at the least log loss it is up to 4 points off where
categories are many and rare).

The view of the departments says the same of all categories of one department, so it is no part of the sum: it
is a factor of its own, (d(c) + 0.05) ** backing, fitted like the shares and left out when it helps
nobody. A share may come out as nothing, and such a view is not asked when predicting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.decide import kernels

DEPARTMENTS = "departments"
"""The view whose scores are a factor beside the pool of all others."""

_FLOOR = 0.05
_LIFT = 0.05
_LEAST = 0.02
"""A view with a smaller share is left out."""
_USUAL = {"ngrams": 0.6, "words": 0.4}
_USUAL_ROWS = 500
_BACKINGS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)
_CANDIDATES = 32
_CALIBRATION_CELLS = 6_000_000
_SHARPNESS = (0.05, 50.0)
_WORTH = 0.0003
"""A view stays when it makes at least that share of the out-of-fold answers right."""
_BACKING_WORTH = 0.0015
_BACKING_SLACK = 0.0005
"""The same for the departments' backing. It can make confidences sort worse, the more so the larger it is: so
the smallest is taken of those that come that near to the best.
"""


@dataclass(frozen=True)
class Pool:
    """Shares of the views, which sum to 1 (those left out have none), and the sharpness of the power law.

    `backing`: exponent of the departments' scores, before sharpness; 0 leaves them out. `lift`: float32
    [categories], see `lift_of`; None: all 1.
    """

    shares: dict[str, float]
    sharpness: float
    backing: float = 0.0
    lift: NDArray[np.float32] | None = field(default=None, compare=False)

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that have a say."""
        return (*self.shares, DEPARTMENTS) if self.backing > 0 else tuple(self.shares)

    def logs(
        self, scores: Mapping[str, NDArray[np.float32]], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Logarithms of the pooled and backed scores before sharpness, float32 [rows, categories].

        A new array, or `out`. A row does not depend on the others. The arrays of `scores` are left as they
        are.
        """
        return _logs(self.shares, self.backing, scores, self.lift, out)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `lift` follows from the prior that is stored beside."""
        return {"shares": self.shares, "sharpness": self.sharpness, "backing": self.backing}

    def probabilities(self, scores: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """What the pool alone makes of the scores, float32 [rows, categories]; rows sum to 1."""
        return softmax(self.logs(scores), self.sharpness)


def softmax(logs: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    """Probabilities ~ exp(sharpness x logs), float32 [rows, categories]; changes `logs` in place."""
    kernels.centre_rows(logs, np.float32(sharpness))
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=1, keepdims=True)
    return logs


def lift_of(prior: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the pooled scores of each category are multiplied by, float32 [categories]: rare ones by more.

    A one-vs-rest classifier of few products stays below 1 where one of many reaches it, so equal scores mean
    more for the rarer category (compare logit adjustment, Menon et al. 2021, arXiv:2007.07314). The mean over
    products is 1.
    """
    shares = np.maximum(prior.astype(np.float64), 1e-9)
    lift = shares**-_LIFT
    return (lift / (lift @ shares)).astype(np.float32)


def _logs(
    shares: Mapping[str, float],
    backing: float,
    scores: Mapping[str, NDArray[np.float32]],
    lift: NDArray[np.float32] | None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Logarithm of the pooled, lifted and backed scores, float32 [rows, categories]."""
    if not shares:
        raise ValueError("a pool needs at least one view")
    names = sorted(shares)  # sums in one order, however the shares were stored
    parts = tuple(np.require(scores[name], np.float32, ["C", "W"]) for name in names)
    logs = np.empty(parts[0].shape, np.float32) if out is None else out
    each = np.ones(logs.shape[1], np.float32) if lift is None else np.require(lift, np.float32, ["C", "W"])
    weights = np.array([shares[name] for name in names], np.float32)
    kernels.pool_rows(parts, weights, each, np.float32(_FLOOR), logs)
    np.log(logs, out=logs)
    if backing > 0:
        back = np.maximum(scores[DEPARTMENTS], 0)
        back += np.float32(_FLOOR)
        np.log(back, out=back)
        back *= np.float32(backing)
        logs += back
    return logs


def fit_pool(
    scores: Mapping[str, NDArray[np.float32]], y: NDArray[np.int32], lift: NDArray[np.float32] | None = None
) -> Pool:
    """Fit shares, backing and sharpness on out-of-fold scores of rows with codes y [rows].

    `scores`: by view, float32 [rows, categories]. Works on the best candidates of each row; the other
    categories count together. Views are dropped one by one, the least useful first, as long as hardly an
    answer goes wrong for it.
    """
    names = [name for name in scores if name != DEPARTMENTS]
    problem = _Problem.of({name: scores[name] for name in names}, y, scores.get(DEPARTMENTS), lift)
    shares = np.full(len(names), 1 / len(names))
    shares, sharpness = problem.start(shares, 3.0)
    best = problem.share_out(shares, np.ones(len(names), bool), sharpness)
    while np.count_nonzero(best.shares) > 1:
        trials = []
        for view in np.flatnonzero(best.shares):
            rest = best.shares > 0
            rest[view] = False
            trials.append(problem.share_out(best.shares, rest, sharpness))
        trial = max(trials, key=lambda solution: solution.right)
        if trial.right < best.right - _WORTH:
            break
        best = trial
    shares = np.round(_shrink(best.shares, names, len(y)), 4)
    chosen = {name: float(share) for name, share in zip(names, shares, strict=True) if share > 0}
    backing = problem.back_up(shares)
    return Pool(chosen, _calibrate(chosen, backing, scores, y, lift), backing, lift)


def _shrink(shares: NDArray[np.float64], names: Sequence[str], rows: int) -> NDArray[np.float64]:
    """Shares nearer to what large catalogues have, the more so the fewer rows they were fitted on.

    On some hundred rows two right answers by chance are enough for one view to take all.
    """
    usual = np.array([_USUAL.get(name, 0.0) for name in names])
    if usual.sum() == 0:
        return shares
    trust = rows / (rows + _USUAL_ROWS)
    mixed = trust * shares + (1 - trust) * usual / usual.sum()
    mixed[mixed < _LEAST] = 0
    shrunk: NDArray[np.float64] = mixed / mixed.sum()
    return shrunk


def _calibrate(
    shares: Mapping[str, float],
    backing: float,
    scores: Mapping[str, NDArray[np.float32]],
    y: NDArray[np.int32],
    lift: NDArray[np.float32] | None,
) -> float:
    rows = sample_rows(len(y), next(iter(scores.values())).shape[1])
    sampled = {name: part[rows] for name, part in scores.items()}
    return calibrate(_logs(shares, backing, sampled, lift), y[rows])


def sample_rows(rows: int, classes: int) -> NDArray[np.int64]:
    """Evenly spread rows, as many as calibration takes for that many categories."""
    return np.arange(0, rows, -(-rows * classes // _CALIBRATION_CELLS))


def calibrate(logs: NDArray[np.float32], y: NDArray[np.int32]) -> float:
    """The sharpness at which the mean confidence of the answers is the share of them that is right.

    `logs`: float32 [rows, categories], before sharpness; changed in place.
    """
    from scipy.optimize import brentq

    right = float((logs.argmax(axis=1) == y).mean())
    logs -= logs.max(axis=1, keepdims=True)

    def too_sure(sharpness: float) -> float:
        best = 1 / np.exp(logs * np.float32(sharpness)).sum(axis=1, dtype=np.float64)
        return float(best.mean()) - right

    low, high = _SHARPNESS
    if too_sure(low) >= 0 or too_sure(high) <= 0:  # (nearly) nothing or everything is right
        return low if too_sure(low) >= 0 else high
    return round(float(brentq(too_sure, low, high, xtol=1e-3)), 4)


@dataclass(frozen=True)
class _Solution:
    """Shares [views] that sum to 1, and the mean probability of the true category under a sharp mix."""

    shares: NDArray[np.float64]
    right: float


@dataclass(frozen=True)
class _Problem:
    """The candidates of each row, the true one first.

    scores: float64 [rows, candidates, views]; counts: log of how many categories a candidate stands for;
    departments: float64 [rows, candidates], the scores of their departments, if there are any.
    """

    scores: NDArray[np.float64]
    counts: NDArray[np.float64]
    departments: NDArray[np.float64] | None

    @staticmethod
    def of(
        scores: Mapping[str, NDArray[np.float32]],
        y: NDArray[np.int32],
        departments: NDArray[np.float32] | None,
        lift: NDArray[np.float32] | None = None,
    ) -> _Problem:
        parts = list(scores.values())
        views = len(parts)
        leaves = np.sum(parts, axis=0)
        if departments is not None:
            parts.append(departments)
        rows, classes = parts[0].shape
        every = np.arange(rows)
        few = min(_CANDIDATES, classes)
        if few < classes:
            best = np.argpartition(-leaves, few - 1, axis=1)[:, :few]
        else:
            best = np.tile(np.arange(classes), (rows, 1))
        best = np.concatenate([y[:, None], best], axis=1)
        again = best[:, 1:] == y[:, None]  # the true category stands first, and only there
        counts = np.zeros(best.shape)
        counts[:, 1:][again] = -np.inf
        chosen = np.stack([part[every[:, None], best] for part in parts], axis=2).astype(np.float64)
        if few < classes:
            others = classes - (few + 1 - again.sum(axis=1))
            sums = np.stack([part.sum(axis=1, dtype=np.float64) for part in parts], axis=1)
            inside = np.where(np.isinf(counts)[:, :, None], 0, chosen).sum(axis=1)
            rest = (sums - inside) / np.maximum(others, 1)[:, None]
            chosen = np.concatenate([chosen, rest[:, None, :]], axis=1)
            counts = np.concatenate([counts, np.log(np.maximum(others, 1e-300))[:, None]], axis=1)
        if lift is not None:
            chosen[:, : few + 1, :views] *= lift[best][:, :, None]
        return _Problem(chosen[:, :, :views], counts, None if departments is None else chosen[:, :, views])

    def start(self, shares: NDArray[np.float64], sharpness: float) -> tuple[NDArray[np.float64], float]:
        """Shares and sharpness of least log loss, to climb from."""
        from scipy.optimize import minimize

        bounds = [(0, 10)] * len(shares) + [_SHARPNESS]
        every = np.ones(len(shares), bool)
        done = minimize(
            self._loss,
            np.append(shares, sharpness),
            (every, False),
            method="L-BFGS-B",
            jac=True,
            bounds=bounds,
        )
        return done.x[:-1] / max(done.x[:-1].sum(), 1e-9), float(done.x[-1])

    def share_out(self, shares: NDArray[np.float64], keep: NDArray[np.bool_], sharpness: float) -> _Solution:
        """Shares of most right answers, 0 for views that are not kept.

        "Right" has to be smooth to be climbed: it is the probability of the true category at twice the
        sharpness that calibrates, which is near 1 or 0 for all but close calls.
        """
        from scipy.optimize import minimize

        start = np.where(keep, np.maximum(shares, 0.02), 0)
        start = np.append(start[keep] / start.sum(), 2 * sharpness)
        bounds = [(0, 10)] * int(keep.sum()) + [(2 * sharpness, 2 * sharpness)]
        done = minimize(self._loss, start, (keep, True), method="L-BFGS-B", jac=True, bounds=bounds)
        found = np.zeros(len(keep))
        found[keep] = done.x[:-1] if done.x[:-1].sum() > 1e-9 else start[:-1]
        found /= found.sum()
        found[found < _LEAST] = 0
        return _Solution(found / found.sum(), -float(done.fun))

    def back_up(self, shares: NDArray[np.float64]) -> float:
        """The backing of most right answers, 0 if hardly any answer is better for it."""
        if self.departments is None:
            return 0.0
        logs = np.log(np.maximum(self.scores @ shares, 0) + _FLOOR)
        back = np.log(np.maximum(self.departments, 0) + _FLOOR)
        lone = self.counts == 0  # not the truth's second place, nor all the others together
        right = []
        for backing in _BACKINGS:
            mixed = np.where(lone, logs + backing * back, -np.inf)
            right.append(float((mixed.argmax(axis=1) == 0).mean()))
        if max(right) <= right[0] + _BACKING_WORTH:
            return 0.0
        return next(
            b for b, share in zip(_BACKINGS, right, strict=True) if share >= max(right) - _BACKING_SLACK
        )

    def _loss(
        self, x: NDArray[np.float64], keep: NDArray[np.bool_], right: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """Mean log loss (or minus the mean probability of the truth, if `right`) and its slope.

        x: shares of the kept views, before they are made to sum to 1, then the sharpness.
        """
        parts = self.scores if keep.all() else self.scores[:, :, keep]
        total, sharpness = max(float(x[:-1].sum()), 1e-9), x[-1]
        pooled = parts @ (x[:-1] / total)
        logs = np.log(np.maximum(pooled, 0) + _FLOOR)
        mixed = sharpness * logs + self.counts
        mixed -= mixed.max(axis=1, keepdims=True)
        p = np.exp(mixed)
        sums = p.sum(axis=1, keepdims=True)
        p /= sums
        truth = p[:, 0].copy()
        loss = -truth.mean() if right else (np.log(sums[:, 0]) - mixed[:, 0]).mean()
        p[:, 0] -= 1
        if right:
            p *= truth[:, None]
        by_sharpness = (p * logs).sum() / len(p)
        p *= sharpness * (pooled > 0) / (np.maximum(pooled, 0) + _FLOOR)
        by_share = (np.einsum("rc,rcv->v", p, parts) - (p * pooled).sum()) / (total * len(p))
        return float(loss), np.append(by_share, by_sharpness)
