"""The product's pictures."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.pictures import addresses

MAIN = "https://shop.example/img/lamp.jpg"
WAYS = {
    "plain": "<img src=/img/lamp.jpg>",
    "lazy": '<img class=lazyload src="data:image/gif;base64,R0" data-src="/img/lamp.jpg">',
    "sources": '<picture><source srcset="/img/s.jpg 100w, /img/lamp.jpg 900w"><img src="data:image/gif;base64,R0"></picture>',
    "link": "<a href=/img/lamp.jpg><img src=/img/lamp_100x100.jpg></a>",
    "zoom": "<span data-zoom-image=/img/lamp.jpg></span>",
    "style": "<div style=\"background-image: url('/img/lamp.jpg')\"></div>",
    "shared": '<meta property="og:image" content="https://shop.example/img/lamp.jpg"><img src=/img/lamp_100x100.jpg>',
    "site-wide": '<meta property="og:image" content="https://shop.example/share-default.jpg"><img src=/img/lamp.jpg>',
    "logo": '<img src=/img/logo.png alt="Shop"><img src=/img/visa.png><img src=/img/lamp.jpg>',
    "stated": '<script type="application/ld+json">{"@type": "Product", "name": "Red Lamp", "image": {"@type": "ImageObject",'
    '"url": "/img/lamp.jpg"}}</script>',
}


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_ways_to_show_a_picture(html):
    page = f"<h1>Red Lamp</h1>{html}<p class=price>9 €</p><button>Buy now</button><footer><img src=/f.jpg></footer>"

    assert extract(page.encode(), "https://shop.example/p")["images"][:1] == [MAIN]


def test_forms_of_the_image_property():
    page = parse(b"", "https://shop.example/p")

    assert addresses(page, ["//a.example/1.jpg", {"contenturl": "/2.jpg"}, '["/3.jpg"]', None, {}]) == [
        "https://a.example/1.jpg", "https://shop.example/2.jpg", "https://shop.example/3.jpg",
    ]  # fmt: skip


def test_files_that_are_named_by_their_size_are_told_apart_by_their_folder():
    html = """<meta property="og:image" content="https://cdn.example/a/qx/1200x1170.jpg"><h1>Red Lamp</h1>
        <img src="https://cdn.example/a/qx/550x536.jpg"><p class=price>9 €</p><button>Buy now</button>"""

    assert (
        extract(html.encode(), "https://shop.example/p")["images"][0]
        == "https://cdn.example/a/qx/1200x1170.jpg"
    )
