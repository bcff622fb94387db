"""`views.panel`: text views and views of vectors as one panel."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.errors import ModelError
from shelfwise.recipe import Recipe
from shelfwise.views.panel import Views

RECIPE = Recipe.parse(
    'text.bits = 16\n[pictures]\nlearner = "softmax"\n[table]\nlearner = "softmax"\ncolumns = ["price"]\n'
)
DEPARTMENTS = np.array([0, 0, 1], np.int32)
TEXT = ("ngrams", "words", "departments", "neighbours")


def shop(rows: int = 60) -> tuple[pl.DataFrame, np.ndarray]:
    """The first five products have no picture, the last five no text."""
    y = np.arange(rows, dtype=np.int32) % 3
    titles = [f"{('boot', 'shoe', 'watch')[k]} no{i % 7}" for i, k in enumerate(y)]
    titles[-5:] = [""] * 5
    vectors = np.eye(3, 4)[y] + 0.1 * np.random.default_rng(0).standard_normal((rows, 4))
    column = pl.Series("vector.pictures", vectors.astype(np.float32), dtype=pl.Array(pl.Float32, 4))
    known = pl.Series("known", np.arange(rows) >= 5)
    frame = pl.DataFrame(dict.fromkeys(TEXT_FIELDS, [""] * rows) | {"title": titles})
    return frame.with_columns(
        pl.when(known).then(column).otherwise(None).alias(column.name),
        pl.Series("table.price", [str(10 + 50 * k) for k in y]),
    ), y


def panel(fields=("title",), dense=("pictures", "table")) -> Views:
    return Views(RECIPE, fields, dense=dense)


@pytest.fixture(scope="module")
def views() -> Views:
    return panel().fit(*shop(), DEPARTMENTS)


def test_every_view_speaks_for_what_it_can_see(views):
    products, y = shop()
    said = views.scores(products)

    assert views.names == tuple(said.by_view) == (*TEXT, "pictures", "table")
    assert said.speaks["ngrams"].tolist() == [True] * 55 + [False] * 5
    assert said.speaks["pictures"].tolist() == [False] * 5 + [True] * 55
    assert said.speaks["table"].all()
    for name in ("ngrams", "pictures", "table"):
        heard = said.speaks[name]
        assert (said.by_view[name].argmax(axis=1) == y)[heard].mean() > 0.9


def test_only_the_asked_views_are_computed(views):
    products, _ = shop()
    whole = views.scores(products).by_view

    for names in (["pictures"], ["words"], ["words", "table"]):
        part = views.scores(products, names).by_view
        assert set(part) == set(names)
        assert all(part[name].tobytes() == whole[name].tobytes() for name in names)


def test_views_without_a_say_are_not_learned():
    views = panel().fit(*shop(), DEPARTMENTS, ["words", "pictures"])

    assert views.names == ("words", "pictures") or "ngrams" not in views.text.linear
    assert list(views.dense) == ["pictures"]
    assert {"words", "pictures"} <= set(views.scores(shop()[0], ["words", "pictures"]).by_view)


def test_what_is_kept_answers_with_the_same_bits(views):
    products, _ = shop()
    again = panel().restore(views.tensors(), 3)
    whole = views.scores(products).by_view

    for name, part in again.scores(products).by_view.items():
        assert part.tobytes() == whole[name].tobytes(), name
    assert again.neighbour_y_.tolist() == views.neighbour_y_.tolist()


def test_arrays_of_a_view_that_is_not_there_are_refused(views):
    less = {name: array for name, array in views.tensors().items() if not name.startswith("dense.pictures.")}

    with pytest.raises(ModelError, match="'pictures'"):
        panel().restore(less, 3)


def test_a_panel_without_text_has_no_neighbours():
    products, y = shop()
    views = panel(()).fit(products, y, DEPARTMENTS)
    rows, cosines = views.nearest(products[:4], 3)

    assert views.names == ("pictures", "table")
    assert (rows.tolist(), cosines.tolist()) == ([[-1] * 3] * 4, [[0.0] * 3] * 4)
    assert (len(views.neighbour_rows_), len(views.neighbour_y_)) == (0, 0)
    again = panel(()).restore(views.tensors(), 3)
    for name, part in again.scores(products).by_view.items():
        assert part.tobytes() == views.scores(products).by_view[name].tobytes()
