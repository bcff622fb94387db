"""Rough mean directions of the classes, just good enough to name the first rivals of each row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.learners.rows import Rows

_ROWS = 64
_FEATURES = 2048
_AT_ONCE = 16_384  # rows whose values are added up at once: sums are larger than the rows


def centroids_of(X: Rows, y: NDArray[np.int32], classes: int) -> sparse.csr_matrix:
    """The centroids of the classes, float32 [classes, features], each of length 1; y: codes [rows].

    Of each class at most 64 rows, and of their mean the 2,048 largest values (or all, with few classes).
    """
    rows = _spread(y)
    parts = [sparse.csr_matrix((0, X.shape[1]), dtype=np.float32)]
    for begin, end in _cuts(np.bincount(y[rows], X.lengths[rows], classes), X.room):
        chosen, matrix = X.gather(rows[(y[rows] >= begin) & (y[rows] < end)])
        codes = y[chosen] - begin
        for first, last in _cuts(np.bincount(codes, minlength=end - begin), _AT_ONCE):
            here = np.flatnonzero((codes >= first) & (codes < last))
            part = matrix[here] if len(here) < matrix.shape[0] else matrix
            parts.append(_means(part, codes[here] - first, last - first))
    return sparse.vstack(parts, "csr")


def _spread(y: NDArray[np.int32]) -> NDArray[np.int64]:
    """Rows of every class, ascending: all of a small one, 64 spread over a large one."""
    order = np.argsort(y, kind="stable")
    sizes = np.bincount(y)
    place = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.maximum(np.repeat(sizes, sizes) // _ROWS, 1)  # not the first rows of the class
    return np.sort(order[(place % step == 0) & (place // step < _ROWS)])


def _cuts(sizes: NDArray[np.number], most: int) -> Iterator[tuple[int, int]]:
    """Classes in runs of no more than `most`, or of one class; sizes [classes]."""
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(ends):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, "right")))
        yield begin, end
        begin = end


def _means(X: sparse.csr_matrix, y: NDArray[np.int32], classes: int) -> sparse.csr_matrix:
    members = sparse.csr_matrix(
        (np.ones(len(y), np.float32), (y, np.arange(len(y)))), shape=(classes, len(y))
    )
    sums = (members @ X).tocsr()
    lengths = np.sqrt(_row_sums(sums.data * sums.data, sums.indptr))
    sums.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(sums.indptr)).astype(np.float32)
    for c in np.flatnonzero(np.diff(sums.indptr) > _FEATURES).tolist():
        values = sums.data[sums.indptr[c] : sums.indptr[c + 1]]
        values[values < np.partition(values, -_FEATURES)[-_FEATURES]] = 0
    sums.eliminate_zeros()
    return sums


def _row_sums(values: NDArray[np.float32], indptr: NDArray[np.integer]) -> NDArray[np.float32]:
    """Sums of rows, float32 [rows], each in one order (from its end) whatever other rows there are."""
    sums = np.zeros(len(indptr) - 1, np.float32)
    filled = np.flatnonzero(np.diff(indptr))[::-1]
    if len(filled):
        sums[filled] = np.add.reduceat(values[::-1], indptr[-1] - indptr[filled + 1])
    return sums
