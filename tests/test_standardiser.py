"""`learners.standardiser`: mean 0, deviation 1, steady columns zero, roots signed."""

from __future__ import annotations

import numpy as np

from shelfwise.learners.standardiser import Standardiser


def test_columns_come_to_one_scale():
    X = np.random.default_rng(0).normal([5, -100, 0.01], [2, 30, 0.001], (500, 3)).astype(np.float32)
    Z = Standardiser().fit(X).transform(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(Z.std(axis=0), 1, atol=1e-3)


def test_a_steady_column_says_nothing_and_far_values_are_cut():
    X = np.array([[7, 0], [7, 1], [7, 0], [7, 1]], np.float32)
    standardiser = Standardiser().fit(X)
    assert (standardiser.transform(np.array([[9, 1e6]], np.float32)) == [[0, 8]]).all()


def test_roots_keep_their_signs_and_the_input_stays():
    X = np.array([[-4.0], [0.0], [4.0]], np.float32)
    before = X.copy()
    Z = Standardiser(root=True).fit(X).transform(X)
    np.testing.assert_allclose(Z.ravel(), np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-5)
    assert (before == X).all()


def test_what_was_learned_comes_back():
    X = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    one = Standardiser(root=True).fit(X)
    other = Standardiser().restore(one.tensors())
    assert one.transform(X).tobytes() == other.transform(X).tobytes()


def test_a_root_is_taken_of_what_is_hardly_ever_negative():
    rng = np.random.default_rng(0)
    signed, pooled = rng.standard_normal((50, 4)).astype(np.float32), rng.random((50, 4)).astype(np.float32)
    assert Standardiser().fit(pooled).root_
    assert not Standardiser().fit(signed).root_
    assert not Standardiser(root=False).fit(pooled).root_
