"""The frontier: all addresses of a crawl and what became of them, in one SQLite file.

An address is done in the same transaction that keeps its product and the addresses that it leads to: a crawl
that is killed at any moment goes on where it was, and loses or repeats no product. Nothing of it is kept in
memory but the addresses that are being asked for.

States: `waiting`, `working` (asked for now), `later` (to be tried again), `done`, `skipped` (not to be asked
for, or not a page to keep), `failed`. A code says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.collect.frontier_file import FrontierError, open_file, release, remove, told
from shelfwise.collect.products_table import Products
from shelfwise.collect.traps import filters, host_of, shape

__all__ = ["End", "Frontier", "FrontierError", "New", "Row"]
STATES = ("waiting", "working", "later", "done", "skipped", "failed")
MOST_TRIES = 8
TRIES = {"too_slow": 2, "timeout": 4, "no_such_host": 3, "bad_answer": 2}
DRY_FILTERED, DRY = 30, 100  # pages of a shape that may bring nothing before it is closed
KNOWN = 20_000  # addresses that are remembered to be there
PAGE, SITEMAP = "page", "sitemap"


@dataclass(frozen=True, slots=True)
class Row:
    """One address: see the columns of `pages`. product_share: of the pages of its shape, 0..1."""

    id: int
    url: str
    host: str
    kind: str
    shape: int
    parent: int | None
    depth: int
    hops: int
    paging: bool
    attempts: int
    browser: bool
    etag: str | None
    modified: str | None
    marks: int | None
    barren: int


@dataclass(frozen=True, slots=True)
class New:
    """An address to add. hops: redirects that led to it. weak: to be asked for last."""

    url: str
    kind: str = PAGE
    hops: int = 0
    paging: bool = False
    weak: bool = False
    seed: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """What became of an address. marks: a number for the set of addresses that it leads to."""

    state: str
    reason: str | None = None
    status: int | None = None
    etag: str | None = None
    modified: str | None = None
    marks: int | None = None
    barren: int = 0
    fruitful: bool = False


class Frontier:
    """The open file of one crawl; one process has it at a time. look: only look at it, whoever has it."""

    def __init__(self, path: Path, look: bool = False) -> None:
        self.path = path
        self._db, self._lock = open_file(path, look)
        if not look:
            with told(path):
                self._take_back()
        self.products = Products(self._db)
        self._depth = 0
        self._known: set[str] = set()

    def _take_back(self) -> None:
        """What a killed crawl was asking for waits again."""
        self._db.execute(
            "UPDATE pages SET state = CASE WHEN attempts > ?1 THEN 'failed' ELSE 'waiting' END, "
            "reason = CASE WHEN attempts > ?1 THEN 'ended_the_run' END WHERE state = 'working'",
            (2 * MOST_TRIES,),
        )

    def close(self) -> None:
        """Close the file; the crawl can be gone on with."""
        self._db.close()
        self._release()

    def discard(self) -> None:
        """Close the file and remove it: nothing came of the crawl."""
        self._db.close()
        remove(self.path)
        self._release()

    def _release(self) -> None:
        release(self._lock)
        self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of a block or nothing of it; blocks in blocks are one."""
        if self._depth:
            yield
            return
        with told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._known.clear()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    # -- about the crawl -------------------------------------------------------------------------------------

    def about(self, name: str, otherwise: str = "") -> str:
        """A word about the crawl."""
        found = self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return found[0] if found else otherwise

    def note(self, name: str, value: str) -> None:
        """Keep a word about the crawl."""
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))

    @property
    def run(self) -> int:
        """Number of the crawl, from 1; each later one looks for changes."""
        return int(self.about("run", "1"))

    def begin_again(self, afresh: bool = False) -> None:
        """Ask for everything again that brought something; what was skipped for good stays skipped.

        afresh: read pages again that have not changed, too.
        """
        with self.transaction():
            self.note("run", str(self.run + 1))
            if afresh:
                self._db.execute("UPDATE pages SET etag = NULL, modified = NULL")
            self._db.execute(
                "UPDATE shapes SET dry = 0, fetched = 0, products = 0, closed = 0, tried = 0, helped = 0"
            )
            self._db.execute(
                "UPDATE pages SET state = 'waiting', attempts = 0, due = 0, marks = NULL, barren = 0, "
                "browser = max(browser, state = 'done' AND coalesce(reason, '') = 'needs_browser'), "
                "reason = NULL "
                "WHERE state IN ('done', 'failed') AND coalesce(reason, '') NOT IN ('duplicate', 'redirect')"
            )

    # -- addresses -------------------------------------------------------------------------------------------

    def add(self, found: Sequence[New], parent: Row | None = None) -> int:
        """Add addresses that are not there yet; how many were."""
        with self.transaction():
            kinds: dict[str, tuple[int, int, int]] = {}
            return sum(self._add(one, parent, kinds) for one in found)

    def _add(self, one: New, parent: Row | None, kinds: dict[str, tuple[int, int, int]]) -> int:
        if one.url in self._known:
            return 0
        name, host = shape(one.url), host_of(one.url)
        if name not in kinds:
            kinds[name] = self._shape(name)
            self._db.execute("INSERT OR IGNORE INTO hosts (host) VALUES (?)", (host,))
        number, products, closed = kinds[name]
        if closed and not one.seed:
            return 0
        if one.seed or one.kind == SITEMAP:
            priority = 0
        elif one.weak or filters(one.url):
            priority = 7
        else:
            priority = 2 if products else 3 + (not one.paging)
        depth = parent.depth + 1 if parent else 0
        added = self._db.execute(
            "INSERT INTO pages (url, host, kind, shape, state, priority, parent, depth, hops, paging) "
            "VALUES (?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?) ON CONFLICT (url) DO NOTHING",
            (one.url, host, one.kind, number, priority, parent.id if parent else None, depth, one.hops,
             one.paging),
        ).rowcount  # fmt: skip
        if not added:
            self._remember(one.url)
        return added

    def _remember(self, url: str) -> None:
        """An address that is there: those of menus are found again on every page."""
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add(url)

    def _shape(self, name: str) -> tuple[int, int, int]:
        query = "SELECT id, products, closed FROM shapes WHERE name = ?"
        found = self._db.execute(query, (name,)).fetchone()
        if found is None:
            made = self._db.execute("INSERT INTO shapes (name) VALUES (?)", (name,))
            return int(made.lastrowid or 0), 0, 0
        return int(found[0]), int(found[1]), int(found[2])

    def claim(self, free: Callable[[str], bool]) -> Row | None:
        """Take the next address of a host that is free; None where there is none now."""
        now = time.time()
        self._db.execute("UPDATE pages SET state = 'waiting' WHERE state = 'later' AND due <= ?", (now,))
        for (host,) in self._db.execute("SELECT host FROM hosts ORDER BY host").fetchall():
            if not free(host):
                continue
            found = self._db.execute(
                "SELECT id, url, host, kind, shape, parent, depth, hops, paging, attempts, browser, "
                "etag, modified, marks, barren FROM pages WHERE state = 'waiting' AND host = ? "
                "ORDER BY priority, id LIMIT 1",
                (host,),
            ).fetchone()
            if found:
                with told(self.path):
                    self._db.execute(
                        "UPDATE pages SET state = 'working', attempts = attempts + 1 WHERE id = ?",
                        (found[0],),
                    )
                values = list(found)
                values[8], values[9], values[10] = bool(found[8]), found[9] + 1, bool(found[10])
                return Row(*values)
        return None

    def finish(self, row: Row, end: End) -> None:
        """Write down what became of an address, and count what its shape brought."""
        with self.transaction():
            self._db.execute(
                "UPDATE pages SET state = ?, reason = ?, status = ?, etag = coalesce(?, etag), "
                "modified = coalesce(?, modified), marks = ?, barren = ?, at = ? WHERE id = ?",
                (
                    end.state,
                    end.reason,
                    end.status,
                    end.etag,
                    end.modified,
                    end.marks,
                    end.barren,
                    time.time(),
                    row.id,
                ),
            )
            self._count(row, end.fruitful)

    def _count(self, row: Row, fruitful: bool) -> None:
        if row.kind == SITEMAP:
            return
        self._db.execute(
            "UPDATE shapes SET fetched = fetched + 1, dry = dry + 1, products = products + ? WHERE id = ?",
            (int(fruitful), row.shape),
        )
        if fruitful:
            self._db.execute(
                "UPDATE shapes SET dry = 0 WHERE id IN (?1, (SELECT shape FROM pages WHERE id = ?2), "
                "(SELECT up.shape "
                "FROM pages JOIN pages AS up ON up.id = pages.parent WHERE pages.id = ?2))",
                (row.shape, row.parent),
            )
            return
        most = DRY_FILTERED if filters(row.url) else DRY
        closed = self._db.execute(
            "UPDATE shapes SET closed = 1 WHERE id = ? AND dry >= ? AND closed = 0", (row.shape, most)
        )
        if closed.rowcount:
            self._db.execute(
                "UPDATE pages SET state = 'skipped', reason = 'endless' WHERE shape = ? "
                "AND state = 'waiting' AND priority > 0", (row.shape,),
            )  # fmt: skip

    def try_again(self, row: Row, due: float, reason: str, status: int | None = None) -> bool:
        """Ask for an address again later; False (and failed) where that was done often enough."""
        tired = row.attempts >= TRIES.get(reason, MOST_TRIES)
        with self.transaction():
            self._db.execute(
                "UPDATE pages SET state = ?, due = ?, reason = ?, status = ?, at = ? WHERE id = ?",
                ("failed" if tired else "later", due, reason, status, time.time(), row.id),
            )
        return not tired

    def give_back(self, row: Row) -> None:
        """An address was not asked for after all."""
        with self.transaction():
            self._db.execute(
                "UPDATE pages SET state = 'waiting', attempts = attempts - 1 WHERE id = ?", (row.id,)
            )

    def open_in_browser(self, row: Row) -> None:
        """Ask for an address again, with a browser."""
        with self.transaction():
            self._db.execute(
                "UPDATE pages SET state = 'waiting', browser = 1, attempts = 0, etag = NULL, modified = NULL "
                "WHERE id = ?", (row.id,),
            )  # fmt: skip

    def press(self, row: Row, able: bool) -> None:
        """Ask for the list that a guessed next page came from again, with a browser; `able`: there is one."""
        change = "state = 'waiting', browser = 1, attempts = 0" if able else "reason = 'needs_browser'"
        self._db.execute(
            f"UPDATE pages SET {change} WHERE id = ? AND reason = 'button' AND paging = 0", (row.parent,)
        )

    def opened(self, row: Row, helped: bool) -> None:
        """Count that a page of this shape was opened in a browser, and whether that brought its product."""
        query = "UPDATE shapes SET tried = tried + 1, helped = helped + ? WHERE id = ?"
        self._db.execute(query, (int(helped), row.shape))

    def settle(self, url: str, row: Row) -> None:
        """An address needs no request: the page at another one is the same."""
        self._db.execute(
            "UPDATE pages SET state = 'done', reason = 'duplicate', at = ? "
            "WHERE url = ? AND state = 'waiting' AND id <> ?",
            (time.time(), url, row.id),
        )

    # -- looking at it ---------------------------------------------------------------------------------------

    def parent_marks(self, row: Row) -> tuple[int | None, int]:
        """Marks and barrenness of the page that led to one."""
        found = self._db.execute("SELECT marks, barren FROM pages WHERE id = ?", (row.parent,)).fetchone()
        return (found[0], found[1]) if found else (None, 0)

    def of_shape(self, row: Row) -> dict[str, int]:
        """What is known of an address's shape: fetched, products, tried, helped."""
        names = ("fetched", "products", "tried", "helped")
        found = self._db.execute(
            f"SELECT {', '.join(names)} FROM shapes WHERE id = ?", (row.shape,)
        ).fetchone()
        return dict(zip(names, found, strict=True))

    def next_due(self) -> float | None:
        """When the next address is to be tried again; None where there is none."""
        due: float | None = self._value("SELECT min(due) FROM pages WHERE state = 'later'")
        return due

    def unfinished(self) -> bool:
        """Whether anything is left to ask for."""
        left = "EXISTS (SELECT 1 FROM pages WHERE state = '{}')"  # by an index each, not page by page
        return bool(self._value(f"SELECT {' OR '.join(map(left.format, ('waiting', 'later', 'working')))}"))

    def is_empty(self) -> bool:
        """Whether nothing was ever added."""
        return not self._value("SELECT EXISTS (SELECT 1 FROM pages)")

    def counts(self) -> dict[str, dict[str, int]]:
        """How many addresses are in each state, and why."""
        found: dict[str, dict[str, int]] = {}
        query = "SELECT state, coalesce(reason, ''), count(*) FROM pages GROUP BY 1, 2 ORDER BY 1, 3 DESC"
        for state, reason, count in self._db.execute(query):
            found.setdefault(state, {})[reason] = count
        return found

    def listed(self, states: Sequence[str] = STATES) -> Iterator[dict[str, Any]]:
        """All addresses in some states: url, state, attempts, status, reason, browser, etag."""
        names = ("url", "state", "attempts", "status", "reason", "browser", "etag")
        marks = ", ".join("?" * len(states))
        query = f"SELECT {', '.join(names)} FROM pages WHERE state IN ({marks}) ORDER BY id"
        for found in self._db.execute(query, tuple(states)):
            yield dict(zip(names, found, strict=True))

    def hold(self, host: str, until: float) -> None:
        """Remember that a host asked not to be asked, for a crawl that is killed meanwhile."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO hosts VALUES (?, ?) "
                "ON CONFLICT (host) DO UPDATE SET held = max(held, excluded.held)",
                (host, until),
            )

    def held(self) -> dict[str, float]:
        """Hosts that asked not to be asked, and until when."""
        return dict(self._db.execute("SELECT host, held FROM hosts WHERE held > ?", (time.time(),)))

    def _value(self, query: str) -> Any:  # noqa: ANN401
        return self._db.execute(query).fetchone()[0]
