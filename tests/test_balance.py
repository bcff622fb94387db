"""`learners.balance`: weights, adjusted logits, and rows drawn again or left out."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import MissingExtraError
from shelfwise.learners.balance import adjust_logits, class_weights, resample

UNEVEN = np.repeat(np.arange(4, dtype=np.int32), [90, 9, 1, 0])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.floats(0, 2))
def test_weights_have_mean_one_over_the_rows(codes, power):
    y = np.array(codes, np.int32)
    weights = class_weights(y, 7, power)
    assert weights[y].mean() == pytest.approx(1, rel=1e-4)
    assert (weights[np.bincount(y, minlength=7) == 0] == 1).all()


def test_power_one_gives_every_class_the_same_say_and_zero_every_row():
    weights = class_weights(UNEVEN, 4, 1.0)
    np.testing.assert_allclose(weights[:3] * [90, 9, 1], 100 / 3, rtol=1e-5)
    assert (class_weights(UNEVEN, 4, 0.0) == 1).all()


def test_adjusted_logits_favour_the_rare():
    p = np.array([[0.6, 0.4, 0, 0]], np.float32)
    adjusted = adjust_logits(p, UNEVEN)
    assert adjusted.argmax() == 1
    np.testing.assert_allclose(adjusted.sum(axis=1), 1, rtol=1e-6)
    assert adjusted[0, 1] / adjusted[0, 0] == pytest.approx(0.4 / 0.6 * 91 / 10, rel=1e-5)
    np.testing.assert_allclose(adjust_logits(p, UNEVEN, 0.0), p, rtol=1e-6)
    assert (adjust_logits(np.zeros((1, 4), np.float32), UNEVEN) == 0).all()


def test_over_sampling_repeats_the_rare_but_not_without_end():
    rows = resample(UNEVEN, "over", seed=1)
    assert np.bincount(UNEVEN[rows]).tolist() == [90, 33, 10]
    assert set(rows) == set(range(100))
    assert np.bincount(UNEVEN[resample(UNEVEN, "over", target=200)]).tolist() == [200, 90, 10]


def test_under_sampling_leaves_out_the_common():
    rows = resample(UNEVEN, "under", target=5, seed=1)
    assert np.bincount(UNEVEN[rows]).tolist() == [5, 5, 1]
    assert len(set(rows)) == len(rows)
    assert (rows == resample(UNEVEN, "under", target=5, seed=1)).all()
    assert (rows != resample(UNEVEN, "under", target=5, seed=2)).any()


def test_one_class_stays_as_it_is():
    assert resample(np.zeros(5, np.int32), "over").tolist() == [0, 1, 2, 3, 4]


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[balance\]"):
        resample(UNEVEN, "over")
