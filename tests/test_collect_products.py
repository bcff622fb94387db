"""Which node is the page's product."""

from __future__ import annotations

import json

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
