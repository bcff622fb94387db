"""Grouped, stratified splits."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.splits import count_crossing, flattery, folds, given_split, hold_out, sample
from shelfwise.errors import CatalogueError

catalogues = st.integers(1, 80).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(0, 40), min_size=n, max_size=n),
    )
)


def skewed(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes with a long tail; a third of the rows in groups of two to six of one class."""
    generator = np.random.default_rng(seed)
    y = np.sort(generator.zipf(1.5, rows) % 200)
    groups = np.cumsum(generator.random(rows) < 0.7)
    shuffle = generator.permutation(rows)
    return y[shuffle], groups[shuffle]


@given(catalogues, st.floats(0.05, 0.95), st.integers(0, 99))
def test_hold_out_keeps_groups_whole_and_learns_what_it_tests(catalogue, fraction, seed):
    y, groups = map(np.array, catalogue)
    train, test = hold_out(y, groups, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(y)))
    assert not set(groups[train]) & set(groups[test])
    assert set(y[test]) <= set(y[train])


@given(catalogues, st.integers(2, 6), st.integers(0, 99))
def test_folds_keep_groups_whole_and_learn_what_they_test(catalogue, k, seed):
    y, groups = map(np.array, catalogue)
    fold = folds(y, groups, k, seed)
    assert fold.min() >= -1
    assert fold.max() < k
    for group in set(groups):
        assert len(set(fold[groups == group])) == 1
    for round_ in range(k):
        assert set(y[fold == round_]) <= set(y[fold != round_])
    for label in set(y):
        if len(set(groups[y == label])) == 1:
            assert set(fold[y == label]) == {-1}


def test_sizes_and_shares_are_kept():
    y, groups = skewed(20_000)
    _, test = hold_out(y, groups, 0.2, seed=1)
    assert len(test) / len(y) == pytest.approx(0.2, abs=0.003)
    all_, tested = np.bincount(y), np.bincount(y[test], minlength=y.max() + 1)
    large = all_ > 100
    assert np.abs(tested[large] / all_[large] - 0.2).max() < 0.03
    sizes = np.bincount(folds(y, groups, 5, seed=1) + 1)[1:]
    assert sizes.max() - sizes.min() < 40


def test_rows_that_stand_alone_are_dealt_to_the_row():
    y = np.repeat([0, 1, 2], [100, 50, 10])
    _, test = hold_out(y, None, 0.2, seed=3)
    assert np.bincount(y[test]).tolist() == [20, 10, 2]
    fold = folds(y, None, 5, seed=3)
    assert [np.bincount(y[fold == f]).tolist() for f in range(5)] == [[20, 10, 2]] * 5


def test_single_rows_make_up_for_large_groups():
    # Two groups of 20 and 60 single rows: each of four folds still gets 25 rows.
    groups = np.concatenate([np.zeros(20), np.ones(20), np.arange(2, 62)]).astype(int)
    fold = folds(np.zeros(100, int), groups, 4, seed=0)
    assert np.bincount(fold).tolist() == [25] * 4


def test_small_classes_share_the_test_rows_that_none_would_get_alone():
    y = np.repeat(np.arange(500), 2)
    _, test = hold_out(y, None, 0.1, seed=5)
    assert len(test) == pytest.approx(100, abs=1)
    assert np.bincount(y[test]).max() == 1


def test_seeds_differ_and_repeat():
    y, groups = skewed(2_000)
    first, again, other = (hold_out(y, groups, 0.3, seed)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_sample_keeps_groups_and_shares():
    y, groups = skewed(10_000)
    rows = sample(y, groups, 0.1, seed=0)
    rest = np.setdiff1d(np.arange(len(y)), rows)
    assert len(rows) == pytest.approx(1_000, abs=60)
    assert not set(groups[rows]) & set(groups[rest])
    assert (y[rows] == 1).mean() == pytest.approx((y == 1).mean(), abs=0.02)
    assert sample(y, groups, 1.0, seed=0).tolist() == list(range(10_000))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0])
def test_impossible_fractions_and_folds(fraction):
    with pytest.raises(ValueError, match="fraction"):
        hold_out([0, 1], None, fraction, 0)
    with pytest.raises(ValueError, match="2 folds"):
        folds([0, 1], None, 1, 0)
    with pytest.raises(ValueError, match="group codes"):
        sample([0, 1], [0], 0.5, 0)


def test_nothing_to_split():
    assert [rows.tolist() for rows in hold_out([], [], 0.2, 0)] == [[], []]
    assert [rows.tolist() for rows in hold_out([3], None, 0.2, 0)] == [[0], []]
    assert folds([], None, 3, 0).tolist() == []


def test_given_split_counts_validation_as_train():
    train, test = given_split(pl.Series("part", ["train", "Val", " TEST ", "validation", "valid"]))
    assert train.tolist() == [True, True, False, True, True]
    assert test.tolist() == [False, False, True, False, False]


def test_given_split_names_unknown_values():
    column = pl.Series("part", ["train", "dev", "dev", "holdout", None, "test"])
    with pytest.raises(
        CatalogueError, match=r"\"part\".*'dev' \(2 rows\), '' \(1 rows\), 'holdout' \(1 rows\)"
    ):
        given_split(column)


def test_crossing_groups_are_counted():
    groups = ["a", "a", "a", "b", "b", "c"]
    crossing = count_crossing(groups, train=[0, 3, 4], test=[1, 2, 5])
    assert (crossing.groups, crossing.test_rows) == (1, 2)
    masks = count_crossing(groups, np.array([1, 0, 0, 1, 1, 0], bool), np.array([0, 1, 1, 0, 0, 1], bool))
    assert masks == crossing


def test_a_random_split_flatters_who_remembers():
    # 50 groups of four twins in two classes that have nothing in common: remembering twins is all one can do.
    groups = np.repeat(np.arange(50), 4)
    y = np.random.default_rng(0).integers(0, 2, 50)[groups]

    def remember(train, test):
        seen = dict(zip(groups[train], y[train], strict=True))
        return float(np.mean([seen.get(groups[row], -1) == y[row] for row in test]))

    found = flattery(y, groups, remember, fraction=0.25)

    assert found.grouped == 0.0
    assert found.random == found.twins > 0.9
    assert found.difference == found.random


def test_a_million_rows_take_no_time():
    y = np.random.default_rng(0).zipf(1.3, 1_000_000) % 3_000
    groups = np.random.default_rng(1).integers(0, 900_000, 1_000_000)
    start = time.process_time()
    folds(y, groups, 5, 0)
    assert time.process_time() - start < 3.0
