"""Text as people read it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect.wording import alike, clean, fold, same, tokens, within


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
