"""Products whose category an audit doubts and that nobody has looked at: better left out of what is learned.

Leaving out what is most probably wrong is the pruning of confident learning (Northcutt, Jiang, Chuang 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels", doi:10.1613/jair.1.12125), with the doubts of
`shelfwise audit` for its counts.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl

from shelfwise.corrections.decisions import DECIDED
from shelfwise.errors import CatalogueError

COLUMNS = ("product_id", "row", "given", "doubt")
BESIDE = ".decisions.sqlite"
"""Ending of the file of decisions about a doubts file, on top of its name."""

# Of the decisions about a product that were not taken back the last one stands.
_LAST = """
SELECT product_id, row, action, MAX(seq) FROM decisions
WHERE undoes IS NULL AND seq NOT IN (SELECT undoes FROM decisions WHERE undoes IS NOT NULL)
GROUP BY product_id, row
"""


def read_doubted(path: str, least: float) -> pl.DataFrame:
    """Read which categories are doubted, columns `product_id` and `given`.

    Those that people have decided on, in the file of decisions beside it, are not among them.

    Parameters
    ----------
    path
        A file that `shelfwise audit` wrote.
    least
        Doubt from which on a category is left out, 0..1.

    Raises
    ------
    CatalogueError
        One of the two files cannot be read, or is something else.

    """
    try:
        doubts = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CatalogueError(f"cannot read the doubts {path}: {error}") from error
    if missing := [name for name in COLUMNS if name not in doubts.columns]:
        raise CatalogueError(
            f"{path} has no column {missing[0]!r}: it is no file of doubts, as shelfwise audit writes them"
        )
    doubted = doubts.select(COLUMNS).filter(pl.col("doubt") >= least).drop_nulls("given")
    decided = _decided(Path(f"{path}{BESIDE}"))
    doubted = doubted.with_columns(pl.col("row").cast(pl.Int64))
    return doubted.join(decided, on=["product_id", "row"], how="anti").select("product_id", "given")


def _decided(path: Path) -> pl.DataFrame:
    """Products that people have decided on, columns `product_id` and `row`; none without a file."""
    rows: list[tuple[str, int]] = []
    if path.exists():
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
                found = store.execute(_LAST).fetchall()
        except sqlite3.Error as error:
            raise CatalogueError(f"cannot read the decisions {path} beside the doubts: {error}") from error
        rows = [(name, row) for name, row, action, _ in found if action in DECIDED]
    return pl.DataFrame(rows, schema={"product_id": pl.String, "row": pl.Int64}, orient="row")
