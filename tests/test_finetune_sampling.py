"""Which products an epoch visits, and how workers share a step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.finetune.sampling import epoch_order, share_of

SIZES = st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(lambda sizes: sum(sizes) > 0)


@given(SIZES, st.sampled_from(["plain", "root", "balanced"]), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_is_as_long_as_there_are_products(sizes, sampling, seed, epoch):
    y = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    order = epoch_order(y, sampling, seed, epoch)

    assert len(order) == len(y)
    assert np.array_equal(order, epoch_order(y, sampling, seed, epoch))
    assert order.min() >= 0
    assert order.max() < len(y)
    if sampling == "plain":
        assert sorted(order) == list(range(len(y)))


def test_balanced_visits_classes_equally_often():
    y = np.repeat([0, 1, 2], [90, 9, 1]).astype(np.int32)
    balanced = np.bincount(y[epoch_order(y, "balanced", 0, 0)])
    root = np.bincount(y[epoch_order(y, "root", 0, 0)])

    assert abs(balanced - 100 / 3).max() <= 1
    assert abs(root - 100 * np.sqrt([90, 9, 1]) / np.sqrt([90, 9, 1]).sum()).max() <= 1
    assert len(set(epoch_order(y, "balanced", 0, 0)[y[epoch_order(y, "balanced", 0, 0)] == 1])) == 9


def test_epochs_and_seeds_differ():
    y = np.zeros(50, np.int32)

    assert not np.array_equal(epoch_order(y, "plain", 0, 0), epoch_order(y, "plain", 0, 1))
    assert not np.array_equal(epoch_order(y, "plain", 0, 0), epoch_order(y, "plain", 1, 0))


@given(st.integers(1, 40), st.integers(1, 7))
def test_workers_share_a_step_equally_and_wholly(rows, workers):
    parts = [share_of(np.arange(rows), rank, workers) for rank in range(workers)]

    assert len({len(own) for own, _ in parts}) == 1
    assert sorted(row for own, weights in parts for row in own[weights > 0]) == list(range(rows))
    together = np.stack([own for own, _ in parts]).T.reshape(-1)[:rows]
    assert together.tolist() == list(range(rows))
