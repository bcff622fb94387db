"""The nearest labelled products of a product on two shelves: what a reviewer compares it with.

Similarity is the cosine of the vectors of `embedding`, which have not seen any label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Codes, Floats

NEAREST = 3
_MOST = 2_000  # products of a shelf that are looked at: the first ones, in an order that is random but fixed
_ROWS = 4_096


@dataclass(frozen=True)
class Nearest:
    """For n products: rows int64 [n, NEAREST] of the nearest, -1 where there are fewer; cosines float32."""

    rows: NDArray[np.int64]
    cosine: Floats


def nearest_on(shelves: Codes, vectors: Floats, y: Codes, seed: int = 0) -> Nearest:
    """The products of `shelves` [n] (-1: none) that are nearest to each product, itself left out.

    `vectors`: float32 [n, width], of length 1 or nothing; y: the categories that products have.
    """
    rows = np.full((len(y), NEAREST), -1, np.int64)
    cosine = np.zeros((len(y), NEAREST), np.float32)
    shuffled = np.random.default_rng([seed, 43]).permutation(len(y))
    members = shuffled[np.argsort(y[shuffled], kind="stable")]
    ends = np.cumsum(np.bincount(y, minlength=int(shelves.max(initial=0)) + 1))
    order = np.argsort(shelves, kind="stable")
    bounds = np.searchsorted(shelves[order], np.arange(int(shelves.max(initial=-1)) + 2))
    for shelf in np.unique(shelves[shelves >= 0]).tolist():
        there = members[ends[shelf - 1] if shelf else 0 : ends[shelf]][:_MOST]
        asked = order[bounds[shelf] : bounds[shelf + 1]]
        for start in range(0, len(asked), _ROWS):
            part = asked[start : start + _ROWS]
            rows[part], cosine[part] = _search(part, there, vectors)
    return Nearest(rows, cosine)


def _search(
    asked: NDArray[np.int64], there: NDArray[np.int64], vectors: Floats
) -> tuple[NDArray[np.int64], Floats]:
    found = np.full((len(asked), NEAREST), -1, np.int64)
    close = np.zeros((len(asked), NEAREST), np.float32)
    if not len(there):
        return found, close
    alike = vectors[asked] @ vectors[there].T
    alike[asked[:, None] == there[None, :]] = -2
    count = min(NEAREST, len(there))
    best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(alike, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    real = values > 0  # nothing in common is no neighbour
    found[:, :count] = np.where(real, there[best], -1)
    close[:, :count] = np.where(real, np.minimum(values, 1), 0)
    return found, close
