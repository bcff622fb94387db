"""Opening a catalogue: a file, a folder or glob of files, a folder of pictures, or a frame."""

from __future__ import annotations

import glob
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import polars as pl

from shelfwise.catalogue.delimited import open_delimited
from shelfwise.catalogue.embedded import is_embedded, share_of_pictures
from shelfwise.catalogue.jsonlines import open_json
from shelfwise.catalogue.parts import UNREADABLE, Part, Problem, Scan
from shelfwise.catalogue.picture_index import PICTURE_ENDINGS
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.remote import Copies, Fetched, is_remote, list_files, local_path
from shelfwise.errors import CatalogueError

__all__ = ["UNREADABLE", "Problem", "Source", "open_source"]

FORMATS = {
    ".parquet": "parquet", ".pq": "parquet",
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip
"""File ending -> format; ``.gz`` may follow those of text."""

_TEXT_ENDINGS = {".txt": "csv", ".dat": "csv"}
"""Endings that are read when such a file is named itself, but not picked out of a folder."""


PICTURE_ROWS = 500
"""Rows of a batch that holds pictures as bytes."""
_FEW_PICTURES = 20


class Source:
    """An opened catalogue. Nothing is loaded until rows are asked for.

    Attributes:
        files: the files, in the order of their rows.
        format: "parquet", "csv", "json", "pictures", "frame" or "mixed".
        columns: all columns and their types over all files, in order of first appearance. A column whose type
        differs
            between files is text.
        rows: rows in all, the unreadable ones included.
        folder: the catalogue's own folder, which paths in it may be relative to; None for a frame.
        problems: rows that the format could not read. They keep their places: a row of nulls, whose column
            `UNREADABLE` (there only in sources with problems) holds the reason.
        notes: what was noticed about files as a whole, such as an old encoding.

    """

    def __init__(
        self, parts: Sequence[Part], format_name: str, notes: Sequence[str] = (), folder: Path | None = None
    ) -> None:
        self._parts = list(parts)
        self.format = format_name
        self.files: tuple[Path, ...] = (
            tuple(part.path for part in parts) if format_name not in ("frame", "pictures") else ()
        )
        self.folder = folder if folder is not None or not self.files else self.files[0].parent
        self.columns: dict[str, pl.DataType] = _union(part.columns for part in parts)
        self._ends = list(accumulate(part.rows for part in parts))
        self.rows: int = self._ends[-1] if self._ends else 0
        self.problems: list[Problem] = [problem for part in parts for problem in part.problems]
        self.notes: list[str] = [*notes, *(note for part in parts for note in part.notes)]

    def frame(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all rows with just these columns (None: all of them), in input order."""
        frames = list(self._pieces(self._wanted(columns)))
        if not frames:
            return pl.DataFrame(schema={c: self.columns[c] for c in self._wanted(columns)})
        return pl.concat(frames, rechunk=True) if frames[0].width else pl.DataFrame(height=self.rows)

    def batches(self, rows: int = 20_000, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield all rows in input order in bounded memory: `rows` at a time, the last batch what is left.

        Where the columns hold pictures as bytes, at most `PICTURE_ROWS` at a time.
        """
        if any(c in self._pictures for c in self._wanted(columns)):
            rows = min(rows, PICTURE_ROWS)
        waiting: list[pl.DataFrame] = []
        height = 0
        for piece in self._pieces(self._wanted(columns)):
            waiting.append(piece)
            height += piece.height
            while height >= rows:
                whole = pl.concat(waiting) if len(waiting) > 1 else waiting[0]
                yield whole.slice(0, rows).rechunk()
                waiting = [whole.slice(rows)]
                height -= rows
        if height:
            yield pl.concat(waiting, rechunk=True)

    def sample(self, rows: int = 2000) -> pl.DataFrame:
        """Return about `rows` rows spread evenly over all files: every n-th.

        Of columns that hold pictures as bytes only the first few values are read, at the top of the sample:
        all of them may be many gigabytes, and a few tell what they are.
        """
        step = max(1, -(-self.rows // max(rows, 1)))
        heavy = self._pictures if step > 1 else {}
        taken, start = [], 0
        for piece in self._pieces([c for c in self.columns if c not in heavy]):
            taken.append(piece.gather_every(step, offset=-start % step))
            start += piece.height
        if not taken:
            return self.frame()
        sample = pl.concat(taken, rechunk=True)
        few = [v.head(sample.height) for v in heavy.values()]
        return sample.with_columns(v.extend_constant(None, sample.height - v.len()) for v in few).select(
            *self.columns, *[c for c in sample.columns if c == UNREADABLE]
        )

    @cached_property
    def _pictures(self) -> dict[str, pl.Series]:
        """Columns that hold pictures as bytes, each with its first few values that are not null."""
        found = {}
        for column in (c for c, dtype in self.columns.items() if is_embedded(dtype)):
            values = pl.Series(column, [], dtype=self.columns[column])
            for piece in self._pieces([column]):
                values = values.append(piece[column].drop_nulls().head(_FEW_PICTURES - values.len()))
                if values.len() >= _FEW_PICTURES:
                    break
            if share_of_pictures(values) > 0:
                found[column] = values.rechunk()
        return found

    def place(self, row: int) -> str:
        """Return where a row of the input stands: "products.csv, line 17" or "a.parquet, row 3"."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of a catalogue of {self.rows} rows")
        number = bisect_right(self._ends, row)
        part = self._parts[number]
        inside = part.place(row - (self._ends[number - 1] if number else 0))
        return f"{part.path.name}, {inside}" if self.files else inside

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self.columns)
        absent = [c for c in columns if c not in self.columns and c != UNREADABLE]
        if absent:
            raise CatalogueError(f"There is no column {absent[0]!r}. Columns are: {', '.join(self.columns)}.")
        return [c for c in dict.fromkeys(columns) if c != UNREADABLE]

    def _pieces(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows of all parts in one schema."""
        for part in self._parts:
            there = [c for c in columns if c in part.columns]
            for piece in self._read(part, there):
                yield self._in_schema(piece, columns)

    def _read(self, part: Part, columns: list[str]) -> Iterator[pl.DataFrame]:
        try:
            yield from part.batches(columns)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CatalogueError(f"{part.path}: cannot be read: {_first_line(error)}") from error

    def _in_schema(self, piece: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
        series = []
        for name in columns:
            target = self.columns[name]
            if name not in piece.columns:
                series.append(pl.Series(name, [None], dtype=target).new_from_index(0, piece.height))
            elif piece.schema[name] == target:
                series.append(piece[name])
            else:
                series.append(as_text(piece[name]).cast(target).alias(name))
        if self.problems:
            marks = piece[UNREADABLE] if UNREADABLE in piece.columns else None
            series.append(
                pl.Series(UNREADABLE, [None], dtype=pl.String).new_from_index(0, piece.height)
                if marks is None
                else marks
            )
        return pl.DataFrame(series) if series else pl.DataFrame(height=piece.height)


def _union(schemas: Iterable[dict[str, pl.DataType]]) -> dict[str, pl.DataType]:
    columns: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            known = columns.get(name)
            if known is None or known == pl.Null:
                columns[name] = dtype
            elif dtype not in (known, pl.Null):
                columns[name] = pl.String()
    return columns


def open_source(where: object) -> Source:
    """Open a catalogue.

    Args:
        where: a Parquet, CSV, TSV or JSON-lines file (text also gzipped), a folder of such files, a glob, a
        folder of
            pictures whose sub-folders are the categories, or any frame that speaks Arrow (polars, pandas,
            pyarrow, DuckDB results). Files, folders and globs also by an address, such as s3://shop/dumps/
            (extra `cloud`; see `catalogue.remote`).

    Returns:
        A `Source`. Text files are read through once, to find their encoding and the rows that are broken.

    Raises:
        CatalogueError: there is nothing to read; says what and what to do.

    """
    if not isinstance(where, str | os.PathLike):
        return _open_frame(where)
    if is_remote(str(where)):
        return _open_remote(str(where))
    where = local_path(str(where))
    path = Path(where)
    if path.is_dir():
        return _open_folder(path)
    if path.is_file():
        return Source([_open_file(path)], _format(path) or "csv")
    if glob.has_magic(str(where)):
        found = sorted(Path(name) for name in glob.glob(str(where), recursive=True) if Path(name).is_file())
        if not found:
            raise CatalogueError(f"No file matches {str(where)!r}. Is the pattern relative to {Path.cwd()}?")
        return _open_files(found)
    parent = path.parent
    near = (
        ", ".join(sorted(p.name for p in parent.iterdir())[:8])
        if parent.is_dir()
        else f"not even the folder {parent}"
    )
    raise CatalogueError(f"{path}: there is no such file or folder. There is: {near or 'nothing'}.")


def _open_frame(where: object) -> Source:
    try:
        frame = where.collect() if isinstance(where, pl.LazyFrame) else pl.DataFrame(where)  # type: ignore[arg-type]
    except Exception as error:
        raise CatalogueError(
            f"A {type(where).__name__} is no catalogue: give a path or a frame that speaks Arrow "
            f"(polars, pandas, pyarrow, DuckDB). {_first_line(error)}"
        ) from error
    return Source([Scan(Path("frame"), frame.height, dict(frame.schema), frame.lazy())], "frame")


def _format(path: Path) -> str | None:
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        return (
            FORMATS.get(endings[-2]) if len(endings) > 1 and FORMATS.get(endings[-2]) != "parquet" else None
        )
    return FORMATS.get(endings[-1]) if endings else None


def _open_file(path: Path) -> Part:
    """Open one file by its ending, after a look at its first bytes."""
    if not path.stat().st_size:
        raise CatalogueError(f"{path}: the file is empty (0 bytes). Was it written to its end?")
    format_name = _format(path) or _TEXT_ENDINGS.get(path.suffix.lower())
    with path.open("rb") as file:
        start = file.read(8)
    if start[:4] == b"PAR1" or format_name == "parquet":
        return _open_parquet(path, start)
    if start[:4] == b"PK\x03\x04" or path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise CatalogueError(
            f"{path}: a spreadsheet or a zip archive cannot be read. Export it as CSV (UTF-8)."
        )
    if format_name is None:
        endings = ", ".join(FORMATS)
        raise CatalogueError(
            f"{path}: unknown file ending {path.suffix!r}. Known are {endings} (text also with .gz)."
        )
    return open_json(path) if format_name == "json" else open_delimited(path)


def _open_parquet(path: Path, start: bytes) -> Part:
    if start[:4] != b"PAR1":
        raise CatalogueError(
            f"{path}: is no Parquet file in spite of its name: it starts with {start[:8]!r}."
        )
    scan = pl.scan_parquet(path, glob=False)
    try:
        schema = scan.collect_schema()
        rows = scan.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CatalogueError(
            f"{path}: the Parquet file is truncated or damaged ({_first_line(error)}). "
            "Fetch or write it again."
        ) from error
    return Scan(path, rows, dict(schema), scan)


def _open_folder(folder: Path) -> Source:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not _hidden(p, folder))
    known = [p for p in files if _format(p)]
    if any(p.suffix.lower() != ".json" for p in known):
        known = [p for p in known if p.suffix.lower() != ".json"]  # settings beside the data, most likely
    if known:
        return _open_files(known, folder)
    pictures = [p for p in files if p.suffix.lower() in PICTURE_ENDINGS and p.parent != folder]
    if pictures:
        return _open_pictures(folder, pictures)
    seen = Counter(p.suffix.lower() or "no ending" for p in files)
    listed = (
        ", ".join(f"{count} x {ending}" for ending, count in sorted(seen.items())[:10]) or "nothing at all"
    )
    raise CatalogueError(
        f"{folder}: holds no catalogue. Looked for {', '.join(FORMATS)} and for pictures in sub-folders; "
        f"found {listed}."
    )


def _hidden(path: Path, folder: Path) -> bool:
    return any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)


def _open_files(files: list[Path], folder: Path | None = None) -> Source:
    """Open many files in the order of their paths; one without a byte has no row to lose and is noted."""
    empty = [p for p in files if not p.stat().st_size]
    parts = [_open_file(p) for p in files if p.stat().st_size]
    if not parts:
        raise CatalogueError(f"{files[0]}: all {len(files)} files are empty (0 bytes).")
    return Source(parts, _common_format(files), [f"{p.name}: empty file, left out" for p in empty], folder)


def _common_format(files: Sequence[Path]) -> str:
    formats = {_format(p) or "csv" for p in files}
    return next(iter(formats)) if len(formats) == 1 else "mixed"


def _open_remote(where: str) -> Source:
    """Open the files of another system; see `remote`."""
    files, names = list_files(where, lambda name: _format(Path(name)) is not None)
    if any(not name.lower().endswith(".json") for name in names):
        names = [name for name in names if not name.lower().endswith(".json")]
    copies = Copies(files, names)
    parts: list[Part] = [Fetched(name, copies, _open_file) for name in copies.filled]
    if not parts:
        raise CatalogueError(f"{where}: all {len(names)} files are empty (0 bytes).")
    notes = [f"{Path(name).name}: empty file, left out" for name in names if name not in copies.filled]
    return Source(parts, _common_format([Path(name) for name in names]), notes)


def _open_pictures(folder: Path, pictures: list[Path]) -> Source:
    """Make rows of pictures; the category is the sub-folder's path. Nothing is decoded here."""
    relative = [p.relative_to(folder) for p in pictures]
    frame = pl.DataFrame(
        {
            "product_id": [p.as_posix() for p in relative],
            "image": [p.as_posix() for p in relative],
            "category": [" > ".join(p.parent.parts) for p in relative],
        },
        schema={"product_id": pl.String, "image": pl.String, "category": pl.String},
    )
    return Source([Scan(folder, frame.height, dict(frame.schema), frame.lazy())], "pictures", folder=folder)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
