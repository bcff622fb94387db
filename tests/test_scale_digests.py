"""Digests tell contents apart, whatever they were put together from."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import ModelError
from shelfwise.scale.digests import (
    check_program,
    digest_frame,
    digest_model,
    digest_of,
    digest_program,
    digest_rows,
    pack,
    unpack,
)

CELLS = st.one_of(st.none(), st.text(max_size=5))


def test_parts_cannot_be_shifted():
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
    assert digest_of(b"a", b"") != digest_of(b"a")


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(0, 11))
def test_digest_forgets_how_a_frame_came_about(rows, cut):
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    pieces = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    sliced = pl.concat([frame, frame])[frame.height :]

    assert digest_frame(pieces) == digest_frame(frame) == digest_frame(sliced)
    for each in (pieces, frame, sliced):
        assert unpack(pack(each)).equals(frame)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=3), st.lists(st.tuples(CELLS, CELLS), max_size=3))
def test_frames_have_one_digest_exactly_where_they_are_equal(rows, others):
    one, other = (
        pl.DataFrame(each, schema={"a": pl.String, "b": pl.String}, orient="row") for each in (rows, others)
    )

    assert (digest_frame(one) == digest_frame(other)) == (rows == others)
    assert digest_frame(one) != digest_frame(one.rename({"a": "c"}))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_rows_have_one_digest_exactly_where_they_are_equal(rows):
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    found = [tuple(row) for row in digest_rows(frame).tolist()]

    for one, its in zip(rows, found, strict=True):
        for other, theirs in zip(rows, found, strict=True):
            assert (one == other) == (its == theirs)


def test_any_type_of_column_has_a_digest():
    frame = pl.DataFrame(
        {
            "number": [1.5, float("nan"), None],
            "day": [datetime.date(2026, 1, 1), None, None],
            "picture": [b"\x00\xff", b"", None],
            "nested": [{"a": [1]}, {"a": []}, {"a": None}],
        }
    )
    every = {tuple(row) for name in frame.columns for row in digest_rows(frame.select(name)).tolist()}

    for name in frame.columns:
        assert digest_frame(frame.select(name)) == digest_frame(unpack(pack(frame.select(name))))
        assert digest_frame(frame.select(name)) != digest_frame(frame.select(pl.col(name).reverse()))
    assert len(every) == 11  # a day that is not there is so twice
    assert digest_rows(frame, ["x", "y", "z"]).tolist() != digest_rows(frame, ["x", "y", "!"]).tolist()
    assert digest_rows(frame[::-1])[::-1].tolist() == digest_rows(frame).tolist()


def test_digest_of_a_model_is_that_of_its_manifest(saved_toy, tmp_path):
    assert digest_model(str(saved_toy)) == digest_of((saved_toy / "MANIFEST.json").read_bytes())
    with pytest.raises(ModelError, match="no model folder"):
        digest_model(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="not a Shelfwise model"):
        digest_model(str(tmp_path))


def test_program_has_one_digest():
    assert digest_program() == digest_program()
    assert len(digest_program()) == 64


def test_another_program_is_refused():
    check_program(digest_program())
    with pytest.raises(ModelError, match="has another version of Shelfwise, NumPy or polars"):
        check_program("of an older one")
