"""Writing a catalogue's rows back to a file as they are; the file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from shelfwise.errors import CatalogueError
from shelfwise.unfinished import whole_file
from shelfwise.writing import write_parquet


def write_catalogue(pieces: Iterator[pl.DataFrame], path: Path) -> None:
    """Write rows as .parquet, .csv or .jsonl, by the file's ending; one piece at least.

    Unlike predictions, a catalogue's own texts are not touched: what begins like a formula stays as it is.
    In CSV nested values are JSON and bytes are base64.

    Raises
    ------
    CatalogueError
        The file cannot be written; what was there before is left as it was.

    """
    try:
        with whole_file(path) as building:
            _write(pieces, building, path.suffix.lower())
    except OSError as error:
        raise CatalogueError(f"cannot write {path}: {error.strerror or error}") from error


def _write(pieces: Iterator[pl.DataFrame], path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        write_parquet(next(pieces), pieces, path)
        return
    with path.open("wb") as file:
        for number, piece in enumerate(pieces):
            if suffix == ".csv":
                file.write(_flat(piece).write_csv(include_header=number == 0).encode())
            else:
                file.write(_speakable(piece).write_ndjson().encode())


def _speakable(piece: pl.DataFrame) -> pl.DataFrame:
    return piece.with_columns(pl.selectors.binary().bin.encode("base64"))


def _flat(piece: pl.DataFrame) -> pl.DataFrame:
    nested = pl.selectors.nested()
    piece = _speakable(piece)
    names = pl.selectors.expand_selector(piece, nested)
    return piece.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1))
        .alias(name)
        for name in names
    )
