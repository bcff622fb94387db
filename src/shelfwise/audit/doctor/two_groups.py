"""Shelves that hide two groups: products that fall into two sets which have next to nothing in common.

Products of a shelf are joined to their nearest others, by what they are (their vectors) and by which other
shelves fit them. A shelf that is one thing cannot be cut in two large parts without cutting many of these
joints; the best cut comes from the graph's spectrum (Shi & Malik 2000), its price is the conductance: the
joints cut, as a share of all of the smaller part's. Words clump everywhere, so no fixed price tells a sick
shelf: it has to be far below what the tree's other shelves cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Finding, count, examples_of, path_of, percent, shown

_FEWEST = 30  # products that differ
_MOST = 300  # products of a shelf that are looked at
_NEAREST = 10
_SMALLER = 0.2  # at least, of the products: what is cut off is a group and not a few strangers
_CUTS = 3  # directions of the spectrum that are tried
_FAR = 2.5  # standard deviations below the usual price, in logarithms
_CHEAP = 0.05  # and no more than that in any tree
_COMPARED = 8  # shelves to compare with
_FLOOR = 1e-3  # prices below are alike


def find_two_groups(answers: Answers) -> list[Finding]:
    """Findings about shelves that hide two groups; none without vectors or titles to tell them by."""
    if answers.vectors is None:
        return []
    looked = {code: _sample(answers, code) for code in np.flatnonzero(answers.groups_of >= _FEWEST).tolist()}
    cuts = {
        code: _cheapest_cut(_joints(answers, rows, code))
        for code, rows in looked.items()
        if len(rows) >= _FEWEST
    }
    limit = _limit([price for price, _ in cuts.values()])
    found = (
        _finding(answers, code, looked[code], price, side)
        for code, (price, side) in cuts.items()
        if price <= limit
    )
    return [one for one in found if one is not None]


def _limit(prices: Sequence[float]) -> float:
    """The price up to which a cut is far below the usual."""
    if len(prices) < _COMPARED:
        return _CHEAP / 2
    logs = np.log(np.maximum(prices, _FLOOR))
    middle = np.median(logs)
    spread = 1.4826 * np.median(np.abs(logs - middle))
    return float(min(np.exp(middle - _FAR * max(spread, 0.2)), _CHEAP))


def _sample(answers: Answers, code: int) -> NDArray[np.int64]:
    """Products of a shelf with a vector, one of each group of near-duplicates, spread evenly over it."""
    assert answers.vectors is not None
    rows = answers.rows_by_shelf[code]
    rows = rows[np.sort(np.unique(answers.groups[rows], return_index=True)[1])]
    rows = rows[np.einsum("ij,ij->i", answers.vectors[rows], answers.vectors[rows]) > 0.25]
    places = np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).astype(np.int64)
    chosen: NDArray[np.int64] = rows[places]
    return chosen


def _joints(answers: Answers, rows: NDArray[np.int64], code: int) -> NDArray[np.float64]:
    """How strongly products are joined, float64 [rows, rows]: to their nearest, in either direction."""
    assert answers.vectors is not None
    near = (answers.vectors[rows] @ answers.vectors[rows].T).astype(np.float64)
    fits = _what_else_fits(answers, rows, code)
    alike = np.sqrt(np.maximum(near, 0) * (fits @ fits.T).toarray())  # both or neither
    np.fill_diagonal(alike, -1)
    best = np.argsort(-alike, axis=1, kind="stable")[:, :_NEAREST]
    joints = np.zeros_like(alike)
    np.put_along_axis(joints, best, np.maximum(np.take_along_axis(alike, best, axis=1), _FLOOR), axis=1)
    both: NDArray[np.float64] = (joints + joints.T) / 2
    return both


def _what_else_fits(answers: Answers, rows: NDArray[np.int64], code: int) -> sparse.csr_matrix:
    """The root of each product's probabilities of other shelves, of length 1: float64 [rows, shelves]."""
    codes, values = answers.candidates[rows], answers.probabilities[rows].astype(np.float64)
    values = np.where((codes == code) | (codes < 0), 0, values)
    values = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-12))
    places = (np.repeat(np.arange(len(rows)), codes.shape[1]), np.maximum(codes, 0).ravel())
    return sparse.csr_matrix((values.ravel(), places), shape=(len(rows), answers.shelves))


def _cheapest_cut(joints: NDArray[np.float64]) -> tuple[float, NDArray[np.bool_]]:
    """The lowest conductance of a cut into two large parts, and its side of each product, bool [rows]."""
    rows = len(joints)
    degree = joints.sum(axis=1)
    root = np.sqrt(degree)
    wanted = (max(rows - 1 - _CUTS, 0), rows - 2)
    directions = linalg.eigh(joints / root[:, None] / root, subset_by_index=wanted)[1] / root[:, None]
    best, side = 1.0, np.zeros(rows, bool)
    least = int(np.ceil(_SMALLER * rows))
    for direction in directions.T[::-1]:
        order = np.argsort(direction, kind="stable")
        price = _prices(joints[np.ix_(order, order)], degree[order])
        place = least + int(price[least - 1 : rows - least].argmin())
        if price[place - 1] < best - 1e-12:
            best, side = float(price[place - 1]), np.isin(np.arange(rows), order[:place])
    return best, side


def _prices(joints: NDArray[np.float64], degree: NDArray[np.float64]) -> NDArray[np.float64]:
    """The conductance of cutting after each product, float64 [rows - 1]."""
    ahead = np.triu(joints, 1).sum(axis=1) - np.tril(joints, -1).sum(axis=1)
    cut, before = np.cumsum(ahead)[:-1], np.cumsum(degree)[:-1]
    prices: NDArray[np.float64] = cut / np.minimum(before, degree.sum() - before)
    return prices


def _finding(
    answers: Answers, code: int, rows: NDArray[np.int64], price: float, side: NDArray[np.bool_]
) -> Finding | None:
    halves = [rows[side], rows[~side]] if side.mean() >= 0.5 else [rows[~side], rows[side]]
    words = [answers.words.telling(halves[0], halves[1]), answers.words.telling(halves[1], halves[0])]
    fits = [_next_best(answers, half, code) for half in halves]
    if not any(words) and fits[0] == fits[1]:
        return None  # nothing that could be said to a person
    told = []
    for half, own, other in zip(halves, words, fits, strict=True):
        saying = ", ".join(f'"{word}"' for word in own)
        told.append(
            f"{percent(len(half) / len(rows))} of it"
            + (f" (words: {saying})" if saying else "")
            + (f" would otherwise go to {shown(answers, other)}" if other >= 0 else "")
        )
    says = (
        f"{shown(answers, code)} ({count(int(answers.sizes[code]), 'product')}) holds two groups with "
        f"little in common: {told[0]}; {told[1]}. Cutting between them cuts {percent(price)} of what joins "
        "their products."
    )
    advice = "Make two shelves of it, or move one group to the shelf that fits it."
    rows_of = [_typical(answers, half) for half in halves]
    fit = [
        ", ".join(own) or (path_of(answers, other) if other >= 0 else "")
        for own, other, typical in zip(words, fits, rows_of, strict=True)
        for _ in typical
    ]
    return Finding(
        "two_groups", (answers.taxonomy.labels[code],), int(answers.sizes[code]), says, advice,
        {"cut": price, "smaller": min(len(half) for half in halves) / len(rows)},
        examples_of(answers, np.concatenate(rows_of), fit),
    )  # fmt: skip


def _next_best(answers: Answers, rows: NDArray[np.int64], code: int) -> int:
    """The shelf, other than its own, with the most probability over some products; -1: none has any."""
    codes, values = answers.candidates[rows].ravel(), answers.probabilities[rows].ravel()
    kept = (codes >= 0) & (codes != code)
    if not kept.any():
        return -1
    return int(np.bincount(codes[kept], values[kept], answers.shelves).argmax())


def _typical(answers: Answers, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Three products nearest to the middle of their group."""
    assert answers.vectors is not None
    middle = answers.vectors[rows].mean(axis=0)
    return rows[np.argsort(-(answers.vectors[rows] @ middle), kind="stable")[:3]]
