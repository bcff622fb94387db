"""Which node is the page's product."""

from __future__ import annotations

import json

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.products import read_facts
from shelfwise.collect.structured import read_nodes


def facts(nodes, titles=("Red Lamp",)):
    html = "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)
    page = parse(html.encode(), "https://shop.example/p")
    return read_facts(page, read_nodes(page), None, list(titles))


def test_the_one_named_like_the_page_is_chosen():
    others = [
        {"@type": "Product", "name": name, "offers": {"price": 1}} for name in ("Blue Chair", "Green Table")
    ]
    found = facts([*others, {"@type": "Product", "name": "Red Lamp", "offers": {"price": 2}}])

    assert found.words("name") == ["Red Lamp"]
    assert found.several == 2


def test_related_and_reviewed_products_are_others():
    found = facts(
        [{"@type": "Product", "name": "Red Lamp", "isRelatedTo": {"@type": "Product", "name": "Red Lamp XL"}}]
    )

    assert found.words("name") == ["Red Lamp"]


def test_shops_are_named_and_brands_are_no_shops():
    brand = {"@type": "Organization", "name": "Lux"}
    found = facts(
        [{"@type": "WebSite", "name": "Shop"}, {"@type": "Product", "name": "Red Lamp", "brand": brand}]
    )

    assert found.shops == ["Shop"]


def test_the_only_offer_of_a_page_is_that_of_its_product():
    html = b"""<h1>Red Lamp</h1><p itemscope itemtype=https://schema.org/Offer><meta itemprop=price content=69.5>
        <meta itemprop=priceCurrency content=EUR></p>"""

    row = extract(html, "https://shop.example/p/1")

    assert (row["title"], row["price"], row["currency"]) == ("Red Lamp", "69.50", "EUR")


def test_several_offers_alone_are_none():
    offer = '{"@type": "Offer", "price": "1", "priceCurrency": "EUR"}'
    html = f'<h1>Red Lamp</h1><script type="application/ld+json">[{offer}, {offer}]</script>'

    assert extract(html.encode(), "https://shop.example/p/1")["price"] is None
