"""Compiled kernels behind decisions: the best categories of a row, and its sums up the tree."""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled


@compiled
def best_of_rows(values, codes, best):  # type: ignore[no-untyped-def]
    """The largest values of each row, best first, then by code: codes int32 and best float32 [rows, k]."""
    k = codes.shape[1]
    for r in range(len(values)):
        found = 0
        for c in range(values.shape[1]):
            v = values[r, c]
            if found == k and v <= best[r, k - 1]:
                continue
            at = found if found < k else k - 1
            while at > 0 and best[r, at - 1] < v:
                best[r, at] = best[r, at - 1]
                codes[r, at] = codes[r, at - 1]
                at -= 1
            best[r, at] = v
            codes[r, at] = c
            found = min(found + 1, k)


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
