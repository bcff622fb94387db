"""A place for the shards of a run: a folder of this machine, or one in an object store.

A file in it appears whole or not at all. What is read is checked by its digest elsewhere, so nothing is
flushed to the disk here: after a power cut a torn shard is simply done again.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from shelfwise import locks
from shelfwise.catalogue.remote import file_system, is_remote, local_path
from shelfwise.errors import CatalogueError

OURS = re.compile(r"^\d{6,}\.(?:in|known|out|json)$")
"""Names of the files that a run keeps; nothing else is ever removed, and its lock only by `locked`."""


class Place(Protocol):
    """A folder of files, each of which is written whole."""

    @property
    def name(self) -> str:
        """The folder as a path or an address, the same for every process."""

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file; one that is there is replaced."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def names(self) -> list[str]:
        """Names of the files, in order."""

    def clear(self) -> None:
        """Remove what a run has written, and the folder when nothing else is in it."""


def open_place(name: str) -> Place:
    """The place of that name; it is made when something is written."""
    if is_remote(name):
        return Bucket(name)
    return Folder(os.path.abspath(local_path(name)))


class Folder:
    """A folder of this machine, or one that several machines see at the same path."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file under another name, and rename it."""
        building = self._path / f".{name}-{uuid.uuid4().hex}"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            building.write_bytes(content)
            building.replace(self._path / name)
        except OSError as error:
            with suppress(OSError):
                building.unlink(missing_ok=True)
            raise CatalogueError(f"cannot write {self._path / name}: {error.strerror or error}") from error

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self._path / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Names of the files, in order; half-written ones of a run that was killed are no files."""
        if not self._path.is_dir():
            return []
        return sorted(entry.name for entry in self._path.iterdir() if not entry.name.startswith("."))

    def clear(self) -> None:
        """Remove what a run has written, and the folder when nothing else is in it."""
        if not self._path.is_dir():
            return
        for entry in list(self._path.iterdir()):
            half = re.fullmatch(r"\.(.+)-[0-9a-f]{32}", entry.name)
            if OURS.match(half[1] if half else entry.name):
                entry.unlink(missing_ok=True)
        if not any(self._path.iterdir()):
            self._path.rmdir()


class Bucket:
    """A folder in an object store, by fsspec; objects appear whole there of themselves."""

    def __init__(self, name: str) -> None:
        self.name = name.rstrip("/")
        self._files, self._path = file_system(self.name)

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none."""
        try:
            return bytes(self._files.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        try:
            self._files.pipe_file(self._at(name), content)
        except Exception as error:  # each store has errors of its own
            raise CatalogueError(f"cannot write {self.name}/{name}: {error}") from error

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._files.rm_file(self._at(name))
        except FileNotFoundError:
            return

    def names(self) -> list[str]:
        """Names of the objects, in order."""
        self._files.invalidate_cache()
        try:
            found: list[Any] = self._files.ls(self._path, detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def clear(self) -> None:
        """Remove what a run has written."""
        for name in self.names():
            if OURS.match(name):
                self.delete(name)


@contextmanager
def locked(work: str, doing: str, instead: str) -> Iterator[None]:
    """Keep other runs away from a place of shards; what nobody can use is removed at the end.

    doing, instead: what another run does there, and what to do besides waiting, for its message.
    """
    handle = None if is_remote(work) else _take(Path(work), doing, instead)
    try:
        yield
    finally:
        place = open_place(work)
        for name in place.names():
            if name.endswith((".in", ".known", ".lock")):
                place.delete(name)
        if handle is not None:
            os.close(handle)
        if not is_remote(work) and os.path.isdir(work) and not os.listdir(work):
            os.rmdir(work)


def _take(work: Path, doing: str, instead: str) -> int | None:
    try:
        work.mkdir(parents=True, exist_ok=True)
        return locks.take(work / "run.lock")
    except BlockingIOError:
        raise CatalogueError(
            f"another run {doing} (its shards are in {work}): wait for it, or {instead}"
        ) from None
    except OSError as error:
        raise CatalogueError(f"cannot keep shards in {work}: {error.strerror}") from error
