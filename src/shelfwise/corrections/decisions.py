"""Files of decisions that people made on the review page: which products of a catalogue go where.

Columns: `product_id`, `row` (0-based, of the catalogue that was reviewed), `category`, `action`, and others
that do not matter here. Of several decisions on one product the last one made stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shelfwise.catalogue.read import Source, open_source
from shelfwise.errors import CatalogueError

DECIDED = ("accept", "keep", "move")
"""Actions that say where a product belongs; `unsure` and `skip` say nothing."""
_NEEDED = ("product_id", "row", "before", "category", "action")


@dataclass(frozen=True)
class Decided:
    """Rows of a catalogue, int64 [k], the category of each, and how many decisions said nothing."""

    rows: list[int]
    categories: list[str]
    undecided: int


def read_decisions(path: str | Path) -> Decided:
    """Read decisions from a Parquet, CSV or JSON-lines file.

    Raises
    ------
    CatalogueError
        A column is missing, a row is no number, an action is unknown, or a category is missing.

    """
    source = open_source(path)
    if missing := [name for name in _NEEDED if name not in source.columns]:
        raise CatalogueError(
            f"{path}: there is no column {missing[0]!r}; a file of decisions, as the review page exports it, "
            f"has {', '.join(_NEEDED)}. Columns are: {', '.join(source.columns)}"
        )
    table = source.frame().with_columns(pl.col(_NEEDED).cast(pl.String))
    if "at" in table.columns:
        table = table.sort(pl.col("at").cast(pl.String), maintain_order=True, nulls_last=False)
    table = table.with_columns(pl.col("row").cast(pl.Int64, strict=False).alias("place"))
    last = table.unique("row", keep="last", maintain_order=True)
    undecided = last.filter(pl.col("action").is_in(["unsure", "skip"])).height
    chosen = last.filter(~pl.col("action").is_in(["unsure", "skip"]))
    category = (
        pl.when(pl.col("action") == "keep").then(pl.coalesce("before", "category")).otherwise("category")
    )
    chosen = chosen.with_columns(category.alias("category"))
    _check(chosen, path)
    return Decided(chosen["place"].to_list(), chosen["category"].to_list(), undecided)


def _check(chosen: pl.DataFrame, path: str | Path) -> None:
    for at, wrong in (
        ("row is no number", pl.col("place").is_null() | (pl.col("place") < 0)),
        (
            f"action is none of {', '.join(DECIDED)}, unsure, skip",
            ~pl.col("action").is_in(DECIDED) | pl.col("action").is_null(),
        ),
        ("category is missing", pl.col("category").is_null() | (pl.col("category").str.strip_chars() == "")),
    ):
        bad = chosen.filter(wrong.fill_null(True))
        if bad.height:
            first = bad.row(0, named=True)
            raise CatalogueError(
                f"{path}: of the decision on product {first['product_id']!r} (row {first['row']}) the {at}"
            )


def rows_of(decided: Decided, decisions: str | Path, source: Source, id_column: str | None) -> pl.DataFrame:
    """The decided rows of the catalogue that was reviewed.

    Raises
    ------
    CatalogueError
        The catalogue has fewer rows, or another product stands in a row: it is another catalogue, or has
        changed since.

    """
    if decided.rows and max(decided.rows) >= source.rows:
        raise CatalogueError(
            f"{decisions} speaks of row {max(decided.rows):,}, and the catalogue has {source.rows:,} rows: "
            "it is another catalogue, or has changed since the review"
        )
    frame = source.frame()[decided.rows]
    table = open_source(decisions).frame().with_columns(pl.col("row", "product_id").cast(pl.String))
    if id_column in frame.columns:
        told = dict(zip(table["row"].to_list(), table["product_id"].to_list(), strict=True))
        for row, there in zip(decided.rows, frame[str(id_column)].cast(pl.String).to_list(), strict=True):
            if there is not None and there.strip() != (told.get(str(row)) or "").strip():
                raise CatalogueError(
                    f"row {row:,} of the catalogue is product {there!r}, and {decisions} has decided on "
                    f"{told.get(str(row))!r} there: it is another catalogue, or has changed since the review"
                )
    return frame
