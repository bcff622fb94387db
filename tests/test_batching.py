"""Batches hold equally long items, at most as many as asked for, and each item once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features.batching import BatchedEncoder


class Counting(BatchedEncoder):
    """An item's vector is its length and how many rows ran with it."""

    name, width, fingerprint, batch = "counting", 2, "c", 3
    least = 1

    def prepare(self, values):
        return list(values)

    def run(self, items):
        assert len({len(item) for item in items}) == 1
        return np.array([[len(item), len(items)] for item in items], np.float32)

    def length(self, item):
        return len(item)

    def fewest(self, item):
        return self.least


@given(st.lists(st.text("ab", max_size=4)))
def test_every_item_is_in_one_batch_with_its_equals(items):
    batches = Counting().batches(items)

    assert sorted(at for together in batches for at in together) == list(range(len(items)))
    assert all(1 <= len(together) <= 3 for together in batches)
    assert all(len({len(items[at]) for at in together}) == 1 for together in batches)


@given(st.lists(st.none() | st.text("ab", max_size=4)))
def test_vectors_stand_where_their_values_stood(values):
    vectors = Counting().encode(values)

    assert vectors.shape == (len(values), 2)
    assert vectors[:, 0].tolist() == [len(value or "") for value in values]


@pytest.mark.parametrize(("least", "rows"), [(1, 1), (3, 3)])
def test_small_batches_are_filled_up(least, rows):
    encoder = Counting()
    encoder.least = least

    assert encoder.encode(["a"]).tolist() == [[1, rows]]
    assert encoder.encode(["a"] * 4).tolist() == [[1, 3]] * 3 + [[1, rows]]
