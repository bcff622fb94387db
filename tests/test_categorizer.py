"""The Categorizer is a door: each method hands on, and refuses what makes no sense before any work."""

from __future__ import annotations

import doctest

import polars as pl
import pytest

import shelfwise
from shelfwise import categorizer
from shelfwise.categorizer import Categorizer, load
from shelfwise.errors import CatalogueError, PromiseError, ShelfwiseError
from shelfwise.predictions import PredictOptions
from shelfwise.recipe import Recipe


def test_example_in_the_docstring_runs():
    assert doctest.testmod(categorizer).failed == 0
    assert doctest.testmod(categorizer).attempted > 0


def test_public_names_are_loaded_when_first_used():
    for name in shelfwise.__all__:
        assert getattr(shelfwise, name) is not None
        assert name in dir(shelfwise)
    assert shelfwise.Categorizer is Categorizer
    with pytest.raises(AttributeError, match="'shelf'"):
        shelfwise.shelf  # noqa: B018


def test_any_frame_or_path_is_a_catalogue(toy_model, toys, tmp_path):
    toys.write_parquet(tmp_path / "shop.parquet")
    expected = toy_model.predict(toys)

    path = tmp_path / "shop.parquet"
    for where in (toys.lazy(), path, str(path), shelfwise.open_source(toys)):
        assert toy_model.predict(where).equals(expected)


def test_columns_may_stand_in_any_order_and_some_be_missing(toy_model, toys):
    expected = toy_model.predict(toys)["category"]

    assert toy_model.predict(toys.select("title", "product_id"))["category"].equals(expected)
    assert toy_model.predict(toys.with_columns(more=pl.lit(1)))["category"].equals(expected)
    assert toy_model.predict(toys.select("title"))["product_id"].to_list()[:2] == ["0", "1"]


def test_catalogue_with_none_of_the_columns_is_refused(toy_model):
    with pytest.raises(CatalogueError, match=r"title.*Columns are: bezeichnung"):
        toy_model.predict(pl.DataFrame({"bezeichnung": ["Stiefel"]}))


def test_split_column_that_is_not_there_is_named(toy_model, toys):
    with pytest.raises(CatalogueError, match=r"'side'.*title"):
        toy_model.predict(toys, split="side")


def test_split_column_is_called_by_its_own_name(toy_model, toys):
    with pytest.raises(CatalogueError, match=r'"side".*\'left\' \(90 rows\)'):
        toy_model.predict(toys.with_columns(side=pl.lit("left")), split="side")


@pytest.mark.parametrize(
    "use",
    [
        lambda model, toys, out: model.predict(toys),
        lambda model, toys, out: model.predict_proba(toys),
        lambda model, toys, out: model.predict_to_file(toys, out),
        lambda model, toys, out: model.thresholds(0.9),
        lambda model, toys, out: model.save(out),
        lambda model, toys, out: shelfwise.judge(model, toys),
    ],
    ids=["predict", "predict_proba", "predict_to_file", "thresholds", "save", "judge"],
)
def test_model_that_was_never_fitted_says_so(use, toys, tmp_path):
    with pytest.raises(ShelfwiseError, match="call fit"):
        use(Categorizer(), toys, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_promise_that_no_record_supports_is_refused_and_writes_nothing(toy_model, toys, tmp_path):
    with pytest.raises(PromiseError):
        toy_model.predict_to_file(toys, tmp_path / "out.csv", PredictOptions(promise=0.99999))

    assert list(tmp_path.iterdir()) == []


def test_promise_is_kept_apart_for_categories_and_shelves(toy_model):
    found = toy_model.thresholds(0.6)

    assert found.category == toy_model.decision_.promise(0.6).threshold
    assert found.shelf == toy_model.decision_.shelf_promise(0.6).threshold
    assert toy_model.thresholds(None) is None


def test_ending_is_checked_before_the_catalogue_is_opened(toy_model, tmp_path):
    with pytest.raises(CatalogueError, match="ending"):
        toy_model.predict_to_file(tmp_path / "nowhere.csv", tmp_path / "out.xlsx")


def test_catalogue_is_never_overwritten_by_its_predictions(toy_model, toys, tmp_path):
    toys.write_csv(tmp_path / "shop.csv")
    before = (tmp_path / "shop.csv").read_bytes()

    with pytest.raises(CatalogueError, match="catalogue itself"):
        toy_model.predict_to_file(tmp_path / "shop.csv", tmp_path / "." / "shop.csv")
    assert (tmp_path / "shop.csv").read_bytes() == before


def test_loaded_model_knows_how_it_was_made(toy_model, tmp_path):
    toy_model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")

    assert loaded.roles_ == toy_model.roles_
    assert loaded.taxonomy_ == toy_model.taxonomy_
    assert loaded.training_.to_dict() == toy_model.training_.to_dict() | {"timings": {}}
    assert loaded.neighbours_.equals(toy_model.neighbours_)
    assert loaded.counts_.tolist() == [30, 30, 30]


def test_fitting_again_replaces_what_was_learned(toys):
    model = Categorizer(Recipe(threads=1)).fit(toys)
    other = toys.with_columns(category=pl.col("category").replace("Watches", "Clocks"))

    assert "Clocks" in model.fit(other).taxonomy_.labels
    assert model.predict(toys.tail(1))["category"].to_list() == ["Clocks"]
