"""Corrections move the doubts of others: in the right direction, nobody else's, and the same in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.review.doubts import Edges
from shelfwise.review.reorder import PRIOR, Decided, Kinds, updated

NO_EDGES = Edges(*(np.zeros(0, np.int32) for _ in range(3)), np.zeros(0, np.float32))


@st.composite
def shops(draw):
    """Doubts, shelves, kinds, edges and decisions of a few products."""
    n = draw(st.integers(2, 12))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    doubt = chance.random(n) if draw(st.booleans()) else chance.integers(0, 2, n).astype(float)
    given_, suggested = chance.integers(0, 3, (2, n)).astype(np.int32)
    seller = chance.integers(-1, 2, n).astype(np.int32)
    m = draw(st.integers(0, 20))
    edges = Edges(
        chance.integers(0, n, m).astype(np.int32), chance.integers(-1, n, m).astype(np.int32),
        chance.integers(-1, 3, m).astype(np.int32), chance.random(m).astype(np.float32),
    )  # fmt: skip
    rows = chance.permutation(n)[: draw(st.integers(0, n))]
    decided = Decided(rows, chance.integers(0, 3, len(rows)).astype(np.int32))
    return doubt, (given_, suggested), Kinds.of(given_, suggested, seller), edges, decided


@given(shops())
def test_doubts_stay_doubts_and_decided_ones_stay_as_they_were(shop):
    doubt, *_, decided = shop
    after = updated(*shop)
    assert np.isfinite(after).all()
    assert ((after >= 0) & (after <= 1)).all()
    assert (after[decided.rows] == doubt[decided.rows]).all()


@given(shops(), st.randoms())
def test_the_order_of_decisions_does_not_matter(shop, chance):
    *rest, decided = shop
    order = list(range(len(decided.rows)))
    chance.shuffle(order)
    shuffled = Decided(decided.rows[order], decided.labels[order])
    assert np.allclose(updated(*rest, decided), updated(*rest, shuffled), atol=1e-12)


@given(shops())
def test_nothing_decided_changes_nothing(shop):
    *rest, _ = shop
    nothing = Decided(np.zeros(0, np.int64), np.zeros(0, np.int32))
    assert (updated(*rest, nothing) == shop[0]).all()


@given(shops())
def test_without_neighbours_other_pairs_are_left_alone(shop):
    doubt, shelves, kinds, _, decided = shop
    after = updated(doubt, shelves, kinds, NO_EDGES, decided)
    others = ~np.isin(kinds.pair, kinds.pair[decided.rows])
    assert (after[others] == doubt[others]).all()


@given(shops())
def test_accepting_raises_the_same_pair_and_keeping_lowers_it(shop):
    doubt, (given_, suggested), kinds, _, decided = shop
    for labels, sign in ((given_, -1), (suggested, 1)):
        rows = decided.rows[given_[decided.rows] != suggested[decided.rows]]
        choice = Decided(rows, labels[rows])
        after = updated(doubt, (given_, suggested), kinds, NO_EDGES, choice)
        assert (sign * (after - doubt) >= -1e-4).all()  # doubts of 0 and 1 are kept that far off


def shop_of_one_pair(n, doubt=0.5, sellers=None):
    given_, suggested = np.zeros(n, np.int32), np.ones(n, np.int32)
    seller = np.full(n, -1, np.int32) if sellers is None else np.array(sellers, np.int32)
    return np.full(n, doubt), (given_, suggested), Kinds.of(given_, suggested, seller)


def test_the_rate_is_the_beta_posterior_of_what_was_expected():
    shop = shop_of_one_pair(6)
    decided = Decided(np.array([0, 1, 2]), np.array([1, 1, 0], np.int32))  # two accepted, one kept
    after = updated(*shop, NO_EDGES, decided)
    assert after[3:] == pytest.approx((PRIOR * 0.5 + 2) / (PRIOR + 3))


def test_a_seller_counts_for_its_own_products_beyond_the_pair():
    sellers = [0, 0, 0, 0, 1, 1]
    decided = Decided(np.array([0, 1, 2]), np.ones(3, np.int32))
    after = updated(*shop_of_one_pair(6, sellers=sellers), NO_EDGES, decided)
    assert after[3] > after[4] == after[5] > 0.5


def test_moving_elsewhere_says_that_the_given_shelf_was_wrong():
    decided = Decided(np.array([0]), np.array([2], np.int32))
    assert updated(*shop_of_one_pair(2), NO_EDGES, decided)[1] > 0.5


def edges(*rows):
    of, neighbour, shelf, similarity = zip(*rows, strict=True)
    return Edges(
        np.array(of, np.int32), np.array(neighbour, np.int32), np.array(shelf, np.int32),
        np.array(similarity, np.float32),
    )  # fmt: skip


def test_a_neighbour_that_left_the_shelf_no_longer_vouches_for_it():
    # Product 1 (given 0, suggested 2) had product 0 beside it on shelf 0, which goes to shelf 3.
    given_, suggested = np.array([0, 0], np.int32), np.array([3, 2], np.int32)
    kinds = Kinds.of(given_, suggested, np.full(2, -1, np.int32))
    shop = np.array([0.5, 0.5]), (given_, suggested), kinds
    near = edges((1, 0, 0, 0.9))
    left = updated(*shop, near, Decided(np.array([0]), np.array([3], np.int32)))
    stayed = updated(*shop, near, Decided(np.array([0]), np.array([0], np.int32)))
    joined = updated(*shop, near, Decided(np.array([0]), np.array([2], np.int32)))
    assert joined[1] > left[1] > stayed[1] == 0.5
