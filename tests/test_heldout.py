"""`learners.heldout`: who is held out, the loss, and the temperature."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.learners.heldout import held_out, log_loss, own_of, softmax, temperature


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 5))
def test_equal_rows_stay_together_and_every_class_keeps_some(rows, classes, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 6, (rows, 1)).astype(np.float32)
    y = rng.integers(0, classes, rows).astype(np.int32)
    out = held_out(X, y, 0.4, seed)
    assert set(y[~out]) == set(y)
    for value in np.unique(X):
        same = X[:, 0] == value
        kept = {c for c in set(y[same]) if out[same & (y == c)].any() != out[same & (y == c)].all()}
        assert not kept  # a class's equal rows are on one side


def test_the_share_is_held_and_the_seed_matters():
    X = np.random.default_rng(0).random((1000, 2)).astype(np.float32)
    y = np.zeros(1000, np.int32)
    one, two = held_out(X, y, 0.1, 0), held_out(X, y, 0.1, 1)
    assert one.sum() == two.sum() == 100
    assert (one != two).any()


def test_probabilities_sum_to_one_without_overflow():
    p = softmax(np.array([[1000.0, 0, -1000], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(p[1], 1 / 3, rtol=1e-6)
    assert log_loss(own_of(p, np.array([0, 0], np.int32))) == -np.log(np.float64(p[1, 0])) / 2


def test_temperature_cools_what_is_too_sure():
    rng = np.random.default_rng(0)
    margins = rng.standard_normal((4000, 3)).astype(np.float32)
    y = np.array(
        [rng.choice(3, p=row / row.sum()) for row in softmax(margins.copy()).astype(float)], np.int32
    )
    assert 0.8 < temperature([margins[:1000], margins[1000:]], y)[0] < 1.25
    assert 2.4 < temperature([margins * 3], y)[0] < 3.75
