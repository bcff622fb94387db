"""`views.scores`: who speaks, and scores of views and of pieces put together."""

from __future__ import annotations

import numpy as np

from shelfwise.views.scores import ViewScores


def said(name: str, values: list[list[float]], speaks: list[bool]) -> ViewScores:
    return ViewScores({name: np.array(values, np.float32)}, {name: np.array(speaks)})


def test_a_row_is_present_where_any_of_the_named_views_speaks():
    both = said("words", [[1, 0], [0, 0], [0, 0]], [True, False, False]) | said(
        "pictures", [[0, 0], [0, 1], [0, 0]], [False, True, False]
    )

    assert list(both.by_view) == ["words", "pictures"]
    assert both.present(["words", "pictures"]).tolist() == [True, True, False]
    assert both.present(["words"]).tolist() == [True, False, False]


def test_pieces_are_joined_in_order():
    parts = [said("words", [[1, 0]], [True]), said("words", [[0, 0], [0, 2]], [False, True])]
    whole = ViewScores.joined(parts)

    assert whole.by_view["words"].tolist() == [[1, 0], [0, 0], [0, 2]]
    assert whole.speaks["words"].tolist() == [True, False, True]
