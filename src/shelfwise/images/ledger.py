"""What is known of every address: in SQLite on disk, so that neither a kill nor ten million of them matter.

Every change is one transaction of many rows. After a kill, what was in none of them is simply done again:
what it comes to is the same.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from shelfwise.errors import CatalogueError
from shelfwise.images.codes import passes

TODO, STORED, FAILED = 0, 1, 2
"""States of an address."""

_FORMAT = 1
_LONGEST_WAIT = 600.0  # seconds; clocks may have been set since
_CACHE = 16_000  # kB of the file that are kept in memory: one page for each of many hosts
_TABLES = """
CREATE TABLE IF NOT EXISTS links (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, host TEXT NOT NULL, wanted INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '', http INTEGER, etag TEXT, modified TEXT,
    sha TEXT, form TEXT, width INTEGER, height INTEGER, bytes INTEGER
);
CREATE INDEX IF NOT EXISTS todo ON links (host, tries, id) WHERE state = 0 AND wanted = 1;
CREATE INDEX IF NOT EXISTS failures ON links (host, code) WHERE state = 2;
CREATE TABLE IF NOT EXISTS wanted (
    number INTEGER PRIMARY KEY, row INTEGER NOT NULL, position INTEGER NOT NULL, product_id TEXT NOT NULL,
    image TEXT NOT NULL, link INTEGER
);
CREATE TABLE IF NOT EXISTS shards (name TEXT PRIMARY KEY, content TEXT NOT NULL, bytes INTEGER NOT NULL);
"""


class Link(NamedTuple):
    """An address to ask: its number, how often it was asked, when it is due, and what is known of it.

    etag, modified: what it said of itself. stored: whether its picture is there from an earlier run.
    """

    id: int
    url: str
    tries: int
    due: float
    etag: str | None
    modified: str | None
    stored: bool = False


class Want(NamedTuple):
    """A picture of a product: row and place in its list, as the catalogue has it, and its address or None."""

    row: int
    position: int
    product_id: str
    image: str
    url: str | None
    host: str


@dataclass(frozen=True)
class Result:
    """What became of an address.

    state: TODO (ask again, `tries` more and from `due` on), STORED or FAILED. code: why there is no picture.
    http: status of the last answer. sha, form, width, height, bytes: of what is stored.
    """

    link: int
    state: int
    code: str = ""
    http: int | None = None
    tries: int = 0
    due: float = 0.0
    etag: str | None = None
    modified: str | None = None
    sha: str | None = None
    form: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None


class Ledger:
    """The ledger of one folder; one process at a time may have it open.

    Parameters
    ----------
    path
        Its file.

    Raises
    ------
    CatalogueError
        Another run has it open, or it is none, or of another version.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(
            path, isolation_level=None, timeout=1.0, check_same_thread=False
        )  # a thread of polars reads for the index while this one waits
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE}")
            self._db.execute("BEGIN IMMEDIATE")  # takes the lock, until the process ends
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise CatalogueError(f"{path} is of another version of Shelfwise; choose another folder")
            self._db.execute("COMMIT")
            self._db.executescript(_TABLES)
            self._db.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise CatalogueError(f"{path.parent.parent}: another run is at work there ({error})") from error
        except (sqlite3.DatabaseError, CatalogueError) as error:
            self._db.close()
            if isinstance(error, CatalogueError):
                raise
            raise CatalogueError(f"{path} is damaged ({error}); remove it to begin anew") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    # -- what is wanted --------------------------------------------------------------------------------------

    def forget_wants(self) -> None:
        """Begin a run: nothing is wanted yet; what is known of the addresses stays."""
        with self._change() as db:
            db.execute("DELETE FROM wanted")
            db.execute("UPDATE links SET wanted = 0 WHERE wanted = 1")

    def want(self, wants: Iterable[Want]) -> None:
        """Add pictures that are wanted, in the order of the catalogue."""
        listed = list(wants)
        with self._change() as db:
            db.executemany(
                "INSERT INTO links (url, host, wanted) VALUES (?, ?, 1) "
                "ON CONFLICT (url) DO UPDATE SET wanted = 1 WHERE wanted = 0",
                ((one.url, one.host) for one in listed if one.url is not None),
            )
            db.executemany(
                "INSERT INTO wanted (row, position, product_id, image, link) "
                "VALUES (?, ?, ?, ?, (SELECT id FROM links WHERE url = ?))",
                ((one.row, one.position, one.product_id, one.image, one.url) for one in listed),
            )

    def open_again(self, refresh: bool) -> None:
        """Make failures that may pass due again; with `refresh` everything, to ask whether it has changed."""
        with self._change() as db:
            db.create_function("passes", 1, lambda code: int(passes(code)), deterministic=True)
            again = "UPDATE links SET state = 0, tries = 0, due = 0 WHERE wanted = 1 AND"
            db.execute(f"{again} state = 2 AND passes(code)")
            if refresh:
                db.execute(f"{again} state IN (1, 2)")

    # -- asking ----------------------------------------------------------------------------------------------

    def next_host(self, after: str) -> str | None:
        """The next host, in the order of the alphabet, that has something to ask; None after the last."""
        found = self._db.execute(
            "SELECT min(host) FROM links WHERE state = 0 AND wanted = 1 AND host > ?", (after,)
        ).fetchone()
        return None if found is None else found[0]

    def next_round(self, host: str) -> int | None:
        """How often the least asked address of a host was asked; None: nothing is left to ask."""
        found = self._db.execute(
            "SELECT min(tries) FROM links WHERE state = 0 AND wanted = 1 AND host = ?", (host,)
        ).fetchone()
        return None if found is None else found[0]

    def page(self, host: str, tries: int, after: int, count: int) -> list[Link]:
        """The next addresses of a host that were asked so often, after a number, in their order."""
        latest = time.time() + _LONGEST_WAIT
        rows = self._db.execute(
            "SELECT id, url, tries, min(due, ?), etag, modified, sha IS NOT NULL FROM links "
            "WHERE state = 0 AND wanted = 1 AND host = ? AND tries = ? AND id > ? ORDER BY id LIMIT ?",
            (latest, host, tries, after, count),
        )
        return [Link._make(row) for row in rows]

    def put(self, results: Iterable[Result]) -> None:
        """Keep what became of addresses, all of them or, after a kill, none."""
        with self._change() as db:
            db.executemany(
                "UPDATE links SET state = ?, code = ?, http = ?, tries = ?, due = ?, etag = ?, modified = ?, "
                "sha = ?, form = ?, width = ?, height = ?, bytes = ? WHERE id = ?",
                (
                    (one.state, one.code, one.http, one.tries, one.due, one.etag, one.modified,
                     one.sha, one.form, one.width, one.height, one.bytes, one.link)
                    for one in results
                ),
            )  # fmt: skip

    def postpone(self, results: Iterable[Result]) -> None:
        """Keep that addresses are to be asked again, and when; what is known of them stays."""
        with self._change() as db:
            db.executemany(
                "UPDATE links SET code = ?, http = ?, tries = ?, due = ? WHERE id = ?",
                ((one.code, one.http, one.tries, one.due, one.link) for one in results),
            )

    def keep(self, results: Iterable[Result]) -> None:
        """Keep that addresses are as they were when they were stored."""
        with self._change() as db:
            db.executemany(
                "UPDATE links SET state = 1, code = '', http = 200, tries = 0, due = 0 WHERE id = ?",
                ((one.link,) for one in results),
            )

    def fail_host(self, host: str, code: str) -> int:
        """Give up what is left to ask of a host: what is stored stays so, the rest fails; tell how many."""
        left = "state = 0 AND wanted = 1 AND host = ?"
        with self._change() as db:
            stored = db.execute(
                f"UPDATE links SET state = 1, code = '', http = 200, tries = 0 WHERE {left} "
                "AND sha IS NOT NULL",
                (host,),
            ).rowcount
            return (
                stored
                + db.execute(
                    f"UPDATE links SET state = 2, code = ?, http = NULL WHERE {left}",
                    (code, host),
                ).rowcount
            )

    def lose(self, shas: Iterable[str]) -> None:
        """Ask again what was stored under contents whose files are gone.

        An index of contents is made for this alone: to keep one from the start costs more than to ask.
        """
        with self._change() as db:
            db.execute("CREATE INDEX IF NOT EXISTS contents ON links (sha) WHERE sha IS NOT NULL")
            db.executemany(
                "UPDATE links SET state = 0, tries = 0, due = 0, sha = NULL, etag = NULL, modified = NULL "
                "WHERE sha = ?",
                ((sha,) for sha in shas),
            )

    # -- what is there ---------------------------------------------------------------------------------------

    def count(self) -> dict[int, int]:
        """Addresses that are wanted, by state."""
        return dict(self._db.execute("SELECT state, count(*) FROM links WHERE wanted = 1 GROUP BY state"))

    def contents(self) -> Iterator[tuple[str, str, int]]:
        """Contents that are stored: sha, format and bytes, in the order of their shas."""
        yield from self._db.execute(
            "SELECT sha, min(form), min(bytes) FROM links NOT INDEXED WHERE sha IS NOT NULL AND state <> 2 "
            "GROUP BY sha ORDER BY sha"
        )

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
        """Rows of a question to the tables; for reports."""
        yield from self._db.execute(sql, values)

    def shard(self, name: str) -> tuple[str, int] | None:
        """What a shard was made of, and its bytes."""
        found = self._db.execute("SELECT content, bytes FROM shards WHERE name = ?", (name,)).fetchone()
        return None if found is None else (found[0], found[1])

    def put_shard(self, name: str, content: str, size: int) -> None:
        """Keep what a shard was made of."""
        with self._change() as db:
            db.execute("INSERT OR REPLACE INTO shards VALUES (?, ?, ?)", (name, content, size))

    def _change(self) -> _Change:
        return _Change(self._db)


class _Change:
    """A transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: object, *about: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
