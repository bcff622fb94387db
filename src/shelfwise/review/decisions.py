"""Decisions, kept at once: one SQLite file, to which rows are only ever added.

Write-ahead log with ``synchronous=FULL``: when `Decisions.add` returns, the rows are on the disk, and a
killed process or machine loses none of them. Each request carries a key of its own; a request that is sent
twice (the answer got lost) is kept once. Undoing adds rows, too. Triggers refuse to change or delete any.
"""

from __future__ import annotations

import datetime
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from shelfwise.errors import CatalogueError

ACTIONS = ("accept", "keep", "move", "unsure", "skip")
"""What can be decided. The first three choose a category: the suggested one, the given one, another."""

VERSION = 1
APPLICATION = 0x53484C46  # "SHLF" in the header of the file: this is ours
WAIT_MS = 4000  # for another process that is just writing

_SCHEMA = """
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, who TEXT NOT NULL, key TEXT NOT NULL,
    id INTEGER NOT NULL, product_id TEXT NOT NULL, row INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('accept', 'keep', 'move', 'unsure', 'skip', 'undo')),
    category TEXT, before TEXT NOT NULL, suggested TEXT NOT NULL, doubt REAL NOT NULL, model TEXT NOT NULL,
    undoes INTEGER REFERENCES decisions (seq),
    CHECK ((category IS NOT NULL) = (action IN ('accept', 'keep', 'move'))),
    CHECK ((undoes IS NOT NULL) = (action = 'undo'))
);
CREATE UNIQUE INDEX once ON decisions (key, id);
CREATE UNIQUE INDEX undone_once ON decisions (undoes) WHERE undoes IS NOT NULL;
CREATE TABLE shelves (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, category TEXT NOT NULL UNIQUE
);
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TRIGGER kept BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER stays BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
CREATE TRIGGER shelf_kept BEFORE UPDATE ON shelves BEGIN SELECT RAISE(ABORT, 'shelves stay'); END;
CREATE TRIGGER shelf_stays BEFORE DELETE ON shelves BEGIN SELECT RAISE(ABORT, 'shelves stay'); END;
"""


class DecisionsError(CatalogueError):
    """Decisions cannot be kept or read. Nothing that was acknowledged is lost.

    `code`: "locked", "disk_full", "read_only", "damaged", "foreign", "newer", "unreadable" or "key".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about one product.

    id: the doubt, as it is numbered now. product_id, row: the product in the catalogue. action: one of
    `ACTIONS`, or "undo". category: the shelf that was chosen, None for unsure, skip and undo. before: the
    category that the product had. suggested, doubt: what was shown. undoes: seq of the row that an undo takes
    back.
    """

    id: int
    product_id: str
    row: int
    action: str
    category: str | None
    before: str
    suggested: str
    doubt: float
    undoes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Decision):
    """A decision as it is kept.

    seq: its number, ascending. at: when, UTC. who: the reviewer. key: the request that brought it. model:
    whose doubts they were.
    """

    seq: int
    at: str
    who: str
    key: str
    model: str


_COLUMNS = tuple(column.name for column in fields(Row))


class Decisions:
    """The file of decisions.

    Parameters
    ----------
    path
        The SQLite file; it is made where there is none.
    write
        False: only read, and the file must be there.

    Raises
    ------
    DecisionsError
        The file is something else, damaged, newer, or cannot be opened.

    """

    def __init__(self, path: str | os.PathLike[str], write: bool = True) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        if not write and not self.path.is_file():
            raise DecisionsError("unreadable", f"{self.path}: there is no such file of decisions.")
        with self._speaking_plainly():
            self._refuse_other_files()
            self._db = self._connect("rwc" if write else "ro")
            try:
                if write:
                    self._make()
            except BaseException:
                self._db.close()
                raise

    def _refuse_other_files(self) -> None:
        """Look at a file that is there before anything is written to it."""
        if not self.path.exists() or (self.path.is_file() and not self.path.stat().st_size):
            return
        with self.path.open("rb") as file:
            start = file.read(16)
        if start != b"SQLite format 3\x00":
            raise DecisionsError(
                "foreign", f"{self.path} is no file of decisions. Name another one with --decisions FILE."
            )

        db = self._connect("ro")
        try:
            self._check(db)
        finally:
            db.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        where = f"{self.path.absolute().as_uri()}?mode={mode}"
        db = sqlite3.connect(where, uri=True, check_same_thread=False, isolation_level=None)
        db.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != APPLICATION and not empty:
            raise DecisionsError(
                "foreign",
                f"{self.path} is a database of something else. Name another file with --decisions FILE.",
            )
        if version > VERSION:
            raise DecisionsError("newer", f"{self.path} was written by a newer Shelfwise; update this one.")
        told = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if told != "ok":
            raise sqlite3.DatabaseError(f"malformed: {told}")

    def _make(self) -> None:
        """Make the tables where the file is empty; two processes may come at once."""
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _statements(_SCHEMA):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    # -- writing ---------------------------------------------------------------------------------------------

    def add(self, key: str, who: str, rows: Sequence[Decision], model: str = "") -> int:
        """Keep the rows of one request, all or none; return the highest seq of them.

        A key that was there before adds nothing, and its old seq is returned. When this returns, the rows are
        on the disk.

        Raises
        ------
        DecisionsError
            "locked", "disk_full", "read_only" or "damaged": nothing was kept. "key": the key came before,
            from another request.

        """
        with self._speaking_plainly(), self._lock, self._transaction():
            before = self._rows("key = ?", key)
            if before:
                wanted = {(row.id, row.action, row.category) for row in rows}
                if wanted != {(row.id, row.action, row.category) for row in before}:
                    raise DecisionsError("key", "This key was used for another decision. Nothing was kept.")
                return max(row.seq for row in before)
            return self._insert(key, who, rows, model)

    def undo(self, key: str, who: str, model: str = "") -> list[Row]:
        """Take back the last request of a reviewer that is not taken back yet; return the rows that do it.

        No row is deleted; [] where there is nothing to take back. A key that was there before undoes nothing
        more, and its rows are returned again.
        """
        with self._speaking_plainly(), self._lock, self._transaction():
            found = self._db.execute(
                "SELECT key FROM decisions AS d WHERE who = ? AND undoes IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM decisions AS u WHERE u.undoes = d.seq) ORDER BY seq DESC LIMIT 1",
                (who,),
            ).fetchone()
            if found is not None and not self._rows("key = ?", key):
                rows = [
                    Decision(r.id, r.product_id, r.row, "undo", None, r.before, r.suggested, r.doubt, r.seq)
                    for r in self._rows("key = ?", found[0])
                ]
                self._insert(key, who, rows, model)
            return self._rows("key = ?", key)

    def _insert(self, key: str, who: str, rows: Sequence[Decision], model: str) -> int:
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._db.executemany(
            "INSERT INTO decisions (at, who, key, id, product_id, row, action, category, before, suggested, "
            "doubt, model, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (at, who, key, r.id, r.product_id, r.row, r.action, r.category, r.before, r.suggested,
                 float(r.doubt), model, r.undoes)
                for r in rows
            ),
        )  # fmt: skip
        return self._last()

    def add_shelf(self, category: str, who: str) -> None:
        """Keep a new shelf; one that is there already is left as it is."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._speaking_plainly(), self._lock, self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO shelves (at, who, category) VALUES (?, ?, ?)", (at, who, category)
            )

    def tell(self, name: str, value: str) -> None:
        """Remember something about the whole, such as which doubts file it belongs to."""
        with self._speaking_plainly(), self._lock, self._transaction():
            self._db.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)", (name, value))

    # -- reading ---------------------------------------------------------------------------------------------

    def since(self, seq: int = 0) -> list[Row]:
        """Return all rows above `seq`, in order, those of other processes as well."""
        with self._speaking_plainly(), self._lock:
            return self._rows("seq > ?", seq)

    def by_key(self, key: str) -> list[Row]:
        """Return the rows that one request has brought."""
        with self._speaking_plainly(), self._lock:
            return self._rows("key = ?", key)

    def shelves(self) -> list[str]:
        """Return the new shelves, oldest first."""
        with self._speaking_plainly(), self._lock:
            return [name for (name,) in self._db.execute("SELECT category FROM shelves ORDER BY seq")]

    def told(self, name: str) -> str | None:
        """Return what `tell` was told, None for nothing."""
        with self._speaking_plainly(), self._lock:
            found = self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in when nobody else has it open."""
        with self._lock:
            self._db.close()

    def _rows(self, condition: str, value: object) -> list[Row]:
        asked = f"SELECT {', '.join(_COLUMNS)} FROM decisions WHERE {condition} ORDER BY seq"
        found = self._db.execute(asked, (value,)).fetchall()
        return [Row(**dict(zip(_COLUMNS, values, strict=True))) for values in found]

    def _last(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()[0])

    # -- safety ----------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _speaking_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _plainly(self.path, error) from error
        except OSError as error:
            raise DecisionsError("unreadable", f"{self.path}: {error.strerror or error}") from error


def _plainly(path: Path, error: sqlite3.Error) -> DecisionsError:
    """What an error of SQLite means for whoever is at work."""
    name = getattr(error, "sqlite_errorname", "") or ""
    said = str(error).lower()
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DecisionsError(
            "locked",
            f"{path} is locked by another program (a backup, an editor of databases?). The decision was not "
            "kept; close that program and decide again.",
        )
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return DecisionsError(
            "disk_full",
            f"{path} cannot be written: the disk is full or does not answer ({error}). The decision was not "
            "kept, all earlier ones are. Make room and decide again.",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return DecisionsError(
            "read_only", f"{path} may not be written. Nothing was kept; mend its permissions."
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "malformed" in said:
        return DecisionsError(
            "damaged",
            f"{path} is damaged ({error}). Nothing was changed in it. Copy it, save what can be saved with "
            f'"sqlite3 {path.name} .recover", and go on with another file: --decisions FILE.',
        )
    return DecisionsError("unreadable", f"{path}: the decisions cannot be opened or written ({error}).")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would end the transaction."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
