"""Sitemaps, whole and broken."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect import sitemap
from shelfwise.collect.sitemap import read_sitemap

URL = "https://a.example/sitemap.xml"
SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
PAGES = (
    f'<?xml version="1.0"?><urlset {SPACE} xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><url>'
    "<loc> https://a.example/p/1 </loc><i:image><i:loc>https://a.example/1.jpg</i:loc></i:image></url>"
    "<url><loc>https://a.example/p/2?a=1&amp;b=2</loc></url></urlset>"
).encode()


def test_pages_are_read_packed_or_not():
    for body in (PAGES, gzip.compress(PAGES)):
        found = read_sitemap(body, URL)
        assert found.pages == ("https://a.example/p/1", "https://a.example/p/2?a=1&b=2")
        assert found.whole


def test_an_index_names_sitemaps():
    body = (
        f"<sitemapindex {SPACE}><sitemap><loc>https://a.example/1.xml</loc></sitemap></sitemapindex>".encode()
    )

    assert read_sitemap(body, URL).maps == ("https://a.example/1.xml",)


def test_what_breaks_off_gives_what_is_there():
    found = read_sitemap(PAGES[:-60], URL)

    assert found.pages[0] == "https://a.example/p/1"
    assert not found.whole


def test_a_file_of_addresses_is_read():
    assert read_sitemap(b"https://a.example/1\nhttps://a.example/2\n", URL).pages == (
        "https://a.example/1",
        "https://a.example/2",
    )


def test_a_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(sitemap, "LARGEST", 10_000)

    data, whole = sitemap.unpack(gzip.compress(b" " * 1_000_000))

    assert len(data) == 10_000
    assert not whole


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("https://a.example/secret")
    body = f'<!DOCTYPE u [<!ENTITY s SYSTEM "file://{secret}">]><urlset {SPACE}><url><loc>&s;</loc></url></urlset>'

    assert read_sitemap(body.encode(), URL).pages == ()


@given(st.binary(max_size=200))
def test_nothing_breaks_on_bytes(data):
    read_sitemap(data, URL)
    read_sitemap(b"\x1f\x8b" + data, URL)
