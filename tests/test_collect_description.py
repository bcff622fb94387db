"""What a page tells of its product."""

from __future__ import annotations

from shelfwise.collect import extract

LONG = "A lamp of brass with a green shade, made by hand in a small town."


def description(html):
    return extract(
        f"{html}<p class=price>9 €</p><button>Buy now</button>".encode(), "https://shop.example/p"
    )["description"]


def test_what_is_shown_completes_what_is_stated():
    stated = '<script type="application/ld+json">{"@type": "Product", "name": "Lamp", "description": "A lamp of brass"}</script>'

    assert description(f"{stated}<h1>Lamp</h1><div class=product-description>{LONG}</div>") == LONG


def test_the_meta_tag_is_the_last_resort():
    assert description(f'<meta name=description content="{LONG}"><h1>Lamp</h1>') == LONG
    assert description("<h1>Lamp</h1>") is None
