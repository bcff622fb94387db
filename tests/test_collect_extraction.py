"""The front door: fields of whole pages of shops, whatever is done to them."""

from __future__ import annotations

import importlib
import sys
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import shelfwise.collect
from shelfwise.collect import extract
from shelfwise.collect.extraction import COLUMNS
from shelfwise.collect.rules import make_rules
from shelfwise.errors import MissingExtraError
from shop_pages import shop_pages

SEEN, HELD = shop_pages("seen"), shop_pages("held")
PRODUCTS = [page for page in SEEN + HELD if page.truth.get("kind") != "other"]
OTHERS = [page for page in SEEN + HELD if page.truth.get("kind") == "other"]
# What is known to be read wrongly, page and field; a cure makes the test say so.
KNOWN_WRONG = {("idosell_pl", "images")}  # the file that the picture opens, not the one shown


def same(one, other):
    return " ".join(str(one).split()).casefold() == " ".join(str(other).split()).casefold()


def wrong_fields(page, row):
    truth = page.truth
    right = {
        "title": same(row["title"], truth["title"]),
        "price": row["price"] is not None
        and Decimal(row["price"]) == Decimal(truth["price"].replace(",", "")),
        "currency": row["currency"] == truth["currency"],
        "brand": "brand" not in truth or same(row["brand"], truth["brand"]),
        "category_path": "path" not in truth or same(row["category_path"], " > ".join(truth["path"])),
        "images": row["images"][:1] == [truth["image"]],
        "language": row["language"] == truth["language"],
        "status": row["status"] == "ok",
    }
    return {name for name, good in right.items() if not good}


@pytest.mark.parametrize("page", PRODUCTS, ids=lambda page: page.name)
def test_fields_of_a_product_are_those_of_its_page(page):
    row = extract(page.html, page.url)

    assert wrong_fields(page, row) == {field for name, field in KNOWN_WRONG if name == page.name}
    assert "could not be read" not in (row["reason"] or "")


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
def test_pages_of_no_product_say_so(page):
    row = extract(page.html, page.url)

    assert row["status"] == ("ok" if (page.name, "status") in KNOWN_WRONG else "not a product")
    assert row["reason"] or row["status"] == "ok"


def plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(inner) for key, inner in value.items())
    return (
        all(plain(inner) for inner in value)
        if isinstance(value, list)
        else isinstance(value, str | int | float | None)
    )


@pytest.mark.parametrize("page", PRODUCTS[:5], ids=lambda page: page.name)
def test_rows_have_the_columns_of_the_catalogue_and_plain_values(page):
    row = extract(page.html, page.url)

    assert tuple(row) == COLUMNS
    assert plain(row)
    assert row["url"] == page.url
    assert row["fetched_at"] is None
    assert row["product_id"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise(junk):
    row = extract(junk, "https://shop.example/p")

    assert tuple(row) == COLUMNS


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PRODUCTS), st.data())
def test_no_damaged_page_raises_or_costs_more_than_its_field(page, data):
    html = bytearray(page.html)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(html) - 1))
        junk = data.draw(
            st.sampled_from([b"<", b'"', b"{", b"]]>", b"\x00", b"&amp;amp;", b"<div>" * 9, b"http://[", b""])
        )
        html[at : at + data.draw(st.integers(0, 40))] = junk
        html = html or bytearray(b"x")
    row = extract(bytes(html), page.url)

    assert tuple(row) == COLUMNS
    assert "could not be read" not in (row["reason"] or "")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
@example("http://[")
def test_no_address_raises(url):
    row = extract(b"<h1>Thing</h1><img src='//x/[y'><a href='http://[z'>", url)

    assert row["url"] == url
    assert "could not be read" not in (row["reason"] or "")


HOSTILE = {
    "deep": b"<div>" * 30_000 + b"<h1>x</h1>",
    "long text": b"<h1>Thing</h1><p>" + b"word 12,50 EUR " * 200_000,
    "digits": b"<h1>x</h1><p>" + b"1," * 500_000,
    "spaces": b"<title>" + b" " * 1_000_000 + b"x</title>",
    "entities": b"<h1>" + b"&amp;lt;" * 200_000 + b"</h1>",
    "open lists": b'<h1>Foo bar</h1><script type="application/ld+json">' + b"[" * 200_000 + b"</script>",
    "unfinished scripts": b"<h1>Foo bar</h1><script>"
    + b"dataLayer.push({'price': 'x', product: " * 5_000
    + b"</script>",
    "items": b"<div itemscope itemtype=http://schema.org/Product>" * 2_000
    + b"<span itemprop=name>x</span>" * 2_000,
    "names": b"<div itemscope itemtype=http://schema.org/Product>" + b"<span itemprop=name>x</span>" * 10_000,
    "sources": b"<h1>x</h1><img srcset='" + b"a.jpg 1w, " * 100_000 + b"'>",
    "rows": b"<h1>Thing</h1><ul>" + b"<li class=price><a href=/p/1>Foo</a> <b>12,50 EUR</b></li>" * 5_000,
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_pages_end(html):
    assert extract(html, "https://shop.example/p/1")["url"] == "https://shop.example/p/1"


def test_rules_win_and_those_that_find_nothing_are_named():
    html = b"<title>T</title><h1>Wrong</h1><p class=n>Right</p><p class=c>EUR 1.299,00</p><button>Add to cart</button>"
    rules = make_rules({"shop.example": {"title": ".n", "price": ".c", "brand": ".none"}}, "rules.toml")
    row = extract(html, "https://www.shop.example/p/1", rules)

    assert (row["title"], row["price"], row["currency"], row["status"]) == ("Right", "1299.00", "EUR", "ok")
    assert "rules.toml: brand: '.none' matches nothing here" in row["reason"]


def test_without_its_extra_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("shelfwise.collect.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxml", None)
    fresh = importlib.reload(shelfwise.collect)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[collect\]"):
        _ = fresh.extract
