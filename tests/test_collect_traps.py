"""Addresses: one spelling, shapes, and what is not worth a request."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect.traps import (
    PAGING,
    _spelling,
    absolute,
    filters,
    host_of,
    is_paging,
    same_site,
    shape,
    why_not,
)

BASE = "https://Shop.example/c/shoes/"


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("/p/a?utm_source=x&b=2&a=1&gclid=3#top", "https://shop.example/p/a?a=1&b=2"),
        ("?page=2", "https://shop.example/c/shoes/?page=2"),
        ("//shop.example:443/p", "https://shop.example/p"),
        ("http://shop.example:80", "http://shop.example/"),
        ("/p/a;jsessionid=8AF3?x=1", "https://shop.example/p/a?x=1"),
        ("https://münchen.example/ö", "https://xn--mnchen-3ya.example/%C3%B6"),
        ("/p/\na", "https://shop.example/p/a"),
        *(
            (bad, None)
            for bad in ("#a", "mailto:a@b", "javascript:x()", "//[broken", "ftp://a/b", "", "https://u:p@a/")
        ),
    ],
)
def test_links_have_one_spelling(link, told):
    assert absolute(link, BASE) == told


@given(st.text(max_size=60))
def test_a_spelling_is_that_of_itself_and_nothing_breaks(text):
    led = absolute(text, BASE)

    if led is not None:
        assert absolute(led, "https://elsewhere.example/") == led
        assert shape(led)
        why_not(led)


def test_shapes_are_what_endless_addresses_have_in_common():
    assert shape("https://a.example/x/deep/1") == shape("https://a.example/x/deep/999")
    assert shape("https://a.example/s/0f3a9b21/p/red-boot-7") == shape(
        "https://a.example/s/1c9d8e77/p/blue-hat-9"
    )
    assert shape("https://a.example/c/hats/?colour=red&size=s") == shape(
        "https://a.example/c/boots/?size=m&colour=x"
    )
    assert shape("https://a.example/c/hats/x") != shape("https://a.example/c/boots/x")
    assert shape("https://a.example/p/x") != shape("https://b.example/p/x")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://a.example/c/?sort=price", "sorting"),
        ("https://a.example/c/?a=1&b=2&c=3", "filters"),
        ("https://a.example/manual.PDF", "file"),
        ("https://a.example/de/cart", "aside"),
        ("https://a.example/a/b/a/b/a/b", "too_deep"),
        ("https://a.example/p/cartridge-12?page=3", None),
    ],
)
def test_what_is_not_worth_a_request(url, told):
    assert why_not(url) == told


def test_later_pages_are_known():
    assert is_paging("https://a.example/c/?page=2")
    assert is_paging("https://a.example/c/page/2/")
    assert not is_paging("https://a.example/c/?page=2&colour=red")
    assert not is_paging("https://a.example/c/")
    assert filters("https://a.example/c/?page=2&colour=red") == 1


def test_a_shop_is_itself_with_and_without_www():
    assert host_of("https://www.a.example:8443/x") == "www.a.example:8443"
    assert same_site("www.a.example", "a.example")
    assert not same_site("b.a.example", "a.example")


@given(
    st.text("/:?#&=.;@ab1 \n\thttps", max_size=30),
    st.sampled_from(["", "/", "//", "http://", "https://a.example/", " /"]),
    st.sampled_from([BASE, "http://b.example:8080/x/y?z=1", "https://[::1]/a", ""]),
)
def test_what_is_remembered_of_a_link_is_what_it_leads_to(text, before, base):
    link = before + text

    assert absolute(link, base) == _spelling(link, base)
    assert absolute(link, base) == _spelling(link, base)


def test_long_links_are_not_remembered():
    long = "https://a.example/" + "x" * 400

    assert absolute(long, BASE) == long
    assert (is_paging(f"{long}?page=2"), filters(f"{long}?a=1&b=2"), why_not(f"{long}?sort=a")) == (
        True, 2, "sorting",
    )  # fmt: skip


@given(st.text(st.sampled_from("abAB09/?&=#;:.%-_pageé "), max_size=30))
def test_an_address_is_taken_apart_as_the_library_does(link):
    url = absolute(link, BASE)
    if url is None:
        return
    parts = urlsplit(url)
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}

    assert host_of(url) == host_of(f"{url}#top") == parts.netloc
    assert shape(url).startswith(parts.netloc)
    assert (filters(url) > 0) == bool(names - PAGING)
    assert why_not(url) != "too_deep" or parts.path.count("/") > 2
