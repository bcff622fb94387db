"""What the page sends is checked; names of reviewers are brought to one harmless line."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.review.bodies import (
    REVIEWER,
    BulkBody,
    DecisionsBody,
    SelectionBody,
    read_body,
    read_filter,
    read_whole,
    reviewer,
)  # fmt: skip
from shelfwise.review.desk import RefusedError


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, REVIEWER),
        ("", REVIEWER),
        ("%20%09", REVIEWER),
        ("Ada", "Ada"),
        (quote("Zoë  王\n芳"), "Zoë 王 芳"),
        ("%FF%FE", "\ufffd\ufffd"),
        ("a%00b%E2%80%AEc", "a b c"),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_name_is_one_line_of_letters(header, name):
    assert reviewer(header) == name


@given(st.text(max_size=100))
def test_any_name_survives_the_header_or_is_cleaned(name):
    told = reviewer(quote(name.encode("utf-8", "surrogatepass")))
    assert told == reviewer(quote(told))
    assert 0 < len(told) <= 60


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", DecisionsBody),
        (b"[1]", DecisionsBody),
        (b'{"key": "12345678", "items": []}', DecisionsBody),
        (b'{"key": "short", "items": [{"id": 1, "action": "keep"}]}', DecisionsBody),
        (b'{"ids": [1.5]}', SelectionBody),
        (b'{"ids": [1], "more": 1}', SelectionBody),
        (b"[" * 100_000, SelectionBody),
        (b'\xff{"ids": []}', SelectionBody),
        (b'{"key": "12345678", "filter": {"evil": 1}, "action": "keep", "expect": 1}', BulkBody),
    ],
)
def test_what_is_no_such_body_is_refused(data, kind):
    with pytest.raises(RefusedError) as refused:
        read_body(data, kind)
    assert (refused.value.code, refused.value.status) == ("body", 400)


def test_a_bulk_filter_is_checked_as_the_query_is():
    with pytest.raises(RefusedError, match="between 0 and 1"):
        read_body(b'{"key": "12345678", "filter": {"least": 2}, "action": "keep", "expect": 1}', BulkBody)
    with pytest.raises(RefusedError, match="evil"):
        read_body(b'{"key": "12345678", "filter": {"evil": 2}, "action": "keep", "expect": 1}', BulkBody)


def test_a_filter_of_a_query_takes_what_it_knows():
    asked = read_filter({"kind": "outlier", "least": "0.5", "state": "", "offset": "3", "evil": "1"})
    assert (asked.kind, asked.least, asked.state) == ("outlier", 0.5, "open")


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "٣", "9" * 13])
def test_whole_numbers_are_whole(text):
    with pytest.raises(RefusedError):
        read_whole({"n": text}, "n", 0, 10)


def test_a_number_that_is_too_large_is_the_largest():
    assert read_whole({"n": "500"}, "n", 0, 200) == 200
    assert read_whole({}, "n", 7, 200) == 7
