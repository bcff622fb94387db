"""Traits of a claim: numbers that tell a right label from a wrong one, as columns for `doubt`.

Some are what the models say of the one product. Others compare it with all products: how sure the models
usually are of this category, and how often products that look like their favourite are filed there. The
latter are counted again whenever it is better known which labels can be trusted (`weights`), and never count
the claim itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.audit.claims import Claims, Codes

Columns = NDArray[np.float64]
_FLOOR = 1e-5
"""Probabilities below this are all alike: no model was ever measured there."""
_USUAL = np.log(0.3)
"""How sure models are of a right label of which nothing is known, as strong as two products."""


def _log(p: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(p.astype(np.float64) + _FLOOR)


def own_traits(claims: Claims, twins: NDArray[np.int64]) -> Columns:
    """What is said of each claim by itself, [claims, traits].

    `twins`: int64 [claims, 2], near-duplicates of the product under the claimed category, and under others.
    """
    p, best = _log(claims.p), _log(claims.best)
    columns = [
        p,
        best,
        np.log(claims.sisters.astype(np.float64) + _FLOOR),
        np.log1p(-np.minimum(claims.p.astype(np.float64), 0.9999)),
        np.log1p(-np.minimum(claims.best.astype(np.float64), 0.9999)),
        claims.best.astype(np.float64) - claims.p.astype(np.float64),
        (claims.code == claims.top).astype(np.float64),
        claims.entropy.astype(np.float64),
        np.log1p(claims.rank.astype(np.float64)),
        *np.log1p(twins.astype(np.float64)).T,
    ]
    for depth in range(claims.levels.shape[1]):
        level = claims.levels[:, depth].astype(np.float64)
        columns += [
            np.log(level + _FLOOR),
            np.log(np.maximum(1 - level, 0) + _FLOOR),
            claims.along[:, depth].astype(np.float64),
        ]
    for view in range(claims.views.shape[1]):
        own, most = _log(claims.views[:, view]), _log(claims.view_best[:, view])
        columns += [own, most - own]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Company:
    """What all given labels together say, each counting as much as it is trusted.

    y, top: int32 [products], given codes and the models' favourites; sure: float64 [products], logarithms of
    the given categories' probabilities; trust: float64 [products], 0..1.
    """

    y: Codes
    top: Codes
    sure: NDArray[np.float64]
    trust: NDArray[np.float64]
    labels: int

    @staticmethod
    def of(given: Claims, trust: NDArray[np.float64], labels: int) -> Company:
        """The company of the given claims, one a product, in order."""
        return Company(given.code, given.top, _log(given.p), trust, labels)

    def traits(self, claims: Claims) -> Columns:
        """How usual each claim is among all products but itself, [claims, traits]."""
        rows, code, labels = claims.row, claims.code.copy(), self.labels
        own = np.where(code == self.y[rows], self.trust[rows], 0.0)
        held = np.bincount(self.y, self.trust, labels)
        sums = np.bincount(self.y, self.trust * self.sure, labels)
        filed = sparse.csr_matrix((self.trust, (self.top, self.y)), shape=(labels, labels))
        liked = np.bincount(self.top, self.trust, labels)
        count = np.maximum(held[code] - own, 0)
        usual = (sums[code] - own * self.sure[rows] + 2 * _USUAL) / (count + 2)
        favourite = self.top[rows]
        there = np.maximum(np.asarray(filed[favourite, code]).ravel() - own, 0)
        among = np.maximum(liked[favourite] - self.trust[rows], 0)
        share = (count + 0.5) / max(float(self.trust.sum()), 1.0)
        rate = np.log((there + 2 * share + 0.02) / (among + 2 + 0.02 * labels))
        return np.stack(
            [
                _log(claims.p) - usual,
                usual,
                np.log(count + 0.5),
                rate,
                rate - np.log(share),
                np.log(liked[favourite] + 0.5),
            ],
            axis=1,
        )


def twins_of(claims: Claims, y: Codes, groups: NDArray[np.int64], labels: int) -> NDArray[np.int64]:
    """Near-duplicates of each claim's product under the claimed category and under others, [claims, 2]."""
    sizes = np.bincount(groups)
    crowded = sizes[groups] > 1
    kinds, counts = np.unique(groups[crowded] * labels + y[crowded], return_counts=True)
    group = groups[claims.row]
    wanted = group * labels + claims.code
    at = np.minimum(np.searchsorted(kinds, wanted), max(len(kinds) - 1, 0))
    same = np.zeros(len(claims), np.int64)
    if len(kinds):
        same = np.where(kinds[at] == wanted, counts[at], 0)
    same = np.where((sizes[group] > 1) & (claims.code == y[claims.row]), same - 1, same)
    return np.stack([same, sizes[group] - 1 - same], axis=1)
