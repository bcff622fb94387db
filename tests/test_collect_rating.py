"""How buyers rate a product."""

from __future__ import annotations

import pytest

from shelfwise.collect.rating import find_rating


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        ({"ratingvalue": "4,7", "reviewcount": "1,204"}, (4.7, 1204)),
        ({"ratingvalue": 4.3, "ratingcount": 12}, (4.3, 12)),
        ({"ratingvalue": "0"}, (None, None)),
        ({}, (None, None)),
        ("5 stars", (None, None)),
    ],
)
def test_ratings(rating, expected):
    assert find_rating([{"@type": ["product"], "aggregaterating": rating}]) == expected
