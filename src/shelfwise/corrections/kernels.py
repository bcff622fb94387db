"""Compiled kernels behind corrections."""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled
from shelfwise.learners.neighbours_kernels import keep_best


@compiled
def unit_rows(indptr, values):  # type: ignore[no-untyped-def]
    """Bring each packed row to length 1, in place; an empty one stays."""
    for r in range(len(indptr) - 1):
        square = np.float32(0)
        for k in range(indptr[r], indptr[r + 1]):
            square += values[k] * values[k]
        if square > 0:
            scale = np.float32(1) / np.float32(np.sqrt(square))
            for k in range(indptr[r], indptr[r + 1]):
                values[k] *= scale


@compiled
def find_reached(queries, asked, spheres, posts, entries, bars, found, cosine):  # type: ignore[no-untyped-def]
    """The rows whose cosine to a query passes their own bar [rows], best first, ties by the lower number.

    `queries` and `spheres`: (indptr, features, values) of packed rows of length 1; `asked`: the same of the
    queries' keys alone. posts int32 [features + 1] and entries float32 [entries, 2]: the keys of the rows by
    feature (row, weight). A row is compared whole where its keys and the query's make `bars[:, 1]` of a
    cosine. bars float32 [rows, 2]. Written: found int32 and cosine float32 [queries, most], -1 and 0: none.
    """
    q_ends, q_features, q_values = queries
    k_ends, k_features, k_values = asked
    s_ends, s_features, s_values = spheres
    most = found.shape[1]
    sums = np.zeros(len(bars), np.float32)
    touched = np.empty(len(bars) + 1, np.int32)
    dense = np.zeros(len(posts) - 1, np.float32)
    for q in range(len(found)):
        count = 0
        for k in range(k_ends[q], k_ends[q + 1]):
            feature, v = k_features[k], k_values[k]
            for p in range(posts[feature], posts[feature + 1]):
                row = np.int32(entries[p, 0])
                before = sums[row]
                sums[row] = before + v * entries[p, 1]
                touched[count] = row  # overwritten by the next where it stands there already
                count += before == 0
        kept, spread = 0, False
        for t in range(count):
            row = touched[t]
            likely = sums[row] > bars[row, 1]
            sums[row] = 0
            if not likely:
                continue
            if not spread:
                spread = True
                for k in range(q_ends[q], q_ends[q + 1]):
                    dense[q_features[k]] = q_values[k]
            s = np.float32(0)
            for k in range(s_ends[row], s_ends[row + 1]):
                s += dense[s_features[k]] * s_values[k]
            if s <= bars[row, 0]:
                continue
            kept = keep_best(found, cosine, q, kept, row, s)
        for at in range(kept, most):
            found[q, at] = -1
            cosine[q, at] = 0
        if spread:
            for k in range(q_ends[q], q_ends[q + 1]):
                dense[q_features[k]] = 0
