"""The files of a folder of pictures, found by path, by name or by what is before the ending.

A million files are indexed in seconds and some hundred megabytes: paths are kept in one polars column, and
the keys only as sorted 64-bit hashes beside the number of their file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.errors import CatalogueError

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
"""Endings that pictures mostly have; where one product has several files, these come first."""

_OTHER_ENDINGS = frozenset(
    {".json", ".jsonl", ".csv", ".tsv", ".parquet", ".txt", ".md", ".xml", ".html", ".htm", ".pdf", ".log"}
    | {".npy", ".npz", ".safetensors", ".h5", ".db", ".sqlite", ".zip", ".tar", ".gz", ".py", ".ini", ".yaml"}
)
_CHUNK = 200_000  # paths that are held as Python strings at a time

PATH, TAIL, NAME, STEM, ADDRESS = "p", "t", "n", "s", "a"
"""Kinds of keys: whole path in the folder, its last two parts, file name, file name without its ending; and
what a catalogue says of the picture, as the index of `shelfwise images` has it."""

FETCHED = "index.parquet"
"""The index in a folder that `shelfwise images` wrote."""
_FETCHED_COLUMNS = ("image", "file", "sha256", "state")


class PictureIndex:
    """All files below a folder, at any depth and of any ending but those of text, tables and archives.

    Hidden files and folders are left out. Links to folders are not followed; a link to a file counts only
    where it leads to a file in the same folder. Files are numbered so that pictures (by their ending) come
    before others, and then in the order of their paths: of several files for one key the first is taken.

    Parameters
    ----------
    folder: the folder.

    Attributes
    ----------
    folder
        The folder without links in its own path.
    paths
        [files] paths relative to the folder, with "/".
    outside
        Numbers of files that are links out of the folder: known, but never opened.
    notes
        What was left out, in words.

    Raises
    ------
    CatalogueError
        There is no such folder, or it cannot be listed.

    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "there is no such folder"
            raise CatalogueError(f"{folder}: {what}. Give the folder that holds the pictures.")
        self.folder = Path(os.path.realpath(folder))
        walk = _Walk(str(self.folder))
        order = pl.DataFrame({"path": walk.paths, "linked": walk.linked}).sort(
            ~pl.col("path")
            .str.extract(r"(\.[^./]*)$")
            .str.to_lowercase()
            .is_in(PICTURE_ENDINGS)
            .fill_null(False),
            "path",
        )
        self.paths = order["path"]
        self.outside: frozenset[int] = frozenset(
            number
            for number in order["linked"].arg_true().to_list()
            if not os.path.realpath(self.folder / self.paths[number]).startswith(str(self.folder) + os.sep)
        )
        self.notes = walk.notes()
        keys = [*_keys(self.paths), _fetched_keys(self.folder / FETCHED, self.paths)]
        hashes, files = (np.concatenate(parts) for parts in zip(*keys, strict=True))
        ranks = np.argsort(hashes, kind="stable")  # stable: of equal keys the first file stays the first
        self._hashes, self._files = hashes[ranks], files[ranks]

    def __len__(self) -> int:
        return len(self.paths)

    def look_up(self, keys: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each key (kind and text in one, see `STEM`) the first file, or -1, and how many."""
        wanted = pl.Series(keys, dtype=pl.String).str.normalize("NFC").hash().to_numpy()
        first = np.searchsorted(self._hashes, wanted, "left")
        count = np.searchsorted(self._hashes, wanted, "right") - first
        found = np.full(len(wanted), -1, np.int64)
        found[count > 0] = self._files[first[count > 0]]
        return found, count.astype(np.int64)


def _keys(paths: pl.Series) -> list[tuple[NDArray[np.uint64], NDArray[np.int32]]]:
    """Hashes of all keys of all files, kind by kind, and the files that they stand for."""
    name = pl.col("path").str.extract(r"([^/]*)$")
    texts = {
        PATH: pl.col("path"),
        TAIL: pl.col("path").str.extract(r"([^/]*/[^/]*)$"),
        NAME: name,
        STEM: name.str.replace(r"(.)\.[^.]*$", "$1"),
    }
    found = []
    for kind, text in texts.items():
        table = paths.to_frame("path").select((pl.lit(kind) + text.str.normalize("NFC")).alias("key"))
        there = table["key"].is_not_null().to_numpy()
        found.append((table["key"].hash().to_numpy()[there], np.flatnonzero(there).astype(np.int32)))
    return found


def _fetched_keys(index: Path, paths: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Hashes of what a catalogue says of its pictures, and their files, where there is such an index."""
    none = np.empty(0, np.uint64), np.empty(0, np.int32)
    if not index.is_file():
        return none
    try:
        scan = pl.scan_parquet(index, glob=False)
        if not set(_FETCHED_COLUMNS) <= set(scan.collect_schema().names()):
            return none  # somebody else's
        rows = scan.filter(pl.col("file").is_not_null()).select("image", "file").unique().collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CatalogueError(f"{index}: cannot be read ({error}). Run shelfwise images again.") from error
    numbers = paths.to_frame("file").with_row_index("number")
    table = rows.join(numbers, on="file", how="inner")
    keys = table.select((pl.lit(ADDRESS) + pl.col("image").str.normalize("NFC")).alias("key"))["key"]
    return keys.hash().to_numpy(), table["number"].cast(pl.Int32).to_numpy()


class _Walk:
    """One pass through a folder, which never follows a link."""

    def __init__(self, folder: str) -> None:
        self.chunks: list[pl.Series] = []
        self.links: list[pl.Series] = []
        self.hidden = self.linked_folders = self.odd_names = self.others = 0
        self.closed: list[str] = []
        self._names: list[str] = []
        self._linked: list[bool] = []
        self._walk(folder)
        self._flush()
        self.paths = pl.concat(self.chunks)
        self.linked = pl.concat(self.links)

    def _walk(self, folder: str) -> None:
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(os.path.join(folder, inside) if inside else folder) as entries:
                    for entry in entries:
                        self._take(entry, inside, waiting)
            except OSError as error:
                if not inside:
                    raise CatalogueError(f"{folder}: cannot be listed: {error.strerror or error}.") from error
                self.closed.append(inside)

    def _take(self, entry: os.DirEntry[str], inside: str, waiting: list[str]) -> None:
        name = entry.name
        path = f"{inside}/{name}" if inside else name
        if name.startswith("."):
            self.hidden += 1
        elif entry.is_dir(follow_symlinks=False):
            waiting.append(path)
        elif entry.is_symlink() and entry.is_dir():
            self.linked_folders += 1
        elif os.path.splitext(name)[1].lower() in _OTHER_ENDINGS:
            self.others += 1
        elif not name.isascii() and not _is_unicode(name):
            self.odd_names += 1
        else:
            self._names.append(path)
            self._linked.append(entry.is_symlink())
            if len(self._names) >= _CHUNK:
                self._flush()

    def _flush(self) -> None:
        self.chunks.append(pl.Series("path", self._names, dtype=pl.String))
        self.links.append(pl.Series("linked", self._linked, dtype=pl.Boolean))
        self._names, self._linked = [], []

    def notes(self) -> list[str]:
        """What was left out."""
        said = []
        if self.linked_folders:
            said.append(f"{self.linked_folders:,} links to folders among the pictures were not followed")
        if self.odd_names:
            said.append(f"{self.odd_names:,} files whose names are no UTF-8 were left out: rename them")
        if self.closed:
            said.append(f"{len(self.closed):,} folders of pictures cannot be listed, first {self.closed[0]}")
        return said


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
