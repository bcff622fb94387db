"""A shop's own selectors."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract, read_rules
from shelfwise.collect.rules import RulesError, make_rules

HTML = b"""<h1>Lamp</h1><p class=p>Price today: 1.299,00 EUR incl.</p><i class=b data-b=Lux></i><a class=g href=/1.jpg></a><a class=g href=/2.jpg></a>
<nav><a>Light</a><a>Table</a></nav><ul><li class=s>Power: 40 W</li></ul><button>Buy now</button>"""


def test_every_kind_of_rule(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(
        """
title = "h1"
["shop.example"]
price = { css = ".p", regex = 'today: (\\S+ \\S+)' }
brand = { css = ".b", attribute = "data-b" }
images = [".none img", "a.g::attr(href)"]
category_path = "nav a::text"
attributes = "li.s"
""",
        encoding="utf-8",
    )
    row = extract(HTML, "https://www.shop.example/p", read_rules(file))

    assert (row["title"], row["price"], row["currency"], row["brand"]) == ("Lamp", "1299.00", "EUR", "Lux")
    assert row["images"] == ["https://www.shop.example/1.jpg", "https://www.shop.example/2.jpg"]
    assert row["category_path"] == "Light > Table"
    assert row["attributes"] == {"Power": "40 W"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shop.example": {"titel": "h1"}}, "rules: shop.example: there is no field 'titel'"),
        ({"shop.example": {"title": "h1["}}, "rules: shop.example: title: 'h1\\[' is no CSS selector"),
        ({"title": {"css": "h1", "regex": "("}}, r"rules: title: '\(' is no regular expression"),
        ({"title": {"selector": "h1"}}, "rules: title: a rule is a selector, or a table"),
        ({"shop.example": "h1"}, "rules: shop.example: neither a field"),
        ({"title": []}, "rules: title: has no selector"),
        ([], "rules: has to map hosts to fields"),
    ],
)
def test_mistakes_name_host_and_field(data, message):
    with pytest.raises(RulesError, match=message):
        make_rules(data)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("= 1", encoding="utf-8")
    with pytest.raises(RulesError, match="is not TOML"):
        read_rules(tmp_path / "bad.toml")
