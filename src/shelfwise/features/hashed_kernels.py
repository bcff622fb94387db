"""Compiled kernels behind `hashed`: rows of a piece of hashes, and how many features each of them has."""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled


@compiled
def pick_rows(hashes, counts, sizes, fields, wanted, picked, picked_counts, picked_sizes):  # type: ignore[no-untyped-def]
    """Copy the segments of the rows that are `wanted`, bool [rows]; returns how many hashes they have."""
    read = np.int64(0)
    used = np.int64(0)
    row = np.int64(0)
    for r in range(len(wanted)):
        for f in range(fields):
            size = sizes[r * fields + f]
            if wanted[r]:
                for k in range(read, read + size):
                    picked[used] = hashes[k]
                    picked_counts[used] = counts[k]
                    used += 1
                picked_sizes[row * fields + f] = size
            read += size
        if wanted[r]:
            row += 1
    return used


@compiled
def count_known(features, sizes, fields, lengths):  # type: ignore[no-untyped-def]
    """How many hashes of each row are features, -1 where one is none, into `lengths` int32 [rows]."""
    k = np.int64(0)
    for r in range(len(lengths)):
        known = np.int32(0)
        for f in range(fields):
            end = k + sizes[r * fields + f]
            while k < end:
                if features[k] >= 0:
                    known += 1
                k += 1
        lengths[r] = known


@compiled
def sort_rows(hashes, counts, sizes, fields, order, sorted_hashes, sorted_counts, sorted_sizes):  # type: ignore[no-untyped-def]
    """Copy the segments of all rows in another order: row r of the copy is row order[r], int64 [rows]."""
    starts = np.zeros(len(order) + 1, np.int64)
    for r in range(len(order)):
        size = np.int64(0)
        for f in range(fields):
            size += sizes[r * fields + f]
        starts[r + 1] = starts[r] + size
    used = np.int64(0)
    for r in range(len(order)):
        row = order[r]
        for k in range(starts[row], starts[row + 1]):
            sorted_hashes[used] = hashes[k]
            sorted_counts[used] = counts[k]
            used += 1
        for f in range(fields):
            sorted_sizes[r * fields + f] = sizes[row * fields + f]
