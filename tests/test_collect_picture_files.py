"""Addresses of files of pictures."""

from __future__ import annotations

import pytest

from shelfwise.collect.page import parse
from shelfwise.collect.picture_files import (
    best,
    folder,
    is_picture,
    is_small,
    is_zoomed,
    largest,
    shows,
    sizes_of,
    stem,
)

BIG = "https://shop.example/img/lamp.jpg"
WHEEL = "src=/img/wheel.gif"
ELEMENTS = {
    "src": "<img src=/img/lamp.jpg data-image=/img/lamp_90x90.jpg>",
    "small src": "<img src=/img/lamp_90x90.jpg data-flickity-lazyload=/img/lamp.jpg>",
    "small by parameters": '<img src="/img/lamp.jpg?w=60" data-photo=/img/lamp.jpg>',
    "wheel": f"<img {WHEEL} data-original=/img/lamp.jpg>",
    "wheel, any name": '<img src="data:image/gif;base64,R0" data-shot=/img/lamp.jpg>',
    "set": '<img data-lazy-srcset="/img/s.jpg 100w, /img/lamp.jpg 900w">',
    "painted": "<div style='background-image:url(/img/lamp.jpg)'></div>",
    "painted later": "<div data-bgset='/img/lamp.jpg'></div>",
    "painted later, two": "<div data-bgset='/img/lamp.jpg 900w | /img/s.jpg 100w'></div>",
    "carried": "<span data-img-large=/img/lamp.jpg></span>",
    "opened": "<a href=/img/lamp.jpg><img src=/img/lamp_90x90.jpg></a>",
    "named by its link": "<a href='#' sourceimg=/img/lamp.jpg><img src=/img/lamp_60x60.jpg></a>",
    "no picture": '<img src=/img/logo.png data-rows="2/3" data-list="a.jpg, b.jpg" data-photo=/img/lamp.jpg>',
}


@pytest.mark.parametrize("html", ELEMENTS.values(), ids=ELEMENTS.keys())
def test_the_best_address_of_an_element(html):
    page = parse(html.encode(), "https://shop.example/p")
    element = next(one for one in page.root.iter("img", "div", "span"))

    assert shows(element)
    assert best(page, element) == BIG


def test_blanks_in_an_address_are_filled_with_the_largest_width():
    page = parse(
        b"<img data-src='/lamp_{width}x.jpg' data-widths='[180, 900, 360]'><img data-src='/b_{size}.jpg'>",
        "https://a.example/",
    )
    first, second = page.root.iter("img")

    assert best(page, first) == "https://a.example/lamp_900x.jpg"
    assert best(page, second) == "https://a.example/b_1024.jpg"


def test_what_no_product_looks_like():
    assert not any(
        map(is_picture, ("https://a.example/", "https://a.example/logo.png", "https://a.example/x.svg"))
    )
    assert not is_picture("https://a.example/energy-label.png")
    assert is_picture("https://a.example/energy-drink.png")


def test_sizes():
    assert sizes_of("https://a.example/w_50,h_60/lamp_300x400.jpg?width=70") == [300, 400, 50, 60, 70]
    assert is_small("https://a.example/lamp.jpg?w=80")
    assert not any(map(is_small, ("https://a.example/lamp.jpg", "https://a.example/lamp_80x900.jpg")))


def test_files_of_one_picture():
    assert stem("https://a.example/x/Lamp_300x300.jpg?v=1") == stem("https://b.example/y/lamp.webp") == "lamp"
    assert (
        folder("https://a.example/112/images/375/lamp.jpg")
        == folder("https://a.example/b/112/375/lamp_1.jpg")
        == "112/375"
    )


def test_sets_and_zooms():
    assert largest("/a.jpg 1x, /b.jpg 2x") == "/b.jpg"
    assert largest("") == ""
    page = parse(b"<img data-zoom-image=/a.jpg><img src=/a.jpg><a></a>", "https://a.example/")
    zoomed, plain, link = page.root.iter("img", "a")

    assert (is_zoomed(zoomed), is_zoomed(plain), shows(link)) == (True, False, False)
