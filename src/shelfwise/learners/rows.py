"""The rows that a learner learns from: a matrix, or something that makes parts of one when asked to.

A learner that takes `Rows` works on as many of them at a time as fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.workspace import Workspace


class Rows(Protocol):
    """Rows of weighted features, float32 [rows, features]."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""

    @property
    def lengths(self) -> NDArray[np.int32]:
        """How many values each row has, int32 [rows]."""

    @property
    def whole(self) -> sparse.csr_matrix | None:
        """All rows as a matrix, where that fits into memory."""

    @property
    def room(self) -> int:
        """How many values a matrix may have that is made of them."""

    @property
    def space(self) -> Workspace:
        """Where other large arrays may lie."""

    @property
    def order(self) -> NDArray[np.int32] | None:
        """The rows as they lie: so they are best read one after the other; None: in their own order."""

    def take(self, rows: NDArray[np.integer]) -> sparse.csr_matrix:
        """The matrix of some rows, which are ascending and each there once."""

    def gather(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.integer], sparse.csr_matrix]:
        """The matrix of some rows, each there once, as they lie; and the rows in that order."""


class MatrixRows:
    """The rows of a matrix that is there already."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self.whole: sparse.csr_matrix | None = matrix
        self.shape: tuple[int, int] = matrix.shape
        self.lengths: NDArray[np.int32] = np.diff(matrix.indptr).astype(np.int32)
        self.room = max(matrix.nnz, 1)
        self.space = Workspace()
        self.order: NDArray[np.int32] | None = None

    def take(self, rows: NDArray[np.integer]) -> sparse.csr_matrix:
        """The matrix of some rows."""
        assert self.whole is not None
        return self.whole[rows]

    def gather(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.integer], sparse.csr_matrix]:
        """The matrix of some rows in their own order, and the rows in that order."""
        rows = np.sort(rows)
        return rows, self.take(rows)


def as_rows(X: sparse.csr_matrix | Rows) -> Rows:
    """A matrix as rows; rows as they are."""
    return MatrixRows(X) if sparse.issparse(X) else X


def runs_of(rows: Rows, most: int | None = None) -> Iterator[tuple[NDArray[np.integer], sparse.csr_matrix]]:
    """All rows as they lie, as matrices, each with the numbers of its rows; at most `most` rows each.

    All at once where they are there as one matrix and `most` allows it.
    """
    count = rows.shape[0]
    order = rows.order if rows.order is not None and rows.whole is None else np.arange(count)
    ends = np.cumsum(rows.lengths[order], dtype=np.int64)
    begin = 0
    while begin < count:
        end = count
        if rows.whole is None:
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + rows.room, "right")))
        end = min(end, begin + (most or count))
        if rows.whole is None:
            yield rows.gather(order[begin:end])
        else:
            yield order[begin:end], rows.whole if end - begin == count else rows.whole[begin:end]
        begin = end
