"""What is told of an unknown shop, and of rules that match nothing."""

import pytest

from shelfwise.collect.first_look import first_look, rules_in_vain
from shelfwise.collect.frontier import Frontier
from shelfwise.collect.rules import make_rules


@pytest.fixture
def frontier(tmp_path):
    made = Frontier(tmp_path / "x.crawl")
    yield made
    made.close()


def keep(frontier, number, **more):
    row = {
        "product_id": str(number), "url": f"https://a.example/p/{number}", "title": f"Lamp {number}",
        "price": "9.90", "currency": "EUR", "reason": None, **more,
    }  # fmt: skip
    frontier.products.keep(row, row["url"], number, (1, 0.0))


def test_what_was_found_and_what_is_missing_with_examples(frontier):
    for number in range(10):
        keep(frontier, number, brand="Nork" if number < 3 else None, category_path="Light > Lamps")

    lines = first_look(frontier, 14).splitlines()

    assert lines[0].startswith(
        "The first 10 products (14 pages) have: title 10, price 10, brand 3, category_path 10"
    )
    assert lines[1] == "  Lamp 0 | 9.90 EUR | Light > Lamps"
    assert "Mostly missing: brand, images, description; selectors" in lines[4]
    assert "Going on" in lines[-1]


def test_no_product_on_many_pages_is_told(frontier):
    assert "--browser always" in first_look(frontier, 50)


def test_rules_in_vain_are_counted_with_an_example(frontier):
    vain = "my rules.toml: brand: '.maker' or '.b' matches nothing here"
    for number in range(3):
        other = "; my rules.toml: title: 'h1.x' matches nothing here" if number == 2 else ""
        keep(
            frontier,
            number,
            reason=None if number == 0 else f"price: '9' by the rules is no amount; {vain}{other}",
        )

    found = rules_in_vain(frontier.products.first(10))

    assert [(one.rule, one.pages, one.example[-3:]) for one in found] == [
        ("my rules.toml: brand: '.maker' or '.b'", 2, "p/1"),
        ("my rules.toml: title: 'h1.x'", 1, "p/2"),
    ]
    text = first_look(frontier, 3, make_rules({"default": {"brand": ".maker"}}))
    assert (
        "brand: '.maker' or '.b' matches nothing on 2 of 3 products, such as https://a.example/p/1." in text
    )
    assert "look at --rules" in text
