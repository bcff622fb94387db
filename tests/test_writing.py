"""Predictions appear whole or not at all, and say the same in every format."""

from __future__ import annotations

import json

import polars as pl
import pytest

from shelfwise.errors import CatalogueError
from shelfwise.predictions import EVIDENCE, SCHEMA
from shelfwise.writing import check_output, write_tables

FORMULAS = [
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "\tx",
    "plain",
    "-17",
    "+4,5",
    "-",
]


def table(first, last, accepted=None):
    """Prediction rows with the ids first..last-1 and every nested column filled."""
    words = {"field": "title", "text": 'a "quoted"\nword', "weight": 1.5}
    evidence = {"words": [words], "neighbours": [], "views": []}
    rows = [
        {
            "product_id": f"P{i}",
            "category": "Shoes > Boots",
            "confidence": 0.5,
            "accepted": accepted,
            "candidates": [{"category": "Shoes > Boots", "confidence": 0.5}],
            "evidence": evidence,
            "status": "ok",
        }
        for i in range(first, last)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def read(path):
    readers = {
        ".parquet": pl.read_parquet,
        ".csv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
    }
    return readers[path.suffix](path)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.ndjson", "A.PARQUET"])
def test_pieces_follow_each_other_in_one_file(tmp_path, name):
    heard = []
    told = write_tables(
        iter([table(0, 3), table(3, 4), table(4, 4), table(4, 9)]), tmp_path / name, "full", heard.append
    )
    back = read((tmp_path / name).rename(tmp_path / name.lower()))

    assert back["product_id"].to_list() == [f"P{i}" for i in range(9)]
    assert back.columns == list(SCHEMA)
    assert (told.rows, told.by_status, told.accepted) == (9, {"ok": 9}, None)
    assert heard == [3, 1, 0, 5]


def test_parquet_keeps_the_schema_exactly(tmp_path):
    write_tables(iter([table(0, 2), table(2, 3)]), tmp_path / "a.parquet")

    assert pl.read_parquet(tmp_path / "a.parquet").equals(table(0, 3))
    assert pl.read_parquet_schema(tmp_path / "a.parquet") == SCHEMA


def test_nested_columns_of_a_csv_are_json(tmp_path):
    write_tables(iter([table(0, 1)]), tmp_path / "a.csv")
    row = pl.read_csv(tmp_path / "a.csv").row(0, named=True)

    assert json.loads(row["candidates"]) == table(0, 1)["candidates"].to_list()[0]
    assert json.loads(row["evidence"]) == table(0, 1)["evidence"].to_list()[0]


def test_nothing_nested_stays_nothing(tmp_path):
    bare = table(0, 2).with_columns(
        candidates=pl.Series([None, []], dtype=SCHEMA["candidates"]),
        evidence=pl.Series([None, None], dtype=EVIDENCE),
    )
    write_tables(iter([bare]), tmp_path / "a.csv")
    back = pl.read_csv(tmp_path / "a.csv")

    assert back["candidates"].to_list() == [None, "[]"]
    assert back["evidence"].to_list() == [None, None]


def test_formulas_are_defused_in_csv_and_numbers_and_parquet_left_alone(tmp_path):
    rows = pl.concat([table(0, 1).with_columns(product_id=pl.lit(text)) for text in FORMULAS])
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        write_tables(iter([rows]), tmp_path / name)

    back = pl.read_csv(tmp_path / "a.csv", infer_schema=False)["product_id"].to_list()
    assert back == [*("'" + text for text in FORMULAS[:5]), "plain", "-17", "+4,5", "'-"]
    assert read(tmp_path / "a.parquet")["product_id"].to_list() == FORMULAS
    assert read(tmp_path / "a.jsonl")["product_id"].to_list() == FORMULAS


def test_ids_form_has_two_columns(tmp_path):
    write_tables(iter([table(0, 2)]), tmp_path / "a.csv", form="ids")

    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines == ["product_id,predicted_category_id", "P0,Shoes > Boots", "P1,Shoes > Boots"]


def test_accepted_rows_are_counted_where_there_is_a_promise(tmp_path):
    pieces = [table(0, 2, True), table(2, 5, False)]

    assert write_tables(iter(pieces), tmp_path / "a.csv").accepted == 2


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("failure", [CatalogueError("row 7 is broken"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("before", [None, b"yesterday's"])
def test_failed_writing_changes_nothing(tmp_path, suffix, failure, before):
    output = tmp_path / f"a{suffix}"
    if before is not None:
        output.write_bytes(before)

    def pieces():
        yield table(0, 3)
        raise failure

    with pytest.raises(type(failure)) as told:
        write_tables(pieces(), output)
    assert str(failure) in str(told.value)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if before is None else [before])


def test_place_that_cannot_be_written_is_a_catalogue_error(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(CatalogueError, match="cannot write"):
        write_tables(iter([table(0, 1)]), tmp_path / "file" / "a.csv")


@pytest.mark.parametrize("name", ["a", "a.txt", "a.parquet.gz", "csv", "a.xlsx"])
def test_unknown_ending_is_refused_before_any_work(tmp_path, name):
    def pieces():
        pytest.fail("work was done")
        yield

    with pytest.raises(CatalogueError, match="ending"):
        write_tables(pieces(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_folder_is_refused(tmp_path):
    (tmp_path / "a.csv").mkdir()

    with pytest.raises(CatalogueError, match="folder"):
        check_output(tmp_path / "a.csv")
