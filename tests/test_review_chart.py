"""Of many shelves the largest get a colour of their own, and the rest one together."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from shelfwise.review import chart
from shelfwise.review.shelves import Shelves


@pytest.fixture
def desk():
    """A hundred shelves; shelf n has n doubts."""
    labels = [f"S{n:03} > x" for n in range(100)]
    given = np.repeat(np.arange(100), np.arange(100)).astype(np.int32)
    doubts = SimpleNamespace(x=np.zeros(len(given), np.float32), y=np.zeros(len(given), np.float32))
    return SimpleNamespace(
        shelves=Shelves(labels, [None] * 100, [1] * 100, " > "), given=given, suggested=given, doubts=doubts
    )


def test_names_are_the_largest_and_other(desk):
    told = chart.legend(desk, "level1")
    assert told["names"] == [f"S{n:03}" for n in range(99, 35, -1)] + ["other"]
    assert told["counts"] == [*range(99, 35, -1), sum(range(36))]


def test_colours_are_the_places_of_the_names(desk):
    n = len(desk.given)
    codes = np.frombuffer(chart.points(desk, "level1")[4 + 8 * n :], "<u2")
    names = chart.legend(desk, "level1")["names"]
    for shelf, code in zip(desk.given, codes, strict=True):
        assert names[code] == (f"S{shelf:03}" if shelf >= 36 else "other")


@pytest.mark.parametrize("colour", ["", "level", "level0", "level3", "level-1", "level٣", "x"])
def test_other_colours_are_refused(desk, colour):
    with pytest.raises(ValueError, match="colour is level1 to level2"):
        chart.points(desk, colour)
