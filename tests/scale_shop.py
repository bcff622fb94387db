"""A catalogue to predict in shards, with rows of every kind, and what holds of every engine that does it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from shelfwise.errors import ModelError
from shelfwise.scale import Bulk

GOODS = ("boot", "sandal", "watch")


def dump(rows: int) -> pl.DataFrame:
    """A dump of so many rows, each with its id; every seventh title is there twice."""
    return pl.DataFrame(
        {
            "product_id": [f"N{row:05}" for row in range(rows)],
            "title": [f"{GOODS[row % 3]} of alder no{row // 7}" for row in range(rows)],
            "side": ["test" if row % 4 else "train" for row in range(rows)],
        }
    )


def broken_csv(path: Path, rows: int) -> Path:
    """The dump as a file with rows that are empty, that lack an id, and that cannot be read."""
    lines = ["product_id,title,side"]
    for row, (product_id, title, side) in enumerate(dump(rows).iter_rows()):
        if row % 23 == 5:
            lines.append(f"{product_id},,{side}")
        elif row % 23 == 7:
            lines.append(f",{title},{side}")
        elif row % 23 == 9:
            lines.append(f"{product_id},{title},{side},one,too,many")
        else:
            lines.append(f"{product_id},{title},{side}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder_sha256(folder: Path) -> dict[str, str]:
    """The digest of each file in a folder."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir())}


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def check_kills_change_nothing(saved, folder, options, straight, kill):
    """An engine whose workers `kill` ends once, in the middle, writes the bytes of one process."""
    killed = []

    def listen(rows):
        if not killed:
            killed.extend(kill())

    report = Bulk.load(saved).predict(dump(700), folder / "a.parquet", options, listen)

    assert killed
    assert report.written.rows == 700
    assert sha256(folder / "a.parquet") == straight


def check_unseen_model_is_told(saved, folder, options, patch):
    """A model that only this machine sees is an error of the workers, told here."""
    model = Bulk.load(saved)
    patch.setattr("shelfwise.scale.shards.keep", lambda *rest: None)
    model.folder = str(folder / "only-here")
    with pytest.raises(ModelError, match="paths that all of them see"):
        model.predict(dump(60), folder / "a.csv", options)
    assert not (folder / "a.csv").exists()
