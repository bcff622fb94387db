"""Shelves that overlap in both directions, and what one shelf in their place would gain.

If the products of two shelves had been dealt between them at random, a calibrated model would give each
product of one the other's share of the two as probability. The probability that really goes over, divided by
that, is how much they overlap: 1 as if dealt at random, 0 never confused. It has to be high in both
directions, and not only by chance: products are counted once for each group of near-duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Example, Finding, count, examples_of, percent, shown
from shelfwise.audit.doctor.merging import gain_of_merging

ENOUGH = 0.5
"""Two shelves overlap from that much on: half of what dealing at random would do."""
_SURELY = 0.35  # the lower end of what chance leaves open
_TOGETHER = 0.3  # a third shelf joins a pair if it overlaps with both at least that much
_FEWEST = 5  # groups of near-duplicates on either side
_SURE = 1.64  # standard errors: 95 %, one side
NEAR = 2
"""Steps in the tree between shelves that may be merged without asking: sisters, a shelf and its parent."""


def overlaps(answers: Answers) -> sparse.csr_matrix:
    """How much each pair of shelves overlaps, the smaller of both directions: float64 [shelves, shelves]."""
    ratio, least = _ratios(answers)
    both = ratio.minimum(ratio.T)
    kept = both.multiply(least.minimum(least.T) >= _SURELY)
    kept.eliminate_zeros()
    return kept.tocsr()


def _ratios(answers: Answers) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """How much of each shelf goes over to each other, against dealing at random; and its lower end."""
    spill, squares = answers.spill.tocoo(), answers.spill_squares
    here, there = spill.row, spill.col
    sizes, groups = answers.sizes.astype(np.float64), np.maximum(answers.groups_of, 1)
    mean = spill.data / sizes[here]
    spread = np.sqrt(np.maximum(np.asarray(squares[here, there]).ravel() / sizes[here] - mean**2, 0))
    at_random = sizes[there] / (sizes[here] + sizes[there])
    least = np.maximum(mean - _SURE * spread / np.sqrt(groups[here]), 0) / at_random
    enough = (answers.groups_of[here] >= _FEWEST) & (answers.groups_of[there] >= _FEWEST)
    shape = (answers.shelves, answers.shelves)
    ratio, lower = (
        sparse.csr_matrix((np.where(enough, values, 0), (here, there)), shape=shape)
        for values in (mean / at_random, least)
    )
    return ratio, lower


def find_overlaps(answers: Answers) -> list[Finding]:
    """Findings about shelves that overlap, those that gain most first."""
    alike = overlaps(answers)
    sets = _gathered(alike)
    return [_finding(answers, codes, alike) for codes in sets]


def _gathered(alike: sparse.csr_matrix) -> list[list[int]]:
    """Sets of shelves: the strongest pairs, and what overlaps with all in a set. No shelf is in two sets."""
    pairs = sparse.triu(alike, 1).tocoo()
    order = np.lexsort((pairs.col, pairs.row, -pairs.data))
    home: dict[int, list[int]] = {}
    for place in order.tolist():
        if pairs.data[place] < ENOUGH:
            break
        one, other = int(pairs.row[place]), int(pairs.col[place])
        here, there = home.get(one, [one]), home.get(other, [other])
        if here is there or alike[here][:, there].toarray().min() < _TOGETHER:
            continue
        joined = sorted(here + there)
        home.update(dict.fromkeys(joined, joined))
    return sorted({id(codes): codes for codes in home.values()}.values())


def _finding(answers: Answers, codes: Sequence[int], alike: sparse.csr_matrix) -> Finding:
    one, other = _strongest(codes, alike)
    overlap, apart = float(alike[one, other]), answers.told_apart(one, other)
    gain = gain_of_merging(answers, [codes])
    over = [answers.spill[a, b] / answers.sizes[a] for a, b in ((one, other), (other, one))]
    names = " and ".join(shown(answers, code) for code in (one, other))
    says = (
        f"{names} overlap: {percent(over[0])} of what fits the first is the second, {percent(over[1])} of "
        f"what fits the second is the first ({percent(overlap)} of what dealing at random would do). "
        f"{answers.knows_which(one, other).capitalize()}."
    )
    if len(codes) > 2:
        rest = ", ".join(shown(answers, code) for code in codes if code not in (one, other))
        says += f" {rest} overlap{'s' if len(codes) == 3 else ''} with both."
    largest = max(codes, key=lambda code: (answers.sizes[code], -code))
    near = all(answers.taxonomy.distance(largest, code) <= NEAR for code in codes)
    helps = gain.products > 0 and gain.weighted_f1 >= 0
    advice = (
        f"Merge into {shown(answers, largest)}: {count(gain.products, 'product')} more would be right, "
        f"{100 * gain.accuracy:+.2f} points of all; or say in their names what tells them apart."
        if near
        else "They stand in different parts of the tree: decide which keeps the products that fit both, "
        "or tell "
        f"them apart by name. One shelf would make {count(gain.products, 'product')} more right."
    )
    evidence = {
        "overlap": overlap,
        "told_apart": apart,
        "first_to_second": over[0],
        "second_to_first": over[1],
    }
    return Finding(
        "overlap", tuple(answers.taxonomy.labels[code] for code in _with_first(codes, largest)),
        int(answers.sizes[list(codes)].sum()), says, advice, evidence, _crossing(answers, one, other), gain,
        answers.taxonomy.labels[largest] if near and helps else "",
    )  # fmt: skip


def _strongest(codes: Sequence[int], alike: sparse.csr_matrix) -> tuple[int, int]:
    values = np.triu(alike[codes][:, codes].toarray(), 1)
    first, second = np.unravel_index(int(values.argmax()), values.shape)
    return codes[int(first)], codes[int(second)]


def _with_first(codes: Sequence[int], first: int) -> list[int]:
    return [first, *(code for code in codes if code != first)]


def _crossing(answers: Answers, one: int, other: int) -> tuple[Example, ...]:
    """Products of each of two shelves that fit the other best."""
    rows: list[NDArray[np.int64]] = []
    for here, there in ((one, other), (other, one)):
        own = answers.rows_by_shelf[here]
        fits = answers.probability_of(own, there)
        rows.append(own[np.argsort(-fits, kind="stable")[:3]])
    return examples_of(answers, np.concatenate(rows))
