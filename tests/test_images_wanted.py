"""Addresses of a catalogue: main ones, all of them, and what is none."""

import polars as pl
import pytest

from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import Roles
from shelfwise.images.ledger import Ledger
from shelfwise.images.wanted import address_of, addresses_in, host_of, register


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("http://a/1.jpg", ["http://a/1.jpg"]),
        ('["http://a/1.jpg", "http://a/2.jpg"]', ["http://a/1.jpg", "http://a/2.jpg"]),
        ("['http://a/1.jpg', 'http://a/1.jpg']", ["http://a/1.jpg"]),
        ("http://a/1.jpg|http://a/2.jpg", ["http://a/1.jpg", "http://a/2.jpg"]),
        ("http://a/1.jpg http://a/2.jpg", ["http://a/1.jpg", "http://a/2.jpg"]),
        ("images/1.jpg", []),
        ("", []),
    ],
)
def test_lists_of_addresses(value, meant):
    assert addresses_in(value) == meant


@pytest.mark.parametrize(
    ("image", "url"),
    [("//cdn.a/1.jpg", "https://cdn.a/1.jpg"), ("www.a/1.jpg", "https://www.a/1.jpg"), ("a/1.jpg", None),
     ("HTTP://A/1.jpg", "HTTP://A/1.jpg")],
)  # fmt: skip
def test_addresses_as_people_write_them(image, url):
    assert address_of(image) == url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://A.com:80/x", "a.com:80"),
        ("https://u:p@a.com/x", "a.com"),
        ("ftp://a/x", ""),
        ("http://[/", ""),
    ],
)
def test_hosts(url, host):
    assert host_of(url) == host


def registered(tmp_path, frame, every):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        counts = register(open_source(frame), Roles(product_id="id", image="image"), ledger, every)
        rows = ledger.rows("SELECT product_id, position, image FROM wanted ORDER BY number")
        return counts, list(rows)


def test_the_main_picture_or_all(tmp_path):
    frame = pl.DataFrame({"id": ["a", "b", "c"], "image": [["http://x/1", "http://x/2"], [], ["p.jpg"]]})
    counts, main = registered(tmp_path, frame, every=False)
    _, everything = registered(tmp_path, frame, every=True)

    assert main == [("a", 0, "http://x/1"), ("c", 0, "p.jpg")]
    assert everything == [("a", 0, "http://x/1"), ("a", 1, "http://x/2"), ("c", 0, "p.jpg")]
    assert (counts.rows, counts.without, counts.local) == (3, 1, 1)
