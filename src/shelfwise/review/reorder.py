"""A correction counts at once: how the doubts of open products change with what was decided about others.

Two things speak. A neighbour that was put on another shelf no longer vouches for the old one. And people who
take one suggestion after the other from A to B, or refuse them, tell how good the next one of that kind is;
what one seller's products tell counts for that seller beyond that. Both are added to the log-odds of a doubt,
so that they cannot leave 0..1, and nothing decided means nothing changed.

The rates are Beta posteriors (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4) whose prior is
what the audit expected of those very products, worth `PRIOR` decisions; the seller's prior is the posterior
of all sellers, as in a hierarchical model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.review.doubts import Edges

PRIOR = 4.0
"""Decisions that the audit's own expectation is worth."""

NEIGHBOURS = 0.5
"""How much of the log-odds between the two shelves among the neighbours is believed."""

_FLOOR = 0.25  # similarity that each shelf has without a neighbour, so that one neighbour is not everything
_EDGE = 1e-4  # doubts are kept this far from 0 and 1 before their odds are taken

_Floats = NDArray[np.float64]
_Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Kinds:
    """What groups products, int64 [n] each: pair (given and suggested), sold (pair and seller; -1: none)."""

    pair: NDArray[np.int64]
    sold: NDArray[np.int64]

    @classmethod
    def of(cls, given: _Codes, suggested: _Codes, seller: NDArray[np.int32]) -> Kinds:
        """Number pairs, and pairs of sellers (codes [n], -1: no seller), dense from 0."""
        pair = _numbered(given, suggested)
        known = seller >= 0
        sold = np.full(len(pair), -1, np.int64)
        sold[known] = _numbered(pair[known], seller[known])
        return cls(pair, sold)


def _numbered(a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Number the pairs of two columns of codes, dense from 0."""
    both = a.astype(np.int64) << 32 | b.astype(np.int64)
    return np.asarray(np.unique(both, return_inverse=True)[1], np.int64)


@dataclass(frozen=True)
class Decided:
    """What was decided: rows int64 [m] (each product once), labels int32 [m], the shelf that it now has."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int32]


def updated(
    doubt: _Floats, shelves: tuple[_Codes, _Codes], kinds: Kinds, edges: Edges, decided: Decided
) -> _Floats:
    """Return the doubts [n] after decisions; those of the decided products stay as they were.

    Parameters
    ----------
    doubt
        [n], 0..1, of the audit.
    shelves
        given and suggested codes int32 [n]; -1: none.
    kinds
        What groups the products.
    edges
        Their nearest products.
    decided
        What was decided. The order does not matter.

    """
    if not len(decided.rows):
        return doubt.copy()
    given, suggested = shelves
    shift = _by_neighbours(len(doubt), given, suggested, edges, decided)
    shift += _by_rates(doubt, given, kinds, decided)
    after = np.where(shift == 0, doubt, _sigmoid(_logit(doubt) + shift))
    after[decided.rows] = doubt[decided.rows]
    return np.where(given < 0, doubt, after)  # nothing is doubted of what has no shelf


def _by_neighbours(n: int, given: _Codes, suggested: _Codes, edges: Edges, decided: Decided) -> _Floats:
    """Change [n] of the log-odds between suggested and given shelf among the neighbours."""
    now = np.full(n + 1, -1, np.int32)  # the last is for neighbours without a doubt, whose number is -1
    now[decided.rows] = decided.labels
    label = now[edges.neighbour]
    changed = (label >= 0) & (label != edges.shelf)
    if not changed.any():
        return np.zeros(n)
    # Only products with a neighbour that moved have anything to compute.
    mine = np.zeros(n, bool)
    mine[edges.of[changed]] = True
    kept = mine[edges.of]
    of, old, similarity = edges.of[kept], edges.shelf[kept], edges.similarity[kept]
    new = np.where(changed[kept], label[kept], old)

    def odds(shelf: _Codes) -> _Floats:
        sums = [
            np.bincount(of, np.where(shelf == side[of], similarity, 0.0), n) + _FLOOR
            for side in (suggested, given)
        ]
        return np.asarray(np.log(sums[0] / sums[1]), np.float64)

    return np.where(mine, NEIGHBOURS * (odds(new) - odds(old)), 0.0)


def _by_rates(doubt: _Floats, given: _Codes, kinds: Kinds, decided: Decided) -> _Floats:
    """Change [n] of the log-odds by how often doubts of the same kind were right."""
    wrong = (decided.labels != given[decided.rows]).astype(np.float64)
    expected = doubt[decided.rows]
    pairs = int(kinds.pair.max()) + 1
    by_pair = _shift(kinds.pair[decided.rows], pairs, wrong, expected)
    shift = by_pair[kinds.pair]
    of = kinds.sold[decided.rows]
    seen = of >= 0
    if not seen.any():
        return shift
    # What all sellers together have told is the expectation here, and is not counted twice.
    raised = _sigmoid(_logit(expected[seen]) + by_pair[kinds.pair[decided.rows[seen]]])
    by_seller = _shift(of[seen], int(kinds.sold.max()) + 1, wrong[seen], raised)
    return shift + np.where(kinds.sold >= 0, by_seller[kinds.sold], 0.0)


def _shift(group: NDArray[np.int64], groups: int, wrong: _Floats, expected: _Floats) -> _Floats:
    """Log-odds [groups] of the posterior rate less those of what was expected; 0: nothing was decided."""
    count = np.bincount(group, minlength=groups).astype(np.float64)
    mean = np.bincount(group, expected, groups) / np.maximum(count, 1)
    rate = (PRIOR * mean + np.bincount(group, wrong, groups)) / (PRIOR + count)
    return np.where(count > 0, _logit(rate) - _logit(mean), 0.0)


def _logit(values: _Floats) -> _Floats:
    inside = np.clip(values, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _sigmoid(values: _Floats) -> _Floats:
    return np.asarray(1 / (1 + np.exp(-values)), np.float64)
