"""The doctor's files: the table, the page and the mapping; each appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from shelfwise.audit.doctor.findings import Finding, tabulate
from shelfwise.errors import CatalogueError
from shelfwise.unfinished import whole_file
from shelfwise.writing import no_formula

FORMATS = (".parquet", ".csv", ".json", ".jsonl", ".ndjson")
"""Endings of the table's file."""


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
    with _written(path) as building:
        if ending == ".parquet":
            table.write_parquet(building)
        elif ending == ".csv":
            _flat(table).write_csv(building)
        elif ending == ".json":
            table.write_json(building)
        else:
            table.write_ndjson(building)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all; CatalogueError where that cannot be done."""
    with _written(path) as building:
        building.write_bytes(text.encode())


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    try:
        with whole_file(path) as building:
            yield building
    except OSError as error:
        raise CatalogueError(f"cannot write {path}: {error.strerror or error}") from error


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
    told = [pl.Series(name, [_json(value) for value in table[name].to_list()], pl.String) for name in lists]
    safe = [no_formula(name) for name, kind in table.schema.items() if kind == pl.String]
    return table.with_columns(*told, *safe)


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
