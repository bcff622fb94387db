"""`catalogue.pieces`: products in pieces are the same rows in memory and in a file."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.pieces import Pieces
from shelfwise.workspace import OWN, Workspace


def whole(rows: int = 50) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": range(rows),
            "title": [f"größe {row} 靴" if row % 7 else None for row in range(rows)],
            "vector.x": pl.Series([[row, 0.5] for row in range(rows)], dtype=pl.Array(pl.Float32, 2)),
            "picture": [b"\x00\xff" * (row % 3) for row in range(rows)],
        }
    )


def cut(frame: pl.DataFrame, sizes: list[int], space: Workspace | None = None) -> Pieces:
    pieces, start = Pieces(space), 0
    for size in sizes:
        pieces.add(frame[start : start + size])
        start += size
    return pieces


@pytest.mark.parametrize("limit", [None, OWN, OWN + 8_000], ids=["memory", "file", "first some, then a file"])
def test_rows_come_back_as_they_were(tmp_path, limit):
    frame, space = whole(), Workspace(limit, tmp_path)
    pieces = cut(frame, [20, 0, 29, 1], space)

    assert len(pieces) == 50
    assert pieces.frame().equals(frame)
    assert [piece.height for piece in pieces] == [20, 0, 29, 1]
    assert [piece.columns for piece in pieces.read(["title"])] == [["title"]] * 4
    assert pieces.take(np.array([0, 19, 20, 48, 49]), ["row"])["row"].to_list() == [0, 19, 20, 48, 49]
    assert pieces.take(np.array([], np.int64)).schema == frame.schema
    assert (space.filed > 0) == (limit is not None)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_rows_can_be_left_out_wherever_pieces_end(sizes, data):
    frame = whole(sum(sizes))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=sum(sizes), max_size=sum(sizes))), bool)
    pieces = cut(frame, sizes, Workspace(OWN))

    assert pieces.only(kept).frame().equals(frame.filter(pl.Series(kept, dtype=pl.Boolean)))
    assert pieces.take(np.flatnonzero(kept)).equals(frame.filter(pl.Series(kept, dtype=pl.Boolean)))


def test_pieces_of_which_nothing_is_left_out_are_not_copied():
    pieces = cut(whole(), [30, 20])
    assert pieces.only(np.ones(50, bool)) is pieces
