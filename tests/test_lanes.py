"""`learners.lanes`: sums of sixty-four at once are the sums of one at a time, to the last unit."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from shelfwise.learners import lanes
from shelfwise.learners.lanes import FOUR, LANES, MOST, add_up, add_up_plainly, has_byte_products, split_steps


@numba.njit
def summed(tile, places, steps, sums):
    add_up(sums, tile, places, steps, 0, len(places))


@numba.njit
def summed_plainly(tile, places, steps, sums):
    add_up_plainly(sums, tile, places, steps, 0, len(places))


@pytest.mark.parametrize("work", [summed, summed_plainly])
@pytest.mark.parametrize("fours", [0, 1, 50])
def test_steps_times_rows_are_added_up_exactly(work, fours):
    rng = np.random.default_rng(fours)
    tile = rng.integers(0, 256, (50, LANES)).astype(np.uint8)
    places = rng.integers(0, 50, fours * FOUR).astype(np.int32)
    steps = rng.integers(-MOST, MOST + 1, fours * FOUR).astype(np.int32)
    if fours:
        steps[:3], tile[0], tile[1] = (MOST, -MOST, 64), 0, 255
    sums = np.full(LANES, 7, np.int32)
    work(tile, places, split_steps(steps), sums)
    assert sums.tolist() == (steps.astype(np.int64) @ tile[places].astype(np.int64)).tolist()


def test_a_step_is_the_sum_of_its_halves():
    steps = np.arange(-MOST, MOST + 1, dtype=np.int32)
    steps = np.append(steps, np.zeros(-len(steps) % FOUR, np.int32))
    halves = split_steps(steps).reshape(-1, 2, FOUR).astype(np.int32)
    assert (halves[:, 0] * 128 + halves[:, 1]).ravel().tolist() == steps.tolist()


def test_a_named_processor_is_asked_for_nothing_special(monkeypatch):
    monkeypatch.setattr(lanes.config, "CPU_NAME", "generic")
    assert not has_byte_products()
