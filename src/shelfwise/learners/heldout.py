"""What is chosen on rows held out: which rows those are, the loss on them, and the temperature of margins."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.dense_rows import DenseRows, as_dense

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

ENOUGH = 20
"""Held-out rows below which nothing is chosen by them."""
_TEMPERATURES = np.geomspace(0.25, 4, 33).astype(np.float32)


def held_out(X: Floats | DenseRows, y: Codes, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows to hold out, bool [rows]: equal rows together, and never all the rows of a class."""
    _, first, group = np.unique(_fingerprints(as_dense(X)), return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # groups numbered as they come, not by their bytes
    chosen = np.random.default_rng(seed).permutation(len(first)) < round(share * len(first))
    out: NDArray[np.bool_] = chosen[order[group.ravel()]]
    left = np.bincount(y[~out], minlength=int(y.max(initial=0)) + 1) > 0
    return out & left[y]


def _fingerprints(X: DenseRows) -> NDArray[np.uint64]:
    """A number for each row by its bits: equal rows have equal ones (multiply-shift, Dietzfelbinger 1996)."""
    factors = np.random.default_rng(0).integers(0, 1 << 64, X.width, np.uint64) | np.uint64(1)
    out = np.empty(len(X), np.uint64)
    for rows, part in X.blocks():
        words = np.ascontiguousarray(part).view(np.uint32).astype(np.uint64)
        words *= factors
        words ^= words >> np.uint64(29)
        out[rows] = words.sum(axis=1, dtype=np.uint64)
    return out


def softmax(margins: Floats) -> Floats:
    """Probabilities of margins [rows, classes], in place."""
    margins -= margins.max(axis=1, keepdims=True)
    np.exp(margins, out=margins)
    margins /= margins.sum(axis=1, keepdims=True)
    return margins


def own_of(probabilities: Floats, y: Codes) -> Floats:
    """What each row gives its own class y [rows], float32 [rows]."""
    return probabilities[np.arange(len(y)), y]


def log_loss(own: Floats) -> float:
    """Mean negative log-likelihood of the probabilities of the right classes [rows]."""
    return float(-np.log(np.maximum(own.astype(np.float64), 1e-12)).mean()) if len(own) else 0.0


def temperature(margins: Iterable[Floats], y: Codes) -> tuple[np.float32, float]:
    """The temperature, of a fixed grid, that has the least log loss (Guo et al. 2017), and that loss.

    `margins`: of the rows of y in order, some rows [rows, classes] at a time.
    """
    own = np.empty((len(_TEMPERATURES), len(y)), np.float32)
    at = 0
    for part in margins:
        rows = slice(at, at + len(part))
        for number, t in enumerate(_TEMPERATURES):
            own[number, rows] = own_of(softmax(part / t), y[rows])
        at = rows.stop
    losses = [log_loss(one) for one in own]
    best = int(np.argmin(losses))
    return _TEMPERATURES[best], losses[best]
