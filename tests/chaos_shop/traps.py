"""What scrapers fall into: things without end, circles, bombs."""

from __future__ import annotations

import re
import zlib
from functools import cache

from chaos_shop.pages import document
from chaos_shop.wire import Reply, message

BOMB = 200  # megabytes that come out of some 200 kB
CHAINS = {"short": 3, "long": 40}
ENTRANCES = (
    "/calendar?month=2026-12", "/x/loop/a", "/x/self", "/x/chain/short/1", "/x/chain/long/1", "/x/bomb.html",
    "/x/tarpit.html", "/x/endless.html", "/x/headers.html", "/x/cookies.html", "/x/deep/1",
    "/p/no-such-product-0",
    "/x/refresh", "/x/outside", "/cart", "mailto:shop@shop.invalid", "javascript:void(0)", "tel:+49",
    "//[broken",
)  # fmt: skip


@cache
def bomb():
    """A gzip stream of blanks: a megabyte packed once, and repeated."""
    piece = b" " * 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(BOMB):
        check = zlib.crc32(piece, check)
    end = b"\x03\x00" + check.to_bytes(4, "little") + (BOMB * 2**20).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + block * BOMB + end


def moved(path, status=302):
    return Reply(message(status, headers=[("Location", path)]), "trap")


def entrance():
    """Links to all traps, for the front page."""
    return "".join(f'<a href="{path}">{path}</a> ' for path in ENTRANCES)


def trap(path, query, target):
    """The reply of a trap, or None where there is none; `target` is the path of some product."""
    if path == "/calendar":
        return calendar(query)
    found = re.fullmatch(r"/x/deep/(\d{1,12})", path)
    if found:
        after = int(found[1]) + 1
        body = f'<a href="/x/deep/{after}">deeper</a> <a href="/x/deep/{2 * after}">aside</a>'
        return page(document(f"Level {after}", body))
    found = re.fullmatch(r"/x/chain/(short|long)/(\d{1,6})", path)
    if found:
        step = int(found[2])
        end = step >= CHAINS[found[1]]
        return moved(target if end else f"/x/chain/{found[1]}/{step + 1}", 301)
    return {
        "/x/loop/a": lambda: moved("/x/loop/b"),
        "/x/loop/b": lambda: moved("/x/loop/a"),
        "/x/self": lambda: moved("/x/self", 301),
        "/x/outside": lambda: moved("http://169.254.169.254/latest/meta-data/"),
        "/x/refresh": lambda: page(
            document("…", "", '<meta http-equiv="refresh" content="0; url=/x/refresh">')
        ),
        "/x/bomb.html": lambda: Reply(message(200, bomb(), headers=[("Content-Encoding", "gzip")]), "trap"),
        "/sitemaps/bomb.xml.gz": lambda: Reply(message(200, bomb(), "application/gzip"), "trap"),
        "/x/tarpit.html": lambda: Reply(endless(), "trap", end="drip"),
        "/x/endless.html": lambda: Reply(endless(), "trap", end="flood"),
        "/x/headers.html": lambda: Reply(message(200, b"ok", headers=flood("X-Flood")), "trap", end="close"),
        "/x/cookies.html": lambda: Reply(message(200, b"ok", headers=flood("Set-Cookie", 300)), "trap"),
    }.get(path, lambda: None)()


def page(text):
    return Reply(message(200, text.encode()), "trap")


def endless():
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<!doctype html><p>"


def flood(name, count=20_000):
    return [(name, f"name{number}={'x' * 80}") for number in range(count)]


def calendar(query):
    """A month with links to those before and after, for ever."""
    found = re.fullmatch(r"(\d{4,6})-(\d\d)", query.get("month", ""))
    if not found:
        return None
    months = 12 * int(found[1]) + int(found[2]) - 1
    links = [f"/calendar?month={at // 12:04d}-{at % 12 + 1:02d}" for at in (months - 1, months + 1)]
    return page(document("Calendar", "".join(f'<a href="{link}">{link}</a> ' for link in links)))
