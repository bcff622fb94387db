"""What a run writes in the end: one file, or a folder of numbered Parquet files, here or in an object store.

A file appears whole or not at all. So does a folder of this machine; one in an object store is whole when its
`_MANIFEST.json` is there, which is written last.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from shelfwise.catalogue.remote import file_system, is_remote, local_path
from shelfwise.errors import CatalogueError
from shelfwise.predictions import Form
from shelfwise.scale.place import open_place
from shelfwise.scale.shards import Done, part_of
from shelfwise.unfinished import put_folder
from shelfwise.writing import Written, check_output, write_tables

MANIFEST = "_MANIFEST.json"
"""Beside the files of a folder: the rows of each and its SHA-256. What reads folders skips such names."""
_FORMAT = 1


@dataclass(frozen=True)
class Output:
    """Where predictions go.

    where: a path or an address. folder: whether numbered files are wanted. remote: whether it is an address.
    """

    where: str
    folder: bool
    remote: bool

    @classmethod
    def of(cls, where: str | os.PathLike[str]) -> Output:
        """Look at what was asked for; CatalogueError where it cannot be written."""
        text = local_path(os.fspath(where))
        remote = is_remote(text)
        folder = text.endswith(("/", os.sep))
        if folder:
            text = text.rstrip("/" + os.sep) or text
        elif remote:
            check_output(text.rsplit("/", 1)[-1])
        else:
            check_output(text)
        output = cls(text if remote else os.path.abspath(text), folder, remote)
        if folder and not remote:
            output._check_folder()
        return output

    @property
    def name(self) -> str:
        """The last part of where it goes."""
        return self.where.rstrip("/").rpartition("/")[2] if self.remote else Path(self.where).name

    @property
    def beside(self) -> str:
        """The folder that it goes into."""
        return self.where.rpartition("/")[0] if self.remote else str(Path(self.where).parent)

    @property
    def parts(self) -> str:
        """Where the numbered files are written: a folder of this machine is moved to its place at the end."""
        return self.where if self.remote else os.path.join(self.beside, f".{self.name}.parts")

    def _check_folder(self) -> None:
        """Only an empty folder, or one that another run has written, may be replaced."""
        folder = Path(self.where)
        if not os.path.lexists(folder):
            return
        foreign = CatalogueError(
            f"{folder}/ exists and holds something else than predictions; choose another folder"
        )
        if not folder.is_dir():
            raise foreign
        there = {entry.name for entry in folder.iterdir()}
        if not there:
            return
        try:
            listed = {part["name"] for part in json.loads((folder / MANIFEST).read_bytes())["parts"]}
        except (OSError, ValueError, KeyError, TypeError):
            raise foreign from None
        if not there <= {MANIFEST, *listed}:
            raise foreign

    # -- a file ----------------------------------------------------------------------------------------------

    def write_file(
        self, tables: Iterator[pl.DataFrame], form: Form, notify_rows: Callable[[int], None] | None
    ) -> Written:
        """Write answers one after the other into one file."""
        if not self.remote:
            return write_tables(tables, self.where, form, notify_rows)
        with tempfile.TemporaryDirectory(prefix="shelfwise-") as box:
            here = Path(box) / self.name
            written = write_tables(tables, here, form, notify_rows)
            files, path = file_system(self.where)
            try:
                files.put_file(str(here), path)
            except Exception as error:  # each store has errors of its own
                raise CatalogueError(f"cannot write {self.where}: {error}") from error
        return written

    # -- a folder --------------------------------------------------------------------------------------------

    def begin_folder(self) -> None:
        """An object store's folder is not whole from now on."""
        if self.remote:
            open_place(self.where).delete(MANIFEST)

    def finish_folder(self, parts: Sequence[Done], model: str) -> None:
        """Write what the folder holds, and put it in its place."""
        listed: list[dict[str, Any]] = [
            {"name": part_of(done.number), "rows": done.height, "sha256": done.part} for done in parts
        ]
        about = {
            "format": _FORMAT, "rows": sum(done.height for done in parts), "model": model, "parts": listed
        }  # fmt: skip
        place = open_place(self.parts)
        wanted = {part["name"] for part in listed}
        for name in place.names():
            if name.startswith("part-") and name not in wanted:  # of a run with more rows
                place.delete(name)
        place.write(MANIFEST, json.dumps(about, indent=1, sort_keys=True).encode() + b"\n")
        if self.remote:
            return
        self._check_folder()
        building, target = Path(self.parts), Path(self.where)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            put_folder(building, target)
        except OSError as error:
            raise CatalogueError(f"cannot write {target}: {error}") from error
