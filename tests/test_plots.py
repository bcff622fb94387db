"""Figures and matrices: what they are drawn from, with names that plotly must not read as HTML."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.evaluate import Outcome, PromiseOutcome, plots, score
from shelfwise.evaluate.matrix import build_matrices, build_matrix
from shelfwise.evaluate.metrics import Headline
from shelfwise.evaluate.reliability import check_promise, measure_coverage, measure_reliability

LABELS = ["Home > Cups", "Home > Mugs", "Shoes > Men", "Shoes > Women", "Tyres"]


def outcome(true, answers, confidence=None, **more):
    taxonomy = Taxonomy.build(LABELS, separator=" > ")
    sure = np.full(len(true), 0.5) if confidence is None else np.asarray(confidence)
    codes = taxonomy.codes(answers)[:, None]
    return Outcome(
        taxonomy, taxonomy.codes(true), codes, sure[:, None].astype(np.float32), given=true, **more
    )


def cells(matrix, result):
    names = [result.taxonomy.name(node) for node in matrix.nodes.tolist()]
    triples = zip(matrix.true.tolist(), matrix.answer.tolist(), matrix.rows.tolist(), strict=True)
    return {(names[t], names[a]): rows for t, a, rows in triples}


# -- the matrix --------------------------------------------------------------------------------------------

TRUE = ["Home > Cups", "Home > Cups", "Home > Mugs", "Shoes > Men", "Tyres", "Tyres", "Zoo"]
ANSWERS = ["Home > Cups", "Home > Mugs", "Shoes > Men", "Shoes > Women", "Home > Cups", "Tyres", "Tyres"]


def test_matrix_of_the_top_level_counts_departments():
    result = outcome(TRUE, ANSWERS)

    assert cells(build_matrix(result, 1), result) == {
        ("Home", "Home"): 2,
        ("Home", "Shoes"): 1,
        ("Shoes", "Shoes"): 1,
        ("Tyres", "Home"): 1,
        ("Tyres", "Tyres"): 1,
    }


def test_matrix_of_a_department_keeps_the_others_as_one_category_each():
    result = outcome(TRUE, ANSWERS)
    home = result.taxonomy.nodes.index(("Home",))

    assert cells(build_matrix(result, 2, home), result) == {
        ("Home > Cups", "Home > Cups"): 1,
        ("Home > Cups", "Home > Mugs"): 1,
        ("Home > Mugs", "Shoes"): 1,
        ("Tyres", "Home > Cups"): 1,
    }


def test_matrix_shows_the_worst_categories_in_tree_order_and_says_what_is_missing():
    true = ["Shoes > Men"] * 5 + ["Home > Cups"] + ["Tyres"] * 50
    answers = ["Shoes > Women"] * 5 + ["Home > Mugs"] + ["Tyres"] * 50
    result = outcome(true, answers)

    matrix = build_matrix(result, 2, limit=2)

    assert [result.taxonomy.name(node) for node in matrix.nodes.tolist()] == ["Shoes > Men", "Shoes > Women"]
    assert (matrix.errors, matrix.shown) == (6, 5)


def test_matrices_of_each_level_and_of_each_department_with_errors():
    result = outcome(["Home > Cups", "Tyres"], ["Home > Mugs", "Tyres"])
    home = result.taxonomy.nodes.index(("Home",))

    assert [(matrix.depth, matrix.department) for matrix in build_matrices(result)] == [
        (1, None),
        (2, None),
        (2, home),
    ]


# -- figures -----------------------------------------------------------------------------------------------


def test_coverage_figure_marks_the_promise_where_it_was_kept():
    accepted = np.array([True, True, False, False])
    result = outcome(
        LABELS[:4], [*LABELS[:3], "Tyres"], [0.9, 0.8, 0.7, 0.1], promise=PromiseOutcome(0.9, accepted)
    )

    figure = plots.draw_coverage(measure_coverage(result.sure, result.right), check_promise(result))

    curve, asked, point = figure["data"]
    assert (curve["x"], curve["y"]) == ([25, 50, 75, 100], [100, 100, 100, 75])
    assert asked["y"] == [90, 90]
    assert (point["x"], point["y"]) == ([50], [100])


def test_a_long_coverage_curve_is_thinned_and_keeps_its_end():
    rng = np.random.default_rng(0)
    sure = rng.random(50_000)

    curve = plots.draw_coverage(measure_coverage(sure, rng.random(50_000) < sure), None)["data"][0]

    assert len(curve["x"]) <= 400
    assert curve["x"][-1] == 100


def test_histogram_of_the_reliability_figure_counts_every_product_once():
    result = outcome(
        ["Tyres"] * 5, ["Tyres", "Tyres", "Home > Cups", "Tyres", None], [1.0, 0.0, 0.5, 0.31, 0.9]
    )

    figure = plots.draw_reliability(measure_reliability(result.sure, result.right), result)

    bars = {trace["name"]: sum(trace["y"]) for trace in figure["data"] if trace["type"] == "bar"}
    assert bars == {"right": 3, "wrong": 2}


def test_class_sizes_put_an_unseen_label_with_those_that_have_nothing_to_learn_from():
    result = outcome(
        ["Home > Cups", "Tyres", "Zoo"], ["Home > Cups"] * 3, train_counts=np.array([3, 0, 0, 0, 5000])
    )

    products, right = plots.draw_class_sizes(result)["data"]

    assert products["x"] == ["0", "2–3", "1024+"]
    assert products["customdata"] == [1, 1, 1]
    assert right["y"] == [0, 100, 0]


def test_class_sizes_are_not_drawn_without_counts():
    assert plots.draw_class_sizes(outcome(["Tyres"], ["Tyres"])) is None


def test_intervals_of_a_score_are_distances_from_it():
    headline = Headline(10, 0.5, 0.5, 0.5, {"accuracy": (0.4, 0.7)})

    trace = plots.draw_views(headline, {})["data"][0]

    assert trace["error_x"]["arrayminus"] == [pytest.approx(10)]
    assert trace["error_x"]["array"] == [pytest.approx(20)]


def test_names_cannot_become_markup_in_a_figure():
    headline = Headline(1, 1, 1, 1)

    figure = plots.draw_views(headline, {'<a href="https://evil.example">text</a>': headline})

    assert "<a " not in json.dumps(figure)
    assert "&lt;a " in json.dumps(figure)


def test_every_figure_names_both_axes_or_their_rows_and_is_plain_json():
    result = outcome(TRUE, ANSWERS, train_counts=np.ones(5, int))
    scores = score(result, draws=5)
    figures = [
        plots.draw_levels(scores.levels, ["one", "two"]),
        plots.draw_coverage(measure_coverage(result.sure, result.right), None),
        plots.draw_reliability(measure_reliability(result.sure, result.right), result),
        plots.draw_class_sizes(result),
    ]

    for figure in json.loads(json.dumps(figures, allow_nan=False)):
        assert figure["layout"]["xaxis"]["title"]["text"]
        assert figure["layout"]["yaxis"]["title"]["text"] or figure["layout"]["yaxis"]["ticktext"]
