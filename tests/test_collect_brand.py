"""Who makes the product."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract

WAYS = {
    "list": "<ul><li>Producător: <a href=/x>Lux</a></li></ul>",
    "row": "<table><tr><th>ブランド</th><td>Lux</td></tr></table>",
    "pair": "<dl><dt>Marke</dt><dd>Lux</dd></dl>",
    "element": "<p class=product-brand>Lux</p>",
    "logo": '<a class=manufacturer href=/x><img src=/l.png alt="Lux"></a>',
    "link": "<a href=/brands/lux>Lux</a>",
    "byline": "<a id=bylineInfo href=/s>Visit the Lux Store</a>",
    "meta": '<meta property="product:brand" content="Lux">',
    "stated": '<script type="application/ld+json">{"@type": "Product", "name": "Red Lamp", "brand": [{"name": "Lux"}]}</script>',
    "plain": "<p>Manufactured by: Lux</p>",
    "by": "<p>by <a href=/v?q=7>Lux</a></p>",
    "By": "<p>By <b>Lux</b></p>",
    "von": "<p><small>von Lux</small></p>",
    "de la marque": "<p>de la marque <b>Lux</b></p>",
    "label in what holds the heading": "Hersteller: <a href=/x>Lux</a>",
    "shop all": "<a href=/brands/lux>Shop all Lux</a>",
    "label without a colon": "<a class=product-brand href=/x>品牌名稱 <b>Lux</b></a>",
    "the product's header": "<a class=f-productHeader__brand href=/x>Lux</a>",
}


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_ways_to_name_a_brand(html):
    page = f"<h1>Red Lamp</h1>{html}<p class=price>9 €</p><button>Buy now</button>"

    assert extract(page.encode(), "https://shop.example/p")["brand"] == "Lux"


@pytest.mark.parametrize("filler", ["Generic", "N/A", "Без бренда", "-", "https://shop.example/b"])
def test_fillers_are_no_brands(filler):
    html = f'<script type="application/ld+json">{{"@type": "Product", "name": "Red Lamp", "brand": "{filler}"}}</script><h1>Red Lamp</h1>'

    assert extract(html.encode(), "https://shop.example/p")["brand"] is None


def test_the_shop_is_not_the_brand_where_the_page_shows_another():
    html = (
        '<meta property="og:site_name" content="Bright"><script type="application/ld+json">{"@type": "Product",'
        '"name": "Red Lamp", "brand": "Bright"}</script><h1>Red Lamp</h1><table><tr><td>Brand</td><td>Lux</td></tr></table>'
    )

    assert extract(html.encode(), "https://shop.example/p")["brand"] == "Lux"


def test_what_the_heading_begins_with_counts_where_nothing_else_does():
    heading = "<h1><strong>Lux</strong> <span>Red Lamp</span></h1><button>Buy now</button>"

    assert extract(heading.encode(), "https://shop.example/p")["brand"] == "Lux"
    assert extract(f"{heading}<p>Brand: Noor</p>".encode(), "https://shop.example/p")["brand"] == "Noor"


@pytest.mark.parametrize("line", ["by the sea", "von 5 Sternen", "by 12 buyers"])
def test_not_everything_by_something_is_a_brand(line):
    page = f"<h1>Red Lamp</h1><p>{line}</p><button>Buy now</button>"

    assert extract(page.encode(), "https://shop.example/p")["brand"] is None


def test_an_emphasised_word_of_the_name_is_no_brand():
    page = "<h1><b>Red</b> Lamp</h1><button>Buy now</button>"

    assert extract(page.encode(), "https://shop.example/p")["brand"] is None
