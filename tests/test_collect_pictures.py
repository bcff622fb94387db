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
    "small ones alone": "<ul class=thumbs><li><a sourceimg=/img/lamp.jpg><img src=/img/lamp_60x60.jpg width=60 height=60></a></ul>",
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


PRODUCT = '<meta property="og:type" content="product">'
BUY = "<p class=price>9 €</p><button>Buy now</button>"
SHARED = "https://shop.example/media/summer-fair.jpg"


def first(html: str) -> str:
    """The main picture of a page."""
    return extract(f"<html>{html}{BUY}</html>".encode(), "https://shop.example/p")["images"][0]


def test_a_clear_gallery_is_believed_before_a_picture_for_sharing_that_nothing_confirms():
    head = f'{PRODUCT}<meta property="og:image" content="{SHARED}"><h1>Red Lamp</h1>'

    assert first(f'{head}<div class=product-gallery><img src=/img/lamp.jpg alt="Red Lamp"></div>') == MAIN
    assert first(f"{head}<p><img src=/img/lamp.jpg></p>") == SHARED
    assert (
        first(f'{head}<div class=product-gallery><img src=/img/summer-fair_300x300.jpg alt="Red Lamp"></div>')
        == SHARED
    )


def test_the_shops_logo_is_nobodys_picture_whatever_its_file_is_called():
    sign = "https://shop.example/media/lettering.png"
    logo = f'<header><a href="https://shop.example/"><img src="{sign}"></a></header>'
    shared = f'{PRODUCT}<meta property="og:image" content="{sign}">'
    stated = f'<script type="application/ld+json">{{"@type": "Product", "name": "Red Lamp", "image": "{sign}"}}</script>'

    assert first(f"{shared}{logo}<h1>Red Lamp</h1><p><img src=/img/lamp.jpg></p>") == MAIN
    assert first(f"{stated}{logo}<h1>Red Lamp</h1><p><img src=/img/lamp.jpg></p>") == MAIN


def test_a_folder_that_all_pictures_of_a_shop_lie_in_confirms_nothing():
    cdn = "https://cdn.example/1234/uploads"
    shared = f'<meta property="og:image" content="{cdn}/firm.png">'
    page = f'{{}}<h1>Red Lamp</h1><div class=product-image><img src={cdn}/lamp.jpg alt="Red Lamp"></div>'
    logo = f'<div><a href="/"><img src="{cdn}/head/f0.png"></a></div>'

    assert first(shared + page.format(logo)) == f"{cdn}/lamp.jpg"
    assert first(shared + page.format("")) == f"{cdn}/firm.png"


@pytest.mark.parametrize("name", ["onsale", "product-badge", "manufacturer", "energy-label"])
def test_what_is_stuck_on_a_gallery_is_not_its_picture(name):
    html = f"<div class=gallery><span class={name}><img src=/img/two-years.png></span><p><img src=/img/lamp.jpg></p></div>"

    assert first(f"{html}<h1>Red Lamp</h1>") == MAIN


def test_of_like_pictures_side_by_side_the_first_is_the_main_one():
    before = "".join(
        f"<div class=cell><img class=shot src=/img/{name}.jpg></div>" for name in ("lamp", "b", "c")
    )
    filler = "<p>Made by hand.</p>" * 60

    assert first(f"<div class=gallery>{before}</div>{filler}<h1>Red Lamp</h1>") == MAIN
    assert first(f"<h1>Red Lamp</h1>{filler}<div class=gallery>{before}</div>") == MAIN


def test_a_second_picture_for_sharing_that_the_page_shows_wins_over_the_shops():
    head = "".join(
        f'<meta property="og:image" content="{one}">'
        for one in (SHARED, "https://shop.example/img/lamp_500x500.jpg")
    )

    assert (
        first(f"{head}<h1>Red Lamp</h1><p><img src=/img/lamp_300x300.jpg></p>")
        == "https://shop.example/img/lamp_500x500.jpg"
    )


def test_a_picture_that_the_head_loads_beforehand_counts_last():
    link = '<link rel=preload as=image imagesrcset="/img/a.jpg 300w, /img/lamp.jpg 900w">'

    assert first(f"<head>{link}</head><h1>Red Lamp</h1>") == MAIN
