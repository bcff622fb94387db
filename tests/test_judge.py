"""Judging: the answers of predicting beside the truth; what cannot be scored is left out or marked."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise.errors import CatalogueError, PromiseError
from shelfwise.evaluate.judge import judge
from shelfwise.predictions import PredictOptions


def test_judged_answers_are_the_predicted_ones(model, demo):
    found = judge(model, demo.catalogue, split="split", promise=0.6)
    labelled = pl.read_parquet(demo.catalogue).filter(
        pl.col("split") == "test", pl.col("category").fill_null("") != ""
    )
    table = model.predict(labelled, PredictOptions(promise=0.6))
    labels = model.taxonomy_.labels

    assert found.product_ids == labelled["product_id"].to_list()
    assert [labels[code] for code in found.codes[:, 0]] == table["category"].to_list()
    assert found.confidence[:, 0].tolist() == table["confidence"].to_list()
    assert found.promise.accepted.tolist() == table["accepted"].to_list()
    names = [None if node < 0 else model.taxonomy_.name(node) for node in found.promise.shelf]
    assert names == table["shelf"].to_list()


def test_rows_without_a_category_are_left_out_and_unseen_ones_marked(toy_model):
    rows = pl.DataFrame(
        {
            "product_id": ["known", "none", "unseen", "blank"],
            "title": ["alder boot", "birch boot", "cedar clog", ""],
            "category": ["Shoes > Boots", None, "Shoes > Clogs", "Watches"],
        }
    )
    found = judge(toy_model, rows)

    assert found.product_ids == ["known", "unseen", "blank"]
    assert found.y.tolist() == [0, -1, 2]
    assert found.given == ["Shoes > Boots", "Shoes > Clogs", "Watches"]
    assert found.empty.tolist() == [False, False, True]


def test_views_are_judged_alone_and_say_nothing_without_text(toy_model, toys):
    blank = toys.head(3).with_columns(title=pl.Series(["alder boot", "", "zzzzqqq"]))
    found = judge(toy_model, blank)

    assert list(found.by_view) == list(toy_model.views_.names)
    for codes in found.by_view.values():
        assert codes.tolist() == [0, -1, -1]


def test_promise_outcome_is_there_only_when_asked_for(toy_model, toys):
    assert judge(toy_model, toys).promise is None
    found = judge(toy_model, toys, promise=0.6).promise
    assert found.asked == 0.6
    assert found.accepted.any()
    with pytest.raises(PromiseError):
        judge(toy_model, toys, promise=0.99999)


def test_guesses_without_text_are_not_accepted(toys):
    from shelfwise.categorizer import Categorizer

    rare = pl.int_range(pl.len()) % 30 == 1
    common = toys.with_columns(category=pl.when(rare).then("category").otherwise(pl.lit("Shoes > Boots")))
    model = Categorizer().fit(common)
    found = judge(model, pl.DataFrame({"title": [""], "category": ["Watches"]}), promise=0.6)

    assert found.confidence[0, 0] > 0.9
    assert found.promise.accepted.tolist() == [False]
    assert found.promise.shelf.tolist() == [-1]


def test_nothing_to_score_is_said(toy_model, toys):
    with pytest.raises(CatalogueError, match=r"'category'.*title"):
        judge(toy_model, toys.drop("category"))
    with pytest.raises(CatalogueError, match="no row has a category"):
        judge(toy_model, toys.with_columns(category=pl.lit(None, pl.String)))
    with pytest.raises(CatalogueError, match="no row marked test"):
        judge(toy_model, toys.with_columns(split=pl.lit("train")), split="split")
    with pytest.raises(CatalogueError, match="no row has a category"):
        judge(toy_model, toys.head(0))


def test_products_that_are_the_same_article_share_a_group(toy_model, toys):
    twins = pl.concat([toys.head(2), toys.head(1).with_columns(product_id=pl.lit("twin"))])
    groups = judge(toy_model, twins).groups.tolist()

    assert groups[0] == groups[2] != groups[1]
