"""Compiled kernels behind `neighbours`: cut rows to their strongest features, find nearest, count votes."""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled, nth_largest, pattern_as_float

_HALF_TO_SINGLE = np.float32(2.0**112)
"""A float16's pattern, 13 bits to the left, is a float32 of the same digits, 2^112 times too small."""
_ALMOST_NOTHING = np.float32(1e-37)
_LEAST = np.float32(1e-30)
"""A smaller dot product is none."""


@compiled
def keep_best(rows, values, q, count, row, value):  # type: ignore[no-untyped-def]
    """Put a row among the best of line q, `count` so far, best first, ties by number; give the new count."""
    most = rows.shape[1]
    if count == most and (
        value < values[q, most - 1] or (value == values[q, most - 1] and row > rows[q, most - 1])
    ):
        return count
    at = count if count < most else most - 1
    while at > 0 and (values[q, at - 1] < value or (values[q, at - 1] == value and rows[q, at - 1] > row)):
        values[q, at] = values[q, at - 1]
        rows[q, at] = rows[q, at - 1]
        at -= 1
    values[q, at] = value
    rows[q, at] = row
    return min(count + 1, most)


@compiled
def cut_rows(indptr, indices, values, width, features, kept, sizes):  # type: ignore[no-untyped-def]
    """Copy the `width` largest values of each row, packed, in the order of the row; ties keep the earlier."""
    used = np.int64(0)
    for r in range(len(sizes)):
        begin, end = indptr[r], indptr[r + 1]
        before = used
        bar = np.float32(-1)
        if end - begin > width:
            bar = nth_largest(values[begin:end].copy(), width)
        above = 0
        for k in range(begin, end):
            if values[k] > bar:
                above += 1
        ties = width - above
        for k in range(begin, end):
            if values[k] > bar or (values[k] == bar and ties > 0):
                if values[k] == bar:
                    ties -= 1
                features[used] = indices[k]
                kept[used] = values[k]
                used += 1
        sizes[r] = used - before
    return used


@compiled
def add_list(value, rows, weights, sums, touched, count):  # type: ignore[no-untyped-def]
    """Add `value` x weight to the sums float32 of a list's rows; the new count of `touched` uint32.

    `weights` uint16: patterns of float16, which `value` has to be 2^112 times too large for. No branch, and
    numbers without a sign, which numba does not look at for counting from the end: three times as fast.
    """
    for p in range(len(rows)):
        row = np.uint32(rows[p])
        before = sums[row]
        touched[count] = row  # overwritten by the next where it stands there already
        count += np.uint64(before == 0)
        product = value * pattern_as_float(np.uint32(weights[p]) << np.uint32(13))
        sums[row] = before + (product + _ALMOST_NOTHING)  # a sum of 0 would be touched over and over
    return count


@compiled
def find_nearest(indptr, indices, values, posts, rows, weights, total, nearest, similarity):  # type: ignore[no-untyped-def]
    """For each query row the kept rows with the largest dot product, best first, ties by lower row number.

    The kept rows are by feature: rows[posts[f]:posts[f+1]] with `weights` uint16, patterns of float16 that
    are not negative; `total` of them. Written: nearest int32 [queries, most] (-1: fewer share a feature),
    similarity float32 [queries, most].
    """
    most = nearest.shape[1]
    sums = np.zeros(total, np.float32)
    touched = np.empty(total + 1, np.uint32)
    for q in range(len(nearest)):
        count = np.uint64(0)
        for k in range(indptr[q], indptr[q + 1]):
            value = values[k] * _HALF_TO_SINGLE
            if value <= 0:  # of a silent field
                continue
            begin, end = posts[indices[k]], posts[indices[k] + 1]
            count = add_list(value, rows[begin:end], weights[begin:end], sums, touched, count)
        found, bar = 0, _LEAST
        for t in range(count):
            row = touched[t]
            s = sums[row]
            sums[row] = 0
            if s >= bar:
                found = keep_best(nearest, similarity, q, found, np.int32(row), s)
                bar = similarity[q, most - 1] if found == most else _LEAST
        for at in range(found, most):
            nearest[q, at] = -1
            similarity[q, at] = 0


@compiled
def count_votes(nearest, similarity, own, doubt, votes):  # type: ignore[no-untyped-def]
    """Share of each class among the neighbours, by squared similarity; `doubt` is the weight of nobody."""
    for q in range(len(nearest)):
        total = doubt
        for k in range(nearest.shape[1]):
            if nearest[q, k] >= 0:
                total += similarity[q, k] * similarity[q, k]
        for c in range(votes.shape[1]):
            votes[q, c] = 0
        for k in range(nearest.shape[1]):
            if nearest[q, k] >= 0:
                votes[q, own[nearest[q, k]]] += similarity[q, k] * similarity[q, k] / total
