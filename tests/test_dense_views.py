"""`views.dense`: vectors in a column become a view; silence where there is none; tables; keeping."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shelfwise.errors import LabelError, ModelError
from shelfwise.recipe import LearnerRecipe, TableRecipe
from shelfwise.views.dense import DenseView, TableView

RECIPE = LearnerRecipe(learner="softmax")
TABLE = TableRecipe(learner="softmax", columns=["price", "shop"])


def pictured(rows: int = 90, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Products of three classes with vectors of five values; each seventh has none."""
    y = np.arange(rows, dtype=np.int32) % 3
    noise = 0.2 * np.random.default_rng(seed).standard_normal((rows, 5))
    vectors = (np.eye(3, 5)[y] + noise).astype(np.float32)
    column = pl.Series("vector.pictures", vectors, dtype=pl.Array(pl.Float32, 5))
    known = pl.Series("known", np.arange(rows) % 7 != 0)
    frame = pl.DataFrame({"title": [""] * rows})
    return frame.with_columns(pl.when(known).then(column).otherwise(None).alias(column.name)), y


def table(rows: int = 90) -> tuple[pl.DataFrame, np.ndarray]:
    y = np.arange(rows, dtype=np.int32) % 3
    prices = [None if i % 7 == 0 else f"{10 + 500 * (i % 3) + i % 5},99" for i in range(rows)]
    shops = [None if i % 7 == 0 else f"shop {i % 3}" for i in range(rows)]
    return pl.DataFrame({"table.price": prices, "table.shop": shops, "title": [""] * rows}), y


@pytest.fixture(scope="module")
def views() -> dict[str, tuple[DenseView, pl.DataFrame, np.ndarray]]:
    pictures, tables = pictured(), table()
    return {
        "pictures": (DenseView("pictures", RECIPE).fit(*pictures, 3), *pictures),
        "table": (TableView(TABLE).fit(*tables, 3), *tables),
    }


def fresh(name: str) -> DenseView:
    return DenseView("pictures", RECIPE) if name == "pictures" else TableView(TABLE)


@pytest.mark.parametrize("name", ["pictures", "table"])
def test_a_view_speaks_where_there_is_something_and_is_right(views, name):
    view, products, y = views[name]
    said = view.scores(products)
    heard, p = said.speaks[name], said.by_view[name]

    assert heard.tolist() == [row % 7 != 0 for row in range(90)]
    assert p.dtype == np.float32
    assert (p[~heard] == 0).all()
    np.testing.assert_allclose(p[heard].sum(axis=1), 1, atol=1e-4)
    assert (p.argmax(axis=1) == y)[heard].mean() > 0.9


@pytest.mark.parametrize("name", ["pictures", "table"])
def test_a_row_does_not_depend_on_the_others(views, name):
    view, products, _ = views[name]
    whole = view.scores(products).by_view[name]
    parts = [view.scores(products[at : at + 4]).by_view[name] for at in range(0, 90, 4)]

    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", ["pictures", "table"])
def test_what_is_kept_answers_with_the_same_bits(views, name):
    view, products, _ = views[name]
    again = fresh(name).restore(view.tensors(), 3)

    assert again.scores(products).by_view[name].tobytes() == view.scores(products).by_view[name].tobytes()
    assert {k: v.tobytes() for k, v in again.tensors().items()} == {
        k: v.tobytes() for k, v in view.tensors().items()
    }


@pytest.mark.parametrize("name", ["pictures", "table"])
def test_damaged_arrays_are_refused(views, name):
    view, _, _ = views[name]
    tensors = view.tensors()

    for key in ("width", "sizes", "softmax.weights"):
        with pytest.raises(ModelError, match=rf"view '{name}' lacks.*{key.split('.')[-1]}|lacks"):
            fresh(name).restore({k: v for k, v in tensors.items() if k != key}, 3)
    with pytest.raises(ModelError):
        fresh(name).restore(tensors | {"width": np.array([4], np.int64)}, 3)
    with pytest.raises(ModelError):
        fresh(name).restore(tensors, 2)


def test_products_without_the_column_are_met_with_silence(views):
    said = views["pictures"][0].scores(pl.DataFrame({"title": ["boot", "watch"]}))

    assert said.speaks["pictures"].tolist() == [False, False]
    assert (said.by_view["pictures"] == 0).all()
    assert said.by_view["pictures"].shape == (2, 3)


def test_nothing_to_learn_from_is_refused():
    products, y = pictured()
    silent = products.with_columns(pl.lit(None, products.schema["vector.pictures"]).alias("vector.pictures"))

    with pytest.raises(LabelError, match="'pictures'"):
        DenseView("pictures", RECIPE).fit(silent, y, 3)


def test_what_is_usual_in_a_table_is_learned_from_the_training_rows_alone():
    products, y = table()
    view = TableView(TABLE).fit(products[:60], y[:60], 3)
    before = {k: v.tobytes() for k, v in view.tensors().items()}
    view.scores(products[60:].with_columns(pl.lit("99999").alias("table.price")))

    assert {k: v.tobytes() for k, v in view.tensors().items()} == before
