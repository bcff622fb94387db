"""Looking up spheres: the remembered rows that a product lies inside of, without comparing it with all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.corrections import kernels
from shelfwise.learners.neighbours_kernels import cut_rows

KEYS = 12
"""A row is looked up by so many of its n-grams, the strongest."""
_SHARED = np.float32(0.25)
"""A row is compared whole where the keys that it shares make that part of what it has to pass."""


class Lookup:
    """Rows float32 [rows, features] of length 1 with the cosine [rows] that has to be passed for each.

    Rows that are nearly the same share most of their strongest n-grams, and those are rare: with 10,000 rows
    of instacart a product meets 63 entries instead of 2,385, most of which would be on what nearly all
    products share. The same row is always found; of what lies just inside of a bar a little is missed (where
    it would count least), the same for any batch.
    """

    def __init__(self, rows: sparse.csr_matrix, bars: NDArray[np.float32]) -> None:
        self._rows = _packed(rows)
        keys = _keys(rows)
        mass = np.add.reduceat(np.append(keys[2] ** 2, 0), keys[0][:-1]) if rows.shape[0] else np.empty(0)
        mass = np.where(np.diff(keys[0]) > 0, mass, 0).astype(np.float32)
        self._bars = np.stack([bars, _SHARED * bars * mass], axis=1).astype(np.float32)
        shape = (keys[2], keys[1], keys[0])
        by_feature = sparse.csr_matrix(shape, shape=rows.shape).tocsc()
        self._posts = by_feature.indptr.astype(np.int32)
        # Row numbers as float32 beside the weights: one place of the memory to fetch (exact below 2^24).
        self._entries = np.stack([by_feature.indices, by_feature.data], axis=1).astype(np.float32)

    def inside(self, queries: sparse.csr_matrix, most: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The nearest rows whose bar a query passes: numbers int32 [queries, most] (-1: none), cosines."""
        found = np.empty((queries.shape[0], most), np.int32)
        cosine = np.zeros((queries.shape[0], most), np.float32)
        kernels.find_reached(
            _packed(queries), _keys(queries), self._rows, self._posts, self._entries, self._bars,
            found, cosine,
        )  # fmt: skip
        return found, cosine


_Packed = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def _keys(rows: sparse.csr_matrix) -> _Packed:
    """The strongest entries of each row."""
    ends, features, values = _packed(rows)
    room = int(np.minimum(np.diff(ends), KEYS).sum())
    chosen, kept, sizes = (
        np.empty(room, np.int32),
        np.empty(room, np.float32),
        np.empty(rows.shape[0], np.int64),
    )
    cut_rows(ends, features, values, KEYS, chosen, kept, sizes)
    return np.concatenate([[0], np.cumsum(sizes)]), chosen, kept


def _packed(rows: sparse.csr_matrix) -> _Packed:
    return (
        rows.indptr.astype(np.int64, copy=False),
        rows.indices.astype(np.int32, copy=False),
        rows.data.astype(np.float32, copy=False),
    )
