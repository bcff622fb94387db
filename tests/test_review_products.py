"""Doubts find their products; a catalogue that has changed, or is another one, is told."""

from __future__ import annotations

import polars as pl
import pytest

from review_shop import make_shop
from shelfwise.errors import CatalogueError
from shelfwise.review.doubts import read_doubts
from shelfwise.review.products import find_catalogue, read_products


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 60, pictures=False)


def products_of(shop, frame=None):
    doubts = read_doubts(shop[0])
    source = find_catalogue(doubts.audit, None, doubts.path)
    if frame is not None:
        from shelfwise.catalogue.read import open_source

        source = open_source(frame)
    return doubts, read_products(doubts, source)


def test_each_doubt_has_its_product(shop):
    doubts, products = products_of(shop)
    raw = pl.read_parquet(shop[1])
    assert products.notes == []
    assert products.frame["product_id"].gather(products.of_doubt).to_list() == doubts.product_id.to_list()
    place = int(products.of_doubt[3])
    text = products.text(place)
    row = raw.row(int(doubts.row[3]), named=True)
    assert text.url == row["url"]
    assert text.brand == row["brand"]
    assert "<" not in text.description
    assert dict(text.attributes).keys() == {"colour", "size"}


def test_all_categories_of_the_catalogue_are_counted(shop):
    _, products = products_of(shop)
    wanted = pl.read_parquet(shop[1])["category"].drop_nulls().value_counts().sort("category")
    assert products.labels.select("label", "products").rows() == wanted.rows()


def test_addresses_that_are_no_pages_are_left_out(shop):
    raw = pl.read_parquet(shop[1])
    urls = [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.example/a",
        "https://x.example/a b",
        " HTTP://x.example/a",
    ]
    raw = raw.with_columns(url=pl.Series(urls * 12 + urls[:3]))
    _, products = products_of(shop, raw)
    shown = {products.text(place).url for place in range(products.frame.height)}
    assert shown == {"", "HTTP://x.example/a"}


def test_reordered_rows_are_found_by_their_ids(shop):
    raw = pl.read_parquet(shop[1]).reverse()
    doubts, products = products_of(shop, raw)
    assert products.frame["product_id"].gather(products.of_doubt).to_list() == doubts.product_id.to_list()
    assert "are in another row" in products.notes[0]


def test_an_id_that_repeats_is_found_by_its_row(shop):
    raw = pl.read_parquet(shop[1])
    doubts, products = products_of(shop, pl.concat([raw, raw.with_columns(title=pl.lit("copy"))]))
    assert products.frame["row"].gather(products.of_doubt).to_list() == doubts.row.tolist()


def test_vanished_products_changed_labels_and_shelves_are_told(shop):
    raw = pl.read_parquet(shop[1])
    gone = read_doubts(shop[0]).product_id[0]
    moved = (
        pl.when(pl.col("row") % 5 == 1).then(pl.lit("New > Shelf")).otherwise("category").alias("category")
    )
    changed = raw.filter(pl.col("sku") != gone).with_row_index("row").with_columns(moved).drop("row")
    _doubts, products = products_of(shop, changed)
    assert products.of_doubt[0] == -1
    told = " ".join(products.notes)
    assert f"1 of the 60 products are no longer in the catalogue (the first is {gone})" in told
    assert "have another category" in told
    assert "has been changed since the audit" in told


def test_changed_titles_are_told_but_not_those_that_the_audit_cut_short(shop):
    raw = pl.read_parquet(shop[1])
    near = read_doubts(shop[0]).titles["product_id"].to_list()
    other = pl.when(pl.col("sku").is_in(near[:3])).then(pl.lit("Other")).otherwise("title").alias("title")
    _, products = products_of(shop, raw.with_columns(other))
    assert products.notes[0].startswith("3 products have another title")
    _, products = products_of(shop, raw.with_columns(pl.col("title") + " and more"))
    assert products.notes == []


def test_suggested_shelves_that_no_longer_exist_are_told(shop):
    raw = pl.read_parquet(shop[1])
    doubts = read_doubts(shop[0])
    lost = doubts.shelves[doubts.suggested[0]]
    _, products = products_of(shop, raw.with_columns(category=pl.col("category").replace(lost, "Else")))
    assert any("suggested shelves have no product" in note for note in products.notes)


def test_another_catalogue_is_refused(shop):
    raw = pl.read_parquet(shop[1]).with_columns(sku="X" + pl.col("sku"))
    with pytest.raises(CatalogueError, match="about another catalogue: of its 60 products 0 are in"):
        products_of(shop, raw)


def test_a_catalogue_that_is_not_there_is_asked_for(shop, tmp_path):
    doubts = read_doubts(shop[0])
    import msgspec

    audit = msgspec.structs.replace(doubts.audit, catalogue=str(tmp_path / "gone.parquet"))
    with pytest.raises(CatalogueError, match="--catalogue FILE"):
        find_catalogue(audit, None, doubts.path)


def test_a_relative_catalogue_is_looked_for_beside_the_doubts(shop, tmp_path, monkeypatch):
    import msgspec

    doubts = read_doubts(shop[0])
    monkeypatch.chdir(tmp_path)
    source = find_catalogue(
        msgspec.structs.replace(doubts.audit, catalogue="catalogue.parquet"), None, doubts.path
    )
    assert source.rows == 63
