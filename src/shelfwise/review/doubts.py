"""The doubts file that `shelfwise audit` wrote, opened for the review page.

What every list needs is held in columns; what one product's page needs (reasons, neighbours, candidates) lies
in a `Blob`. The number of a doubt is its row in the file, from 0.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.errors import CatalogueError
from shelfwise.review.blob import Blob

VERSION = 1
"""Version of the doubts file that is read; a newer one is refused."""

MARK = "shelfwise.audit"
"""Key of the audit's account in the metadata of the Parquet file."""

UNLABELLED = "unlabelled"
"""Kind of products without a shelf, of which `given` is empty: those of `shelfwise queue`."""

_NEEDED: dict[str, Any] = {
    "product_id": pl.String, "row": pl.UInt32, "given": pl.String, "suggested": pl.String,
    "doubt": pl.Float64, "kind": pl.String, "reasons": pl.List(pl.String), "distance": pl.UInt8,
    "confidence": pl.Float32,
}  # fmt: skip
_NEIGHBOURS = pl.List(
    pl.Struct({"product_id": pl.String, "title": pl.String, "category": pl.String, "similarity": pl.Float32})
)
_CANDIDATES = pl.List(pl.Struct({"category": pl.String, "confidence": pl.Float32}))
_BATCH = 20_000


class Audit(msgspec.Struct, frozen=True):
    """What the audit wrote about itself: see the metadata of a doubts file."""

    version: int
    catalogue: str = ""
    files: list[str] = []
    roles: dict[str, Any] = {}
    images: str = ""
    label: str = ""
    separator: str | None = None
    data_sha256: str = ""
    rows: int = 0
    shelfwise: str = ""
    model: str = ""
    judged: bool = True  # False: products to look at, of which nothing is suggested (`shelfwise explore`)
    shelves: dict[str, str] = {}  # categories that may be chosen beside the catalogue's, and their paths


class Neighbour(msgspec.Struct, frozen=True):
    """One of the nearest labelled products of a doubtful one."""

    product_id: str
    title: str | None = None
    category: str | None = None
    similarity: float | None = None


class Candidate(msgspec.Struct, frozen=True):
    """A shelf that the model thinks possible."""

    category: str
    confidence: float | None = None


class Details(msgspec.Struct, frozen=True):
    """What only one product's page needs."""

    reasons: list[str] | None = None
    neighbours: list[Neighbour] | None = None
    candidates: list[Candidate] | None = None


@dataclass(frozen=True)
class Edges:
    """Nearest products as arrays, one entry for each pair of a doubt and a neighbour.

    of int32: the doubt. neighbour int32: the neighbour's own doubt, -1 where it has none. shelf int32: its
    category when the audit ran. similarity float32, 0..1.
    """

    of: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    shelf: NDArray[np.int32]
    similarity: NDArray[np.float32]


@dataclass(frozen=True)
class Doubts:
    """A doubts file: columns [n] by doubt, and what it says about itself.

    given, suggested int32: codes into `shelves`, -1: none. doubt, confidence float64 and float32, 0..1. kind
    int16: codes into `kinds`. distance uint8: steps in the tree. x, y float32: place on the map, NaN = none.
    titles: `product_id` and `title` of all neighbours, as they were when the audit ran.
    """

    path: Path
    audit: Audit
    product_id: pl.Series
    row: NDArray[np.uint32]
    given: NDArray[np.int32]
    suggested: NDArray[np.int32]
    doubt: NDArray[np.float64]
    confidence: NDArray[np.float32]
    kind: NDArray[np.int16]
    distance: NDArray[np.uint8]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    shelves: tuple[str, ...]
    kinds: tuple[str, ...]
    edges: Edges
    titles: pl.DataFrame
    fingerprint: str
    _details: Blob = field(repr=False)

    def __len__(self) -> int:
        return len(self.doubt)

    def details(self, number: int) -> Details:
        """Return reasons, neighbours and candidates of one doubt."""
        return msgspec.json.decode(self._details.read(number), type=Details)

    def close(self) -> None:
        """Give up the temporary copies."""
        self._details.close()


def read_doubts(where: str | os.PathLike[str]) -> Doubts:
    """Open a doubts file.

    Raises
    ------
    CatalogueError
        There is no such file, it is something else (a catalogue, a model, a run id), or it is damaged or of a
        newer version; says how to make one.

    """
    path = Path(where)
    _check_kind(path, os.fspath(where))
    audit = _read_mark(path)
    try:
        frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        told = (str(error).strip().splitlines() or [""])[0][:200]
        raise CatalogueError(f"{path}: the doubts file is damaged ({told}). Run the audit again.") from error
    return _open(path, audit, _checked(frame, path, audit))


def _check_kind(path: Path, said: str) -> None:
    make = "shelfwise audit CATALOGUE --output doubts.parquet"
    if said.startswith("mlflow:"):
        raise CatalogueError(
            f"{said} is a model's run. Audit a catalogue with it first ({make}), "
            f"then review its doubts: shelfwise review doubts.parquet --model {said}"
        )
    if path.is_dir():
        what = "a model folder" if (path / "model.json").exists() else "a folder"
        raise CatalogueError(f"{path} is {what}, no doubts file. Make one: {make}")
    if not path.is_file():
        raise CatalogueError(f"{path}: there is no such file. Make a doubts file: {make}")
    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PAR1":
        told = "shelfwise audit " + str(path) + " --output doubts.parquet"
        raise CatalogueError(
            f"{path} is no doubts file (those are Parquet). If it is a catalogue, audit it first: {told}"
        )


def _read_mark(path: Path) -> Audit:
    try:
        told = pl.read_parquet_metadata(path).get(MARK)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CatalogueError(
            f"{path}: the Parquet file is truncated or damaged. Run the audit again."
        ) from error
    if told is None:
        raise CatalogueError(
            f"{path} was not written by an audit. If it is a catalogue, audit it first: "
            f"shelfwise audit {path} --output doubts.parquet"
        )
    try:
        audit = msgspec.json.decode(told, type=Audit)
    except msgspec.MsgspecError as error:
        raise CatalogueError(f"{path}: what the audit wrote about itself is damaged ({error}).") from error
    if audit.version > VERSION:
        raise CatalogueError(f"{path} was written by a newer Shelfwise ({audit.shelfwise}); update this one.")
    return audit


def _checked(frame: pl.DataFrame, path: Path, audit: Audit) -> pl.DataFrame:
    """The columns that are needed in their types; those that may lack are filled."""
    absent = [name for name in _NEEDED if name not in frame.columns]
    if absent:
        raise CatalogueError(f"{path}: the doubts file lacks {', '.join(absent)}. Run the audit again.")
    if not frame.height:
        raise CatalogueError(f"{path}: there is no doubt in it, so there is nothing to review.")
    nothing: dict[str, Any] = {
        "neighbours": _NEIGHBOURS,
        "candidates": _CANDIDATES,
        "x": pl.Float32,
        "y": pl.Float32,
    }
    lacking = [pl.lit(None, dtype=kind).alias(n) for n, kind in nothing.items() if n not in frame.columns]
    try:
        wanted = {**_NEEDED, **nothing}
        frame = frame.with_columns(lacking).with_columns(pl.col(n).cast(kind) for n, kind in wanted.items())
    except pl.exceptions.PolarsError as error:
        told = (str(error).strip().splitlines() or [""])[0][:200]
        raise CatalogueError(f"{path}: a column has the wrong type ({told}). Run the audit again.") from error
    key = [name for name in ("product_id", "row", "kind") if frame[name].null_count()]
    if audit.judged:
        key += ["suggested"] * bool(frame["suggested"].null_count())
        key += ["given"] * bool(frame.filter(pl.col("kind") != UNLABELLED)["given"].null_count())
    if key:
        raise CatalogueError(f"{path}: {key[0]} is empty in some rows. Run the audit again.")
    return frame


def _open(path: Path, audit: Audit, frame: pl.DataFrame) -> Doubts:
    details = Blob()
    for batch in frame.select("reasons", "neighbours", "candidates").iter_slices(_BATCH):
        rows = batch.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        details.extend(text.encode() for text in rows.to_list())
    shelves = _names(frame["given"], frame["suggested"], frame["neighbours"], frame["candidates"])
    kinds = tuple(sorted(frame["kind"].unique().to_list()))
    number = pl.Series(shelves, dtype=pl.String)
    code = {name: _codes(frame[name], number) for name in ("given", "suggested")}
    return Doubts(
        path=path,
        audit=audit,
        product_id=frame["product_id"],
        row=frame["row"].to_numpy(),
        **code,
        doubt=np.clip(_finite(frame["doubt"], 0.0), 0.0, 1.0),
        confidence=np.clip(_finite(frame["confidence"], 0.0), 0.0, 1.0).astype(np.float32),
        kind=_codes(frame["kind"], pl.Series(kinds)).astype(np.int16),
        distance=frame["distance"].fill_null(0).to_numpy(),
        x=_place(frame["x"]),
        y=_place(frame["y"]),
        shelves=shelves,
        kinds=kinds,
        edges=_edges(frame, number),
        titles=_titles(frame),
        fingerprint=_fingerprint(frame),
        _details=details,
    )


def _names(
    given: pl.Series, suggested: pl.Series, neighbours: pl.Series, candidates: pl.Series
) -> tuple[str, ...]:
    """All categories that the file speaks of, sorted."""
    lists = [column.explode().struct.field("category") for column in (neighbours, candidates)]
    every = pl.concat([column.rename("c").drop_nulls().unique() for column in (given, suggested, *lists)])
    return tuple(every.unique().sort().to_list())


def _codes(column: pl.Series, names: pl.Series | Sequence[str]) -> NDArray[np.int32]:
    numbers = np.arange(len(names), dtype=np.int32)
    found: NDArray[np.int32] = column.replace_strict(
        names, numbers, default=-1, return_dtype=pl.Int32
    ).to_numpy()
    return found


def _finite(column: pl.Series, otherwise: float) -> NDArray[np.float64]:
    values = column.cast(pl.Float64).fill_null(otherwise).to_numpy()
    return np.where(np.isfinite(values), values, otherwise)


def _place(column: pl.Series) -> NDArray[np.float32]:
    values = column.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(values), values, np.float32(np.nan)).astype(np.float32)


def _edges(frame: pl.DataFrame, names: pl.Series) -> Edges:
    """The neighbours of all doubts; a product id that several doubts share is nobody's in particular."""
    ids = frame.select("product_id").with_row_index("neighbour").filter(pl.col("product_id").is_unique())
    flat = (
        frame.select("neighbours").with_row_index("of").explode("neighbours").drop_nulls("neighbours")
        .unnest("neighbours").join(ids, on="product_id", how="left", maintain_order="left")
    )  # fmt: skip
    return Edges(
        of=flat["of"].cast(pl.Int32).to_numpy(),
        neighbour=flat["neighbour"].cast(pl.Int32).fill_null(-1).to_numpy(),
        shelf=_codes(flat["category"].fill_null(""), names),
        similarity=np.clip(_finite(flat["similarity"], 0.0), 0.0, 1.0).astype(np.float32),
    )


def _titles(frame: pl.DataFrame) -> pl.DataFrame:
    near = frame.select(pl.col("neighbours").explode()).drop_nulls().unnest("neighbours")
    return (
        near.select("product_id", "title")
        .drop_nulls()
        .unique("product_id", keep="first", maintain_order=True)
    )


def _fingerprint(frame: pl.DataFrame) -> str:
    """SHA-256 of which products are doubted, in order; decisions remember it."""
    digest = hashlib.sha256()
    for name in ("product_id", "given"):
        digest.update("\x1f".join(frame[name].fill_null("").to_list()).encode("utf-8", "replace") + b"\x1e")
    digest.update(frame["row"].to_numpy().tobytes())
    return digest.hexdigest()
