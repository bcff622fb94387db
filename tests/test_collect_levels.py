"""From steps to levels."""

from __future__ import annotations

import pytest

from shelfwise.collect.levels import Crumb, levels_of, path_from_names, path_from_text
from shelfwise.collect.page import parse

PAGE = parse(b"", "https://www.shop.example/de/p/1")


@pytest.mark.parametrize(
    "home",
    [
        "Home",
        "Startseite",
        "Главная",
        "ホーム",
        "الرئيسية",
        "Strona główna",
        "Ana Sayfa",
        "Shop",
        "Trang chủ",
    ],
)
def test_home_is_no_level(home):
    assert levels_of(PAGE, [Crumb(home, "/de/"), Crumb("A", "/a"), Crumb("B", "/b")], [], []) == ["A", "B"]


def test_labels_ways_back_and_doubles_are_no_levels():
    steps = [
        Crumb("You are here:"),
        Crumb("Back to Lamps", "/l"),
        Crumb("A", "/a"),
        Crumb("A", "/a"),
        Crumb("B (12)", "/b"),
    ]

    assert levels_of(PAGE, steps, [], []) == ["A", "B"]


@pytest.mark.parametrize("last", ["Red Lamp", "red lamp!", "Red La…"])
def test_the_product_is_no_level(last):
    assert levels_of(PAGE, [Crumb("Lamps", "/l"), Crumb(last)], ["Red Lamp"], []) == ["Lamps"]


def test_a_category_that_begins_the_title_stays():
    assert levels_of(PAGE, [Crumb("Lamps", "/l"), Crumb("Red", "/l/r")], ["Red Lamp 40 W"], []) == [
        "Lamps",
        "Red",
    ]


def test_paths_from_texts_and_names():
    assert path_from_text(PAGE, "Home > Lamps & Light > Table", [], []) == ["Lamps & Light", "Table"]
    assert path_from_text(PAGE, "Lamps/Table", [], []) == ["Lamps", "Table"]
    assert path_from_names(PAGE, ["Lamps", "Red Lamp"], ["Red Lamp"], []) == ["Lamps"]


def test_a_step_that_differs_from_the_page_in_its_query_is_not_the_product():
    page = parse(b"<html></html>", "https://shop.example/app/de/?Path=/Products/L")

    assert levels_of(page, [Crumb("Lamps", "?Path=/Lamps")], ["Red Lamp"], []) == ["Lamps"]
    assert levels_of(page, [Crumb("Lamps", "/l"), Crumb("R. L.", "?Path=/Products/L")], ["Red Lamp"], []) == [
        "Lamps"
    ]


def test_labels_have_no_link_and_the_product_may_carry_its_maker():
    page = parse(b"<html></html>", "https://shop.example/p/1")
    steps = [Crumb("Categories", "/c"), Crumb("Lamps", "/l"), Crumb("Lumo Lighting LX-2803 ADW")]

    assert levels_of(page, steps, ["LX-2803"], []) == ["Categories", "Lamps"]
    assert levels_of(page, [Crumb("Categories"), Crumb("Lamps", "/l")], ["Red"], []) == ["Lamps"]


def test_a_shop_named_after_a_category_keeps_it():
    page = parse(b"<html></html>", "https://lampen.example/p/1")

    assert levels_of(page, [Crumb("Lampen für innen", "/innen"), Crumb("Tisch", "/t")], [], ["Lampen"]) == [
        "Lampen für innen",
        "Tisch",
    ]
    assert levels_of(page, [Crumb("Lampen Shop"), Crumb("Tisch", "/t")], [], ["Lampen"]) == ["Tisch"]


def test_what_stands_behind_the_product_is_no_level():
    page = parse(b"<html></html>", "https://shop.example/p/1")
    steps = [Crumb("Home", "/"), Crumb("Lamps", "/l"), Crumb("Red Lamp"), Crumb("SKU"), Crumb("4711")]

    assert levels_of(page, steps, ["Red Lamp"], []) == ["Lamps"]


def test_a_category_may_be_called_home_where_home_came_before():
    page = parse(b"<html></html>", "https://shop.example/p/1")
    steps = [Crumb("Home", "/"), Crumb("Home", "/c/home-living"), Crumb("Lamps", "/l")]

    assert levels_of(page, steps, ["Red Lamp"], []) == ["Home", "Lamps"]


def test_a_department_that_is_called_home_is_a_level():
    below = [Crumb("Home", "/c/home"), Crumb("Cushions", "/c/home/cushions")]

    assert levels_of(PAGE, below, [], []) == ["Home", "Cushions"]
    assert levels_of(PAGE, [Crumb("Home", "/"), *below], [], []) == ["Home", "Cushions"]
    assert levels_of(PAGE, [Crumb("Home", "/de/home"), Crumb("Cushions", "/de/cushions")], [], []) == [
        "Cushions"
    ]
