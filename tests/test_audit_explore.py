"""Exploring: every product has a place and its nearest, with or without categories; nothing is judged."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from audit_shop import recipe, shop
from queue_shop import catalogue
from shelfwise.audit import explore as exploring
from shelfwise.audit.doubts import METADATA, SCHEMA
from shelfwise.audit.explore import explore
from shelfwise.errors import CatalogueError
from shelfwise.recipe import Recipe


@pytest.fixture(scope="module")
def found():
    return explore(catalogue(), recipe(), layout=False)


def test_every_product_is_there_in_the_order_of_the_catalogue(found):
    frame = catalogue()

    assert found.table.schema == pl.Schema(SCHEMA)
    assert found.table["product_id"].to_list() == frame["product_id"].to_list()
    assert found.table["row"].to_list() == list(range(frame.height))
    assert found.table["given"].to_list() == frame["category"].to_list()
    assert found.to_dict() == {"rows": 228, "labelled": 96, "unlabelled": 132, "unreadable": 0}
    assert found.table["kind"].value_counts().sort("kind").rows() == [("labelled", 96), ("unlabelled", 132)]


def test_nothing_is_judged(found):
    for name in ("suggested", "doubt", "distance", "confidence"):
        assert found.table[name].null_count() == found.table.height
    assert set(found.table["reasons"].list.len()) == set(found.table["candidates"].list.len()) == {0}
    assert found.about["judged"] is False


def test_the_nearest_are_alike_and_never_the_product_itself():
    found = explore(shop(20), recipe(), layout=False)
    shelf = dict(zip(found.table["product_id"], found.table["given"], strict=True))
    near = found.table.select("product_id", pl.col("neighbours")).explode("neighbours").with_columns(
        other=pl.col("neighbours").struct.field("product_id"),
        category=pl.col("neighbours").struct.field("category"),
    )  # fmt: skip

    assert near.height == 3 * found.table.height
    assert (near["product_id"] != near["other"]).all()
    assert [shelf[name] for name in near["other"]] == near["category"].to_list()
    same = np.array([shelf[one] == kind for one, kind in near.select("product_id", "category").iter_rows()])
    assert same.mean() > 0.9


def test_unlabelled_neighbours_have_no_category(found):
    category = dict(zip(catalogue()["product_id"], catalogue()["category"], strict=True))
    for near in found.table["neighbours"].explode().drop_nulls().to_list():
        assert near["category"] == category[near["product_id"]]


def test_many_products_are_compared_within_cells(monkeypatch):
    whole = explore(shop(40), recipe(), layout=False)
    monkeypatch.setattr(exploring, "_CELL", 60)
    cells = explore(shop(40), recipe(), layout=False)
    best, some = (
        found.table["neighbours"].list.first().struct.field("similarity") for found in (whole, cells)
    )

    assert (some <= best + 1e-6).all()
    assert (abs(some - best) < 1e-6).mean() > 0.8


def test_a_catalogue_without_any_category_is_shown(tmp_path):
    shop(8).drop("category").write_csv(tmp_path / "shop.csv")
    found = explore(tmp_path / "shop.csv", Recipe(threads=1), layout=False)

    assert (found.labelled, found.unlabelled) == (0, 72)
    assert found.about["label"] == ""


def test_the_file_says_that_nothing_was_judged_and_is_the_same_every_time(found, tmp_path):
    for name in ("a", "b"):
        explore(catalogue(), recipe(threads=2), layout=False).write(tmp_path / f"{name}.parquet")
    about = json.loads(pl.read_parquet_metadata(tmp_path / "a.parquet")[METADATA])

    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "a.parquet").equals(found.table)
    assert about["judged"] is False
    with pytest.raises(CatalogueError, match=r"end in \.parquet"):
        found.write(tmp_path / "look.csv")


def test_a_map_is_drawn_where_one_is_wanted():
    pytest.importorskip("openTSNE")
    found = explore(shop(8), recipe())

    assert found.table["x"].is_finite().all()


def test_a_catalogue_without_products_is_told(tmp_path):
    (tmp_path / "shop.jsonl").write_text("{broken\n{broken too\n")
    with pytest.raises(CatalogueError):
        explore(tmp_path / "shop.jsonl", recipe(), layout=False)
