"""Text as people read it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect import wording
from shelfwise.collect.wording import alike, clean, fold, marked, same, tokens, within


def test_entities_escaped_twice_tags_and_unseen_characters():
    assert clean("Salt &amp;amp; Pepper&#8211;<b>Mill</b>\u200b \n x") == "Salt & Pepper–Mill x"
    assert clean("a<br>b") == "a b"
    assert clean({}) == ""
    assert clean(12) == "12"


@given(st.text(max_size=80))
def test_cleaning_is_one_line_without_edges(text):
    cleaned = clean(text)

    assert cleaned == cleaned.strip()
    assert "\n" not in cleaned


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_between_0_and_1_and_symmetric(one, other):
    assert 0 <= alike(one, other) <= 1
    assert alike(one, other) == alike(other, one)


def test_likeness_without_spaces_and_case():
    assert same("Le Creuset – 26", "le creuset 26")
    assert alike("深蒸し煎茶", "深蒸し煎茶 特上") > 0.5
    assert within("煎茶", "深蒸し煎茶") == 1
    assert fold("ＡＢＣ") == "abc"
    assert tokens("") == frozenset()


@given(st.text(max_size=60))
def test_cleaning_does_what_it_says_character_by_character(text):
    text = text.replace("&", "").replace("<", "")
    unseen = re.sub("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\ufffc]", "", text)
    plain = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", " ", unseen)

    assert clean(text) == re.sub(r"\s+", " ", plain).strip()


@given(st.lists(st.tuples(st.sampled_from(["a+", "b", "c$"]), st.text("abc", max_size=3))))
def test_names_are_marked_as_the_pattern_says_however_often_they_come(asked):
    patterns = {text: re.compile(text) for text, _ in asked}

    for text, name in [*asked, *asked]:
        assert marked(patterns[text], name) == bool(patterns[text].search(name))


def test_what_is_remembered_of_names_and_patterns_is_bounded():
    wording._KNOWN.clear()
    patterns = [re.compile(f"x{number}") for number in range(600)]
    for pattern in patterns:
        assert not marked(pattern, "y")
    for number in range(5000):
        assert marked(patterns[0], f"x0 {number}")

    assert len(wording._KNOWN) <= 256
    assert all(len(known) <= 2048 for _, known in wording._KNOWN.values())
