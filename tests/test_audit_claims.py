"""`audit.claims`: what is said of a claim agrees with the probabilities it comes from, in any tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.audit.claims import Claims, Said, Tree, claims_of
from shelfwise.catalogue.taxonomy import Taxonomy

PATHS = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), min_size=2, max_size=12)


def tree_of(paths):
    return Tree(Taxonomy.build([" > ".join(path) for path in paths], None, " > "))


def said_of(tree, rows=7, seed=0, views=()):
    rng = np.random.default_rng(seed)
    labels = len(tree.taxonomy.labels)

    def drawn():
        p = rng.dirichlet(np.full(labels, 0.3), rows)
        return p.astype(np.float32)

    return Said(
        drawn(), np.arange(rows) * 10, {name: drawn() for name in views},
        {name: rng.random(rows) < 0.5 for name in views}, rng.integers(5, size=labels),
    )  # fmt: skip


@pytest.fixture
def made():
    """A tree of three departments, what is said of seven products, and a claim about each."""
    tree = tree_of([("a", "x"), ("a", "y"), ("a", "y", "z"), ("b",), ("c", "x")])
    said = said_of(tree, views=("words", "pixels"))
    codes = np.array([0, 1, 2, 3, 4, 0, 1], np.int32)
    return tree, said, codes, claims_of(said, np.arange(7), codes, tree)


@given(PATHS, st.integers(0, 10_000))
def test_the_best_other_category_is_never_the_claimed_one(paths, seed):
    tree = tree_of(paths)
    said = said_of(tree, seed=seed)
    labels = len(tree.taxonomy.labels)
    codes = np.random.default_rng(seed).integers(labels, size=7).astype(np.int32)
    claims = claims_of(said, np.arange(7), codes, tree)

    assert (claims.best_code != codes).all()
    for row in range(7):
        others = np.delete(said.probabilities[row], codes[row])
        assert claims.best[row] == others.max()
        assert claims.p[row] == said.probabilities[row, codes[row]]
        assert claims.top[row] == said.probabilities[row].argmax()
        assert claims.rank[row] == (others > claims.p[row]).sum()
        assert (claims.rank[row] == 0) == (claims.p[row] >= claims.best[row])
    assert (claims.entropy >= -1e-6).all()
    assert (claims.entropy <= np.log(labels) + 1e-5).all()


@given(PATHS, st.integers(0, 10_000))
def test_levels_are_sums_over_the_labels_below_them(paths, seed):
    tree = tree_of(paths)
    taxonomy, said = tree.taxonomy, said_of(tree, seed=seed)
    codes = np.random.default_rng(seed).integers(len(taxonomy.labels), size=7).astype(np.int32)
    claims = claims_of(said, np.arange(7), codes, tree)

    assert claims.levels.shape == claims.along.shape == (7, taxonomy.depth - 1)
    for row, code in enumerate(codes):
        for depth in range(1, taxonomy.depth):
            shelf = taxonomy.paths[code][:depth]
            below = [path[: len(shelf)] == shelf for path in taxonomy.paths]
            expected = said.probabilities[row, below].sum()
            assert claims.levels[row, depth - 1] == pytest.approx(expected, abs=1e-5)
            assert claims.along[row, depth - 1] == (taxonomy.level(claims.top[row], depth)
                                                     == taxonomy.level(code, depth))  # fmt: skip


@given(PATHS, st.integers(0, 10_000))
def test_sisters_are_the_other_labels_under_the_same_parent(paths, seed):
    tree = tree_of(paths)
    taxonomy, said = tree.taxonomy, said_of(tree, seed=seed)
    codes = np.arange(len(taxonomy.labels), dtype=np.int32)
    claims = claims_of(said, np.zeros(len(codes), np.int64), codes, tree)

    for code, path in enumerate(taxonomy.paths):
        above = path[:-1]
        family = [c for c, other in enumerate(taxonomy.paths) if c != code and other[: len(above)] == above]
        expected = said.probabilities[0, family].mean() if family else 0
        assert claims.sisters[code] == pytest.approx(expected, abs=1e-5)


def test_a_view_without_an_opinion_says_nothing(made):
    _, said, codes, claims = made

    for place, name in enumerate(said.by_view):
        silent = ~said.speaks[name]
        assert silent.any()
        assert np.isnan(claims.views[silent, place]).all()
        assert np.isnan(claims.view_best[silent, place]).all()
        heard = np.flatnonzero(said.speaks[name])
        assert (claims.views[heard, place] == said.by_view[name][heard, codes[heard]]).all()
        assert (claims.view_best[heard, place] == said.by_view[name][heard].max(axis=1)).all()


def test_rows_and_what_was_learned_from_belong_to_the_claim(made):
    _, said, codes, claims = made

    assert claims.row.tolist() == said.rows.tolist()
    assert claims.known.tolist() == said.known[codes].tolist()


def test_the_same_product_may_be_claimed_for_every_category(made):
    tree, said, _, _ = made
    every = np.arange(5, dtype=np.int32)
    claims = claims_of(said, np.full(5, 3), every, tree)

    assert set(claims.row.tolist()) == {30}
    assert claims.p.sum() == pytest.approx(1, abs=1e-5)
    assert claims.rank.tolist() == np.argsort(np.argsort(-claims.p)).tolist()


def test_claims_are_chosen_joined_and_sorted_as_one(made):
    claims = made[3]
    mixed = Claims.joined([claims[np.array([4, 6])], claims[claims.row < 40], claims[np.array([5])]])

    assert len(mixed) == 7
    again = mixed.in_order()
    for name in ("row", "code", "p", "top", "best", "levels", "along", "views"):
        np.testing.assert_array_equal(getattr(again, name), getattr(claims, name))
    assert claims.with_rows(np.arange(100) + 1).row.tolist() == (claims.row + 1).tolist()


def test_no_view_at_all_and_one_level_leave_empty_columns():
    tree = tree_of([("a",), ("b",), ("c",)])
    claims = claims_of(said_of(tree), np.arange(7), np.zeros(7, np.int32), tree)

    assert claims.views.shape == claims.levels.shape == (7, 0)
    assert claims.sisters == pytest.approx((1 - claims.p) / 2, abs=1e-6)
