"""`learners.lanes`: sums of sixteen at once are the sums of one at a time."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from shelfwise.learners.lanes import FOUR, LANES, add_four


@numba.njit
def summed(tile, places, steps, sums):
    for first in range(0, len(places), FOUR):
        add_four(sums, tile, places, steps, first)


@pytest.mark.parametrize("fours", [0, 1, 5])
def test_steps_times_rows_are_added(fours):
    rng = np.random.default_rng(fours)
    tile = rng.integers(-128, 128, (50, LANES)).astype(np.int8)
    places = rng.integers(0, 50, fours * FOUR).astype(np.int32)
    steps = rng.normal(size=fours * FOUR).astype(np.float32)
    sums = rng.normal(size=LANES).astype(np.float32)
    expected = sums + steps.astype(np.float64) @ tile[places].astype(np.float64)
    summed(tile, places, steps, sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-4)
