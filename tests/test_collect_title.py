"""What the product is called."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.title import choose_title, find_heading, shop_names, without_shop


@pytest.mark.parametrize(
    "text",
    [
        "Red Lamp | Bright Shop", "Bright Shop - Red Lamp", "Red Lamp – BrightShop.com", "Red Lamp, Bright Shop",
        "Bright Shop: Red Lamp", "Red Lamp - bright-shop.example",
    ],
)  # fmt: skip
def test_the_shop_is_taken_off(text):
    assert without_shop(text, ["Bright Shop", "bright-shop.example"]) == "Red Lamp"


def test_a_name_with_separators_stays():
    assert without_shop("Lamp - 40 W - red", ["Bright Shop"]) == "Lamp - 40 W - red"
    assert without_shop("Bright Shop", ["Bright Shop"]) == "Bright Shop"


def read(html, named=()):
    page = parse(html.encode(), "https://www.bright.example/p")
    shops = shop_names(page, [])
    heading = find_heading(page, list(named), shops)
    return choose_title(heading, list(named), page, shops)


def test_the_logo_in_a_heading_is_not_the_product():
    assert (
        read("<title>Red Lamp | Bright</title><h1><a href=/>Bright</a></h1><h2>Red Lamp</h2>") == "Red Lamp"
    )


def test_brand_and_number_inside_the_heading_are_left_out():
    html = "<title>Red Lamp</title><h1><span class=brand>Lux</span> Red Lamp <small class=sku>No. 12</small></h1>"

    assert read(html, ["Red Lamp"]) == "Red Lamp"


def test_pages_without_headings():
    assert read("<title>Bright - Red Lamp</title><font size=5><b>Red Lamp</b></font>") == "Red Lamp"
    assert read("<title>Red Lamp</title>") == "Red Lamp"
    assert read("") == ""


def test_names_of_shops():
    page = parse(
        '<img class=logo alt="Bright Logo"><p>© 2026 Bright Lights GmbH</p>'.encode(),
        "https://www.bright.example/",
    )

    assert {"Bright", "Bright Lights", "bright"} <= set(shop_names(page, []))


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("Buy Red Lamp 40 W Online at Best Price | Lampenwelt", "Red Lamp 40 W"),
        ("Red Lamp 40 W günstig online kaufen | Lampenwelt", "Red Lamp 40 W"),
        ("Лампа 40 Вт купить в Москве, цена 500 руб. | Lampenwelt", "Лампа 40 Вт"),
        ("Lampes :: De table :: Red Lamp 40 W", "Red Lamp 40 W"),
        ("Red Lamp - 40 W", "Red Lamp - 40 W"),
        ("Buy Lampenwelt", "Buy Lampenwelt"),
    ],
)
def test_a_title_alone_is_freed_of_selling_and_categories(tag, name):
    html = f"<title>{tag}</title><p class=price>69,00 €</p><button>In den Warenkorb</button>"

    assert extract(html.encode(), "https://www.lampenwelt.example/red-lamp-40-w.html")["title"] == name


def test_hand_written_pages_name_the_product_in_large_type():
    html = """<table><tr><td><a href=index.php>Home</a></td></tr><tr><td><b>New: </b><b><font size=4>Red Lamp 40 W</font></b><br>
        <img src=red.jpg><br>Price: <b>$69.00</b><form><input type=submit value="Add to Cart"></form></td></tr></table>"""

    row = extract(html.encode(), "http://shop.example/p.php?id=3")

    assert (row["title"], row["price"], row["status"]) == ("Red Lamp 40 W", "69.00", "ok")


def test_brackets_of_east_asia_stay_unless_they_hold_the_shop():
    assert without_shop("【正規品】赤いランプ 40W", ["灯り屋"]) == "【正規品】赤いランプ 40W"
    assert without_shop("赤いランプ【箱なし】", ["灯り屋"]) == "赤いランプ【箱なし】"
    assert without_shop("【灯り屋】赤いランプ 40W", ["灯り屋"]) == "赤いランプ 40W"


def test_words_of_two_elements_are_parted_as_other_sources_part_them():
    html = "<title>LUMO Red lamp, 40 W | Bright</title><h1><span>LUMO</span><span>Red lamp, 40 W</span></h1>"

    assert read(html) == "LUMO Red lamp, 40 W"


def test_a_brand_in_the_heading_is_left_out_where_structured_data_has_the_name_without_it():
    html = "<title>Red Lamp Lux</title><h1>Red Lamp <span class=brand>Lux</span></h1>"

    assert read(html, ["Red Lamp", "Red Lamp Lux"]) == "Red Lamp"
