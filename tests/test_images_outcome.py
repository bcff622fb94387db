"""What a run leaves: the index, the dead links, the report; from the ledger alone."""

import csv
import json

import polars as pl
import pytest

from shelfwise.images.ledger import FAILED, STORED, Ledger, Result, Want
from shelfwise.images.outcome import CHECKED, DEAD, INDEX, REPORT, report_of, write_outcome
from shelfwise.images.wanted import Counts

COUNTS = Counts(rows=6, without=1, local=1)
URLS = ("http://a/1", "http://a/2", "http://b/1", "http://a/1", "=HYPERLINK(1)")
SHA = "ab" * 32


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        opened.want(
            [Want(row, 0, f"p{row}", url, url, url[7:8]) for row, url in enumerate(URLS)]
            + [Want(5, 0, "p5", "x/1.jpg", None, "")]
        )
        ids = {url: link for link, url in opened.rows("SELECT id, url FROM links")}
        opened.put(
            [
                Result(ids[URLS[0]], STORED, http=200, sha=SHA, form="JPEG", width=3, height=2, bytes=10),
                Result(ids[URLS[1]], STORED, http=200, sha=SHA, form="JPEG", width=3, height=2, bytes=10),
                Result(ids[URLS[2]], FAILED, "status_404", 404),
                Result(ids[URLS[4]], FAILED, "address_refused"),
            ]
        )
        yield opened


def test_the_index_has_each_picture_of_each_product_in_order(ledger, tmp_path):
    write_outcome(tmp_path, ledger, COUNTS, False)
    index = pl.read_parquet(tmp_path / INDEX)

    assert index["product_id"].to_list() == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert index["state"].to_list() == ["stored", "stored", "failed", "stored", "failed", "failed"]
    assert index["code"].to_list() == [None, None, "status_404", None, "address_refused", "local"]
    assert index["file"].unique().drop_nulls().to_list() == [f"pictures/ab/{SHA}.jpg"]


def test_dead_links_say_where_why_and_how_many_products_and_are_no_formulas(ledger, tmp_path):
    write_outcome(tmp_path, ledger, COUNTS, False)
    with (tmp_path / DEAD).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["url"] for row in rows] == ["http://b/1", "'=HYPERLINK(1)"]
    assert rows[0] | {"url": ""} == {
        "url": "", "host": "b", "status": "404", "code": "status_404", "meaning": "HTTP 404", "products": "1"
    }  # fmt: skip


def test_the_report_counts(ledger, tmp_path):
    write_outcome(tmp_path, ledger, COUNTS, False)
    told = json.loads((tmp_path / REPORT).read_text())

    assert told == {name: value for name, value in report_of(ledger, COUNTS).to_dict().items()
                    if name not in ("asked", "seconds")}  # fmt: skip
    assert (told["links"], told["stored"], told["failed"], told["contents"], told["bytes"]) == (
        4,
        2,
        2,
        1,
        10,
    )
    assert told["codes"] == {"address_refused": 1, "status_404": 1}
    assert {"host": "b", "links": 1, "failed": 1, "mostly": "status_404"} in told["hosts"]


def test_a_check_makes_a_table_of_links(ledger, tmp_path):
    write_outcome(tmp_path, ledger, COUNTS, True)
    table = pl.read_parquet(tmp_path / CHECKED)

    assert table.columns == ["url", "host", "status", "code", "products"]
    assert table["code"].to_list() == ["ok", "ok", "status_404", "address_refused"]
    assert table["products"].to_list() == [2, 1, 1, 1]
    assert not (tmp_path / INDEX).exists()


def test_the_same_ledger_makes_the_same_bytes(ledger, tmp_path):
    bytes_of = []
    for name in ("one", "two"):
        write_outcome(tmp_path / name, ledger, COUNTS, False)
        bytes_of.append([(tmp_path / name / file).read_bytes() for file in (INDEX, DEAD, REPORT)])
    assert bytes_of[0] == bytes_of[1]
