"""Fusion: one probability for each category from the scores of all views.

A log-linear mix, p(c) ~ exp(sum over views of weight x score(c)): with scores on a logarithmic scale it is a product
of experts (Hinton 2002), and its weights set each view's temperature as well, so that fitting them on out-of-fold
scores fuses and calibrates in one step (Guo et al. 2017, arXiv:1706.04599, with one temperature a view). Weights are
not negative and may come out as nothing; a view without weight is never computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CANDIDATES = 64
_WORTH = 0.002
"""A view stays when it lowers the out-of-fold log loss by at least this share."""


@dataclass(frozen=True)
class Fusion:
    """Weights of the views; those left out have weight 0. `prior`: float32 [categories], sums to 1."""

    weights: dict[str, float]
    prior: NDArray[np.float32]

    def mix(self, scores: Mapping[str, NDArray[np.float32]], present: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Probabilities float32 [rows, categories], rows summing to 1; a row that is not `present` gets the prior.

        A row does not depend on the others. The arrays of `scores` may be overwritten.
        """
        mixed: NDArray[np.float32] | None = None
        for name, weight in self.weights.items():
            part = scores[name]
            part *= np.float32(weight)
            mixed = part if mixed is None else np.add(mixed, part, out=mixed)
        assert mixed is not None
        mixed -= mixed.max(axis=1, keepdims=True)
        np.exp(mixed, out=mixed)
        mixed /= mixed.sum(axis=1, keepdims=True)
        mixed[~present] = self.prior
        return mixed


def fit_fusion(
    scores: Mapping[str, NDArray[np.float32]], y: NDArray[np.int32], prior: NDArray[np.float32]
) -> Fusion:
    """Fit the weights on out-of-fold scores, by view float32 [rows, categories], of rows with codes y [rows].

    Minimises the log loss with L-BFGS over the best candidates of each row; the other categories count together. Views
    are then dropped one by one, the least useful first, as long as the loss hardly rises.
    """
    names = list(scores)
    problem = _Problem.of(scores, y)
    weights, loss = problem.solve(np.ones(len(names), bool))
    keep = np.ones(len(names), bool)
    while keep.sum() > 1:
        trials = []
        for v in np.flatnonzero(keep):
            rest = keep.copy()
            rest[v] = False
            trials.append((problem.solve(rest), v))
        (best, best_loss), v = min(trials, key=lambda trial: (trial[0][1], trial[1]))
        if best_loss > loss * (1 + _WORTH):
            break
        keep[v], weights = False, best
    return Fusion({n: round(float(w), 4) for n, w, k in zip(names, weights, keep, strict=True) if k}, prior)


@dataclass(frozen=True)
class _Problem:
    """The candidates of each row, the true one first.

    scores: float64 [rows, candidates, views]; counts: log of how many categories a candidate stands for.
    """

    scores: NDArray[np.float64]
    counts: NDArray[np.float64]

    @staticmethod
    def of(scores: Mapping[str, NDArray[np.float32]], y: NDArray[np.int32]) -> _Problem:
        parts = list(scores.values())
        rows, classes = parts[0].shape
        every = np.arange(rows)
        total = np.sum(parts, axis=0)
        few = min(_CANDIDATES, classes)
        best = np.argpartition(-total, few - 1, axis=1)[:, :few] if few < classes else np.tile(np.arange(classes), (rows, 1))
        # The true category stands first, once.
        best = np.concatenate([y[:, None], best], axis=1)
        again = best[:, 1:] == y[:, None]
        chosen = np.stack([part[every[:, None], best] for part in parts], axis=2).astype(np.float64)
        counts = np.zeros(best.shape)
        counts[:, 1:][again] = -np.inf
        others = classes - (few + 1 - again.sum(axis=1))
        if few < classes:
            sums = np.stack([part.sum(axis=1, dtype=np.float64) for part in parts], axis=1)
            inside = np.where(np.isinf(counts)[:, :, None], 0, chosen).sum(axis=1)
            rest = (sums - inside) / np.maximum(others, 1)[:, None]
            chosen = np.concatenate([chosen, rest[:, None, :]], axis=1)
            counts = np.concatenate([counts, np.log(np.maximum(others, 1e-300))[:, None]], axis=1)
        return _Problem(chosen, counts)

    def solve(self, keep: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
        """Weights [views], 0 where not kept, and their mean log loss."""
        from scipy.optimize import minimize

        parts = self.scores[:, :, keep]

        def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            mixed = parts @ weights + self.counts
            mixed -= mixed.max(axis=1, keepdims=True)
            p = np.exp(mixed)
            total = p.sum(axis=1, keepdims=True)
            slope = ((p / total)[:, :, None] * parts).sum(axis=1) - parts[:, 0]
            return float((np.log(total[:, 0]) - mixed[:, 0]).mean()), slope.mean(axis=0)

        start = np.full(int(keep.sum()), 3.0 / keep.sum())
        done = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, 30)] * len(start))
        weights = np.zeros(len(keep))
        weights[keep] = done.x
        return weights, float(done.fun)
