"""`view`: what views learn together, when they are silent, their keeping, which rows become neighbours."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.recipe import Recipe
from shelfwise.view import Views, _spread

SMALL = "text.bits = 20\nneighbours.count = 3\n"
FIELDS = ("title", "brand")


def shop(rows: int = 90) -> tuple[pl.DataFrame, np.ndarray]:
    kinds = ("shoe leather", "watch steel", "ring silver")
    table = {name: [""] * rows for name in TEXT_FIELDS}
    table["title"] = [f"{kinds[i % 3]} no {i % 11} {'blue' if i % 2 else 'red'}" for i in range(rows)]
    table["brand"] = [("Acme", "Bolt")[i % 2] for i in range(rows)]
    return pl.DataFrame(table), np.arange(rows, dtype=np.int32) % 3


def fit(settings: str = "", threads: int = 1, classes: int = 3) -> Views:
    return Views(Recipe.parse(SMALL + settings), FIELDS, threads).fit(*shop(), classes)


def state(views: Views) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in views.tensors().items()}


@pytest.fixture(scope="module")
def views() -> Views:
    return fit()


# -- scores --------------------------------------------------------------------------------------------------


def test_every_view_scores_every_category(views):
    products, y = shop(30)
    scores = views.scores(products)
    assert tuple(scores.by_view) == views.names == ("ngrams", "words", "neighbours")
    for part in scores.by_view.values():
        assert part.shape == (30, 3)
        assert part.dtype == np.float32
        assert (part.argmax(axis=1) == y).all()
    assert scores.present.all()


def test_only_the_asked_views_are_computed(views):
    products, _ = shop(5)
    alone = views.scores(products, ["words"]).by_view
    assert list(alone) == ["words"]
    assert alone["words"].tobytes() == views.scores(products).by_view["words"].tobytes()
    assert list(views.blocks(products, ["neighbours", "ngrams"])) == ["ngrams"]  # read once by both


def test_neighbours_can_be_left_out():
    assert fit("neighbours.use = false").names == ("ngrams", "words")


def test_a_product_with_nothing_to_go_by_is_not_present(views):
    products = shop(4)[0].with_columns(title=pl.Series(["", "?!", "qqqq", "shoe"]), brand=pl.lit(""))
    assert views.scores(products).present.tolist() == [False, False, False, True]


def test_what_one_view_knows_is_present_for_all(views):
    products = shop(1)[0].with_columns(
        title=pl.lit("leathery"), brand=pl.lit("")
    )  # no known word, known pieces
    assert views.scores(products).present.tolist() == [True]
    assert views.scores(products, ["words"]).present.tolist() == [False]


def test_the_nearest_products_are_named_by_their_place_among_the_kept(views):
    products, y = shop(6)
    places, cosines = views.nearest(products, 2)
    assert places.shape == cosines.shape == (6, 2)
    assert (y[0] == np.arange(90)[views.neighbour_rows_[places[0]]] % 3).all()
    assert (cosines[:, 0] > 0.9).all()  # each stands in the catalogue, but a row is cut to 48 features


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_batches_do_not_change_a_bit(views, batch):
    products, _ = shop(40)
    whole = views.scores(products).by_view
    for name in views.names:
        parts = [views.scores(products[at : at + batch]).by_view[name] for at in range(0, 40, batch)]
        assert np.concatenate(parts).tobytes() == whole[name].tobytes()


@pytest.mark.parametrize("settings", ["", "neighbours.max_rows = 20"])
def test_threads_do_not_change_a_bit(settings):
    assert state(fit(settings, threads=3)) == state(fit(settings))


# -- keeping -------------------------------------------------------------------------------------------------


def test_views_come_back_bit_for_bit(views):
    products, _ = shop(20)
    restored = Views(views.recipe, FIELDS).restore(views.tensors(), 3)
    assert state(restored) == state(views)
    before, after = views.scores(products), restored.scores(products)
    assert {n: a.tobytes() for n, a in after.by_view.items()} == {
        n: a.tobytes() for n, a in before.by_view.items()
    }


def test_categories_without_products_are_scored_low():
    scores = fit(classes=5).scores(shop(30)[0]).by_view
    assert all(set(part.argmax(axis=1).tolist()) == {0, 1, 2} for part in scores.values())


# -- which rows become neighbours ----------------------------------------------------------------------------

CODES = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(lambda codes: np.array(codes, np.int32))


@given(CODES, st.integers(7, 80), st.integers(0, 5))
def test_small_categories_stay_whole_and_large_ones_are_cut_alike(y, most, seed):
    kept = _spread(y, most, seed)
    before, after = np.bincount(y, minlength=7), np.bincount(y[kept], minlength=7)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    cut = after[after < before]
    assert len(np.unique(cut)) <= 1
    assert (after[after == before] <= (cut.min() if len(cut) else most)).all()
    one_more = np.minimum(before, after.max() + 1).sum()
    assert len(kept) == len(y) or one_more > most  # no more would have fitted


def test_the_cut_is_exact_where_the_rows_just_fit():
    y = np.array([0, 0, 0, 1, 1, 2], np.int32)
    assert np.bincount(y[_spread(y, 6, 0)]).tolist() == [3, 2, 1]
    assert np.bincount(y[_spread(y, 5, 0)]).tolist() == [2, 2, 1]
    assert np.bincount(y[_spread(y, 4, 0)]).tolist() == [1, 1, 1]
    assert np.bincount(y[_spread(y, 3, 0)]).tolist() == [1, 1, 1]


def test_the_seed_chooses_the_rows():
    y = np.zeros(200, np.int32)
    assert _spread(y, 20, 0).tolist() == _spread(y, 20, 0).tolist()
    assert _spread(y, 20, 0).tolist() != _spread(y, 20, 1).tolist()
    assert _spread(y, 20, 0).tolist() != list(range(20))
