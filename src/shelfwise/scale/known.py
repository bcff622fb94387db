"""What an earlier run answered: of a new dump only what is new or changed is predicted.

A state is a folder with the answers of one run and the digest of each row that they were given for. It counts
for the same model, options and program; otherwise it is not used, and the run is a full one. The next state
is built beside it and takes its place when the run has ended.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.errors import CatalogueError
from shelfwise.unfinished import write_whole

_ABOUT = "state.json"
_FORMAT = 1
_SHARD = re.compile(r"^\d{6,}\.arrow$")
_KEYS = ("__key__", "__check__")
_KEPT = 8  # shards of answers that are kept in memory
_FEW = 100  # rows that are predicted in less time than a shard of answers takes to read
_Places = NDArray[np.int64]


@dataclass
class Changes:
    """How a dump differs from the one before, in products; `gone`: those that it has no more.

    Products are told by their ids; without ids a changed one is a new one and one that is gone.
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    gone: int = 0


class Known:
    """The answers of an earlier run.

    Parameters
    ----------
    folder: of the state; there may be none yet.
    made_from: digests of the model, the options and the program of this run.
    by_id: whether the catalogue has ids.

    Raises
    ------
    CatalogueError
        The folder holds something else, or is damaged.

    """

    def __init__(self, folder: str, made_from: dict[str, str], by_id: bool) -> None:
        self.folder, self.by_id = Path(folder), by_id
        self.note = ""
        """Why an earlier run's answers are not used."""
        self.changes = Changes()
        shards = self._open(made_from)
        keys = [_numbers(self._read(shard, list(_KEYS))) for shard in range(shards)]
        ids = [_ids(self._read(shard, ["product_id"])) for shard in range(shards)] if by_id else []
        self._starts = np.cumsum([0, *map(len, keys)])[:-1]
        whole = np.concatenate([*keys, np.empty((0, 2), np.uint64)])
        self.rows = len(whole)
        self._order = np.argsort(whole[:, 0], kind="stable")
        self._keys = whole[self._order]
        self._ids = np.unique(np.concatenate([*ids, np.empty(0, np.uint64)]))
        self._seen = np.zeros(len(self._ids) if by_id else self.rows, bool)
        self._shard = lru_cache(_KEPT)(self._read)

    def _open(self, made_from: dict[str, str]) -> int:
        """The number of shards that can be used."""
        if not os.path.lexists(self.folder):
            return 0
        about = _read_about(self.folder)
        theirs = dict(about["made_from"])
        differ = [name for name in made_from if theirs.get(name) != made_from[name]]
        if differ:
            self.note = f"the state is of another {' and other '.join(differ)}, so all products are predicted"
            return 0
        return int(about["shards"])

    def _read(self, shard: int, columns: list[str] | None = None) -> pl.DataFrame:
        path = self.folder / _name(shard)
        try:
            return pl.read_ipc(path, columns=columns)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise CatalogueError(
                f"{path} is damaged: {error}. Remove the folder; the next run is a full one."
            ) from error

    def look_up(self, digests: NDArray[np.uint64]) -> _Places:
        """Where the answers of rows lie, int64 [rows], -1: unknown; digests uint64 [rows, 2]."""
        found = np.full(len(digests), -1, np.int64)
        if self.rows:
            at = np.minimum(np.searchsorted(self._keys[:, 0], digests[:, 0]), self.rows - 1)
            same = (self._keys[at] == digests).all(axis=1)
            found[same] = self._order[at[same]]
        return found

    def worth_copying(self, places: _Places) -> NDArray[np.bool_]:
        """Which rows are quicker copied than predicted, bool [rows]: not those alone in a file of answers."""
        there = places >= 0
        shards = np.searchsorted(self._starts, places, side="right") - 1
        rows = np.bincount(shards[there], minlength=len(self._starts))
        return there & (rows[shards] >= min(_FEW, there.sum() // 2)) if len(rows) else there

    def answers(self, places: _Places) -> pl.DataFrame:
        """The answers at some places, one at least, in the order asked for."""
        shards = np.searchsorted(self._starts, places, side="right") - 1
        order = np.argsort(shards, kind="stable")
        parts = []
        for shard in np.unique(shards).tolist():
            rows = places[order][shards[order] == shard] - self._starts[shard]
            parts.append(self._shard(shard)[rows.tolist()])
        back = np.empty(len(places), np.int64)
        back[order] = np.arange(len(places))
        answers: pl.DataFrame = pl.concat(parts).drop(_KEYS)[back.tolist()]
        return answers

    def count(self, table: pl.DataFrame, places: _Places) -> None:
        """Tell the changes of answered rows whose earlier answers lie at `places` [rows]."""
        known = places >= 0
        self.changes.same += int(known.sum())
        if not self.by_id:
            self._seen[places[known]] = True
            self.changes.new += int((~known).sum())
            return
        ids = _ids(table)
        at = np.minimum(np.searchsorted(self._ids, ids), max(len(self._ids) - 1, 0))
        there = self._ids[at] == ids if len(self._ids) else np.zeros(len(ids), bool)
        self._seen[at[there]] = True
        self.changes.changed += int((there & ~known).sum())
        self.changes.new += int((~there & ~known).sum())

    def counted(self) -> Changes:
        """The changes, after all rows."""
        self.changes.gone = int((~self._seen).sum())
        return self.changes


class Keeper:
    """Writes the state of this run.

    Parameters
    ----------
    folder: where it will be. made_from: digests of the model, the options and the program.

    """

    def __init__(self, folder: str, made_from: dict[str, str]) -> None:
        self._folder, self._made_from = Path(os.path.abspath(folder)), made_from
        self._building = self._folder.with_name(f".{self._folder.name}-new")
        self._shards = self._rows = 0
        shutil.rmtree(self._building, ignore_errors=True)  # of a run that was killed
        try:
            self._building.mkdir(parents=True)
        except OSError as error:
            raise CatalogueError(f"cannot keep the state in {folder}: {error}") from error

    def add(self, table: pl.DataFrame, digests: NDArray[np.uint64]) -> None:
        """Keep answered rows with their digests uint64 [rows, 2]."""
        keys = [pl.Series(name, digests[:, number]) for number, name in enumerate(_KEYS)]
        whole = pl.DataFrame([*keys, *table.get_columns()]).rechunk()
        try:
            whole.write_ipc(self._building / _name(self._shards), compression="lz4")
        except OSError as error:
            raise CatalogueError(f"cannot keep the state in {self._building}: {error}") from error
        self._shards += 1
        self._rows += table.height

    def finish(self) -> None:
        """Put the new state in the place of the old one."""
        about = {
            "format": _FORMAT, "made_from": self._made_from, "shards": self._shards, "rows": self._rows
        }  # fmt: skip
        write_whole(self._building / _ABOUT, json.dumps(about, indent=1, sort_keys=True).encode())
        if os.path.lexists(self._folder):
            _read_about(self._folder)  # still a state, and nobody else's folder
            shutil.rmtree(self._folder)
        self._building.rename(self._folder)

    def discard(self) -> None:
        """Leave the old state as it is."""
        shutil.rmtree(self._building, ignore_errors=True)


def _read_about(folder: Path) -> dict[str, Any]:
    """What a state says of itself; CatalogueError for a folder that is none."""
    foreign = f"{folder} exists and is no state of earlier predictions; choose another folder with --state"
    if not folder.is_dir():
        raise CatalogueError(foreign)
    names = [entry.name for entry in folder.iterdir()]
    if _ABOUT not in names or any(not _SHARD.match(name) for name in names if name != _ABOUT):
        raise CatalogueError(foreign)
    try:
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_bytes())
        if about["format"] > _FORMAT:
            raise CatalogueError(
                f"{folder} was written by a newer Shelfwise; upgrade, or choose another --state"
            )
        dict(about["made_from"]), int(about["shards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CatalogueError(f"the state in {folder} is damaged: {error!r}. Remove that folder.") from error
    return about


def _name(number: int) -> str:
    return f"{number:06d}.arrow"


def _numbers(keys: pl.DataFrame) -> NDArray[np.uint64]:
    return np.stack([keys[name].to_numpy() for name in _KEYS], axis=1)


def _ids(table: pl.DataFrame) -> NDArray[np.uint64]:
    """What ids are compared by, within this run."""
    return table["product_id"].hash().to_numpy()
