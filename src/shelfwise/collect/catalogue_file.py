"""From the products of a crawl to the file of a catalogue."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shelfwise.errors import CatalogueError
from shelfwise.unfinished import whole_file
from shelfwise.writing import write_parquet

if TYPE_CHECKING:
    import polars as pl

    from shelfwise.collect.products_table import Products

PIECE = 5_000  # products that are in memory at a time
TEXTS = ("product_id", "url", "title", "description", "brand", "price", "currency")
COLUMNS = (
    *TEXTS, "rating", "rating_count", "category_path", "attributes", "images", "language", "audience",
    "fetched_at", "status", "reason",
)  # fmt: skip


def check_file(output: Path) -> None:
    """Refuse a file that no catalogue can be written to, before any work."""
    if output.suffix.lower() != ".parquet":
        raise CatalogueError(
            f"cannot write {output}: a scraped catalogue is a Parquet file; give a name with .parquet"
        )
    if output.is_dir():
        raise CatalogueError(f"cannot write {output}: it is a folder")


def write_catalogue(products: Products, output: Path) -> int:
    """Write all products, in the order of their addresses; how many there are.

    `status` is `ok`, or `gone` for a product that was there in an earlier crawl; `reason` then
    says how that was seen. `attributes` is a JSON object as text. The file appears whole or not at all.
    """
    count = 0

    def pieces() -> Iterator[pl.DataFrame]:
        nonlocal count
        for rows in products.pieces(PIECE):
            count += len(rows)
            yield _frame(rows)

    try:
        with whole_file(output) as building:
            write_parquet(_frame([]), pieces(), building)
    except OSError as error:
        raise CatalogueError(
            f"cannot write {output}: {error.strerror or error}. What was scraped is kept: "
            "run the same command again"
        ) from error
    return count


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, Any] = {
        **dict.fromkeys(COLUMNS, pl.String), "rating": pl.Float64, "rating_count": pl.Int64,
        "images": pl.List(pl.String), "fetched_at": pl.Datetime("ms", "UTC"),
    }  # fmt: skip
    return pl.DataFrame([_told(row) for row in rows], schema=schema, orient="row")


def _told(row: dict[str, Any]) -> tuple[Any, ...]:
    attributes = row.get("attributes")
    told = {
        **row,
        "attributes": json.dumps(attributes, ensure_ascii=False) if attributes else None,
        "fetched_at": datetime.datetime.fromtimestamp(row["fetched"], datetime.UTC),
        "status": "gone" if row["gone"] else "ok",
        "reason": row["gone"] or row.get("reason"),
    }
    return tuple(told[name] for name in COLUMNS)
