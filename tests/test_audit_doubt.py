"""`audit.doubt`: planted errors are doubted, kinds of errors are estimated, and every step keeps its law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_shop import plant, recipe, shop
from shelfwise.audit import doubt
from shelfwise.audit.doubt import Doubt, find_doubts
from shelfwise.audit.evidence import gather
from shelfwise.audit.swaps import KINDS
from shelfwise.catalogue.read import open_source

COUNT = 8
"""Products of each kind that are planted among 432."""


@pytest.fixture(scope="module")
def planted():
    return plant(shop(48), COUNT)


@pytest.fixture(scope="module")
def evidence(planted):
    return gather(open_source(planted[0]), recipe())


@pytest.fixture(scope="module")
def found(evidence) -> Doubt:
    return find_doubts(evidence)


# -- doubts --------------------------------------------------------------------------------------------------


def test_every_planted_error_is_doubted_more_than_any_right_label(evidence, planted, found):
    wrong = evidence.lesson.products["product_id"].is_in(list(planted[1])).to_numpy()

    assert found.doubt[wrong].min() > found.doubt[~wrong].max()
    assert found.doubt[wrong].mean() > 0.5
    assert found.doubt[~wrong].mean() < 0.02


def test_doubts_are_probabilities_that_add_up_to_about_what_is_wrong(evidence, found):
    assert found.doubt.shape == (len(evidence.given),)
    assert found.doubt.dtype == np.float32
    assert ((found.doubt >= 0) & (found.doubt <= 1)).all()
    assert COUNT < found.doubt.sum() < 4 * COUNT


def test_kinds_share_each_doubt_and_all_errors(found):
    assert tuple(found.shares) == KINDS
    assert found.kinds.sum(axis=1) == pytest.approx(np.ones(len(found.kinds)), abs=1e-4)
    assert doubt._LEAST - 1e-4 <= sum(found.shares.values()) <= doubt._MOST + 1e-4


def test_a_wrong_department_is_told_from_a_sister_shelf(evidence, planted, found):
    ids = evidence.lesson.products["product_id"].to_list()
    rows = {kind: [ids.index(name) for name, of in planted[1].items() if of == kind]
            for kind in ("sister", "department")}  # fmt: skip
    sister = found.kinds[:, KINDS.index("sister")]

    assert sister[rows["sister"]].min() > sister[rows["department"]].max()


def test_the_same_evidence_gives_the_same_doubts(evidence, found):
    assert find_doubts(evidence).doubt.tobytes() == found.doubt.tobytes()


def test_without_examples_of_a_kind_of_error_there_are_doubts_all_the_same(evidence, planted, found):
    kept = evidence.way < KINDS.index("confusion")
    less = replace(evidence, swapped=evidence.swapped[kept], way=evidence.way[kept])
    told = find_doubts(less)
    order = np.argsort(-told.doubt)[: 2 * COUNT]

    assert told.shares["confusion"] < 0.01
    assert set(evidence.lesson.products["product_id"][order.tolist()]) == set(planted[1])


def test_models_that_are_sure_of_everything_leave_no_doubt():
    words = {"a": "boot sole lace", "b": "watch dial hand"}
    rows = [{"title": f"{words[c]} no{i}", "category": c} for i in range(20) for c in "ab"]
    evidence = gather(open_source(pl.DataFrame(rows)), recipe())

    assert find_doubts(evidence).doubt.max() < 0.1


def test_the_only_product_of_a_shelf_is_marked_and_not_condemned():
    singles = pl.DataFrame({
        "product_id": ["S1", "S2"], "title": ["sundial gnomon shadow brass", "beehive frame wax"],
        "category": ["Sundials", "Beehives"],
    })  # fmt: skip
    evidence = gather(open_source(pl.concat([plant(shop(24), 3)[0], singles])), recipe())
    found = find_doubts(evidence)
    alone = evidence.lesson.products["product_id"].is_in(["S1", "S2"]).to_numpy()

    assert (found.unseen == alone).all()
    assert found.doubt[alone].max() < 0.5


def test_shelves_of_one_product_each_are_doubted_little():
    rows = [{"title": f"gadget{n * 7919 % 10007} item", "category": f"shelf {n}"} for n in range(60)]
    found = find_doubts(gather(open_source(pl.DataFrame(rows)), recipe()))

    assert found.unseen.all()
    assert found.doubt.max() < 0.3


def test_more_planted_errors_are_more_errors_estimated():
    few, many = (
        find_doubts(gather(open_source(plant(shop(24), count)[0]), recipe())).doubt.sum() for count in (1, 4)
    )

    assert many > few + 3


# -- the steps -----------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(2, 3), st.integers(0, 10_000), st.floats(0.1, 8))
def test_shares_stay_within_their_bounds(rows, ways, seed, spread):
    ratios = np.exp(np.clip(np.random.default_rng(seed).normal(0, spread, (rows, ways)), -30, 30))
    shares = doubt._shares(ratios, np.full(ways, 0.06 / ways), doubt._LEAST)

    assert (shares >= 0).all()
    assert doubt._LEAST - 1e-9 <= shares.sum() <= doubt._MOST + 1e-9


def test_shares_are_found_again():
    rng = np.random.default_rng(0)
    kind = rng.choice(3, 20_000, p=[0.88, 0.08, 0.04])
    means = np.array([[0, 0], [3, 0], [0, 3]])
    seen = means[kind] + rng.normal(size=(20_000, 2))
    ratios = np.exp(3 * seen - 4.5)  # of densities that differ by 3 in one direction

    assert doubt._shares(ratios, np.full(2, 0.03), doubt._LEAST) == pytest.approx([0.08, 0.04], abs=0.006)


def test_confusions_never_outweigh_other_errors_where_errors_are_many():
    ratios = np.exp(np.random.default_rng(0).normal([0, 0, 4], 1, (500, 3)))
    ratios[:100, :2] = 1e4
    shares = doubt._shares(ratios, np.full(3, 0.02), doubt._LEAST)

    assert shares[-1] <= doubt._CONFUSED * shares[:-1].sum() + doubt._LEAST / 10


def test_weights_are_those_of_least_loss():
    rng = np.random.default_rng(0)
    right = np.hstack([rng.normal(0, 1, (300, 3)), np.ones((300, 1))])
    wrong = np.hstack([rng.normal(1, 1, (200, 3)), np.ones((200, 1))])
    trust, way = rng.random(300), rng.integers(2, size=200)
    found = doubt._fit(right, trust, wrong, way, np.zeros((4, 2)))
    again = doubt._fit(right, trust, wrong, way, rng.normal(size=(4, 2)))

    assert found == pytest.approx(again, abs=1e-2)  # convex: from anywhere to the same place
    assert (found[:3] > 0).all()  # wrong ones have more of everything
    each = 300 / np.bincount(way)[way]
    problem = doubt._Logistic(
        np.vstack([right, wrong]), np.concatenate([np.zeros(300, int), way + 1]),
        np.concatenate([300 * trust / trust.sum(), each]), 2,
    )  # fmt: skip
    least = problem._loss(found)[0]
    for step in rng.normal(0, 0.05, (20, 4, 2)):
        assert problem._loss(found + step)[0] > least


@given(st.lists(st.floats(-27, 27), min_size=1, max_size=50), st.floats(1e-4, 0.999))
def test_a_shift_brings_probabilities_to_their_mean(odds, mean):
    odds = np.array(odds)

    assert (1 / (1 + np.exp(-(odds + doubt._shift(odds, mean))))).mean() == pytest.approx(mean, abs=1e-6)


def test_doubts_begin_where_another_category_is_far_more_probable(evidence):
    begun = doubt._begin(evidence.given)
    lead = np.log(evidence.given.best + 1e-5) - np.log(evidence.given.p + 1e-5)

    assert set(np.unique(begun)) == {0.0, doubt._DOUBTED}
    assert 0 < (begun > 0).mean() < doubt._MOST
    assert lead[begun > 0].min() > max(0, lead[begun == 0].max() - 1e-6)


@given(st.floats(0.02, 0.3), st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_the_best_bin_finds_a_share_that_right_labels_hide(share, seed):
    """However the rest is spread, as long as little of it looks like the made-up claims."""
    rng = np.random.default_rng(seed)
    made = rng.normal(5, 1, 3_000)
    given = np.where(rng.random(6_000) < share, rng.normal(5, 1, 6_000), rng.normal(0, 1, 6_000))
    assert doubt._best_bin(given, made) == pytest.approx(share, abs=0.03)


def test_without_wrong_labels_the_best_bin_is_empty():
    rng = np.random.default_rng(0)
    assert doubt._best_bin(rng.normal(0, 1, 5_000), rng.normal(5, 1, 2_000)) < 0.01
