"""Breadcrumbs as pages show and state them."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract

TAIL = "<h1>Red Lamp 40 W</h1><p class=price>69,00 €</p><button>In den Warenkorb</button>"
WAYS = {
    "list": "<ul class=breadcrumb><li><a href=/>Home</a><li><a href=/l>Lamps</a><li><a href=/l/t>Table</a><li>Red Lamp 40 W</ul>",
    "separators": "<div class=crumbs><a href=/>Start</a> &gt; <a href=/l>Lamps</a> &gt; <a href=/l/t>Table</a> &gt; Red Lamp 40 W</div>",
    "by hand": "<font><a href=/>Home</a> » <a href=/l>Lamps</a> » <a href=/l/t>Table</a></font>",
    "label": "<nav aria-label=Brotkrumen><ol><li><a href=/><svg></svg></a></li><li><a href=/l>Lamps</a></li><li><a href=/l/t>Table</a></li></ol></nav>",
    "no names": "<ul class=sc-x1><li><a href=/>Home</a></li><li><a href=/l>Lamps</a></li><li><a href=/l/t>Table</a></li></ul>",
    "microdata": "<p itemscope itemtype=https://schema.org/BreadcrumbList><span itemprop=itemListElement itemscope><a itemprop=item href=/l>"
    "<b itemprop=name>Lamps</b></a></span> / <span itemprop=itemListElement itemscope><a href=/l/t><b itemprop=name>Table</b></a></span></p>",
    "dropdown": "<div class=breadcrumbs><div><a href=/>Home</a></div><div><a href=/l>Lamps</a><div class=dropdown><a href=/c>Chairs</a></div></div>"
    "<div><a href=/l/t>Table</a></div></div>",
    "signs of a font": "<nav aria-label=breadcrumb><a href=/>Home</a><i class=material-icons>chevron_right</i><a href=/l>Lamps</a>"
    "<span class='material-symbols-outlined sm'>chevron_right</span><a href=/l/t>Table</a></nav>",
    "stated": '<script type="application/ld+json">{"@type": "BreadcrumbList", "itemListElement": [{"position": 3, "name": "Red Lamp 40 W"},'
    '{"position": 2, "item": {"@id": "/t", "name": "Table"}}, {"position": 1, "name": "Lamps"}]}</script>',
}  # fmt: skip


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_ways_to_show_a_path(html):
    assert (
        extract(f"{html}{TAIL}".encode(), "https://shop.example/l/t/red")["category_path"] == "Lamps > Table"
    )


def test_menus_and_footers_are_no_paths():
    html = f"<nav><ul><li><a href=/>Home</a><li><a href=/about>About</a></ul></nav>{TAIL}<footer><a href=/>Home</a> | <a href=/i>Imprint</a></footer>"

    assert extract(html.encode(), "https://shop.example/p")["category_path"] is None


def test_what_is_shown_wins_over_what_is_stated():
    stated = WAYS["stated"].replace("Lamps", "Offers")

    assert (
        extract(f"{stated}{WAYS['list']}{TAIL}".encode(), "https://shop.example/p")["category_path"]
        == "Lamps > Table"
    )


def test_a_number_in_an_element_called_so_is_no_path():
    html = f"<ul><li class=home><a href=/>Home</a></li><li>Red Lamp 40 W</li><li class=breadcrumbs-sku>SKU: <b>31</b></li></ul>{TAIL}"

    assert extract(html.encode(), "https://shop.example/p")["category_path"] is None


def test_a_box_called_path_without_home():
    html = f"<div class=path><a href=/c>Lamps</a><i> / </i><a href=/c/t>Table</a><i> / </i></div>{TAIL}"

    assert extract(html.encode(), "https://shop.example/p")["category_path"] == "Lamps > Table"
