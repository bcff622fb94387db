"""From the products of a crawl to the file of a catalogue."""

import polars as pl
import pytest

from shelfwise.collect import catalogue_file
from shelfwise.collect.catalogue_file import COLUMNS, check_file, write_catalogue
from shelfwise.collect.extraction import COLUMNS as EXTRACTED
from shelfwise.collect.frontier import Frontier
from shelfwise.errors import CatalogueError


@pytest.fixture
def products(tmp_path):
    frontier = Frontier(tmp_path / "x.crawl")
    for number in range(7):
        row = {
            **dict.fromkeys(EXTRACTED),
            "url": f"https://a.example/{number}",
            "title": "Lamp",
            "images": ["https://a/1"],
        }
        row |= {"attributes": {"Größe": "1"}, "rating": 4, "product_id": str(number)}
        frontier.products.keep(row, row["url"], number, (1, 1_790_000_000.0))
    frontier.products.vanish(3, "http_410", 2)
    yield frontier.products
    frontier.close()


def test_a_catalogue_has_its_columns_whole_and_in_order(products, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue_file, "PIECE", 3)
    path = tmp_path / "out" / "shop.parquet"

    assert write_catalogue(products, path) == 7
    frame = pl.read_parquet(path)

    assert tuple(frame.columns) == COLUMNS == EXTRACTED
    assert frame["product_id"].to_list() == [str(number) for number in range(7)]
    assert frame["status"].to_list() == ["ok", "ok", "ok", "gone", "ok", "ok", "ok"]
    assert frame["reason"][3] == "http_410"
    assert frame["attributes"][0] == '{"Größe": "1"}'
    assert frame["fetched_at"].dt.year().unique().to_list() == [2026]
    assert list(path.parent.iterdir()) == [path]


def test_files_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    with pytest.raises(CatalogueError, match="parquet"):
        check_file(tmp_path / "x.csv")
    (tmp_path / "x.parquet").mkdir()
    with pytest.raises(CatalogueError, match="folder"):
        check_file(tmp_path / "x.parquet")


def test_a_disk_that_is_full_keeps_what_was_scraped(products, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(CatalogueError, match="is kept: run the same command again"):
        write_catalogue(products, tmp_path / "file" / "shop.parquet")
