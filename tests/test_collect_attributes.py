"""What a page lists of its product, and for whom it is."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract
from shelfwise.collect.attributes import find_audience

WAYS = {
    "table": "<table><tr><th>Power:</th><td>40 W</td></tr></table>",
    "pairs": "<dl><dt>Power</dt><dd>40 W</dd></dl>",
    "list": "<ul><li>Power: 40 W</li></ul>",
    "elements": "<div class=property><div>Power</div><div>40 W</div></div>",
    "stated": '<script type="application/ld+json">{"@type": "Product", "name": "Red Lamp", "additionalProperty":'
    '[{"name": "Power", "value": 40, "unitText": "W"}]}</script>',
}


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_ways_to_list_attributes(html):
    page = f"<h1>Red Lamp</h1>{html}<p class=price>9 €</p><button>Buy now</button>"

    assert extract(page.encode(), "https://shop.example/p")["attributes"]["Power"] == "40 W"


def test_audience():
    assert (
        find_audience(
            [{"@type": ["product"], "audience": {"suggestedgender": "https://schema.org/Female"}}], {}
        )
        == "women"
    )
    assert find_audience([], {"Geschlecht": "Herren"}) == "men"
    assert find_audience([], {"Gender": "Men, Women"}) == "unisex"
    assert find_audience([], {"Colour": "Men"}) == ""
