"""The doctor's files: the table, the page and the mapping; each appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from shelfwise.audit.doctor.findings import Finding, tabulate
from shelfwise.errors import CatalogueError

FORMATS = (".parquet", ".csv", ".json", ".jsonl", ".ndjson")
"""Endings of the table's file."""
_FORMULA = r"^[=+\-@\t\r]"


def check_places(*paths: Path | None) -> None:
    """Raise CatalogueError, before any work, where a file cannot be written."""
    for path in paths:
        if path is not None and path.is_dir():
            raise CatalogueError(f"cannot write {path}: it is a folder")


def check_table(path: Path | None) -> None:
    """Raise CatalogueError where the table's file has an ending that says nothing."""
    if path is not None and path.suffix.lower() not in FORMATS:
        raise CatalogueError(f"cannot write {path}: the file's ending must be one of {', '.join(FORMATS)}")


def write_findings(findings: Sequence[Finding], path: Path) -> None:
    """Write the table of findings, in the form that the file's ending says.

    In CSV, lists are JSON, and cells that a spreadsheet would run as a formula get an apostrophe before them.
    """
    check_table(path)
    table, ending = tabulate(findings), path.suffix.lower()
    if ending == ".parquet":
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "findings.parquet"
            table.write_parquet(whole)
            write_whole(path, whole.read_bytes())
    elif ending == ".csv":
        write_whole(path, _flat(table).write_csv().encode())
    else:
        write_whole(path, (table.write_json() if ending == ".json" else table.write_ndjson()).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder, then rename, so that no half file is ever seen.

    Raises
    ------
    CatalogueError
        The file cannot be written.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CatalogueError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for name, kind in table.schema.items():
        if isinstance(kind, pl.List):
            told = [_json(value) for value in table[name].to_list()]
            columns.append(pl.Series(name, told, dtype=pl.String))
        elif kind == pl.String:
            risky = table[name].str.contains(_FORMULA).fill_null(False)
            columns.append(
                pl.select(pl.when(risky).then("'" + table[name]).otherwise(table[name]))
                .to_series()
                .alias(name)
            )
        else:
            columns.append(table[name])
    return pl.DataFrame(columns)


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
