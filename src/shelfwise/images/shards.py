"""Packing what was fetched for training elsewhere: Parquet with the bytes, or tar shards (WebDataset).

Shards follow from the ledger: contents in the order in which the catalogue names them first, each once, so
many a shard. The same contents make the same bytes. A shard that is there and has not changed is left alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from shelfwise.images.ledger import Ledger
from shelfwise.images.store import Store, file_of
from shelfwise.unfinished import whole_file

SHARDS = "shards"
KINDS = ("parquet", "webdataset")
COUNT = 2000
"""Contents of a shard."""

_SQL = """
SELECT l.sha, min(l.form), min(l.width), min(l.height), min(l.bytes), min(w.number)
FROM wanted w JOIN links l ON l.id = w.link WHERE l.state = 1 AND l.sha IS NOT NULL
GROUP BY l.sha ORDER BY min(w.number)
"""


@dataclass(frozen=True)
class Content:
    """A content: what it is, and the first picture in the catalogue that it is of."""

    sha: str
    form: str
    width: int
    height: int
    bytes: int
    product_id: str
    url: str


def write_shards(
    store: Store, ledger: Ledger, kind: str, notify: Callable[[int], None] | None = None, count: int = COUNT
) -> int:
    """Write all shards of a kind, and remove those that are too many; returns how many there are.

    Parameters
    ----------
    store, ledger
        What was fetched.
    kind
        One of `KINDS`.
    notify
        Told of the number of contents that are done.
    count
        Contents of a shard.

    """
    folder = store.folder / SHARDS
    write, ending = (_write_parquet, "parquet") if kind == "parquet" else (_write_tar, "tar")
    contents, number, done = _contents(ledger), 0, 0
    names = set()
    while listed := list(islice(contents, count)):
        name = f"{number:06d}.{ending}"
        made_of = hashlib.sha256(
            "\n".join(f"{one.sha} {one.product_id} {one.url}" for one in listed).encode()
        ).hexdigest()
        path = folder / name
        if not path.exists() or ledger.shard(name) != (made_of, path.stat().st_size):
            with whole_file(path) as building:
                write(building, listed, store)
            ledger.put_shard(name, made_of, path.stat().st_size)
        names.add(name)
        number, done = number + 1, done + len(listed)
        if notify is not None:
            notify(done)
    for path in folder.glob(f"*.{ending}") if folder.is_dir() else ():
        if path.name not in names:
            path.unlink()
    for path in folder.glob(".*") if folder.is_dir() else ():  # of a run that was killed
        path.unlink()
    return number


def _contents(ledger: Ledger) -> Iterator[Content]:
    for sha, form, width, height, size, number in ledger.rows(_SQL):
        product_id, url = next(
            ledger.rows(
                "SELECT w.product_id, l.url FROM wanted w JOIN links l ON l.id = w.link WHERE w.number = ?",
                (number,),
            )
        )
        yield Content(
            str(sha), str(form), int(str(width)), int(str(height)), int(str(size)), str(product_id), str(url)
        )


def _write_parquet(path: Path, contents: list[Content], store: Store) -> None:
    rows = [
        (one.sha, one.product_id, one.url, one.form, one.width, one.height, store.read(one.sha, one.form))
        for one in contents
    ]
    schema = {
        "sha256": pl.String, "product_id": pl.String, "url": pl.String, "format": pl.String,
        "width": pl.Int64, "height": pl.Int64, "image": pl.Binary,
    }  # fmt: skip
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path, row_group_size=500)


def _write_tar(path: Path, contents: list[Content], store: Store) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for one in contents:
            name = file_of(one.sha, one.form).rpartition("/")[2]
            about = {
                "product_id": one.product_id, "url": one.url, "sha256": one.sha, "width": one.width,
                "height": one.height,
            }  # fmt: skip
            _add(archive, name, store.read(one.sha, one.form))
            _add(archive, f"{one.sha}.json", json.dumps(about, ensure_ascii=False).encode())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # owner, time and rights are the same everywhere
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
