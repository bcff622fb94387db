"""Doubts, catalogue and decisions that do not belong together are told; those that do go on together."""

from __future__ import annotations

import json

import polars as pl
import pytest

from review_shop import make_shop
from shelfwise.errors import CatalogueError, ModelError
from shelfwise.review import DeskOptions, open_desk
from shelfwise.review.decisions import DecisionsError
from shelfwise.review.desk import RefusedError, Wish
from shelfwise.review.doubts import MARK
from shelfwise.review.filters import Filter


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 60, pictures=False)


@pytest.fixture
def options(tmp_path):
    return DeskOptions(decisions=tmp_path / "d.sqlite")


def audited_again(shop, folder):
    """The doubts of the same catalogue in another order, as another audit would write them."""
    path = folder / "again.parquet"
    told = pl.read_parquet_metadata(shop[0])[MARK]
    pl.read_parquet(shop[0]).reverse().write_parquet(path, metadata={MARK: told})
    return path


def test_decisions_survive_another_audit_of_the_catalogue(shop, options, tmp_path):
    desk = open_desk(shop[0], options)
    desk.decide("key-0001", "Ada", [Wish(0, "accept"), Wish(5, "skip")])
    product, chosen = desk.doubts.product_id[0], desk.ledger.choice[0].category
    desk.close()
    again = open_desk(audited_again(shop, tmp_path), options)
    assert again.doubts.product_id[59] == product
    assert again.ledger.choice[59].category == chosen
    assert any("earlier doubts file" in note for note in again.notes)
    again.close()


def test_decisions_about_other_products_are_refused(shop, options, tmp_path):
    desk = open_desk(shop[0], options)
    desk.decide("key-0001", "Ada", [Wish(0, "accept")])
    desk.close()
    other = make_shop(tmp_path / "other", 20, seed=1, pictures=False)
    renamed = pl.read_parquet(other[0]).with_columns(product_id="X" + pl.col("product_id"))
    pl.read_parquet(other[1]).with_columns(sku="X" + pl.col("sku")).write_parquet(other[1])
    renamed.write_parquet(other[0], metadata={MARK: pl.read_parquet_metadata(other[0])[MARK]})
    with pytest.raises(DecisionsError, match="about other products: 0 of its 1") as refused:
        open_desk(other[0], options)
    assert refused.value.code == "foreign"


def test_another_catalogue_is_refused(shop, options, tmp_path):
    path = tmp_path / "other.parquet"
    pl.read_parquet(shop[1]).with_columns(sku="X" + pl.col("sku")).write_parquet(path)
    with pytest.raises(CatalogueError, match="another catalogue"):
        open_desk(shop[0], DeskOptions(catalogue=str(path), decisions=options.decisions))


def test_a_suggestion_that_no_longer_exists_has_to_be_made_anew_first(shop, options, tmp_path):
    suggested = pl.read_parquet(shop[0])["suggested"][0]
    path = tmp_path / "changed.parquet"
    changed = pl.col("category").replace(suggested, "Else > Where")
    pl.read_parquet(shop[1]).with_columns(changed).write_parquet(path)
    desk = open_desk(shop[0], DeskOptions(catalogue=str(path), decisions=options.decisions))
    with pytest.raises(RefusedError) as refused:
        desk.decide("key-0001", "Ada", [Wish(0, "accept")])
    assert refused.value.code == "no_shelf"
    assert desk.store.since(0) == []
    desk.add_shelf(suggested, "Ada")
    desk.decide("key-0002", "Ada", [Wish(0, "accept")])
    assert desk.ledger.choice[0].category == suggested
    desk.close()


def test_a_folder_of_pictures_that_vanished_is_told(shop, options, tmp_path):
    told = json.loads(pl.read_parquet_metadata(shop[0])[MARK]) | {"images": str(tmp_path / "gone")}
    path = tmp_path / "doubts.parquet"
    pl.read_parquet(shop[0]).write_parquet(path, metadata={MARK: json.dumps(told)})
    desk = open_desk(path, options)
    assert any("gone is no longer there" in note for note in desk.notes)
    desk.close()


def test_new_shelves_are_there_after_a_restart(shop, options):
    desk = open_desk(shop[0], options)
    desk.decide("key-0001", "Ada", [Wish(1, "move", "Brand > New", True)])
    desk.close()
    again = open_desk(shop[0], options)
    assert again.shelves.known[again.shelves.code("Brand > New")]
    again.close()


def test_the_order_follows_the_decisions_and_comes_back_when_they_are_undone(shop, options):
    desk = open_desk(shop[0], options)
    before = desk.find(Filter(state="all")).tolist()
    assert before == list(range(60))
    desk.decide("key-0001", "Ada", [Wish(number, "accept") for number in range(0, 60, 2)])
    assert desk.find(Filter()).tolist() != [number for number in before if number % 2]
    assert desk.next_open() == desk.find(Filter())[0]
    assert sorted(desk.undo("undo-001", "Ada")) == list(range(0, 60, 2))
    assert desk.find(Filter(state="all")).tolist() == before
    desk.close()


def test_a_model_that_is_not_there_is_told_and_nothing_stays_open(shop, options, tmp_path):
    with pytest.raises(ModelError):
        open_desk(shop[0], DeskOptions(model=str(tmp_path / "no model"), decisions=options.decisions))
