"""Looking up finds what comparing with every row finds: the same row always, its like nearly always."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shelfwise.corrections.lookup import Lookup
from shelfwise.corrections.rows import unit


def rows(count: int, seed: int, width: int = 60) -> sparse.csr_matrix:
    random = np.random.default_rng(seed)
    likely = 1 / np.arange(1, width + 1)  # features are numbered from common to rare
    there = random.random((count, width)) < np.minimum(8 * likely, 0.9)
    values = np.where(there, random.random((count, width)) + 0.1 * np.log(np.arange(2, width + 2)), 0)
    return unit(sparse.csr_matrix(values.astype(np.float32)))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([0.05, 0.3, 0.6, 0.9]))
def test_nothing_is_found_that_does_not_pass_its_bar_and_the_best_come_first(seed, count, bar):
    remembered, asked = rows(count, seed), rows(20, seed + 1)
    bars = np.clip(np.random.default_rng(seed).normal(bar, 0.1, count), 0.01, 0.99).astype(np.float32)
    found, cosine = Lookup(remembered, bars).inside(asked, count + 1)
    every = (asked @ remembered.T).toarray()

    for row in range(20):
        passed = [place for place in found[row].tolist() if place >= 0]
        assert set(passed) <= set(np.flatnonzero(every[row] > bars - 1e-5).tolist())
        assert np.allclose(cosine[row, : len(passed)], every[row, passed], atol=1e-5)
        assert (np.diff(cosine[row]) <= 0).all()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_the_same_row_is_always_found(seed, count):
    remembered = rows(count, seed)
    found, cosine = Lookup(remembered, np.full(count, 0.98, np.float32)).inside(remembered, count)
    there = np.diff(remembered.indptr) > 0

    assert all(row in found[row] for row in np.flatnonzero(there))
    assert np.allclose(cosine[there, 0], 1, atol=2e-3)


def test_nearly_all_that_is_much_alike_is_found():
    remembered = rows(400, 5, 4000)
    random = np.random.default_rng(6)
    near = remembered.tocoo()
    stays = random.random(near.nnz) < 0.9  # a tenth of the n-grams is gone
    asked = unit(sparse.csr_matrix((near.data[stays], (near.row[stays], near.col[stays])), shape=near.shape))
    found, _ = Lookup(remembered, np.full(400, 0.7, np.float32)).inside(asked, 8)
    alike = np.asarray(asked.multiply(remembered).sum(axis=1)).ravel() > 0.75

    assert alike.sum() > 200
    assert np.mean([row in found[row] for row in np.flatnonzero(alike)]) > 0.95


def test_a_row_does_not_depend_on_the_others_and_only_the_best_are_given():
    remembered, asked = rows(300, 1), rows(50, 2)
    lookup = Lookup(remembered, np.full(300, 0.2, np.float32))
    found, cosine = lookup.inside(asked, 3)
    whole, _ = lookup.inside(asked, 300)

    assert (found == whole[:, :3]).all()
    for row in (0, 17, 49):
        alone, close = lookup.inside(asked[[row]], 3)
        assert alone.tobytes() == found[[row]].tobytes()
        assert close.tobytes() == cosine[[row]].tobytes()


def test_empty_rows_are_inside_of_nothing():
    lookup = Lookup(rows(5, 1), np.full(5, 0.01, np.float32))

    assert (lookup.inside(sparse.csr_matrix((2, 60), dtype=np.float32), 2)[0] == -1).all()
    assert (Lookup(rows(0, 1), np.empty(0, np.float32)).inside(rows(2, 1), 2)[0] == -1).all()
