"""What structured data says of the price."""

from __future__ import annotations

import json

import pytest

from shelfwise.collect.offers import stated_prices
from shelfwise.collect.page import parse
from shelfwise.collect.structured import read_nodes


def stated(offers, url="https://shop.example/p", head=""):
    node = {"@type": "Product", "name": "A", "offers": offers}
    html = f'{head}<script type="application/ld+json">{json.dumps(node)}</script>'
    page = parse(html.encode(), url)
    return [
        (str(one.readings[0]), one.currency, one.kind) for one in stated_prices(page, read_nodes(page)[:1])
    ]


@pytest.mark.parametrize(
    "offers", [{}, [], {"price": {}}, {"price": 0}, {"price": "0.00"}, None, "x", {"price": None}]
)
def test_no_price_is_none(offers):
    assert stated(offers) == []


def test_list_net_member_and_unit_prices_are_told_apart():
    specifications = [
        {"@type": "UnitPriceSpecification", "price": 10},
        {"@type": "UnitPriceSpecification", "price": 20, "priceType": "https://schema.org/ListPrice"},
        {"@type": "UnitPriceSpecification", "price": 5, "referenceQuantity": {"value": 1}},
        {"@type": "PriceSpecification", "price": 8, "valueAddedTaxIncluded": "false"},
        {"@type": "PriceSpecification", "price": 7, "validForMemberTier": {"@id": "x"}},
    ]
    found = stated({"priceCurrency": "EUR", "priceSpecification": specifications})

    assert [(price, kind) for price, _, kind in found] == [
        ("10", ""),
        ("20", "list"),
        ("5", "unit"),
        ("8", "net"),
        ("7", "member"),
    ]
    assert {code for _, code, _ in found} == {"EUR"}


def test_aggregate_offers_and_texts():
    assert stated({"@type": "AggregateOffer", "lowPrice": "12.5", "highPrice": 30, "priceCurrency": "eur"})[
        0
    ] == ("12.5", "EUR", "")
    assert stated({"price": "EUR 1.299,00"})[0] == ("1299.00", "EUR", "")


def test_sale_prices_of_meta_tags_come_first():
    head = '<meta property="product:price:amount" content="50"><meta property="product:sale_price:amount" content="40">'

    assert [price for price, _, _ in stated({}, head=head)] == ["40", "50"]


def test_the_only_specification_is_the_price_of_the_whole():
    quantity = {"@type": "QuantitativeValue", "value": 50, "unitCode": "MLT"}
    whole = {
        "@type": "UnitPriceSpecification",
        "price": 59.9,
        "priceCurrency": "EUR",
        "referenceQuantity": quantity,
    }

    assert stated({"priceSpecification": whole}) == [("59.9", "EUR", "")]
    assert stated({"price": 29.95, "priceCurrency": "EUR", "priceSpecification": whole})[1][2] == "unit"
