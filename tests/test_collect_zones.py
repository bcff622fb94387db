"""Which parts of a page are the product's."""

from __future__ import annotations

from shelfwise.collect.page import parse
from shelfwise.collect.zones import ASIDE_ZONE, CLEAR, find_zones

HTML = """<body class="with-menu"><header><p id=a>x</p></header><main class="product-list-page"><h1>Lamp</h1><p id=b>x</p>
<button>In den Warenkorb</button><section><h2>Das könnte Ihnen gefallen</h2><div><p id=c>x</p></div></section></main>
<div class="related-products"><p id=d>x</p></div><footer><p id=e>x</p></footer></body>"""


def test_the_rest_of_the_page_is_aside_and_what_holds_the_heading_is_not():
    page = parse(HTML.encode(), "https://shop.example/p")
    zones = find_zones(page, next(page.root.iter("h1")))
    levels = {
        element.get("id"): zones.levels[at] for at, element in enumerate(page.elements) if element.tag == "p"
    }

    assert levels == {"a": ASIDE_ZONE, "b": CLEAR, "c": ASIDE_ZONE, "d": ASIDE_ZONE, "e": ASIDE_ZONE}
    assert [page.elements[at].tag for at in zones.buys] == ["button"]


def test_without_a_heading_nothing_fails():
    page = parse(HTML.encode(), "https://shop.example/p")

    assert find_zones(page, None).heading is None


def test_a_word_in_the_names_around_the_heading_says_nothing_of_others():
    html = "<div class=shelf-tile><h1>Lamp</h1></div><p class=shelf-price>x</p><i class='shelf related-item'>y</i>"
    page = parse(html.encode(), "https://shop.example/p")
    zones = find_zones(page, next(page.root.iter("h1")))
    levels = {element.tag: zones.levels[at] for at, element in enumerate(page.elements)}

    assert (levels["p"], levels["i"]) == (CLEAR, ASIDE_ZONE)


def test_what_a_block_is_said_to_have_is_not_what_it_is():
    html = "<h1>Lamp</h1><div class='shop has-related'>x</div><p class=price-review>9</p><i class=related>y</i><b class=review>z</b>"
    page = parse(html.encode(), "https://shop.example/p")
    zones = find_zones(page, next(page.root.iter("h1")))
    levels = {element.tag: zones.levels[at] for at, element in enumerate(page.elements)}

    assert (levels["div"], levels["p"], levels["i"], levels["b"]) == (CLEAR, CLEAR, ASIDE_ZONE, ASIDE_ZONE)
