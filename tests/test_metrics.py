"""Scores of answers: equal to scikit-learn's where it has them, to a worked example where it has not."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.errors import CatalogueError
from shelfwise.evaluate import Outcome, PromiseOutcome, score
from shelfwise.evaluate.intervals import bootstrap, wilson
from shelfwise.evaluate.mistakes import find_confusions, score_categories
from shelfwise.evaluate.reliability import check_promise, measure_coverage, measure_reliability

metrics = pytest.importorskip("sklearn.metrics")

LABELS = ["Home > Cups", "Home > Mugs", "Shoes", "Shoes > Men", "Shoes > Women > Boots", "Tyres"]


def tree(labels=LABELS):
    return Taxonomy.build(labels, separator=" > ")


def outcome(true, answers, labels=LABELS, **more):
    """True labels and first candidates as text; None = no answer, a label outside of the tree = unseen."""
    taxonomy = tree(labels)
    codes = taxonomy.codes(answers)[:, None]
    confidence = more.pop("confidence", np.full(len(true), 0.9))
    return Outcome(
        taxonomy=taxonomy,
        y=taxonomy.codes(true),
        codes=codes,
        confidence=np.asarray(confidence, np.float32)[:, None],
        given=list(true),
        **more,
    )


# -- the law: scikit-learn's scores ------------------------------------------------------------------------

seen = st.sampled_from(LABELS)
rows = st.lists(st.tuples(seen | st.sampled_from(["Toys > Cars", "Home"]), seen), min_size=1, max_size=40)


@given(rows)
def test_f1_is_that_of_scikit_learn_over_the_labels_that_occur(pairs):
    true, answers = (list(side) for side in zip(*pairs, strict=True))

    scores = score(outcome(true, answers), draws=0)

    assert scores.overall.accuracy == pytest.approx(metrics.accuracy_score(true, answers))
    assert scores.overall.weighted_f1 == pytest.approx(metrics.f1_score(true, answers, average="weighted"))
    assert scores.overall.macro_f1 == pytest.approx(metrics.f1_score(true, answers, average="macro"))


@given(st.lists(st.tuples(seen, seen), min_size=1, max_size=40), st.integers(1, 3))
def test_scores_of_a_level_are_those_of_the_paths_cut_to_it(pairs, depth):
    true, answers = (list(side) for side in zip(*pairs, strict=True))
    level = score(outcome(true, answers), draws=0).levels[depth - 1]

    true, answers = ([" > ".join(path.split(" > ")[:depth]) for path in side] for side in (true, answers))

    assert level.headline.accuracy == pytest.approx(metrics.accuracy_score(true, answers))
    assert level.headline.weighted_f1 == pytest.approx(metrics.f1_score(true, answers, average="weighted"))
    assert level.headline.macro_f1 == pytest.approx(metrics.f1_score(true, answers, average="macro"))


@given(rows)
def test_category_scores_are_those_of_scikit_learn(pairs):
    true, answers = (list(side) for side in zip(*pairs, strict=True))
    result = outcome(true, answers)

    table = score_categories(result)

    names = [result.label_name(int(code)) for code in table.codes]
    expected = metrics.precision_recall_fscore_support(true, answers, labels=names, zero_division=0)
    for ours, theirs in zip((table.precision, table.recall, table.f1, table.support), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_a_row_without_an_answer_is_wrong_but_no_category_of_its_own():
    scores = score(outcome(["Shoes", "Shoes", "Tyres"], ["Shoes", None, "Tyres"]), draws=0)

    assert scores.overall.accuracy == pytest.approx(2 / 3)
    assert scores.overall.macro_f1 == pytest.approx((2 / 3 + 1) / 2)  # Shoes: recall 1/2, precision 1


# -- levels, ancestors, top k ------------------------------------------------------------------------------


def test_levels_count_their_categories_and_a_shallow_label_stays_itself():
    levels = score(outcome(LABELS, LABELS), draws=0).levels

    assert [(level.depth, level.categories) for level in levels] == [(1, 3), (2, 6), (3, 6)]


def test_hierarchical_f1_on_a_worked_example():
    #         truth {Home, Cups}   {Shoes, Women, Boots}     {Tyres}  |  2 + 3 + 1 = 6 ancestors
    #        answer {Home, Mugs}   {Shoes, Men}              {Tyres}  |  2 + 2 + 1 = 5
    #        shared {Home}         {Shoes}                   {Tyres}  |  3
    true, answers = ["Home > Cups", "Shoes > Women > Boots", "Tyres"], ["Home > Mugs", "Shoes > Men", "Tyres"]
    result = outcome(true, answers)

    assert score(result, draws=0).hierarchical == pytest.approx((3 / 5, 3 / 6, 2 * 0.6 * 0.5 / 1.1))


def test_a_label_that_is_also_a_shelf_shares_it_with_the_labels_below():
    result = outcome(["Shoes"], ["Shoes > Men"])

    assert score(result, draws=0).hierarchical == pytest.approx((1 / 2, 1, 2 / 3))


def test_top_k_looks_at_the_first_k_candidates():
    codes = np.array([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [1, 2, 3, 0, 4], [1, 2, 3, 4, 5]], np.int32)
    result = Outcome(tree(), np.zeros(4, np.int32), codes, np.full((4, 5), 0.2, np.float32))

    assert score(result, draws=0).top_k == {1: 0.25, 3: 0.5, 5: 0.75}


# -- unseen labels -----------------------------------------------------------------------------------------


def test_unseen_labels_are_wrong_on_every_level_and_named_with_their_rows():
    true, answers = (
        ["Home > Jugs", "Home > Jugs", "Zoo", "Tyres"],
        ["Home > Mugs", "Home > Cups", "Tyres", "Tyres"],
    )
    result = outcome(true, answers)

    scores = score(result, draws=0)

    assert scores.unseen == {"Home > Jugs": 2, "Zoo": 1}
    assert [level.headline.accuracy for level in scores.levels] == [0.25, 0.25, 0.25]
    assert scores.hierarchical[:2] == (1 / 6, 1 / 6)  # Tyres, of 2 + 2 + 1 + 1 ancestors on either side
    assert find_confusions(result).rows.size == 0


def test_an_unseen_label_is_a_miss_of_its_department_and_no_department_of_its_own():
    level = score(outcome(["Home > Jugs", "Home > Mugs"], ["Home > Mugs", "Home > Mugs"]), draws=0).levels[0]

    # One department, Home: 2 products, 1 found, nothing else put there.
    assert level.headline.macro_f1 == pytest.approx(2 / 3)


def test_unseen_labels_without_their_text_are_still_counted():
    codes, confidence = np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32)
    result = Outcome(tree(), np.array([-1, 0], np.int32), codes, confidence)

    assert score(result, draws=0).to_dict()["unseen"] == {"(unseen)": 1}


# -- confidence --------------------------------------------------------------------------------------------


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_its_size():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 1.0, 20_000)
    right = rng.random(20_000) < sure

    assert measure_reliability(sure, right).expected_error < 0.015
    # Says 0.2 more than is so wherever there is room for it.
    room = sure < 0.8
    assert measure_reliability(sure[room] + 0.2, right[room]).expected_error == pytest.approx(0.2, abs=0.015)


def test_bins_hold_every_row_once_and_as_many_each():
    sure = np.linspace(0, 1, 1003)

    bins = measure_reliability(sure, sure > 0.5)

    assert bins.rows.sum() == 1003
    assert bins.rows.max() - bins.rows.min() <= 1
    assert (np.diff(bins.confidence) > 0).all()


def test_brier_and_log_loss_of_two_rows():
    result = outcome(["Tyres", "Tyres"], ["Tyres", "Shoes"], confidence=[0.8, 0.4])

    calibration = score(result, draws=0).calibration

    assert calibration.brier == pytest.approx((0.2**2 + 0.4**2) / 2, abs=1e-6)
    assert calibration.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2, abs=1e-6)


def test_coverage_takes_rows_of_equal_confidence_together():
    curve = measure_coverage(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))

    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert curve.coverage_at(0.6) == 0.75
    assert curve.coverage_at(0.5) == 1.0


def test_promise_counts_accepted_rows_and_shelves():
    true = ["Home > Cups", "Home > Cups", "Shoes > Men", "Tyres"]
    answers = ["Home > Cups", "Home > Mugs", "Shoes > Men", "Shoes"]
    taxonomy = tree()
    home, boots = taxonomy.nodes.index(("Home",)), taxonomy.nodes.index(("Shoes", "Women"))
    accepted = np.array([True, True, False, False])
    shelf = np.array([taxonomy.node_of_label[0], home, boots, -1], np.int32)

    kept = check_promise(outcome(true, answers, promise=PromiseOutcome(0.95, accepted, shelf)))

    assert (kept.kept, kept.coverage, kept.accepted_rows, kept.wrong_rows) == (0.5, 0.5, 2, 1)
    assert (kept.shelves.kept, kept.shelves.coverage, kept.shelves.wrong_rows) == (2 / 3, 0.75, 1)
    assert kept.interval[0] < 0.5 < kept.interval[1]


def test_a_promise_that_accepts_nothing_has_no_precision():
    result = outcome(["Tyres"], ["Tyres"], promise=PromiseOutcome(0.99, np.array([False])))

    assert score(result, draws=0).to_dict()["promise"] == {
        "asked": 0.99,
        "kept": None,
        "coverage": 0.0,
        "interval": [0.0, 1.0],
        "accepted_rows": 0,
        "wrong_rows": 0,
    }


# -- intervals ---------------------------------------------------------------------------------------------


def test_bootstrap_covers_the_true_accuracy_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(100):
        truth = rng.integers(0, 5, 300)
        answer = np.where(rng.random(300) < 0.8, truth, (truth + 1) % 5)
        low, high = bootstrap(truth, answer, seed=seed)["accuracy"]
        hits += low <= 0.8 <= high
    assert 88 <= hits <= 100


def test_near_duplicates_widen_the_interval():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(100), 10)
    truth = np.zeros(1000, int)
    # Ten offers of one article stand or fall together.
    answer = np.repeat(rng.random(100) < 0.3, 10).astype(int)

    alone = bootstrap(truth, answer)["accuracy"]
    together = bootstrap(truth, answer, groups)["accuracy"]

    assert together[1] - together[0] > 2.5 * (alone[1] - alone[0])


@settings(max_examples=30)
@given(rows, st.integers(0, 2**32 - 1))
def test_intervals_hold_their_score_and_stay_within_0_and_1(pairs, seed):
    true, answers = (list(side) for side in zip(*pairs, strict=True))
    headline = score(outcome(true, answers), draws=20, seed=seed).overall

    for name, (low, high) in headline.intervals.items():
        assert 0 <= low <= getattr(headline, name) + 1e-12
        assert getattr(headline, name) - 1e-12 <= high <= 1


def test_no_error_at_all_is_not_certainty():
    low, high = score(outcome(["Tyres"] * 20, ["Tyres"] * 20)).overall.intervals["accuracy"]

    assert (low, high) == (pytest.approx(0.839, abs=0.001), 1.0)  # Wilson, 20 of 20
    assert wilson(0, 20) == (0.0, pytest.approx(0.161, abs=0.001))


def test_same_seed_same_intervals_other_seed_others():
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 5, (2, 500))

    assert bootstrap(truth, answer, seed=3) == bootstrap(truth, answer, seed=3)
    assert bootstrap(truth, answer, seed=3) != bootstrap(truth, answer, seed=4)


def test_intervals_of_ten_thousand_rows_and_thousands_of_classes_are_quick():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2700, 10_000)
    answer = np.where(rng.random(10_000) < 0.75, truth, rng.integers(0, 2700, 10_000))

    began = time.process_time()
    bootstrap(truth, answer, rng.integers(0, 8000, 10_000), draws=200)

    assert time.process_time() - began < 2


# -- mistakes ----------------------------------------------------------------------------------------------


def test_confusions_cost_their_rows_times_the_way_between():
    true = ["Home > Cups"] * 4 + ["Tyres"] * 2
    answers = ["Home > Mugs"] * 3 + ["Home > Cups"] + ["Shoes > Women > Boots"] * 2
    result = outcome(true, answers)

    found = find_confusions(result)

    assert [result.label_name(int(code)) for code in found.true] == ["Tyres", "Home > Cups"]
    assert [result.label_name(int(code)) for code in found.answer] == ["Shoes > Women > Boots", "Home > Mugs"]
    assert found.distance.tolist() == [4, 2]
    assert found.cost.tolist() == [8, 6]


def test_two_labels_of_one_path_are_still_a_confusion_and_told_apart():
    taxonomy = Taxonomy.build(["17", "18"], ["Home > Cups", "Home > Cups"], " > ")
    one = np.ones((1, 1), np.float32)
    result = Outcome(taxonomy, np.array([0], np.int32), np.array([[1]], np.int32), one)

    found = find_confusions(result)

    assert (found.distance.tolist(), found.cost.tolist()) == ([0], [1])
    assert result.label_name(0) == "Home > Cups [17]"


def test_commonest_mistake_of_a_category():
    table = score_categories(outcome(["Tyres"] * 4, ["Shoes", "Home > Cups", "Shoes", "Tyres"]))
    tyres = table.codes.tolist().index(LABELS.index("Tyres"))

    assert (table.mistaken_for[tyres], table.mistaken_rows[tyres]) == (LABELS.index("Shoes"), 2)
    assert table.mistaken_for[table.codes.tolist().index(LABELS.index("Shoes"))] == -1


# -- the contract ------------------------------------------------------------------------------------------


def test_to_dict_has_the_keys_of_the_contract_and_plain_values():
    taxonomy = tree()
    views = {"text": taxonomy.codes(["Tyres", "Shoes"]), "picture": np.array([-1, 2], np.int32)}
    promise = PromiseOutcome(0.9, np.array([True, False]), taxonomy.node_of_label[[5, 2]])
    result = outcome(["Tyres", "Shoes > Men"], ["Tyres", "Shoes"], by_view=views, promise=promise)

    values = json.loads(json.dumps(score(result).to_dict()))

    contract = (
        "rows accuracy weighted_f1 macro_f1 levels hierarchical_f1 top_k calibration_error promise by_view"
    )
    assert set(contract.split()) <= values.keys()
    assert values["by_view"]["text"]["accuracy"] == 0.5
    assert values["by_view"]["picture"]["rows"] == 1  # of the rows that it could see


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titles": ["one"]}, "titles has 1 rows where y has 2"),
        ({"by_view": {"text": np.array([0, 99], np.int32)}}, "none of the 6 categories"),
        ({"confidence": [[0.5]]}, r"must both be \[rows, k\]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, words):
    with pytest.raises(CatalogueError, match=words):
        outcome(["Tyres", "Shoes"], ["Tyres", "Shoes"], **change)


def test_nothing_to_score_is_said():
    with pytest.raises(CatalogueError, match="nothing to score"):
        outcome([], [])
