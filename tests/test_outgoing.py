"""What all outgoing HTTP has in common: spelling, names, packed bodies, Retry-After."""

import asyncio
import gzip
import zlib
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import AddressError
from shelfwise.outgoing import LONGEST_WAIT, resolver, retry_after, spelt, unpacked


class Content:
    def __init__(self, body, size):
        self.body, self.size = body, size

    async def iter_chunked(self, _):
        for start in range(0, len(self.body), self.size):
            yield self.body[start : start + self.size]


class Response:
    """As much of a client's response as is read here."""

    def __init__(self, body, coding=None, size=1000):
        self.headers = {} if coding is None else {"Content-Encoding": coding}
        self.content = Content(body, size)


def pieces(response):
    async def gather():
        return [piece async for piece in unpacked(response)]

    return asyncio.run(gather())


@given(
    st.binary(max_size=5000), st.integers(1, 400), st.sampled_from(["gzip", "x-gzip", "deflate", "", None])
)
def test_bodies_come_unpacked_however_they_were_cut(body, size, coding):
    sent = {"deflate": zlib.compress, "gzip": gzip.compress, "x-gzip": gzip.compress}.get(coding, bytes)(body)

    assert b"".join(pieces(Response(sent, coding, size))) == body


def test_a_bomb_comes_in_small_pieces():
    found = pieces(Response(gzip.compress(b" " * 5_000_000), "gzip", 65_536))

    assert sum(map(len, found)) == 5_000_000
    assert max(map(len, found)) <= 65_536


@pytest.mark.parametrize(("coding", "told"), [("br", "packed (br)"), ("gzip", "damaged")])
def test_what_cannot_be_unpacked_says_so(coding, told):
    with pytest.raises(AddressError) as caught:
        pieces(Response(b"no such thing", coding))

    assert caught.value.code == "address_encoding"
    assert told in str(caught.value)


def test_names_become_the_addresses_that_were_found():
    async def find(host, port):
        return ["192.0.2.1", "2001:db8::1"] if (host, port) == ("shop.example", 443) else []

    found = asyncio.run(resolver(find).resolve("shop.example", 443))

    assert [one["host"] for one in found] == ["192.0.2.1", "2001:db8::1"]
    assert [one["family"].name for one in found] == ["AF_INET", "AF_INET6"]


def test_an_address_is_not_spelt_anew():
    assert str(spelt("http://shop.example/a%2Fb?x=%20+y")) == "http://shop.example/a%2Fb?x=%20+y"


@pytest.mark.parametrize(
    ("text", "told"),
    [("7", 7.0), (" 0 ", 0.0), ("-1", None), ("soon", None), (None, None), ("9" * 30, LONGEST_WAIT)],
)
def test_retry_after_is_read(text, told):
    assert retry_after(text, 1000.0) == told


@pytest.mark.parametrize(("now", "told"), [(1_789_999_990, 10.0), (1_790_000_010, 0.0), (0, LONGEST_WAIT)])
def test_retry_after_may_be_a_date(now, told):
    assert retry_after(formatdate(1_790_000_000, usegmt=True), now) == told
