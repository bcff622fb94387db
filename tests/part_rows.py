"""Rows of a matrix that a learner gets in parts alone, as those of a catalogue too large for memory."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from shelfwise.learners.rows import MatrixRows
from shelfwise.workspace import OWN, Workspace


class PartRows(MatrixRows):
    """Rows of a matrix of which never more than `room` values are given at once, and in disorder."""

    def __init__(self, matrix: sparse.csr_matrix, room: int) -> None:
        super().__init__(matrix)
        self._matrix, self.whole, self.room = matrix, None, room
        self.space = Workspace(OWN)
        self.order = np.random.default_rng(7).permutation(matrix.shape[0]).astype(np.int32)

    def take(self, rows):
        return self._matrix[rows]

    def gather(self, rows):
        lying = self.order[np.isin(self.order, rows)]
        return lying, self._matrix[lying]


def matrix(rows: int, seed: int = 0) -> sparse.csr_matrix:
    return sparse.random(rows, 12, 0.3, "csr", np.float32, np.random.default_rng(seed))
