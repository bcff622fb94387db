"""One file of a catalogue, whatever its format: columns, rows in batches, and what could not be read.

There are two kinds. A `Scan` is left to polars (Parquet, clean UTF-8 CSV). `Rows` are read by Python row by
row: JSON lines, and CSV that is damaged, compressed or in an old encoding. Both are read in bounded memory
and give each row of the input its place: a row that cannot be read is a row of nulls whose `UNREADABLE`
column holds the reason.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from shelfwise.catalogue.embedded import is_embedded

UNREADABLE = "__unreadable__"
"""Column of the reason why a row could not be read; there only where a source has such rows."""

CHUNK = 20_000
_PICTURE_CHUNK = 500  # rows of a batch that holds pictures as bytes
"""Rows that are read at a time."""

KEEP = 64 * 2**20
"""Bytes: a file up to this size that Python reads row by row is read once and kept."""


class Problem(NamedTuple):
    """A row that the format could not read."""

    file: Path
    line: int
    """Line in the file (or item in a JSON list), counted from 1."""
    reason: str
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.file.name}, {self.unit} {self.line}: {self.reason}"


class Row(NamedTuple):
    """One row as Python read it: the line where it starts and its values, or the reason for none."""

    line: int
    values: list[str | None] | None
    reason: str = ""


class Part(Protocol):
    """One file of a catalogue."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def rows(self) -> int:
        """Rows, the unreadable ones included."""

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Columns and their types in the order of the file."""

    @property
    def problems(self) -> list[Problem]:
        """Rows that could not be read."""

    @property
    def notes(self) -> list[str]:
        """What was noticed about the file as a whole, such as its encoding."""

    def batches(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows in order, some at a time: these columns, and `UNREADABLE` where needed."""

    def place(self, row: int) -> str:
        """Return where a row of this file stands, as "line 17" or "row 3"."""


@dataclass
class Scan:
    """A file that polars scans."""

    path: Path
    rows: int
    columns: dict[str, pl.DataType]
    scan: pl.LazyFrame
    line_of: Callable[[int], int] | None = None
    """Row -> line, for text formats."""
    tidy: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    """Applied to each batch."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def batches(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows in order."""
        if not columns:
            yield from _no_columns(self.rows)
            return
        pictures = any(is_embedded(self.columns[name]) for name in columns)
        for batch in self.scan.select(columns).collect_batches(
            chunk_size=_PICTURE_CHUNK if pictures else CHUNK, maintain_order=True, lazy=True
        ):
            yield self.tidy(batch) if self.tidy else batch

    def place(self, row: int) -> str:
        """Return where a row stands."""
        return f"row {row + 1}" if self.line_of is None else f"line {self.line_of(row)}"


class Rows:
    """A file that Python reads row by row; read once on opening to count rows and find what is wrong.

    Args:
        path: the file.
        columns: names of the columns, all of them text.
        read: starts reading from the top.
        keep: whether to keep the rows in memory after the first reading.

    """

    def __init__(
        self,
        path: Path,
        columns: list[str],
        read: Callable[[], Iterator[Row]],
        keep: bool,
        unit: str = "line",
    ) -> None:
        self.unit = unit
        self.path = path
        self.columns: dict[str, pl.DataType] = dict.fromkeys(columns, pl.String())
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._read = read
        self._kept: list[pl.DataFrame] | None = None
        self._lines = array("Q")
        self._survey(keep)

    @property
    def rows(self) -> int:
        """Rows, the unreadable ones included."""
        return len(self._lines)

    def _survey(self, keep: bool) -> None:
        kept: list[pl.DataFrame] = []
        for chunk in _chunks(self._read()):
            self._lines.extend(row.line for row in chunk)
            self.problems += [
                Problem(self.path, row.line, row.reason, self.unit) for row in chunk if row.values is None
            ]
            if keep:
                kept.append(_frame(chunk, list(self.columns)))
        if keep:
            self._kept = kept

    def batches(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows in order."""
        wanted = [*columns, UNREADABLE] if self.problems else columns
        if not wanted:
            yield from _no_columns(self.rows)
            return
        frames = (
            self._kept
            if self._kept is not None
            else (_frame(c, list(self.columns)) for c in _chunks(self._read()))
        )
        for frame in frames:
            yield frame.select(wanted)

    def place(self, row: int) -> str:
        """Return where a row stands."""
        return f"{self.unit} {self._lines[row]}"


def _no_columns(rows: int) -> Iterator[pl.DataFrame]:
    """Yield frames of no columns but the right heights."""
    for start in range(0, rows, CHUNK):
        yield pl.DataFrame(height=min(CHUNK, rows - start))


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _frame(chunk: list[Row], names: list[str]) -> pl.DataFrame:
    nothing: list[str | None] = [None] * len(names)
    table = [nothing if row.values is None else row.values for row in chunk]
    columns = list(zip(*table, strict=True)) if names else []
    frame = pl.DataFrame([pl.Series(n, c, dtype=pl.String) for n, c in zip(names, columns, strict=True)])
    reasons = [row.reason if row.values is None else None for row in chunk]
    return frame.with_columns(pl.Series(UNREADABLE, reasons, dtype=pl.String))
