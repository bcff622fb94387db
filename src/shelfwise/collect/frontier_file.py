"""The file of a frontier: its tables, whose it is, and who has it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shelfwise import locks
from shelfwise.collect.products_table import PRODUCTS
from shelfwise.errors import CatalogueError

VERSION = 1
APPLICATION = 0x53484C43  # "SHLC" in the header of the file: this is ours
_SCHEMA = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shapes (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fetched INTEGER NOT NULL DEFAULT 0,
    products INTEGER NOT NULL DEFAULT 0, dry INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0,
    tried INTEGER NOT NULL DEFAULT 0, helped INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, host TEXT NOT NULL, kind TEXT NOT NULL,
    shape INTEGER NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL, due REAL NOT NULL DEFAULT 0,
    parent INTEGER, depth INTEGER NOT NULL DEFAULT 0, hops INTEGER NOT NULL DEFAULT 0,
    paging INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    browser INTEGER NOT NULL DEFAULT 0,
    status INTEGER, reason TEXT, etag TEXT, modified TEXT, marks INTEGER, barren INTEGER NOT NULL DEFAULT 0,
    at REAL
);
CREATE INDEX pages_waiting ON pages (host, priority, id) WHERE state = 'waiting';
CREATE INDEX pages_later ON pages (due) WHERE state = 'later';
CREATE INDEX pages_working ON pages (id) WHERE state = 'working';
CREATE INDEX pages_shape ON pages (shape) WHERE state = 'waiting';
CREATE TABLE hosts (host TEXT PRIMARY KEY, held REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
{PRODUCTS}
"""


class FrontierError(CatalogueError):
    """The file of a crawl cannot be used; what was kept in it is not lost."""


def open_file(path: Path, look: bool) -> tuple[sqlite3.Connection, int | None]:
    """Open the file of a crawl, and make it where there is none; the connection and a lock.

    look: only to look at it, whoever has it.
    """
    with told(path):
        if not look:
            path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        lock = None if look else _take(path)
        try:
            return _open(path, look), lock
        except BaseException:
            if new and not look:
                remove(path)
            release(lock)
            raise


def _open(path: Path, look: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    mark, version = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    new = not db.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]
    if not new and (mark != APPLICATION or version != VERSION):
        db.close()
        raise FrontierError(f"{path} is not the file of a crawl of this version; give another --output")
    if look:
        db.execute("PRAGMA query_only = ON")
        return db
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    if new:
        ours = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        db.executescript(f"BEGIN; {_SCHEMA} {ours} COMMIT;")
    return db


def remove(path: Path) -> None:
    """Remove the file of a crawl and what belongs to it; whoever has the lock may."""
    for ending in ("", "-wal", "-shm", "-journal", ".lock"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Errors of SQLite as messages for whoever can do something about them."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text or "I/O" in text:
            text = f"the disk is full or fails ({error}). Make room and run the same command again: "
            text += "it goes on where it was"
        raise FrontierError(f"cannot keep the state of the crawl in {path}: {text}") from error
    except OSError as error:
        raise FrontierError(
            f"cannot keep the state of the crawl in {path}: {error.strerror or error}"
        ) from error


def _take(path: Path) -> int | None:
    """Lock the crawl for this process, where the system has such locks; it ends with the process."""
    try:
        return locks.take(path.with_name(path.name + ".lock"))
    except BlockingIOError:
        raise FrontierError(
            f"another process is working on {path}; wait for it, or give another --output"
        ) from None


def release(handle: int | None) -> None:
    """Let another process have the crawl."""
    if handle is not None:
        os.close(handle)
