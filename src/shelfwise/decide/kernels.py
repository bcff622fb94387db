"""Compiled kernels behind decisions: the best categories of a row, and its sums up the tree."""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled, nth_largest

_LANES = 16
_CHUNK = 64
"""Values that are passed over at once where none of them is among the best."""


@compiled
def _largest_of_lanes(values, lanes):  # type: ignore[no-untyped-def]
    """The largest of every sixteenth value, from the first, the second, ... on, into `lanes` float32 [16].

    Sixteen at once, by vectors; a lane without a value is minus infinity.
    """
    count = len(lanes)
    for j in range(count):
        lanes[j] = -np.inf
    whole = len(values) - len(values) % count
    for begin in range(0, whole, count):
        part = values[begin : begin + count]
        for j in range(count):
            lanes[j] = part[j] if part[j] > lanes[j] else lanes[j]
    for c in range(whole, len(values)):
        lanes[c - whole] = max(lanes[c - whole], values[c])


@compiled
def best_of_rows(values, codes, best):  # type: ignore[no-untyped-def]
    """The largest values of each row, best first, then by code: codes int32 and best float32 [rows, k].

    Nothing below the k-th largest of the lanes can be among the k best of a row of sixteen values and more.
    """
    k = codes.shape[1]
    lanes = np.empty(_LANES, np.float32)
    for r in range(len(values)):
        row = values[r]
        bar = np.float32(-np.inf)
        if k <= _LANES <= len(row):
            _largest_of_lanes(row, lanes)
            bar = nth_largest(lanes, k)
        found = 0
        for begin in range(0, len(row), _CHUNK):
            chunk = row[begin : begin + _CHUNK]
            many = np.int32(0)
            for c in range(len(chunk)):
                many += np.int32(chunk[c] >= bar)
            if many == 0:
                continue
            for c in range(len(chunk)):
                v = chunk[c]
                if v < bar or (found == k and v <= best[r, k - 1]):
                    continue
                at = found if found < k else k - 1
                while at > 0 and best[r, at - 1] < v:
                    best[r, at] = best[r, at - 1]
                    codes[r, at] = codes[r, at - 1]
                    at -= 1
                best[r, at] = v
                codes[r, at] = begin + c
                found = min(found + 1, k)


@compiled
def pool_rows(parts, shares, lift, floor, pooled):  # type: ignore[no-untyped-def]
    """Sum of share x scores over the parts, nothing below 0, lifted, plus the floor: float32 [rows, classes].

    `parts`: a tuple of float32 [rows, classes]; shares float32 [parts]; lift float32 [classes].
    """
    for r in range(len(pooled)):
        row = pooled[r]
        part, share = parts[0][r], shares[0]
        for c in range(len(row)):
            row[c] = part[c] * share
        for number in range(1, len(parts)):
            part, share = parts[number][r], shares[number]
            for c in range(len(row)):
                row[c] += part[c] * share
        for c in range(len(row)):
            v = row[c] if row[c] > 0 else np.float32(0)
            row[c] = v * lift[c] + floor


@compiled
def centre_rows(logs, sharpness):  # type: ignore[no-untyped-def]
    """Make each value its distance to the largest of its row, times the sharpness, in place."""
    lanes = np.empty(_LANES, np.float32)
    for r in range(len(logs)):
        row = logs[r]
        _largest_of_lanes(row, lanes)
        largest = lanes[0]
        for j in range(_LANES):
            largest = max(largest, lanes[j])
        for c in range(len(row)):
            row[c] = (row[c] - largest) * sharpness


@compiled
def chain_rows(values, best, order, node_of_label, parent, chains, chain):  # type: ignore[no-untyped-def]
    """Probabilities of the shelves above each best category, never rising, at most 1: float32 [rows, depth].

    The sums are those of `Taxonomy.roll_up`, in the same order and so to the bit: a node takes its own
    labels, then its children from the last to the first.
    """
    sums = np.empty(len(parent), np.float32)
    for r in range(len(values)):
        for node in range(len(sums)):
            sums[node] = 0
        for k in range(len(order)):
            sums[node_of_label[order[k]]] += values[r, order[k]]
        for node in range(len(parent) - 1, -1, -1):
            if parent[node] >= 0:
                sums[parent[node]] += sums[node]
        limit = np.float32(1)
        for d in range(chains.shape[1]):
            limit = min(limit, sums[chains[best[r], d]])
            chain[r, d] = limit
