"""`learners.active_set`: rows that meet classes, what is kept when more come, taking up a solution again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from part_rows import PartRows, matrix
from shelfwise.learners.active_set import ActiveSet, Support
from shelfwise.learners.rows import MatrixRows


def duals_of(active: ActiveSet) -> list[dict[int, float]]:
    """By class: row -> dual variable."""
    return [
        dict(
            zip(
                active.rows[a:b].tolist(), np.round(active.alphas[a:b].astype(float), 3).tolist(), strict=True
            )
        )
        for a, b in pairwise(active.starts.tolist())
    ]


def firsts_of(active: ActiveSet) -> list[list[int]]:
    """By class: the rows that stand first, as many as are its own."""
    return [active.rows[a : a + p].tolist() for a, p in zip(active.starts, active.positives, strict=False)]


def test_new_rivals_keep_the_dual_variables_of_the_old():
    y = np.array([1, 0, 1, 2], np.int32)
    own = ActiveSet.of_own_rows(y, 3)
    assert own.rows.tolist() == [1, 0, 2, 3]
    solved = ActiveSet(own.rows, np.array([0.1, 0.2, 0.3, 0.4], np.float32), own.starts, own.positives)

    # class 2 meets rows 0 and 2; class 0 meets row 3; a known pair (class 1, row 0) comes again
    rivals = np.array([[1, 2], [9, 9], [2, 9], [0, 9]], np.int32)
    more = solved.with_rivals(rivals, np.array([2, 0, 1, 1], np.int32))

    assert duals_of(more) == [{1: 0.1, 3: 0.0}, {0: 0.2, 2: 0.3}, {3: 0.4, 0: 0.0, 2: 0.0}]
    assert firsts_of(more) == [[1], [0, 2], [3]]  # a class's own rows come first


def test_classes_are_cut_into_blocks_whose_rows_fit():
    X = matrix(60)
    y = np.arange(60, dtype=np.int32) // 10
    active = ActiveSet.of_own_rows(y, 7).with_rivals(
        np.full((60, 1), 5, np.int32), (np.arange(60) % 3 == 0).astype(np.int32)
    )
    lengths = np.diff(X.indptr)
    for room in (1, 100, 150, 10**6):
        blocks = active.blocks(PartRows(X, room))
        assert [c for block in blocks for c in block] == list(range(7))
        for block in blocks:
            rows = np.unique(active.rows[active.starts[block.start] : active.starts[block.stop]])
            assert lengths[rows].sum() <= room or len(block) == 1
    assert len(active.blocks(PartRows(X, 10**6))) == len(active.blocks(MatrixRows(X))) == 1


def test_a_part_counts_in_its_own_rows_and_writes_to_the_whole():
    X, y = matrix(12), np.arange(12, dtype=np.int32) % 3
    active = ActiveSet.of_own_rows(y, 3)
    part = active.part(range(1, 3), PartRows(X, 1), np.arange(12, dtype=np.float32))

    rows = [1, 4, 7, 10, 2, 5, 8, 11]
    assert part.squares[part.active.rows].tolist() == rows
    assert (part.X[part.active.rows] != X[rows]).nnz == 0
    assert part.X.shape[0] == 8
    part.active.alphas[0] = 0.5
    assert active.alphas.tolist() == [0] * 4 + [0.5] + [0] * 7


def test_a_support_is_the_dual_variables_that_are_not_zero():
    y = np.array([1, 0, 1], np.int32)
    own = ActiveSet.of_own_rows(y, 2)
    alphas = np.array([0.0, 0.2, 0.3], np.float32)
    support = ActiveSet(own.rows, alphas, own.starts, own.positives).support()
    assert support.rows.tolist() == [0, 2]
    assert support.starts.tolist() == [0, 0, 2]
    assert support.renumbered(np.array([7, 8, 9])).rows.tolist() == [7, 9]


@given(st.data())
def test_a_set_is_the_same_after_its_support_is_taken_up(data):
    rows, classes = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    y = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)), np.int32)
    pairs = data.draw(st.dictionaries(st.tuples(st.integers(0, classes - 1), st.integers(0, rows - 1)),
                                      st.sampled_from([0.25, 0.5, 2.0]), max_size=20))  # fmt: skip
    ordered = sorted(pairs)
    support = Support(
        np.array([row for _, row in ordered], np.int32),
        np.array([pairs[pair] for pair in ordered], np.float32),
        np.searchsorted([c for c, _ in ordered], np.arange(classes + 1)).astype(np.int64),
    )
    active = ActiveSet.of_support(support, y, classes)
    expected = [
        {
            **{row: 0.0 for row in range(rows) if y[row] == c},
            **{r: v for (k, r), v in pairs.items() if k == c},
        }
        for c in range(classes)
    ]
    assert duals_of(active) == expected
    assert [set(first) for first in firsts_of(active)] == [
        set(np.flatnonzero(y == c)) for c in range(classes)
    ]
    again = active.support()
    assert again.starts.tolist() == support.starts.tolist()
    by_class = zip(pairwise(again.starts.tolist()), pairwise(support.starts.tolist()), strict=True)
    for (a, b), (e, f) in by_class:
        assert dict(zip(again.rows[a:b].tolist(), again.alphas[a:b].tolist(), strict=True)) == dict(
            zip(support.rows[e:f].tolist(), support.alphas[e:f].tolist(), strict=True)
        )


@pytest.mark.parametrize("parts", [1, 2, 64])
def test_runs_cover_all_classes_in_order(parts):
    active = ActiveSet.of_own_rows(np.repeat(np.arange(7, dtype=np.int32), [1, 50, 1, 1, 3, 0, 9]), 9)
    runs = active.runs(parts)
    assert [c for run in runs for c in run] == list(range(9))
