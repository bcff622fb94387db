"""Catalogues in object stores and on other systems, by their address: s3://, gs://, memory://, file://, ...

fsspec speaks to them. A file is brought to this machine before it is read, so that every format is read in
the same way, with its broken rows. Where all files fit into half of the free disk, they are kept while the
catalogue is used; else they are brought one at a time, once to look and once to read.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from shelfwise.catalogue.parts import Part
from shelfwise.errors import CatalogueError, MissingExtraError

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]+://")
_SHARE = 0.5  # of the free disk that copies may take


def is_remote(where: str) -> bool:
    """Whether something is an address that is not simply a path of this machine."""
    return bool(_ADDRESS.match(where)) and not where.lower().startswith("file://")


def local_path(where: str) -> str:
    """The path in file://PATH; everything else as it is."""
    if not where.lower().startswith("file://"):
        return where
    path = where[len("file://") :]
    return unquote(path.removeprefix("localhost")) if path.startswith(("/", "localhost/")) else path


def file_system(where: str) -> tuple[Any, str]:
    """The file system of an address, as fsspec has it, and the path there.

    Raises
    ------
    MissingExtraError
        fsspec is not installed.
    CatalogueError
        There is no such kind of address, or what speaks it is not installed.

    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError(f"reading and writing {where}", "cloud") from None
    try:
        files, path = url_to_fs(where)
    except (ValueError, ImportError) as error:  # fsspec names the package to install
        raise CatalogueError(f"{where}: {error}") from error
    return files, str(path)


def list_files(where: str, known: Callable[[str], bool]) -> tuple[Any, list[str]]:
    """The file system of an address and the files there: one, those of a folder or those of a glob.

    `known`: whether a name of a folder's file is one of a catalogue.

    Raises
    ------
    CatalogueError
        Nothing is there, or the store cannot be reached.

    """
    files, path = file_system(where)
    try:
        if re.search(r"[*?\[]", path):
            found = [str(name) for name in files.glob(path)]
        elif files.isfile(path):
            found = [path]
        else:
            root = path.rstrip("/") + "/"
            below = [str(name) for name in files.find(path)]
            found = [name for name in below if known(name) and not _hidden(name.removeprefix(root))]
    except Exception as error:  # each store has errors of its own
        raise CatalogueError(f"{where} cannot be looked at: {error or type(error).__name__}") from error
    if not found:
        raise CatalogueError(f"{where}: there is no such file, and no folder with files of a catalogue.")
    return files, sorted(found)


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/"))


class Copies:
    """Copies of files of another system on this machine, removed with this object.

    `filled`: names of the files that are not empty. `kept`: whether there is room for all at a time.
    """

    def __init__(self, files: Any, names: list[str]) -> None:  # noqa: ANN401 - a file system of fsspec
        self._files = files
        self._box = tempfile.mkdtemp(prefix="shelfwise-")
        self._end = weakref.finalize(self, shutil.rmtree, self._box, ignore_errors=True)
        sizes = {name: int(files.size(name) or 0) for name in names}
        self.filled = [name for name in names if sizes[name]]
        self.kept = sum(sizes.values()) <= _SHARE * shutil.disk_usage(self._box).free
        self._places = {name: Path(self._box) / str(number) for number, name in enumerate(names)}

    @contextmanager
    def of(self, name: str) -> Iterator[Path]:
        """A copy of a file, under its own name in a folder of its own."""
        folder = self._places[name]
        copy = folder / name.rsplit("/", 1)[-1]
        if not copy.exists():
            folder.mkdir(exist_ok=True)
            building = folder / "half"
            try:
                self._files.get_file(name, str(building))
            except Exception as error:  # each store has errors of its own
                raise CatalogueError(f"{name} cannot be fetched: {error or type(error).__name__}") from error
            building.replace(copy)
        try:
            yield copy
        finally:
            if not self.kept:
                copy.unlink(missing_ok=True)


class Fetched:
    """One file of another system as a part of a catalogue.

    Parameters
    ----------
    name: the path there. copies: brings it here. open_file: opens a file of this machine.

    """

    def __init__(self, name: str, copies: Copies, open_file: Callable[[Path], Part]) -> None:
        self.path = Path(name)
        self._name, self._copies, self._open = name, copies, open_file
        with self._opened() as part:
            self.rows = part.rows
            self.columns: dict[str, pl.DataType] = dict(part.columns)
            self.problems = [problem._replace(file=self.path) for problem in part.problems]
            self.notes = list(part.notes)
            self._part = part if copies.kept else None

    @contextmanager
    def _opened(self) -> Iterator[Part]:
        with self._copies.of(self._name) as copy:
            try:
                yield self._open(copy)
            except CatalogueError as error:
                raise CatalogueError(str(error).replace(str(copy), self._name)) from error

    def batches(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows in order."""
        if self._part is not None:
            yield from self._part.batches(columns)
            return
        with self._opened() as part:
            yield from part.batches(columns)

    def place(self, row: int) -> str:
        """Return where a row of this file stands."""
        if self._part is not None:
            return self._part.place(row)
        with self._opened() as part:
            return part.place(row)
