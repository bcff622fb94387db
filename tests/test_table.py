"""`features.table`: numbers as shops write them, scaling, missing values, common and rare values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import CatalogueError
from shelfwise.features.table import TableFeatures, decimal_mark, parse_numbers


def numbers(*values: str | None, mark: str = "") -> list[float | None]:
    return parse_numbers(pl.Series("n", values, dtype=pl.String), mark).to_list()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.299,00 EUR", 1299.0),
        ("€ 1,299.00", 1299.0),
        ("1 299,50 zł", 1299.5),
        ("1\u00a0299,5", 1299.5),
        ("CHF 1'299.95", 1299.95),
        ("19,99", 19.99),
        ("0.125", 0.125),
        ("1.234.567", 1234567.0),
        ("12,34,567.50", 1234567.5),
        ("4.5 out of 5", 4.5),
        ("-7 %", -7.0),
        ("15.", 15.0),
        ("10 - 20", 10.0),
        ("free", None),
        ("", None),
        (None, None),
        ("1" * 400, None),
    ],
)
def test_numbers_as_shops_write_them(text, value):
    assert numbers(text) == [value]


def test_a_lone_mark_before_three_digits_is_read_as_the_column_does():
    assert numbers("1.299") == [1299.0]
    assert numbers("1.299", mark=".") == [1.299]
    assert numbers("1.299", "1,299", mark=",") == [1299.0, 1.299]
    assert decimal_mark(pl.Series(["1.299", "19.5", "3.25"])) == "."
    assert decimal_mark(pl.Series(["1.299", "19,95", "2.000,00"])) == ","
    assert decimal_mark(pl.Series(["1.299", "12"])) == ""


def test_numbers_of_any_type_and_what_is_not_finite():
    assert parse_numbers(pl.Series([1, None, 3])).to_list() == [1.0, None, 3.0]
    assert parse_numbers(pl.Series([1.5, float("nan"), float("inf")])).to_list() == [1.5, None, None]
    assert parse_numbers(pl.Series([True, False, None])).to_list() == [1.0, 0.0, None]


@given(
    st.floats(0, 1e9).map(lambda x: round(x, 2)),
    st.sampled_from([("", ","), (".", ","), (",", "."), (" ", ",")]),
)
def test_a_price_is_read_in_every_notation(price, marks):
    text = f"{price:,.2f}".replace(",", "_").replace(".", marks[1]).replace("_", marks[0])
    assert numbers(text, mark=marks[1]) == [pytest.approx(price)]


def shop(rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "price": [
                f"{p:.2f} €".replace(".", ",") if i % 5 else None
                for i, p in enumerate(rng.lognormal(3, 1.5, rows))
            ],
            "rating": rng.uniform(1, 5, rows),
            "shop": [f"shop {min(i % 50, 3)}" if i % 7 else "" for i in range(rows)],
            "rare": [f"only {i}" for i in range(rows)],
        }
    )


COLUMNS = ["price", "rating", "shop", "rare"]


def test_features_of_a_shop():
    features = TableFeatures(COLUMNS).fit(shop())
    X, known = features.transform(shop())
    assert X.shape == (200, features.width) == (200, 6 + (4 + 16 + 1) + (0 + 16 + 1))
    assert list(features.numbers_) == ["price", "rating"]
    assert features.numbers_["price"].log
    assert not features.numbers_["rating"].log
    assert known.all()
    assert np.isfinite(X).all()
    assert np.abs(X).max() <= 5
    missing = np.arange(200) % 5 == 0
    assert (X[:, 2] == missing).all()
    assert (X[missing, :2] == 0).all()
    assert (X[:, 6:10].sum(axis=1) == (np.arange(200) % 7 > 0)).all()  # a common shop has its own feature
    assert (X[:, 27:43].sum(axis=1) == 1).all()  # and a rare value one of the shared ones


def test_order_of_prices_is_kept():
    features = TableFeatures(["price"]).fit(shop())
    X, _ = features.transform(pl.DataFrame({"price": ["1,00 €", "20,00 €", "400,00 €", "1.000.000,00 €"]}))
    assert (np.diff(X[:, 0]) > 0).all()
    assert (np.diff(X[:, 1]) >= 0).all()
    assert X[0, 1] < -0.5
    assert X[-1, 1] == 1


def test_rows_without_any_value_are_told():
    features = TableFeatures(COLUMNS).fit(shop())
    X, known = features.transform(
        pl.DataFrame({"price": ["free", "3,00"], "shop": [None, None], "other": [1, 2]})
    )
    assert known.tolist() == [False, True]
    assert X[0].sum() == 4  # four missing flags


def test_spelling_of_a_value_and_batch_do_not_matter():
    features = TableFeatures(COLUMNS).fit(shop())
    one, _ = features.transform(pl.DataFrame({"shop": ["shop 1", " SHOP 1 "]}))
    assert (one[0] == one[1]).all()
    whole, _ = features.transform(shop())
    parts = [features.transform(shop()[a:b])[0] for a, b in [(0, 1), (1, 200)]]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_what_is_kept_gives_the_same_bits():
    features = TableFeatures(COLUMNS).fit(shop())
    kept = {name: array.copy() for name, array in features.tensors().items()}
    again = TableFeatures(COLUMNS).restore(kept)
    assert again.transform(shop())[0].tobytes() == features.transform(shop())[0].tobytes()


def test_empty_steady_and_absent_columns():
    frame = pl.DataFrame(
        {"a": [None, None], "b": [3, 3], "c": ["x", "x"]},
        schema={"a": pl.Float64, "b": pl.Int64, "c": pl.String},
    )
    X, known = TableFeatures(["a", "b", "c"]).fit(frame).transform(frame)
    assert np.isfinite(X).all()
    assert known.all()
    with pytest.raises(CatalogueError, match="no column 'price'"):
        TableFeatures(["price"]).fit(frame)
