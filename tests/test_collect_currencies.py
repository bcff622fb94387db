"""Which currency a sign means, and where."""

from __future__ import annotations

import pytest

from shelfwise.collect.currencies import iso, resolve, symbol_at, symbol_before


@pytest.mark.parametrize(
    ("symbol", "country", "language", "code"),
    [
        ("$", "au", "en", "AUD"), ("$", "", "en", "USD"), ("$", "ar", "es", "ARS"), ("kr", "", "sv", "SEK"),
        ("kr.", "dk", "en", "DKK"), ("¥", "", "ja", "JPY"), ("¥", "cn", "zh", "CNY"), ("Rs.", "pk", "en", "PKR"),
        (",-", "no", "no", "NOK"), ("€", "us", "en", "EUR"), ("lei", "md", "ro", "MDL"), ("lei", "ro", "ro", "RON"),
        ("lei", "", "ro", "RON"),
    ],
)  # fmt: skip
def test_signs_by_place(symbol, country, language, code):
    assert resolve(symbol, country, language) == code


def test_what_the_page_states_wins_where_it_can():
    assert resolve("$", "us", "en", "CAD") == "CAD"
    assert resolve("€", "us", "en", "USD") == "EUR"
    assert resolve("lei", "", "ro", "MDL") == "MDL"


def test_codes_as_shops_write_them():
    assert [iso(text) for text in ("eur", "RUR", "TL", "€", "", "{}", "EURO")] == [
        "EUR",
        "RUB",
        "TRY",
        "EUR",
        "",
        "",
        "EUR",
    ]


def test_words_are_no_codes():
    assert symbol_at("all sizes", 0) == ""
    assert symbol_at("kr./stk", 0) == "kr."
    assert symbol_before("US $", 4) == "US $"
    assert symbol_before("filter", 6) == ""
