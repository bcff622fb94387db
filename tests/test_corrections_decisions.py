"""Decisions of the review page: the last one counts, and another catalogue is noticed."""

from __future__ import annotations

import polars as pl
import pytest

import shelfwise
from shelfwise.corrections.decisions import read_decisions, rows_of
from shelfwise.errors import CatalogueError

SHOP = pl.DataFrame({"sku": ["A", "B", "C", "D"], "title": ["boot", "clog", "watch", "lamp"]})
ROWS = [
    ("A", 0, "Shoes", "Boots", "accept", "2026-01-01T10:00:00"),
    ("B", 1, "Shoes", "Shoes", "keep", "2026-01-01T10:00:01"),
    ("C", 2, "Shoes", "Watches", "move", "2026-01-01T10:00:03"),
    ("C", 2, "Shoes", "Lamps", "move", "2026-01-01T10:00:02"),
    ("D", 3, "Shoes", None, "unsure", "2026-01-01T10:00:04"),
]
COLUMNS = ["product_id", "row", "before", "category", "action", "at"]


@pytest.fixture(params=["parquet", "csv", "jsonl"])
def path(request, tmp_path):
    return write(tmp_path / f"decisions.{request.param}", ROWS)


def write(path, rows):
    table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    {".parquet": table.write_parquet, ".csv": table.write_csv, ".jsonl": table.write_ndjson}[path.suffix](
        path
    )
    return path


def test_last_decision_on_a_product_stands_and_undecided_ones_are_counted(path):
    decided = read_decisions(path)
    told = dict(zip(decided.rows, decided.categories, strict=True))

    assert told == {0: "Boots", 1: "Shoes", 2: "Watches"}
    assert decided.undecided == 1
    found = rows_of(decided, path, shelfwise.open_source(SHOP), "sku")
    assert found["sku"].to_list() == [SHOP["sku"][row] for row in decided.rows]


def test_another_catalogue_is_noticed_by_its_rows_and_its_ids(path):
    decided = read_decisions(path)

    with pytest.raises(CatalogueError, match="has 2 rows"):
        rows_of(decided, path, shelfwise.open_source(SHOP.head(2)), "sku")
    with pytest.raises(CatalogueError, match=r"row 0 of the catalogue is product 'D'.*'A'"):
        rows_of(decided, path, shelfwise.open_source(SHOP.reverse()), "sku")
    assert rows_of(decided, path, shelfwise.open_source(SHOP.drop("sku")), "sku").height == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": "x"}, "row is no number"),
        ({"row": "-1"}, "row is no number"),
        ({"action": "burn"}, "action is none of accept"),
        ({"category": "  "}, "category is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_by_product(tmp_path, change, said):
    one = {**dict(zip(COLUMNS, ROWS[0], strict=True)), **change}
    one["row"] = str(one["row"])
    pl.DataFrame([one]).write_csv(tmp_path / "decisions.csv")

    with pytest.raises(CatalogueError, match=rf"'A'.*{said}"):
        read_decisions(tmp_path / "decisions.csv")


def test_file_of_another_kind_names_the_missing_column(tmp_path):
    SHOP.write_csv(tmp_path / "shop.csv")

    with pytest.raises(CatalogueError, match="no column 'product_id'"):
        read_decisions(tmp_path / "shop.csv")
