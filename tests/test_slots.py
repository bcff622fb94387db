"""`features.slots`: a slot is the feature that was kept there, or none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features.slots import Slots


@given(st.lists(st.integers(0, 1023), unique=True), st.integers(0, 2**32))
def test_every_slot_is_the_feature_that_was_kept_there_or_none(kept, seed):
    order = np.random.default_rng(seed).permutation(len(kept))
    kept = np.array(kept, np.uint32)[order]
    expected = np.full(1024, -1, np.int32)
    expected[kept] = np.arange(len(kept))
    assert np.array_equal(Slots.of(kept, 10).find(np.arange(1024, dtype=np.uint32)), expected)


@pytest.mark.parametrize("step", [1, 31, 32, 33, 1000])
def test_tables_of_many_slots(step):
    kept = np.arange(0, 1 << 22, step, dtype=np.uint32)[::-1].copy()
    found = Slots.of(kept, 22).find(np.arange(1 << 22, dtype=np.uint32))
    assert np.array_equal(found[kept], np.arange(len(kept)))
    assert np.count_nonzero(found >= 0) == len(kept)
