"""Sitemaps: the addresses in one, however broken or large it is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from lxml import etree

from shelfwise.collect.traps import absolute

LARGEST = 52_428_800  # bytes, unpacked: what the protocol allows
MOST = 50_000  # entries: what the protocol allows


@dataclass(frozen=True)
class Sitemap:
    """maps: sitemaps that it lists. pages: pages that it lists. whole: nothing was broken off or left out."""

    maps: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    whole: bool = True


def read_sitemap(body: bytes, url: str) -> Sitemap:
    """Read a sitemap as XML, packed or not, or as a text file of addresses. Never raises on its bytes."""
    body, whole = unpack(body)
    if body.lstrip()[:1] != b"<":
        lines = body[:LARGEST].decode("utf-8", "replace").split()
        found = [led for line in lines[:MOST] if line.startswith("http") and (led := absolute(line, url))]
        return Sitemap(pages=tuple(dict.fromkeys(found)), whole=whole)
    parser = etree.XMLParser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return Sitemap(whole=False)
    maps: dict[str, None] = {}
    pages: dict[str, None] = {}
    for entry in root.iter("{*}loc") if root is not None else ():
        parent = entry.getparent()
        name = etree.QName(parent).localname if parent is not None and isinstance(parent.tag, str) else ""
        led = absolute(entry.text or "", url)
        if led and name in ("sitemap", "url"):
            (maps if name == "sitemap" else pages)[led] = None
        if len(maps) + len(pages) >= MOST:
            whole = False
            break
    return Sitemap(tuple(maps), tuple(pages), whole and not len(parser.error_log))


def unpack(body: bytes) -> tuple[bytes, bool]:
    """The bytes of a file that may be gzip, up to what is allowed, and whether that is all of it."""
    if not body.startswith(b"\x1f\x8b"):
        return body[:LARGEST], len(body) <= LARGEST
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(body, LARGEST)
    except zlib.error:
        return b"", False
    return data, unpacker.eof
