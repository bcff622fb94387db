"""The decisions as a table: what the page exports and `shelfwise correct` reads."""

from __future__ import annotations

import io
from collections.abc import Iterable

import polars as pl

from shelfwise.review.decisions import Decisions, Row

SCHEMA: dict[str, type[pl.DataType]] = {
    "product_id": pl.String, "row": pl.Int64, "before": pl.String, "category": pl.String,
    "action": pl.String, "who": pl.String, "at": pl.String, "doubt": pl.Float64, "model": pl.String,
}  # fmt: skip
"""Columns of a decisions file: one row for each product and reviewer, in the order in which they decided."""

FORMS = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
"""Forms of the export, and their media types."""

MARK = "shelfwise.decisions"
"""Key in the metadata of a Parquet file of decisions: the audit that they are about."""

FORMULA = r"^[=+\-@\t\r]"
"""What begins a formula in a spreadsheet; such text gets an apostrophe before it in CSV (OWASP)."""


def table(decisions: Decisions) -> pl.DataFrame:
    """Return each reviewer's last decision about each product that was not undone."""
    return as_table(standing(decisions.since(0)))


def standing(rows: Iterable[Row]) -> list[Row]:
    """Leave the last row of each product and reviewer that was not undone, in order."""
    listed = list(rows)
    undone = {row.undoes for row in listed if row.undoes is not None}
    last: dict[tuple[str, int, str], Row] = {}
    for row in listed:
        if row.undoes is None and row.seq not in undone:
            last[row.product_id, row.row, row.who] = row
    return sorted(last.values(), key=lambda row: row.seq)


def as_table(rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as a table with the columns of `SCHEMA`."""
    listed = [tuple(getattr(row, name) for name in SCHEMA) for row in rows]
    return pl.DataFrame(listed, schema=SCHEMA, orient="row")


def as_bytes(decisions: Decisions, form: str) -> tuple[bytes, str]:
    """Return the decisions as a file, and its media type. KeyError: there is no such form."""
    made = table(decisions)
    written = io.BytesIO()
    if form == "csv":
        text = pl.selectors.string()
        safe = pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text)
        made.with_columns(safe.name.keep()).write_csv(written)
    else:
        made.write_parquet(written, metadata={MARK: decisions.told("audit") or "{}"})
    return written.getvalue(), FORMS[form]
