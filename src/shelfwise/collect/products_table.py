"""The products of a crawl, each once, in the file of the frontier."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

PRODUCTS = """
CREATE TABLE products (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, page INTEGER NOT NULL, number TEXT, title TEXT,
    digest BLOB NOT NULL, row BLOB NOT NULL, first INTEGER NOT NULL, seen INTEGER NOT NULL,
    changed INTEGER NOT NULL, gone TEXT, gone_in INTEGER, fetched REAL NOT NULL
);
CREATE INDEX products_page ON products (page);
"""
VOLATILE = frozenset(("fetched_at", "reason", "status"))


class Products:
    """Products by their canonical address."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, row: Mapping[str, Any], own: str, page: int, moment: tuple[int, float]) -> str:
        """Keep a product: "new", "changed", "same", or "duplicate" where it was kept in this run.

        own: the address that its page was read from, which is its identity where another product already has
        the canonical one. moment: number of the run, seconds since 1970.
        """
        run, at = moment
        kept = dict(row)
        found = self._find(kept["url"])
        if found and found["page"] != page and found["seen"] == run and found["gone"] is None:
            if not _differs(found, kept):
                return "duplicate"
            kept["url"], found = own, self._find(own)
        data = msgspec.json.encode(kept)
        told = {name: value for name, value in kept.items() if name not in VOLATILE}
        digest = hashlib.blake2b(msgspec.json.encode(told, order="deterministic"), digest_size=16).digest()
        if found is None:
            self._db.execute(
                "INSERT INTO products (url, page, number, title, digest, row, first, seen, changed, fetched) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (kept["url"], page, kept["product_id"], kept["title"], digest, data, run, run, run, at),
            )
            return "new"
        same = found["digest"] == digest and found["gone"] is None
        self._db.execute(
            "UPDATE products SET page = ?, number = ?, title = ?, digest = ?, row = ?, seen = ?, "
            "changed = ?, gone = NULL, gone_in = NULL, fetched = ? WHERE id = ?",
            (
                page,
                kept["product_id"],
                kept["title"],
                digest,
                data,
                run,
                found["changed"] if same else run,
                at,
                found["id"],
            ),
        )
        return "same" if same else "changed"

    def unchanged(self, page: int, run: int) -> bool:
        """The page of a product is as it was; False where no product is kept from it."""
        return (
            self._db.execute(
                "UPDATE products SET seen = ? WHERE page = ? AND gone IS NULL", (run, page)
            ).rowcount
            > 0
        )

    def vanish(self, page: int, reason: str, run: int) -> None:
        """The product of a page is gone, or may not be kept any more."""
        self._db.execute(
            "UPDATE products SET gone = ?, gone_in = ? WHERE page = ? AND gone IS NULL AND seen < ?",
            (reason, run, page, run),
        )

    def count(self) -> int:
        """How many products are there now."""
        return int(self._db.execute("SELECT count(*) FROM products WHERE gone IS NULL").fetchone()[0])

    def seen(self, run: int) -> int:
        """How many of them a run has seen."""
        query = "SELECT count(*) FROM products WHERE gone IS NULL AND seen = ?"
        return int(self._db.execute(query, (run,)).fetchone()[0])

    def tally(self, run: int) -> dict[str, int]:
        """Products of a run: new, changed, unchanged, gone, and those that it has not seen (again)."""
        query = (
            "SELECT count(*) FILTER (WHERE first = ?1 AND gone IS NULL), "
            "count(*) FILTER (WHERE changed = ?1 AND first < ?1 AND gone IS NULL), "
            "count(*) FILTER (WHERE seen = ?1 AND changed < ?1 AND gone IS NULL), "
            "count(*) FILTER (WHERE gone_in = ?1), "
            "count(*) FILTER (WHERE seen < ?1 AND gone IS NULL) FROM products"
        )
        names = ("new", "changed", "unchanged", "gone", "not_seen")
        return dict(zip(names, self._db.execute(query, (run,)).fetchone(), strict=True))

    def first(self, count: int) -> list[dict[str, Any]]:
        """The first products that were kept."""
        query = "SELECT row FROM products ORDER BY id LIMIT ?"
        return [msgspec.json.decode(found[0]) for found in self._db.execute(query, (count,))]

    def pieces(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """All products by piece, in the order of their addresses: rows with `gone` and `fetched` added."""
        after = ""
        while True:
            query = "SELECT url, row, gone, fetched FROM products WHERE url > ? ORDER BY url LIMIT ?"
            found = self._db.execute(query, (after, size)).fetchall()
            if not found:
                return
            yield [{**msgspec.json.decode(row), "gone": gone, "fetched": at} for _, row, gone, at in found]
            after = found[-1][0]

    def _find(self, url: str) -> dict[str, Any] | None:
        names = ("id", "page", "number", "title", "digest", "seen", "changed", "gone")
        found = self._db.execute(f"SELECT {', '.join(names)} FROM products WHERE url = ?", (url,)).fetchone()
        return dict(zip(names, found, strict=True)) if found else None


def _differs(found: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether two pages that claim the same address are of different products."""
    if found["number"] and row["product_id"]:
        return bool(found["number"] != row["product_id"]) and found["title"] != row["title"]
    return bool(found["title"] != row["title"])
