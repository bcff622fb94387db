"""`learners.rows`: all rows in order, in matrices that fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from part_rows import PartRows, matrix
from shelfwise.learners.rows import MatrixRows, as_rows, runs_of


def test_a_matrix_is_rows():
    X = matrix(5)
    rows = as_rows(X)
    assert (rows.shape, rows.lengths.tolist()) == (X.shape, np.diff(X.indptr).tolist())
    assert (rows.take(np.array([1, 3])) != X[[1, 3]]).nnz == 0
    assert as_rows(rows) is rows


@given(st.integers(0, 30), st.integers(1, 60), st.one_of(st.none(), st.integers(1, 9)), st.booleans())
def test_runs_are_all_rows_once_and_fit(count, room, most, whole):
    X = matrix(count)
    rows = MatrixRows(X) if whole else PartRows(X, room)
    runs = list(runs_of(rows, most))

    numbers = np.concatenate([np.empty(0, np.int64), *(numbers for numbers, _ in runs)])
    assert sorted(numbers.tolist()) == list(range(count))
    if runs:
        assert (sparse.vstack([part for _, part in runs]) != X[numbers]).nnz == 0
    for _, part in runs:
        assert most is None or part.shape[0] <= most
        assert whole or part.nnz <= room or part.shape[0] == 1
