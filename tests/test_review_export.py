"""The export holds each reviewer's last word on each product, and no formula for a spreadsheet."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest

from shelfwise.review import export
from shelfwise.review.decisions import Decision, Decisions


@pytest.fixture
def store(tmp_path):
    opened = Decisions(tmp_path / "d.sqlite")
    yield opened
    opened.close()


def new(number, action="accept", category="B"):
    return Decision(number, f"P{number}", number, action, category, "A", "B", 0.5)


def test_one_row_for_each_product_and_reviewer(store):
    store.add("key-0001", "Ada", [new(1), new(2)])
    store.add("key-0002", "Bob", [new(1, "keep", "A")])
    store.add("key-0003", "Ada", [new(2, "unsure", None)])
    store.add("key-0004", "Ada", [new(3)])
    store.undo("undo-001", "Ada")
    table = export.table(store)
    assert table.columns == list(export.SCHEMA)
    assert table.select("product_id", "who", "action", "category").rows() == [
        ("P1", "Ada", "accept", "B"), ("P1", "Bob", "keep", "A"), ("P2", "Ada", "unsure", None),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_csv_has_no_formulas_and_parquet_has_the_text(store, text):
    store.add("key-0001", text, [new(1, "move", text)])
    csv = pl.read_csv(io.BytesIO(export.as_bytes(store, "csv")[0]))
    assert csv.select("who", "category").row(0) == ("'" + text, "'" + text)
    assert pl.read_parquet(io.BytesIO(export.as_bytes(store, "parquet")[0]))["category"][0] == text


def test_without_decisions_it_is_an_empty_table(store):
    for form in export.FORMS:
        data, _ = export.as_bytes(store, form)
        read = pl.read_csv if form == "csv" else pl.read_parquet
        assert read(io.BytesIO(data)).shape == (0, len(export.SCHEMA))


def test_parquet_carries_the_audit(store):
    store.tell("audit", json.dumps({"version": 1}))
    data = export.as_bytes(store, "parquet")[0]
    assert json.loads(pl.read_parquet_metadata(io.BytesIO(data))[export.MARK]) == {"version": 1}
