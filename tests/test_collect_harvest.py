"""From an answer to a product."""

import pytest

from shelfwise.collect import extract
from shelfwise.collect.harvest import Harvest, harvest, identity, in_vain, wants_browser
from shelfwise.collect.links import Sight, look
from shelfwise.collect.web import Answer
from shop_pages import shop_pages

URL = "https://a.example/p/lamp-1"
LD = (
    '<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Product", "name": "Lamp", '
    '"sku": "A1", "brand": {"name": "Nork"}, "description": "A lamp.", '
    '"offers": {"price": "9.90", "priceCurrency": "EUR"}}</script>'
)


def read(body, kind="text/html", url=URL, **headers):
    listed = (("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in headers.items()))
    return harvest(Answer(200, listed, body.encode()), url, None)


def test_a_product_is_read_and_known_by_its_canonical_address():
    found = read(f'<link rel="canonical" href="/p/lamp">{LD}<h1>Lamp</h1>')

    assert found.reason is None
    assert (found.row["product_id"], found.row["price"], found.row["url"]) == (
        "A1",
        "9.90",
        "https://a.example/p/lamp",
    )


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (f'<meta name="robots" content="noindex">{LD}<h1>Lamp</h1>', {}, "noindex"),
        (f"{LD}<h1>Lamp</h1>", {"TDM_Reservation": "1"}, "tdm_reserved"),
        ("", {}, "empty"),
        ("<h1>Page not found</h1><p>We could not find what you were looking for", {}, "soft_404"),
    ],
)
def test_why_there_is_no_product_is_a_code(body, headers, code):
    found = read(body, **headers)

    assert found.row is None
    assert found.reason == code


def test_other_kinds_of_answers():
    assert read("%PDF", "application/pdf").reason == "not_html"
    assert read('{"next": "/api/2"}', "application/json").sight.links[0].url == "https://a.example/api/2"


def test_later_pages_of_lists_and_short_lists_are_no_products():
    assert read(f"{LD}<h1>Lamp</h1>", url="https://a.example/c/?page=2").reason == "list"
    assert read("<h1>Books</h1><ul><li><a href='/p/1'>One</a> <span>9.90 €</span></ul>").row is None


@pytest.mark.parametrize(
    ("canonical", "told"),
    [
        (None, URL),
        ("https://a.example/", URL),
        ("https://b.example/p/lamp", URL),
        ("https://www.a.example/p/lamp", "https://www.a.example/p/lamp"),
    ],
)
def test_a_canonical_address_that_cannot_be_is_not_believed(canonical, told):
    assert identity(canonical, URL) == told


def test_a_browser_is_for_pages_that_a_script_has_to_fill():
    hollow = Sight(hollow=True)

    assert wants_browser(Harvest(None, "no_product", hollow))
    assert not wants_browser(Harvest(None, "list", hollow))
    assert not wants_browser(Harvest(None, "no_product", Sight()))
    assert not wants_browser(Harvest({"title": "x"}, None, hollow))
    assert in_vain({"tried": 5, "helped": 0})
    assert not in_vain({"tried": 50, "helped": 1})


@pytest.mark.parametrize("shop_page", shop_pages("seen")[:6], ids=lambda one: one.name)
def test_reading_links_first_changes_nothing_of_the_product(shop_page):
    answer = Answer(200, (("Content-Type", "text/html"),), shop_page.html)
    found = harvest(answer, shop_page.url, None)
    row = extract(shop_page.html, shop_page.url)

    assert found.sight == look(shop_page.html, shop_page.url, {})
    assert {**found.row, "url": row["url"]} == row


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("text/html; charset=windows-1250", "Lampă 1"),
        ('text/html;charset="Windows-1250"', "Lampă 1"),
        ("text/html", "Lampã 1"),
    ],
)
def test_the_servers_word_on_the_charset_is_heard(kind, title):
    page = f"<h1>Lampă 1</h1>{LD}<p class=price>9,90 EUR</p>".replace('"Lamp"', '"Lampă 1"')
    answer = Answer(200, (("Content-Type", kind),), page.encode("windows-1250"))

    assert harvest(answer, URL, None).row["title"] == title
