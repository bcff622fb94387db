"""Probabilities become the table of the contract: candidates by rank, shelves that keep a promise, no NaN."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.errors import RecipeError
from shelfwise.predictions import SCHEMA, PredictOptions, Thresholds, answer, best_codes, to_table, withhold

TREE = Taxonomy.build(["Shoes > Boots", "Shoes > Sandals", "Watches"], separator=" > ")
BOOTS, SANDALS, WATCHES = range(3)


def probabilities(*rows):
    return np.array(rows, np.float32)


def products(statuses):
    count = len(statuses)
    return pl.DataFrame(
        {"product_id": [f"P{i}" for i in range(count)], "status": statuses, "reason": [None] * count},
        schema={"product_id": pl.String, "status": pl.String, "reason": pl.String},
    )


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.sampled_from([0.0, 0.25, 0.5]),
    ),
    st.integers(1, 9),
)
def test_best_codes_are_a_stable_sort(values, k):
    k = min(k, values.shape[1])
    codes, confidence = best_codes(values, k)

    expected = [sorted(range(len(row)), key=lambda code: (-row[code], code))[:k] for row in values.tolist()]
    assert codes.tolist() == expected
    assert np.array_equal(confidence, np.take_along_axis(values, codes, axis=1))


def test_first_candidate_does_not_depend_on_how_many_are_asked_for():
    values = np.full((1, 50), 0.02, np.float32)

    assert [best_codes(values, k)[0][0, 0] for k in (1, 5, 49, 50)] == [0, 0, 0, 0]


def test_more_candidates_than_categories_are_all_categories():
    assert answer(probabilities([0.2, 0.3, 0.5]), TREE, top=99).codes.tolist() == [[WATCHES, SANDALS, BOOTS]]


def test_shelf_is_the_deepest_that_keeps_the_promise():
    given_ = probabilities([0.95, 0.03, 0.02], [0.5, 0.45, 0.05], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9])
    found = answer(given_, TREE, 1, Thresholds(category=0.9, shelf=0.9))

    names = [None if node < 0 else TREE.name(node) for node in found.shelf]
    assert names == ["Shoes > Boots", "Shoes", None, "Watches"]
    assert found.accepted.tolist() == [True, False, False, True]
    assert found.shelf_confidence[:2] == pytest.approx([0.95, 0.95])
    assert np.isnan(found.shelf_confidence[2])


def test_threshold_that_is_met_exactly_accepts():
    found = answer(probabilities([0.5, 0.25, 0.25]), TREE, 1, Thresholds(0.5, 2.0))

    assert found.accepted.tolist() == [True]
    assert found.shelf.tolist() == [-1]


def test_no_promise_covers_products_with_nothing_to_go_by():
    sure = answer(probabilities([1, 0, 0], [1, 0, 0]), TREE, 1, Thresholds(0.9, 0.9))
    held = withhold(sure, np.array([True, False]))

    assert held.accepted.tolist() == [True, False]
    assert held.shelf[1] == -1
    assert withhold(answer(probabilities([1, 0, 0]), TREE, 1), np.array([False])).accepted is None


def test_table_has_the_columns_of_the_contract_and_no_nan():
    answers = answer(probabilities([0.3, 0.3, 0.4], [1, 0, 0]), TREE, 2, Thresholds(0.9, 0.9))
    table = to_table(products(["ok", "ok"]), answers, TREE)

    assert table.schema == {name: kind for name, kind in SCHEMA.items() if name != "evidence"}
    assert table["shelf_confidence"].is_nan().sum() == 0
    assert table["shelf"].to_list() == [None, "Shoes > Boots"]
    assert table["candidates"].to_list()[1] == [
        {"category": "Shoes > Boots", "confidence": 1.0},
        {"category": "Shoes > Sandals", "confidence": 0.0},
    ]


def test_schema_is_the_same_without_a_promise_and_without_rows():
    with_promise = to_table(
        products(["ok"]), answer(probabilities([1, 0, 0]), TREE, 2, Thresholds(0.9, 0.9)), TREE
    )
    without = to_table(products(["ok"]), answer(probabilities([1, 0, 0]), TREE, 2), TREE)
    empty = to_table(products([]), answer(np.empty((0, 3), np.float32), TREE, 2, Thresholds(0.9, 0.9)), TREE)

    assert with_promise.schema == without.schema == empty.schema
    assert without.select("accepted", "shelf", "shelf_confidence").row(0) == (None, None, None)
    assert empty.height == 0


def test_unreadable_row_has_an_id_a_status_and_no_answer():
    sure = answer(probabilities([1, 0, 0], [1, 0, 0]), TREE, 2, Thresholds(0.9, 0.9))
    row = to_table(products(["unreadable", "empty"]), sure, TREE).rows(named=True)

    assert row[0] == dict.fromkeys(row[0]) | {"product_id": "P0", "status": "unreadable"}
    assert row[1]["category"] == "Shoes > Boots"


@pytest.mark.parametrize("top", [0, -1])
def test_senseless_number_of_candidates_is_refused(top):
    with pytest.raises(RecipeError, match="top"):
        PredictOptions(top=top)


def test_unknown_form_of_a_file_is_refused():
    with pytest.raises(RecipeError, match="full or ids; got 'short'"):
        PredictOptions(form="short")


@pytest.mark.parametrize("promise", [0.0, 1.0, 98.0, -0.5, float("nan")])
def test_senseless_promise_is_refused(promise):
    with pytest.raises(RecipeError, match="promise"):
        PredictOptions(promise=promise)


@pytest.mark.parametrize("classes", [1, 3, 15, 16, 17, 64, 100])
@pytest.mark.parametrize("k", [1, 5, 16, 17])
def test_the_best_of_a_row_are_those_of_a_stable_sort(classes, k):
    values = np.random.default_rng(classes).integers(-9, 9, (40, classes)).astype(np.float32) / 7
    k = min(k, classes)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    codes, best = best_codes(values, k)
    assert np.array_equal(codes, order)
    assert np.array_equal(best, np.take_along_axis(values, order, axis=1))
