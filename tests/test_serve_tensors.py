"""Tensors as bytes: there and back, and what is cut, too long or no text."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.tensors import NUMPY, check_type, pack, texts, unpack


@given(st.lists(st.text()))
def test_texts_come_back(data):
    assert unpack("title", "BYTES", pack("BYTES", data), len(data)) == data


@given(st.sampled_from(sorted(NUMPY)), st.lists(st.integers(0, 1)))
def test_numbers_come_back_from_what_numpy_writes(kind, data):
    content = np.array(data, NUMPY[kind]).tobytes()

    assert unpack("price", kind, content, len(data)) == data
    assert pack(kind, data) == content


def test_a_picture_stays_bytes():
    assert unpack("picture", "BYTES", b"\x02\x00\x00\x00\xff\xd8", 1) == [b"\xff\xd8"]
    assert texts("picture", [b"\xff"]) == [b"\xff"]


@pytest.mark.parametrize(
    ("kind", "content", "count"),
    [
        ("BYTES", b"\x02\x00\x00\x00ab", 2),
        ("BYTES", b"\x02\x00\x00\x00ab" * 2, 1),
        ("BYTES", b"\x09\x00\x00\x00ab", 1),
        ("BYTES", b"\xff\xff\xff\xff", 1),
        ("BYTES", b"\x00\x00", 1),
        ("BYTES", b"\x01\x00\x00\x00\xff", 1),
        ("BYTES", b"", 1),
        ("FP32", b"\x00" * 7, 2),
        ("FP32", b"\x00" * 8, 1),
        ("BOOL", b"", 1),
    ],
)
def test_other_bytes_than_the_shape_says_are_refused(kind, content, count):
    with pytest.raises(RefusedError) as refused:
        unpack("title", kind, content, count)

    assert (refused.value.kind, refused.value.code) == ("invalid", "inputs")


@given(st.binary(max_size=40), st.integers(0, 5), st.sampled_from(["BYTES", *NUMPY]))
def test_any_bytes_are_elements_or_refused(content, count, kind):
    with contextlib.suppress(RefusedError):
        assert len(unpack("picture", kind, content, count)) == count


def test_types_that_are_none_are_refused():
    check_type("title", "BYTES")
    with pytest.raises(RefusedError, match="TEXT"):
        check_type("title", "TEXT")
