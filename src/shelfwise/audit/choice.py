"""Which products to ask people about: those whose shelf would teach most, and no two that teach the same.

A label teaches much where the model wavers (the margin between its two likeliest categories: Scheffer,
Decomain & Wrobel 2001) and where few products are known on the likely shelf: of one that was just added, even
a sure answer is only a guess. A batch of the most uncertain products alone teaches one thing many times over.
So products are taken one by one, and what is like those taken before it counts less (after the diverse
batches of Zhdanov 2019, arXiv:1901.05954, and Citovsky et al. 2021, arXiv:2107.14263; but taken greedily, so
that every beginning of the queue is a good one by itself).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Codes, Floats

ALIKE = 0.7
"""Cosine from which on products resemble each other: four in five such products lie on the same shelf."""
_SHARPNESS = 4  # the power of similarity at which the second of two products teaches less
_TRUST = 0.99  # of a model that is sure: what is unlike all else is still worth a look
_UNTRIED = 0.5  # labelled products at which a sure answer is believed half
_SHORTLIST, _LEAST = 3, 1_000  # products that are compared: so many for each that is wanted, and at least
_CELLS = 1 << 23


@dataclass(frozen=True)
class Chosen:
    """Places [n] in the pool of the products to ask about, in order, and how much each teaches, 0..1.

    worth never rises along the order. twins: products passed over because one that is the same was taken.
    """

    places: NDArray[np.int64]
    worth: Floats
    twins: int


def worth_of(codes: Codes, probabilities: Floats, known: NDArray[np.int64]) -> Floats:
    """How much the label of each product would teach by itself, float32 [products], 0..1.

    `codes`, `probabilities`: [products, k], the most probable categories, best first. `known`: int64
    [categories], labelled products of each.

    It is 1 - t m: m the margin; t = 0.99 n / (n + 0.5), where n labelled products are known on the likeliest
    shelf.
    """
    margin = probabilities[:, 0] - (probabilities[:, 1] if probabilities.shape[1] > 1 else 0)
    first = known[codes[:, 0]]
    trust = _TRUST * first / (first + _UNTRIED)
    worth: Floats = np.clip(1 - trust * margin, 0, 1).astype(np.float32)
    return worth


def choose(worth: Floats, vectors: Floats, groups: NDArray[np.int64], count: int) -> Chosen:
    """Take at most `count` products, each the one that teaches most beside those taken before it.

    worth: float32 [m]; vectors: float32 [m, width] of length 1, or zeros; groups: int64 [m], near-duplicates,
    of which one is taken.
    """
    order = np.argsort(-worth, kind="stable")[: max(_SHORTLIST * count, _LEAST)]
    own = vectors[order]
    # What is taken makes others worth less and never more: a product that is still best after its own worth
    # was brought up to date is the best of all (lazy greedy, Minoux 1978).
    heap = [(-float(one), place, 0) for place, one in enumerate(worth[order])]
    heapq.heapify(heap)
    taken: list[int] = []
    told: list[float] = []
    there = np.empty((min(count, len(order)), vectors.shape[1]), np.float32)
    most = np.zeros(len(order), np.float32)  # likeness to the nearest that was taken
    seen: set[int] = set()
    twins = 0
    while heap and len(taken) < count:
        was, place, upto = heapq.heappop(heap)
        if int(groups[order[place]]) in seen:
            twins += 1
            continue
        if upto < len(taken):
            most[place] = max(most[place], float((there[upto : len(taken)] @ own[place]).max()))
            now = float(worth[order[place]]) * (1 - min(max(float(most[place]), 0.0), 1.0) ** _SHARPNESS)
            heapq.heappush(heap, (-min(now, -was), place, len(taken)))
            continue
        there[len(taken)] = own[place]
        taken.append(place)
        told.append(-was)
        seen.add(int(groups[order[place]]))
    return Chosen(order[np.array(taken, np.int64)], np.array(told, np.float32), twins)


def closest(asked: Floats, there: Floats) -> Floats:
    """The cosine to the most similar of some products, float32 [asked], 0..1; 0: there are none."""
    found = np.zeros(len(asked), np.float32)
    for start in range(0, len(asked), step := max(_CELLS // max(len(there), 1), 1)):
        if len(there):
            found[start : start + step] = (asked[start : start + step] @ there.T).max(axis=1)
    return np.clip(found, 0, 1)


def resembling(asked: Floats, there: Floats) -> NDArray[np.int64]:
    """How many of some products resemble each, int64 [asked], itself among them where it is."""
    counts = np.zeros(len(asked), np.int64)
    for start in range(0, len(there), step := max(_CELLS // max(len(asked), 1), 1)):
        counts += (asked @ there[start : start + step].T >= ALIKE).sum(axis=1)
    return counts
