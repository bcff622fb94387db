"""CSV and TSV: delimiter, quoting and damage found out; clean files go to polars, others are read by row.

polars reads a well-formed UTF-8 file fast but gives up on the first broken quote and fills ragged rows
silently. So a vectorised survey of the whole file (`_survey`) first proves it well-formed. A file that is not
goes to `_records`, a tolerant reader on the standard library's strict CSV parser, which costs the broken rows
only and reports each. On a well-formed file both give the same frame.
"""

from __future__ import annotations

import csv
import io
import itertools
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.charset import HEAD, Charset, find_charset, open_binary
from shelfwise.catalogue.parts import KEEP, Part, Row, Rows, Scan
from shelfwise.errors import CatalogueError

_Bytes = NDArray[np.uint8]
_Mask = NDArray[np.bool_]

_DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 128 * 1024  # stays in the processor's cache: twice as fast as megabytes
_RECORD_LINES = 5_000
"""Lines that one record may span. A quote that is never closed would else swallow the rest of the file."""
_RECORD_CHARS = 16_000_000
NULLS = ("", "NaN")
"""Values that stand for nothing in a CSV file."""


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: str = ","
    quote: str = '"'
    backslash: bool = False
    """Quotes inside are written ``\\"`` instead of ``""``."""

    @property
    def is_standard(self) -> bool:
        """Whether polars reads it."""
        return self.quote == '"' and not self.backslash

    def parse(self, text: str) -> list[str]:
        """Return the fields of one whole record; raise `csv.Error` where it is broken."""
        escape = "\\" if self.backslash else None
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.delimiter,
            quotechar=self.quote,
            doublequote=not self.backslash,
            escapechar=escape,
            strict=True,
        )
        fields = next(reader)
        if next(reader, None) is not None:
            raise csv.Error("more than one record")
        return fields


def open_delimited(path: Path) -> Part:
    """Open a CSV or TSV file (also gzipped).

    Raises:
        CatalogueError: the file is binary or has no header.

    """
    csv.field_size_limit(
        2**31 - 1
    )  # the standard library's own limit of 128 KB would refuse a long description
    charset = find_charset(path)
    head = _head(path, charset)
    dialect = find_dialect(head, tab_first=".tsv" in path.suffixes or ".tab" in path.suffixes)
    lines = iter(io.StringIO(head, newline=""))
    header = next((r for r in _records(lines, dialect, None) if r.values), None)
    if header is None or header.values is None:
        raise CatalogueError(
            f"{path}: the first line is no header that can be read. Check the file's quotes."
        )
    names = _column_names([value or "" for value in header.values])
    survey = None
    if charset.is_utf8 and dialect.is_standard and not _is_packed(path):
        survey = _survey(path, dialect.delimiter)
    if survey is not None and survey.width == len(names) and not survey.header_lines > 1:
        part: Part = _scan(path, dialect, names, survey)
    else:
        read = partial(_read_rows, path, charset, dialect, len(names))
        part = Rows(path, names, read, keep=path.stat().st_size <= KEEP)
    if charset.note:
        part.notes.append(f"{path.name}: {charset.note}")
    return part


def _head(path: Path, charset: Charset) -> str:
    """Return the decoded start of a file, whole lines of it; refuse what is no text."""
    with open_binary(path) as file:
        raw = file.read(HEAD)
        whole = not file.read(1)
    text = raw.decode(charset.name, "replace")
    odd = sum(text.count(chr(c)) for c in (*range(9), *range(14, 32))) + text.count("\ufffd")
    if odd > 0.02 * len(text) + 4:
        raise CatalogueError(
            f"{path}: this is not text but binary data under a text file's name. What wrote it?"
        )
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    if not text.strip():
        raise CatalogueError(f"{path}: the file is empty: not even a header line.")
    return text


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _column_names(header: list[str]) -> list[str]:
    """Return unique names for all columns: unnamed ones by their place, repeated ones with a number."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for i, raw in enumerate(header):
        name = raw.strip().lstrip("\ufeff") or f"column_{i + 1}"
        seen[name] += 1
        while name in names:
            name = f"{name}_{seen[name]}"
        names.append(name)
    return names


def find_dialect(head: str, tab_first: bool = False) -> Dialect:
    """Return the dialect in which the most of the first records have the header's number of fields."""
    delimiters = ("\t", *_DELIMITERS) if tab_first else _DELIMITERS
    best, best_score = Dialect(delimiters[0]), (0.0, 0.0)
    quotes = ("'",) if '"' not in head and "'" in head.split("\n", 1)[0] else ('"',)
    escapes = (False, True) if '\\"' in head else (False,)
    for delimiter, quote, backslash in itertools.product(delimiters, quotes, escapes):
        dialect = Dialect(delimiter, quote, backslash)
        score = _score(head, dialect)
        if score > best_score:
            best, best_score = dialect, score
    return best


def _score(head: str, dialect: Dialect) -> tuple[float, float]:
    """Return (share of records as wide as the header, to 5 %; width) of the first 100 records."""
    lines = iter(io.StringIO(head, newline=""))
    records = list(itertools.islice(_records(lines, dialect, None), 100))
    widths = [0 if r.values is None else len(r.values) for r in records]
    if not widths or widths[0] < 2:
        return 0.0, 0.0
    return round(20 * sum(w == widths[0] for w in widths) / len(widths)) / 20, float(widths[0])


# Clean files
# -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Survey:
    """A well-formed file: its records after the header, their fields, and whether any spans lines."""

    rows: int
    width: int
    header_lines: int
    multiline: bool


def _survey(path: Path, delimiter: str) -> _Survey | None:
    """Prove a UTF-8 file well-formed, or return None. Reads it in blocks with numpy."""
    walk = _Walk(ord(delimiter))
    with path.open("rb") as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        while block := file.read(_BLOCK):
            if not walk.step(np.frombuffer(block, dtype=np.uint8)):
                return None
    return walk.finish()


class _Walk:
    """The state of a survey between two blocks of a file."""

    def __init__(self, delimiter: int) -> None:
        self.delimiter = delimiter
        self.quoted = 0  # 1 inside quotes
        self.tail = np.array([0, 10], dtype=np.uint8)  # the two bytes before: a file starts like a line
        self.closed_last = False  # whether the byte before closed a quote
        self.fields = 0  # delimiters of the record that is not yet complete
        self.width: int | None = None  # delimiters of a complete record
        self.records = 0
        self.lines = 0
        self.header_lines = 0

    def step(self, block: _Bytes) -> bool:
        """Take a block; return False where the file is not well-formed."""
        padded = np.concatenate((self.tail, block))
        before = padded[1:-1]
        quote, newline = block == 34, block == 10
        inside = np.bitwise_xor.accumulate(quote.astype(np.uint8)) ^ self.quoted
        outside = inside == 0
        closes = quote & outside
        if not self._quotes_fit(block, quote & ~outside, closes, before):
            return False
        was_outside = np.concatenate(([self.quoted == 0], outside[:-1]))
        if ((before == 13) & ~newline & was_outside).any():
            return False  # a lone carriage return ends a line for some readers and not for others
        if (newline & outside & ((before == 10) | ((before == 13) & (padded[:-2] == 10)))).any():
            return False  # so does an empty line
        ends = np.flatnonzero(newline & outside)
        if not self._widths_fit(np.flatnonzero((block == self.delimiter) & outside), ends):
            return False
        lines = np.flatnonzero(newline)
        if self.records == 0 and ends.size:
            self.header_lines = self.lines + int(np.searchsorted(lines, ends[0])) + 1
        self.records += ends.size
        self.lines += lines.size
        self.quoted, self.tail, self.closed_last = int(inside[-1]), padded[-2:], bool(closes[-1])
        return True

    def _quotes_fit(
        self, block: np.ndarray, opens: np.ndarray, closes: np.ndarray, before: np.ndarray
    ) -> bool:
        """Whether quotes open after a delimiter or line end (or double a closing one), close before one."""
        if not (opens.any() or closes.any() or self.closed_last):
            return True
        previous = before[opens]
        if not np.isin(previous, (self.delimiter, 10, 34)).all():
            return False
        after_close = np.concatenate(([self.closed_last], closes[:-1]))
        return bool(np.isin(block[after_close], (self.delimiter, 10, 13, 34)).all())

    def _widths_fit(self, delimiters: NDArray[np.intp], ends: NDArray[np.intp]) -> bool:
        """Whether all records that end in this block have as many fields as the header."""
        if not ends.size:
            self.fields += delimiters.size
            return True
        counts = np.diff(np.searchsorted(delimiters, ends), prepend=0)
        counts[0] += self.fields
        self.fields = delimiters.size - int(np.searchsorted(delimiters, ends[-1]))
        if self.width is None:
            self.width = int(counts[0])
        return bool((counts == self.width).all())

    def finish(self) -> _Survey | None:
        """Return the survey, or None where the file ends inside quotes or in a ragged record."""
        if self.quoted:
            return None
        last = int(self.tail[-1])
        if last != 10:
            if self.width is not None and self.fields != self.width:
                return None
            self.width = self.fields if self.width is None else self.width
            self.records += 1
            self.lines += 1
            self.header_lines = self.header_lines or self.lines
        if self.width is None or last == 13:
            return None
        return _Survey(self.records - 1, self.width + 1, self.header_lines, self.lines > self.records)


def _scan(path: Path, dialect: Dialect, names: list[str], survey: _Survey) -> Scan:
    scan = pl.scan_csv(
        path, has_header=False, skip_rows=1, separator=dialect.delimiter, infer_schema=False,
        schema=dict.fromkeys(names, pl.String()), null_values=list(NULLS), glob=False,
    )  # fmt: skip
    line_of: Callable[[int], int] = _Starts(path, dialect) if survey.multiline else _add_two
    columns: dict[str, pl.DataType] = dict.fromkeys(names, pl.String())
    return Scan(path, survey.rows, columns, scan, line_of, tidy=_empty_to_null)


def _empty_to_null(batch: pl.DataFrame) -> pl.DataFrame:
    """Make a quoted empty value null as an unquoted one is."""
    return batch.with_columns(pl.all().replace("", None))


def _add_two(row: int) -> int:
    return row + 2


class _Starts:
    """The line where each row starts, for a file whose rows span lines; looked for when first asked."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path = path
        self.dialect = dialect
        self._lines: array[int] | None = None

    def __call__(self, row: int) -> int:
        if self._lines is None:
            with open_binary(self.path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
                records = _records(text, self.dialect, None)
                self._lines = array("Q", (record.line for record in itertools.islice(records, 1, None)))
        return self._lines[row]


# All other files
# -------------------------------------------------------------------------------------------------


def _read_rows(path: Path, charset: Charset, dialect: Dialect, width: int) -> Iterator[Row]:
    """Yield the rows of a file, header left out."""
    with (
        open_binary(path) as file,
        io.TextIOWrapper(file, charset.name, errors="replace", newline="") as text,
    ):
        records = _records(text, dialect, width)
        next(records, None)
        for record in records:
            if record.values is None:
                yield record
            else:
                yield Row(record.line, [None if value in NULLS else value for value in record.values])


def _records(lines: Iterator[str], dialect: Dialect, width: int | None) -> Iterator[Row]:
    """Yield the records of a delimited text; what is broken costs the line where it starts and no more.

    A record that opens a quote is continued over lines until its quotes pair. Where that does not give a
    record of the right width, its first line is reported and reading goes on at its second line.
    """
    ahead: deque[str] = deque()
    number = 0
    while True:
        line = ahead.popleft() if ahead else next(lines, None)
        if line is None:
            return
        number += 1
        if not line.strip("\r\n"):
            continue
        fields, reason, more = _record(line, ahead, lines, dialect)
        if fields is not None and width is not None and len(fields) != width:
            fields, reason = _fit(fields, width)
        if fields is None:
            yield Row(number, None, reason)
        else:
            yield Row(number, list(fields))
            for _ in range(more):
                ahead.popleft()
            number += more


def _fit(fields: list[str], width: int) -> tuple[list[str] | None, str]:
    """Drop empty fields beyond the header's width; any other difference is an error."""
    if len(fields) > width and not any(fields[width:]):
        return fields[:width], ""
    return None, f"{len(fields)} fields where the header has {width}"


def _record(
    line: str, ahead: deque[str], lines: Iterator[str], dialect: Dialect
) -> tuple[list[str] | None, str, int]:
    """Return (fields, reason, further lines used) of the record that starts with `line`; only looks ahead."""
    if dialect.quote not in line and not dialect.backslash:
        return line.rstrip("\r\n").split(dialect.delimiter), "", 0
    try:
        return dialect.parse(line), "", 0
    except (csv.Error, StopIteration) as error:
        reason = str(error)
    if "unexpected end of data" not in reason:
        return None, f"broken quotes ({reason})", 0
    text, odd, more = [line], line.count(dialect.quote) % 2, 0
    size = len(line)
    while more < _RECORD_LINES and size < _RECORD_CHARS:
        if more == len(ahead):
            following = next(lines, None)
            if following is None:
                break
            ahead.append(following)
        text.append(ahead[more])
        size += len(ahead[more])
        odd = (odd + ahead[more].count(dialect.quote)) % 2
        more += 1
        if not odd or dialect.backslash:
            try:
                return dialect.parse("".join(text)), "", more
            except (csv.Error, StopIteration) as error:
                if not dialect.backslash or "unexpected end" not in str(error):
                    return None, f"broken quotes ({error})", 0
    return None, "a quote that is never closed", 0
