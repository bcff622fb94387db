"""Ways that no name tells, and menus that look like them."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.way_home import filed, runs, ways_from_home

URL = "https://shop.example/p/red-lamp"
TAIL = "<h1>Red Lamp 40 W</h1><p class=price>69,00 €</p><button>In den Warenkorb</button>"
STEP = "itemscope itemtype=http://data-vocabulary.org/Breadcrumb"
WAYS = {
    "arrows, nothing behind": "<b>&nbsp; <a href=/>Home</a> &gt; <a href=/c/1>Lamps</a> &gt; <a href=/c/2>Table</a> &gt; </b>",
    "arrows in elements": "<p><a href=/shop>Úvod</a><i class=arrow>»</i><a href=/x>Lamps</a><i>»</i><a href=/y>Table</a><i>»</i><b>Red Lamp 40 W</b></p>",
    "empty elements called arrows": "<div><a href=/>Home</a><i class='icon-chevron-right'></i><a href=/x>Lamps</a><i class='icon-chevron-right'></i>"
    "<a href=/y>Table</a></div>",
    "slashes and the product": "<ul><li><a href=/>Главная</a> <span> / </span></li><li><a href=/x>Lamps</a><span> / </span></li>"
    "<li><a href=/y>Table</a></li><li><span> / </span> Red Lamp 40 W</li></ul>",
    "cells of a table": "<table><tr><td><font>現在的位置：</font><font><a href=/>首頁</a></font> → <font><a href=/x>Lamps</a></font> → "
    "<font><a href=/y>Table</a></font> → Red Lamp 40 W</td></tr></table>",
    "the shop's name for home": "<ul><li><a href=/>Lampenwelt</a></li><li>&gt;</li><li><a href=/l>Lamps</a></li><li>&gt;</li><li><a href=/l/t>Table</a></li></ul>",
    "steps of the older vocabulary": f"<div><span {STEP}><a href=/x><b itemprop=title>Lamps</b></a></span> <span {STEP}><a href=/y><b itemprop=title>"
    f"Table</b></a></span> <span {STEP}><b itemprop=title>Red Lamp 40 W</b></span></div>",
    "steps inside one another": f"<span {STEP}><a href=/>Home</a> // <span {STEP}><a href=/x>Lamps</a> // <span {STEP}><a href=/y>Table</a> // "
    f"<span {STEP}>Red Lamp 40 W</span></span></span></span>",
    "a named box with arrows": "<div class=breadcrumbs><a href=/>Home</a>&gt;<a href=/x>Lamps</a>&gt;<a href=/y>Table</a></div>",
    "a misspelled name": "<p class=breacrumb><a href=/>Home</a> <a href=/x>Lamps</a> <a href=/y>Table</a></p>",
}  # fmt: skip
NO_WAYS = {
    "logo and menu": "<div id=top><a href=/><img src=/logo.png alt=Lampenwelt></a><ul><li><a href=/a>New</a></li><li><a href=/b>Sale</a></li></ul></div>",
    "menu with home": "<div class=menu><a href=/>Home</a> <a href=/a>Shop</a> <a href=/b>Contact</a></div>",
    "menu with pipes": "<div><div id=nav1><a href=/>Home</a> | <a href=/a>Shop</a> | <a href=/b>Contact</a></div></div>",
}


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_ways_without_a_name_are_found_beside_a_menu(html):
    page = f"<title>Red Lamp 40 W</title>{NO_WAYS['logo and menu']}{html}{TAIL}"

    assert extract(page.encode(), URL)["category_path"] == "Lamps > Table"


@pytest.mark.parametrize("html", NO_WAYS.values(), ids=NO_WAYS.keys())
def test_menus_are_no_ways(html):
    page = f"<title>Red Lamp 40 W</title>{html}{TAIL}"

    assert extract(page.encode(), URL)["category_path"] is None


def test_a_way_that_leads_from_home_to_the_product_has_no_levels():
    page = f"<ul><li><a href=/>Home</a></li><li>Red Lamp 40 W</li></ul>{TAIL}"

    assert extract(page.encode(), URL)["category_path"] is None


def test_the_surest_way_is_that_which_ends_with_the_product():
    page = parse(
        b"<p><a href=/>Home</a> / <a href=/x>Lamps</a> / Red Lamp</p><i><a href=/>Home</a> > <a href=/y>Y</a></i>",
        URL,
    )

    found = [(box.tag, weight) for box, weight in ways_from_home(page, ["Red Lamp"], None)]

    assert [tag for tag, _ in found] == ["p", "i"]
    assert found[0][1] > found[1][1]


def test_runs_end_at_the_product_and_leave_out_the_foot():
    way = "<a href=/x>Lamps</a> » <a href=/y>Table</a> » <a href=/z>Desk</a>"
    page = parse(f"<td>{way} » Red Lamp</td><footer>{way}</footer>".encode(), URL)

    found = list(runs(page, None))

    assert [[step.text for step in run] for run in found] == [["Lamps", "Table", "Desk", "Red Lamp"]]


def test_like_boxes_side_by_side_that_end_with_the_product():
    steps = [("/", "Home"), ("/x", "Lamps"), ("/y", "Table"), (URL, "Red Lamp 40 W")]
    boxes = "".join(f"<div class=q1><a href={way}>{text}</a></div>" for way, text in steps)
    others = boxes.replace(URL, "/z").replace("Red Lamp 40 W", "Sale")

    assert extract(f"<div>{boxes}{TAIL}</div>".encode(), URL)["category_path"] == "Lamps > Table"
    assert extract(f"<div>{others}{TAIL}</div>".encode(), URL)["category_path"] is None


FILED = """<div class=product-category>関連カテゴリ<ul><li><a href=/1>Lamps</a> <span>＞</span> <a href=/2>Table</a></li>
    <li><a href=/3>Gifts</a> <span>＞</span> <a href=/4>Red</a></li></ul></div>"""


def test_the_shelf_that_a_product_is_on_counts_where_nothing_leads_to_it():
    crumbs = "<ul class=breadcrumb><li><a href=/>Home</a><li><a href=/s>Shelves</a><li>Red Lamp 40 W</ul>"

    assert extract(f"{TAIL}{FILED}".encode(), URL)["category_path"] == "Lamps > Table"
    assert extract(f"{crumbs}{TAIL}{FILED}".encode(), URL)["category_path"] == "Shelves"
    assert (
        extract(
            f"{TAIL}<p class=category>Category: <a href=/1>Lamps</a> &gt; <a href=/2>Table</a></p>".encode(),
            URL,
        )["category_path"]
        == "Lamps > Table"
    )


def test_lists_of_categories_are_no_shelf():
    page = parse(
        b"<ul class=categories><li><a href=/a>A</a><li><a href=/b>B</a></ul><p class=category><a href=/a>A</a>, <a href=/b>B</a>",
        URL,
    )

    assert not list(filed(page))
