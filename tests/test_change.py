"""`change`: by how much two models' answers differ, and what is scored and what is not."""

from __future__ import annotations

import json

import polars as pl
import pytest

from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError
from shelfwise.evaluate.change import compare


@pytest.fixture(scope="module")
def marked(toys):
    """Toys of which every third is for testing, and the last thirty are new."""
    side = pl.when(pl.int_range(pl.len()) % 4 == 3).then(pl.lit("test")).otherwise(pl.lit("train"))
    return toys.with_columns(side.alias("side"))


@pytest.fixture(scope="module")
def old(marked):
    return Categorizer().fit(marked[:60], split="side")


def test_a_model_does_not_differ_from_itself(old, marked):
    told = compare(old, old, marked, split="side")

    assert (told.products, told.of, told.changed, told.moves) == (22, 22, 0, ())
    assert told.scores["old"] == told.scores["new"]
    assert told.scores["new"]["rows"] == 22
    assert told.accepted["old"] == told.accepted["new"]
    assert told.confidence["old"] == told.confidence["new"] > 0.5
    assert (told.added, told.gone) == ((), ())
    assert told.learned == {"same": 45, "new": 0, "changed": 0, "moved": 0, "gone": 0}


def test_answers_that_differ_are_counted_by_where_they_went(old, marked):
    """Watches were taken for boots by whoever labelled the other model's catalogue."""
    named = marked.with_columns(pl.col("category").replace("Watches", "Clocks"))
    new = Categorizer().fit(named, split="side")
    told = compare(old, new, named, split="side").to_dict()

    watches = named.filter((pl.col("side") == "test") & (pl.col("category") == "Clocks")).height
    assert told["changed"] == watches
    assert told["moves"] == [{"old": "Watches", "new": "Clocks", "products": watches}]
    assert told["share"] == pytest.approx(watches / 22, abs=1e-6)
    assert (told["added"], told["gone"]) == (("Clocks",), ("Watches",))
    assert told["scores"]["new"]["accuracy"] == 1
    assert told["scores"]["old"]["accuracy"] == pytest.approx(1 - watches / 22, abs=1e-6)
    json.dumps(told)


def test_a_renamed_category_is_the_same(old, marked, tmp_path):
    old.save(tmp_path / "old")
    renamed = Categorizer.load(tmp_path / "old").rename_shelf("Watches", "Clocks")
    told = compare(old, renamed, marked, split="side")

    assert (told.changed, told.added, told.gone) == (0, (), ())
    assert told.scores["old"] == told.scores["new"]
    assert told.learned["same"] == 45


def test_models_that_keep_too_little_cannot_tell_which_products_they_share(old, marked, tmp_path):
    old.save(tmp_path / "old")
    bare = Categorizer.load(tmp_path / "old")
    bare.past_ = None
    other = Categorizer().fit(marked.drop("product_id"))

    assert compare(bare, old, marked).learned is None
    assert compare(other, old, marked).learned is None
    assert compare(old, Categorizer().fit(marked), marked).learned == {
        "same": 45, "new": 45, "changed": 0, "moved": 0, "gone": 0,
    }  # fmt: skip


def test_without_a_split_nothing_is_scored(old, marked):
    told = compare(old, old, marked)

    assert (told.products, told.held_out, told.scores) == (90, False, None)


def test_products_that_one_of_them_learned_are_not_scored(marked):
    everything = Categorizer().fit(marked)
    told = compare(everything, everything, marked, split="side")
    assert (told.products, told.scores) == (22, None)

    half = Categorizer().fit(marked[:60])
    assert compare(half, everything, marked[:60], split="side").scores is None
    fresh = marked.with_columns(product_id=pl.lit("N") + pl.col("product_id"))
    assert compare(half, everything, fresh, split="side").scores["new"]["rows"] == 22


def test_as_many_as_are_wanted_are_drawn_by_the_seed(old, marked):
    few = compare(old, old, marked, most=10)

    assert (few.products, few.of) == (10, 90)
    assert few == compare(old, old, marked, most=10)


def test_nothing_to_ask_about_is_an_error(old, marked):
    with pytest.raises(CatalogueError, match="no row marked test in 'side'"):
        compare(old, old, marked.filter(pl.col("side") == "train"), split="side")
