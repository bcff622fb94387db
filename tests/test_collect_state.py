"""What a page's programs are told."""

from __future__ import annotations

import pytest

from shelfwise.collect.page import parse
from shelfwise.collect.state import read_state

WAYS = {
    "next": '<script id="__NEXT_DATA__" type="application/json">{"props": {"product": {"name": "Red Lamp", "brandName": "Lux",'
    '"prices": {"rrp": {"value": 40}, "current": {"value": 30, "currency": "EUR"}}}}}</script>',
    "assigned": "<script>window.__STATE__ = {product: {name: 'Red Lamp', brand: {name: 'Lux'}, price: 30, currency: 'EUR'}};</script>",
    "pushed": "<script>dataLayer.push({ecommerce: {detail: {products: [{name: 'Red Lamp', brand: 'Lux', price: '30', currency: 'EUR'}]}}})</script>",
    "called": "<script>gtag('event', 'view_item', {currency: 'EUR', items: [{item_name: 'Red Lamp', item_brand: 'Lux', price: 30}]})</script>",
    "attribute": '<div data-product=\'{"title": "Red Lamp", "vendor": "Lux", "price": 30, "currency": "EUR", "x": "yyyyyyyyyyyyy"}\'></div>',
    "quoted": '<script>var s = JSON.parse("{\\"name\\": \\"Red Lamp\\", \\"brand\\": \\"Lux\\", \\"price\\": 30, \\"currency\\": \\"EUR\\"}")</script>',
}  # fmt: skip


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_the_product_is_found(html):
    found = read_state(parse(html.encode(), "https://shop.example/p"), ["Red Lamp"])

    assert [(one.name, one.brand, str(one.price)) for one in found[:1]] == [("Red Lamp", "Lux", "30")]


def test_flat_states_of_nuxt_are_put_together():
    html = '<script id="__NUXT_DATA__" type="application/json">[{"product": 1}, {"name": 2, "price": 3}, "Red Lamp", 30]</script>'
    found = read_state(parse(html.encode(), "https://shop.example/p"), ["Red Lamp"])

    assert found[0].price == 30


def test_other_products_do_not_count():
    html = "<script>var p = {name: 'Blue Chair', price: 12, brand: 'Sit'}</script>"

    assert read_state(parse(html.encode(), "https://shop.example/p"), ["Red Lamp"]) == []
    assert read_state(parse(html.encode(), "https://shop.example/p"), []) == []
