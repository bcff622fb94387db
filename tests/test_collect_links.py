"""What a page says to a crawler."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect.links import Link, look, look_at_data

URL = "https://a.example/c/hats/"


def seen(text, **headers):
    return look(text.encode(), URL, {name.replace("_", "-"): value for name, value in headers.items()})


def test_links_with_paging_and_buttons_that_load_more():
    sight = seen(
        '<base href="/de/"><a href="p/1">one</a> <a href="p/1#x">again</a> <a rel="next" href="?seite=2">next</a>'
        '<a rel="nofollow" href="/x">x</a> <button data-next="/api/more?start=24">more</button><a href="//[broken">b</a>'
    )

    assert sight.links == (
        Link("https://a.example/de/p/1"),
        Link("https://a.example/de/?seite=2", paging=True),
        Link("https://a.example/x", weak=True),
        Link("https://a.example/api/more?start=24", paging=True),
    )


def test_the_canonical_address_stands_in_the_page_or_in_a_header():
    page = '<link rel="canonical" href="/p/7?utm_source=x">'

    assert seen(page).canonical == "https://a.example/p/7"
    assert seen("<p>x", link='<https://a.example/p/8>; rel="canonical"').canonical == "https://a.example/p/8"
    assert seen("<p>x").canonical is None


@pytest.mark.parametrize(
    ("page", "headers", "told"),
    [
        ('<meta name="robots" content="NOINDEX, follow">', {}, "noindex"),
        ('<meta name="tdm-reservation" content="1">', {}, "tdm_reserved"),
        ("<p>x", {"x_robots_tag": "noai"}, "noindex"),
        ("<p>x", {"x_robots_tag": "otherbot: noindex"}, None),
        ("<p>x", {"x_robots_tag": "shelfwise: noindex"}, "noindex"),
        ("<p>x", {"tdm_reservation": "1"}, "tdm_reserved"),
        ("<p>x", {"tdm_reservation": "0", "x_robots_tag": "max-snippet:20"}, None),
        ('<meta name="robots" content="index">', {}, None),
    ],
)
def test_opting_out_is_seen(page, headers, told):
    assert seen(page, **headers).opt_out == told


def test_nofollow_is_seen():
    assert not seen('<meta name="robots" content="nofollow"><a href="/x">').follow
    assert seen("<a href='/x'>").follow


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ('<div id="root"></div><script>go()</script>', True),
        (
            '<div data-product="/api/1">Loading …</div><script>go()</script><a href="/">Some other product</a>',
            True,
        ),
        ('<div id="root"></div>', False),
        ('<div id="root">A lamp</div><script>go()</script>', False),
        (f'<div id="ad"></div><script>go()</script><p>{"word " * 100}</p>', False),
    ],
)
def test_pages_that_a_script_has_to_fill(page, told):
    assert seen(page).hollow is told


def test_lists_that_are_json():
    data = b'{"items": [{"link": "/p/1", "label": "a/b c", "shot": "/x.jpg"}], "next": "/api/more?start=48"}'

    links = set(look_at_data(data, URL).links)

    assert links == {Link("https://a.example/p/1"), Link("https://a.example/api/more?start=48", paging=True)}
    assert look_at_data(b"{", URL).links == ()


@given(st.binary(max_size=300))
def test_nothing_breaks_on_bytes(data):
    look(data, URL, {})
    look_at_data(data, URL)
