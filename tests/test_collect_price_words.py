"""What words and names say of a price."""

from __future__ import annotations

import re

import pytest

from shelfwise.collect import price_words

PATTERNS = {name: value for name, value in vars(price_words).items() if isinstance(value, re.Pattern)}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_patterns_do_not_match_nothing(pattern):
    assert not pattern.search("")


@pytest.mark.parametrize(
    "text",
    [
        "Normalpreis",
        "Regular price",
        "Prix normal",
        "Cena regularna",
        "通常価格",
        "Įprasta kaina",
        "без Лампа Карты",
    ],
)
def test_normal_prices(text):
    assert price_words.SAYS_REGULAR.search(text)
    assert not price_words.SAYS_OLD.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mitglieder",
        "Club price",
        "Klubpris",
        "Pris med Lampa Family",
        "5 или более",
        "10 or more",
        "Buy 3",
        "ab 10 ",
    ],
)
def test_prices_of_some_buyers(text):
    assert price_words.SAYS_MEMBER.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "Preis mit 19 % MwSt.",
        "Pris med moms",
        "Price with VAT",
        "Prix avec TVA",
        "Price with GST",
        "Family pack",
    ],
)
def test_prices_with_tax_and_of_packs_are_for_all(text):
    assert not price_words.SAYS_MEMBER.search(text)


@pytest.mark.parametrize(
    ("pattern", "name", "other"),
    [
        (price_words.MARKS_MEMBER, "card-price", "productcardprice"),
        (price_words.MARKS_OLD, "suggested-retail-price", "retail-price"),
        (price_words.MARKS_REDUCED, "price-box--discount", "price-box"),
        (price_words.MARKS_NOW, "price__big", "price"),
    ],
)
def test_names(pattern, name, other):
    assert pattern.search(name)
    assert not pattern.search(other)
