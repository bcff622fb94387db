"""Structured data and the page weighed against one another."""

from __future__ import annotations

import json

import pytest

from shelfwise.collect import extract


def price(stated, shown, lang="de", url="https://shop.example/p"):
    node = {"@type": "Product", "name": "Lampe", "offers": stated}
    html = (
        f'<html lang={lang}><script type="application/ld+json">{json.dumps(node)}</script><h1>Lampe</h1>'
        f"{shown}<button>In den Warenkorb</button>"
    )
    row = extract(html.encode(), url)
    return row["price"], row["currency"]


@pytest.mark.parametrize(
    ("stated", "shown", "expected"),
    [
        (
            {"price": "89.00", "priceCurrency": "EUR"},
            "<p class=price><s>89,00 €</s> <b>69,00 €</b></p>",
            ("69.00", "EUR"),
        ),
        (
            {"price": "57.98", "priceCurrency": "EUR"},
            "<p class=price>69,00 €</p><p class=price-net>57,98 € netto</p>",
            ("69.00", "EUR"),
        ),
        (
            {"price": "59", "priceCurrency": "EUR"},
            "<p class=member-price>59,00 €</p><p class=price>69,00 €</p>",
            ("69.00", "EUR"),
        ),
        ({}, "<p class=price>1.299,00 €</p>", ("1299.00", "EUR")),
        ({"price": 0}, "<p class=price>69,00 €</p>", ("69.00", "EUR")),
        ({"price": "1.299", "priceCurrency": "EUR"}, "<p class=price>1.299,00 €</p>", ("1299.00", "EUR")),
        ({"price": "69.00", "priceCurrency": "EUR"}, "", ("69.00", "EUR")),
        (None, "<p>no price</p>", (None, None)),
    ],
)
def test_what_a_buyer_sees_wins(stated, shown, expected):
    assert price(stated, shown) == expected


def test_currencies_by_country():
    assert price({}, "<p class=price>149 kr</p>", "sv") == ("149.00", "SEK") or price(
        {}, "<p class=price>149 kr</p>", "sv"
    ) == ("149", "SEK")
    assert price({}, "<p class=price>$49.00</p>", "en", "https://shop.com.au/p")[1] == "AUD"
    assert price({}, "<p class=price>$49.00</p>", "en", "https://shop.example/en-ca/p")[1] == "CAD"


@pytest.mark.parametrize(
    ("address", "language", "currency"),
    [
        ("https://tienda.example.com.co/p", "en", "COP"),
        ("https://tienda.co/p", "es-CO", "COP"),
        ("https://startup.co/p", "en", "USD"),
    ],
)
def test_addresses_that_end_in_co(address, language, currency):
    html = f"<html lang={language}><h1>Red Lamp</h1><b class=price>$ 89.900</b><button>Add to cart</button>"

    assert extract(html.encode(), address)["currency"] == currency


@pytest.mark.parametrize(
    ("stated", "shown", "expected"),
    [
        (  # the old price is stated, and only the style sheet strikes it out
            {"price": "89.00", "priceCurrency": "EUR"},
            "<div class=price-box--discount><p class=price>89,00 €</p><p class=price>69,00 €</p></div>",
            "69.00",
        ),
        (  # a net price is stated: 71.00 is that with 19 % on it, not the price of the club
            {"price": "59.6639", "priceCurrency": "EUR", "valueAddedTaxIncluded": False},
            "<p class=x>69,00 €</p><p class=x>71,00 €</p>",
            "71.00",
        ),
        (  # a kilogram costs as much as the piece that weighs one
            {"price": "69.00", "priceCurrency": "EUR"},
            "<p class=old-price>89,00 €</p><p>69,00 € / kg</p>",
            "69.00",
        ),
    ],
    ids=["old", "net", "unit"],
)
def test_what_is_stated_against_what_is_shown(stated, shown, expected):
    assert price(stated, shown) == (expected, "EUR")


def test_the_normal_price_stands_where_structured_data_has_that_of_members():
    shown = "<p class=club>Club price <b>59,00 €</b></p><p>Normalpreis <b>69,00 €</b></p>"

    assert price({"price": "59.00", "priceCurrency": "EUR"}, shown) == ("69.00", "EUR")


def test_of_two_currencies_the_first_stands():
    assert price({}, "<p class=price>99,80 лв. 51,03 €</p>", "bg", "https://shop.bg/p") == ("99.80", "BGN")
