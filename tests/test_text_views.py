"""`view`: what views learn together, when they are silent, their keeping, which rows become neighbours."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.errors import ModelError
from shelfwise.recipe import Recipe
from shelfwise.views.scores import ViewScores
from shelfwise.views.text import TextViews as Views
from shelfwise.views.text import _spread

SMALL = "text.bits = 20\nneighbours.count = 3\n"
FIELDS = ("title", "brand")
DEPARTMENTS = (0, 0, 1)  # shoes and watches in one, rings in another


def shop(rows: int = 90) -> tuple[pl.DataFrame, np.ndarray]:
    kinds = ("shoe leather", "watch steel", "ring silver")
    table = {name: [""] * rows for name in TEXT_FIELDS}
    table["title"] = [f"{kinds[i % 3]} no {i % 11} {'blue' if i % 2 else 'red'}" for i in range(rows)]
    table["brand"] = [("Acme", "Bolt")[i % 2] for i in range(rows)]
    return pl.DataFrame(table), np.arange(rows, dtype=np.int32) % 3


def fit(settings: str = "", threads: int = 1, departments=DEPARTMENTS, names=None) -> Views:
    views = Views(Recipe.parse(SMALL + settings), FIELDS, threads)
    return views.fit(*shop(), np.array(departments, np.int32), names)


def state(views: Views) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in views.tensors().items()}


@pytest.fixture(scope="module")
def views() -> Views:
    return fit()


# -- scores --------------------------------------------------------------------------------------------------


def test_every_view_scores_every_category(views):
    products, y = shop(30)
    scores = views.scores(products)
    assert tuple(scores.by_view) == views.names == ("ngrams", "words", "departments", "neighbours")
    for name, part in scores.by_view.items():
        assert part.shape == (30, 3)
        assert part.dtype == np.float32
        level = np.array(DEPARTMENTS) if name == "departments" else np.arange(3)
        assert (level[part.argmax(axis=1)] == level[y]).all()
        assert scores.speaks[name].all()


def test_only_the_asked_views_are_computed(views):
    products, _ = shop(5)
    alone = views.scores(products, ["words"]).by_view
    assert list(alone) == ["words"]
    assert alone["words"].tobytes() == views.scores(products).by_view["words"].tobytes()
    assert list(views.blocks(products, ["neighbours", "ngrams"])) == ["ngrams"]  # read once by both


def test_neighbours_can_be_left_out():
    assert fit("neighbours.use = false").names == ("ngrams", "words", "departments")


def test_categories_of_one_department_get_its_score(views):
    products, _ = shop(30)
    scores = views.scores(products, ["departments"]).by_view["departments"]
    assert (scores[:, 0] == scores[:, 1]).all()
    assert (scores[:, 0] != scores[:, 2]).all()
    alone = fit(departments=[0, 1, 2]).scores(products).by_view["ngrams"]
    assert scores[2::3, 2].tobytes() != alone[2::3, 2].tobytes()  # learned on its own, not copied


def test_a_departments_score_is_that_of_a_shop_with_departments_as_categories(views):
    products, y = shop()
    plain = Views(views.recipe, FIELDS).fit(
        products, np.array(DEPARTMENTS, np.int32)[y], np.array([0, 1], np.int32)
    )
    expected = plain.scores(products, ["ngrams"]).by_view["ngrams"][:, DEPARTMENTS]
    assert views.scores(products, ["departments"]).by_view["departments"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("departments", [(0, 0, 0), (0, 1, 2)], ids=["one", "each its own"])
def test_departments_that_tell_nothing_new_are_left_out(departments):
    assert fit(departments=departments).names == ("ngrams", "words", "neighbours")


@pytest.mark.parametrize("names", [("words",), ("departments", "ngrams"), ("neighbours",), ()])
def test_only_the_asked_linear_views_are_learned(views, names):
    chosen = fit(names=names)
    assert chosen.names == tuple(name for name in views.names if name in (*names, "neighbours"))
    everything = state(views)
    assert {name: everything[name] for name in state(chosen)} == state(chosen)
    assert len(chosen.neighbour_rows_) == 90  # kept as evidence


def test_a_product_with_nothing_to_go_by_is_not_present(views):
    products = shop(4)[0].with_columns(title=pl.Series(["", "?!", "qqqq", "shoe"]), brand=pl.lit(""))
    scores = views.scores(products)
    assert scores.present(views.names).tolist() == [False, False, False, True]
    assert all(heard.tolist() == [False, False, False, True] for heard in scores.speaks.values())


def test_what_one_view_knows_is_present_for_all(views):
    products = shop(1)[0].with_columns(
        title=pl.lit("leathery"), brand=pl.lit("")
    )  # no known word, known pieces
    scores = views.scores(products)
    assert {name: heard.tolist() for name, heard in scores.speaks.items()} == {
        "ngrams": [True], "words": [False], "departments": [True], "neighbours": [True]
    }  # fmt: skip
    assert scores.present(["words"]).tolist() == [False]
    assert scores.present(["words", "ngrams"]).tolist() == [True]


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
    restored = Views(views.recipe, FIELDS).restore(views.tensors())
    assert state(restored) == state(views)
    assert restored.names == views.names
    assert (restored.classes, restored.departments.tolist()) == (3, [0, 0, 1])
    before, after = views.scores(products), restored.scores(products)
    assert {n: a.tobytes() for n, a in after.by_view.items()} == {
        n: a.tobytes() for n, a in before.by_view.items()
    }


def test_categories_without_products_are_scored_low():
    views = fit(departments=[0, 0, 1, 2, 2])  # a department without products, too
    scores = views.scores(shop(30)[0]).by_view
    departments = scores.pop("departments")
    assert all(set(part.argmax(axis=1).tolist()) == {0, 1, 2} for part in scores.values())
    assert (departments[:, :3].max(axis=1) > departments[:, 3]).all()


def test_scores_of_pieces_are_joined_in_order(views):
    products, _ = shop(9)
    products = products.with_columns(title=pl.col("title").head(8).append(pl.lit("")), brand=pl.lit(""))
    whole = views.scores(products)
    joined = ViewScores.joined([views.scores(products[:4]), views.scores(products[4:])])
    assert list(joined.by_view) == list(whole.by_view)
    for name, part in whole.by_view.items():
        assert joined.by_view[name].tobytes() == part.tobytes()
        assert joined.speaks[name].tolist() == whole.speaks[name].tolist() == [True] * 8 + [False]


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear.ngrams.classes", 3),
        ("neighbours.rows", 90),
        ("neighbours.y", 3),
        ("ngrams.kept", 1 << 20),
        ("linear.words.sizes", 1 << 20),
    ],
)
def test_arrays_that_point_outside_are_refused(views, name, value):
    tensors = {key: array.copy() for key, array in views.tensors().items()}
    tensors[name][-1] = value
    with pytest.raises(ModelError, match="do not fit"):
        Views(views.recipe, FIELDS).restore(tensors)
