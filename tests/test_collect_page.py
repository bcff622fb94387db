"""A parsed page."""

from __future__ import annotations

import pytest

from shelfwise.collect.page import figures_of, is_cents, page_of, parse, small, text_of, tree_of

URL = "https://shop.example/de/p/1?x=1"


def page(html):
    return parse(html.encode(), URL)


def test_scripts_styles_and_drawings_are_kept_out_of_the_text():
    found = page("<body><p>One<script>x</script><style>y</style><svg><title>z</title></svg> two</p>")

    assert text_of(found.body) == "One two"
    assert [script.text for script in found.scripts] == ["x"]


def test_blocks_do_not_run_together_and_inline_elements_do():
    assert text_of(page("<div>A</div><div>B<b>C</b></div>").body) == "A BC"


def test_cents_in_small_type_are_decimals():
    assert figures_of(page("<p>12<sup>99</sup> €</p>").body).strip() == "12.99 €"
    assert figures_of(page("<p>12,<sup>99</sup> €</p>").body).strip() == "12,99 €"
    assert figures_of(page("<p>12\n <sup>99 €</sup></p>").body).strip() == "12.99 €"
    cents = page("<sup>1</sup><i class=price-cents>2</i><b class=price>3</b>").body
    assert [is_cents(element) for element in cents] == [True, True, False]


def test_addresses():
    found = page(
        '<base href="https://cdn.example/x/"><link rel=canonical href="https://shop.example/de/p/1">'
    )

    assert found.absolute("a b.jpg") == "https://cdn.example/x/a%20b.jpg"
    assert found.absolute("//y.example/z") == "https://y.example/z"
    assert [found.absolute(bad) for bad in ("data:x", "javascript:1", "http://[", "", None)] == [""] * 5
    assert found.leads_here("https://www.shop.example/de/p/1/")
    assert not found.leads_here("https://shop.example/de/p/2")


def test_meta_tags_and_empty_pages():
    found = page('<meta property="og:title" content="A &amp;amp; B"><meta name=x>')

    assert found.said("og:title", "none") == ["A & B"]
    assert parse(b"", URL).title_tag == ""
    assert small(found.body, 500)
    assert not small(page("<p></p>" * 9).body, 3)


@pytest.mark.parametrize("tag", ["p", "span", "sup", "td"])
@pytest.mark.parametrize("longest", [0, 3, 4, 5, 100])
def test_an_element_alone_shows_what_it_does_with_an_empty_one_in_it(tag, longest):
    alone = page(f"<table><tr><td><{tag}>1234</{tag}></table>").root
    holding = page(f"<table><tr><td><{tag}>1234<i></i></{tag}></table>").root
    one, other = (
        next(iter(root.iter(tag))) if tag != "td" else list(root.iter("td"))[-1] for root in (alone, holding)
    )

    assert text_of(one, longest) == text_of(other, longest)
    assert figures_of(one, longest) == figures_of(other, longest)


def test_elements_that_carry_structured_data_are_known_in_their_order():
    found = page(
        "<p id=a itemprop=x><p id=b><p id=c itemscope><p id=d itemprop=y itemscope><a id=e rel=up>x</a>"
    )

    assert [one.get("id") for one in found.carriers("itemprop", "itemscope")] == ["a", "c", "d"]
    assert [one.get("id") for one in found.carriers("property", "rel", "typeof")] == ["e"]
    assert found.marks(found.carriers("itemscope")[0]) == "c"


def test_a_page_is_made_of_a_tree_that_was_looked_at_before():
    html = b"<title>A</title><script>x</script><h1>B</h1>"
    root = tree_of(html, URL)

    assert next(root.iter("script")).text == "x"
    assert page_of(root, URL).title_tag == parse(html, URL).title_tag
    assert next(root.iter("script"), None) is None
