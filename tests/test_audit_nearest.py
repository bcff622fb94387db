"""`audit.nearest`: the nearest products of a shelf, as looking at all of them would find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.audit import nearest
from shelfwise.audit.nearest import NEAREST, nearest_on


def unit(rows, seed=0, width=6):
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 1000))
def test_they_are_those_that_looking_at_all_would_find(rows, labels, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(labels, size=rows).astype(np.int32)
    shelves = rng.integers(-1, labels + 1, size=rows).astype(np.int32)  # no shelf, and one without products
    vectors = unit(rows, seed)
    found = nearest_on(shelves, vectors, y)

    alike = vectors @ vectors.T
    for row in range(rows):
        there = [o for o in range(rows) if y[o] == shelves[row] and o != row and alike[row, o] > 0]
        best = sorted((float(alike[row, o]) for o in there), reverse=True)[:NEAREST]
        count = len(best)
        assert found.cosine[row, :count] == pytest.approx(best, abs=1e-5)
        assert (found.rows[row, count:] == -1).all()
        assert (found.cosine[row, count:] == 0).all()
        assert set(found.rows[row, :count].tolist()) <= set(there)
        assert len(set(found.rows[row, :count].tolist())) == count


def test_nothing_to_go_by_has_no_neighbour():
    vectors = np.zeros((4, 3), np.float32)
    found = nearest_on(np.zeros(4, np.int32), vectors, np.zeros(4, np.int32))

    assert (found.rows == -1).all()
    assert not found.cosine.any()


def test_blocks_of_rows_change_nothing(monkeypatch):
    y = (np.arange(101) % 3).astype(np.int32)
    whole = nearest_on(y, unit(101), y)
    monkeypatch.setattr(nearest, "_ROWS", 7)
    again = nearest_on(y, unit(101), y)

    assert (again.rows == whole.rows).all()
    assert again.cosine == pytest.approx(whole.cosine, abs=1e-6)


def test_of_a_huge_shelf_some_are_looked_at_the_same_for_everybody(monkeypatch):
    monkeypatch.setattr(nearest, "_MOST", 10)
    y = np.zeros(200, np.int32)
    found, again = (nearest_on(y, unit(200), y) for _ in range(2))

    assert len(set(found.rows.ravel().tolist()) - {-1}) <= 10
    assert (found.rows == again.rows).all()


def test_no_products_have_no_neighbours():
    none = np.empty(0, np.int32)

    assert nearest_on(none, np.empty((0, 3), np.float32), none).rows.shape == (0, NEAREST)
