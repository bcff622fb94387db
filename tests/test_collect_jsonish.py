"""JSON as it is found in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect.jsonish import first_value, loosely, values


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}', '{"a": 1,}', '<!-- {"a": 1} -->', '//<![CDATA[\n{"a": 1}\n//]]>', "{'a': 1}", '{"a": 1};',
        "{&quot;a&quot;: 1}", "{a: 1}", '{"a": 1 /* one */}',
    ],
)  # fmt: skip
def test_broken_json_is_read(text):
    assert values(text) == [{"a": 1}]


def test_line_breaks_in_texts_and_several_values():
    assert values('{"a": "x\ny"}') == [{"a": "x\ny"}]
    assert values('{"a": 1}{"b": 2}') == [{"a": 1}, {"b": 2}]
    assert values("") == []
    assert values("no json") == []


@given(st.text(max_size=60))
def test_no_text_raises(text):
    assert isinstance(values(text), list)
    loosely(text)


def test_a_value_in_a_program():
    text = "x = {name: 'a', price: 12.5}; y()"

    assert first_value(text, text.index("{")) == {"name": "a", "price": 12.5}


def test_a_comment_ends_with_its_line_and_takes_nothing_with_it():
    assert values('{"name": "Cup", // shown\n "brand": "Acme", "url": "https://x.example/a"}') == [
        {"name": "Cup", "brand": "Acme", "url": "https://x.example/a"}
    ]


def test_a_text_over_several_lines_is_read_though_the_rest_is_loose():
    assert values('{name: "Cup", "text": "one\ntwo",}') == [{"name": "Cup", "text": "one two"}]
