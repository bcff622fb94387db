"""Writing predictions piece by piece to a Parquet, CSV or JSON-lines file; it appears whole or not at all."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from shelfwise.errors import CatalogueError
from shelfwise.unfinished import whole_file

if TYPE_CHECKING:
    from shelfwise.predictions import Form

FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)?$"  # ids such as -17 must stay what they are


@dataclass(frozen=True)
class Written:
    """What was written: rows, rows by status, accepted ones (None without a promise), seconds it took."""

    rows: int
    by_status: dict[str, int]
    accepted: int | None
    seconds: float


@dataclass
class _Tally:
    rows: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    promised: bool = False

    def add(self, table: pl.DataFrame) -> None:
        self.rows += table.height
        self.by_status.update(dict(table["status"].value_counts().iter_rows()))
        self.accepted += int(table["accepted"].sum() or 0)
        self.promised = self.promised or table["accepted"].is_not_null().any()


def check_output(output: str | os.PathLike[str]) -> Path:
    """Return the path, or raise before any work when it cannot be written."""
    path = Path(output)
    if path.suffix.lower() not in FORMATS:
        raise CatalogueError(f"cannot write {path}: the file's ending must be one of {', '.join(FORMATS)}")
    if path.is_dir():
        raise CatalogueError(
            f"cannot write {path}: it is a folder; end it with / to have numbered files written into it"
        )
    return path


def write_tables(
    tables: Iterator[pl.DataFrame],
    output: str | os.PathLike[str],
    form: Form = "full",
    notify_rows: Callable[[int], None] | None = None,
) -> Written:
    """Write prediction tables one after the other; `notify_rows` hears how many rows were added each time.

    The file is built under a temporary name beside it, flushed to disk and renamed; when anything fails, it
    is removed. In CSV the nested columns are JSON, and cells that a spreadsheet would run as a formula get an
    apostrophe before them (OWASP, "CSV injection"); plain numbers do not.
    """
    path = check_output(output)
    started = time.perf_counter()
    tally = _Tally()

    def pieces() -> Iterator[pl.DataFrame]:
        for table in tables:
            tally.add(table)
            if notify_rows is not None:
                notify_rows(table.height)
            yield _ids_only(table) if form == "ids" else table

    try:
        with whole_file(path) as building:
            _write(pieces(), building, path.suffix.lower())
    except OSError as error:
        raise CatalogueError(f"cannot write {path}: {error}") from error
    seconds = round(time.perf_counter() - started, 3)
    accepted = tally.accepted if tally.promised else None
    return Written(tally.rows, dict(sorted(tally.by_status.items())), accepted, seconds)


def _write(pieces: Iterator[pl.DataFrame], path: Path, suffix: str) -> None:
    first = next(pieces)
    if suffix == ".parquet":
        write_parquet(first, pieces, path)
        return
    with path.open("wb") as file:
        for number, piece in enumerate(_chain(first, pieces)):
            if suffix == ".csv":
                file.write(_flat(piece).write_csv(include_header=number == 0).encode())
            else:
                file.write(piece.write_ndjson().encode())


def parquet_bytes(table: pl.DataFrame, form: Form = "full") -> bytes:
    """One table of predictions as a whole Parquet file."""
    buffer = io.BytesIO()
    (_ids_only(table) if form == "ids" else table).rechunk().write_parquet(buffer)
    return buffer.getvalue()


def write_parquet(first: pl.DataFrame, pieces: Iterator[pl.DataFrame], path: Path) -> None:
    """Stream the pieces into one Parquet file; polars pulls them from the generator as it writes."""
    from polars.io.plugins import register_io_source

    failure: list[BaseException] = []

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # Nothing is projected or filtered here, so the other arguments are never set.
        try:
            yield from _chain(first, pieces)
        except BaseException as error:  # polars would hide it inside of its own
            failure.append(error)
            raise

    try:
        frame = register_io_source(source, schema=first.schema)
        frame.sink_parquet(path, row_group_size=50_000, maintain_order=True)
    except Exception:
        if failure:
            raise failure[0] from None
        raise


def _chain(first: pl.DataFrame, rest: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    yield from rest


def _ids_only(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("product_id", pl.col("category").alias("predicted_category_id"))


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    """Nested columns as JSON text, and nothing that a spreadsheet would take for a formula."""
    columns = []
    for name, kind in table.schema.items():
        if isinstance(kind, pl.List):
            inner = pl.col(name).list.eval(pl.element().struct.json_encode()).list.join(",")
            columns.append(pl.format("[{}]", inner).alias(name))
        elif isinstance(kind, pl.Struct):
            told = pl.when(pl.col(name).is_not_null()).then(pl.col(name).struct.json_encode())
            columns.append(told.alias(name))
        elif kind == pl.String:
            columns.append(no_formula(name))
    return table.with_columns(columns)


def no_formula(name: str) -> pl.Expr:
    """A column of texts in which none is run as a formula by a spreadsheet; plain numbers stay."""
    text = pl.col(name)
    risky = text.str.contains(r"^[=+\-@\t\r]") & ~text.str.contains(_NUMBER)
    return pl.when(risky).then("'" + text).otherwise(text).alias(name)
