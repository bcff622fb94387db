"""`audit.traits`: twins are counted right, and no claim is evidence about itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_shop import bare_claims
from shelfwise.audit.traits import Company, own_traits, twins_of

LABELS = 4


def several(rows=30, seed=0):
    """Given claims of so many products about which models are of two minds."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(LABELS), rows).astype(np.float32)
    code = rng.integers(LABELS, size=rows)
    return bare_claims(
        code.tolist(), p=p[np.arange(rows), code], top=p.argmax(axis=1), best=p.max(axis=1) / 2,
        entropy=p[:, 0],
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)),
                min_size=1, max_size=30))  # fmt: skip
def test_twins_are_all_others_of_the_group(rows):
    groups, y, claimed = (np.array(part) for part in zip(*rows, strict=True))
    groups = np.unique(groups, return_inverse=True)[1]
    found = twins_of(bare_claims(claimed.tolist()), y.astype(np.int32), groups, LABELS)

    for row in range(len(rows)):
        twins = [other for other in range(len(rows)) if other != row and groups[other] == groups[row]]
        there = sum(y[other] == claimed[row] for other in twins)
        assert found[row].tolist() == [there, len(twins) - there]


def test_nobody_has_a_twin_where_all_differ():
    assert not twins_of(bare_claims([0, 1, 2]), np.array([0, 1, 1], np.int32), np.arange(3), LABELS).any()


def test_what_a_product_is_trusted_with_does_not_tell_of_its_own_claim():
    claims = several()
    trust = np.random.default_rng(1).random(30)
    before = Company.of(claims, trust, LABELS).traits(claims)
    for row in range(30):
        other = trust.copy()
        other[row] = 1 - other[row]
        after = Company.of(claims, other, LABELS).traits(claims)
        # How usual the category is, and how many products it has; the rest are rates over all of the trust.
        assert after[row, :3] == pytest.approx(before[row, :3])


def test_a_label_that_was_given_elsewhere_is_judged_as_if_it_had_not_been_given():
    claims = several()
    trust = np.ones(30)
    own = Company.of(claims, trust, LABELS).traits(claims)
    for row in range(30):
        moved = claims.code.copy()
        moved[row] = (moved[row] + 1) % LABELS
        company = Company(moved, claims.top, np.where(np.arange(30) == row, -5.0, np.log(claims.p + 1e-5)),
                          trust, LABELS)  # fmt: skip
        assert company.traits(claims)[row] == pytest.approx(own[row])


def test_a_shelf_that_its_favourites_are_filed_under_is_usual():
    claims = bare_claims([0] * 20 + [1] * 20, p=[0.6] * 40, top=[2] * 20 + [3] * 20)
    company = Company.of(claims, np.ones(40), LABELS)
    usual, odd = bare_claims([0, 1], p=[0.6, 0.6]), bare_claims([1, 0], p=[0.6, 0.6])
    rows = np.array([0, 20])
    rate = [company.traits(part.with_rows(rows))[:, 3] for part in (usual, odd)]

    assert (rate[0] > rate[1] + 2).all()


def test_distrusted_labels_count_for_nothing():
    claims = bare_claims([0] * 10 + [1] * 10, p=[0.9] * 10 + [0.1] * 10)
    trust = np.repeat([1.0, 0.0], 10)
    traits = Company.of(claims, trust, LABELS).traits(claims)

    assert traits[10:, 1] == pytest.approx(np.full(10, np.log(0.3)))  # nothing known: what is usual anywhere
    assert traits[:10, 2] == pytest.approx(np.full(10, np.log(9.5)))


def test_traits_are_finite_where_views_speak_and_unknown_where_they_do_not():
    sure = [0.0, 1.0, 0.5]
    views = np.array([[0.0, np.nan], [1.0, 0.5], [np.nan, np.nan]], np.float32)
    claims = bare_claims([0, 1, 2], p=sure, best=sure[::-1], sisters=sure)
    claims = type(claims)(**vars(claims) | {
        "levels": np.array([[0], [1], [1]], np.float32), "along": np.array([[True], [False], [True]]),
        "views": views, "view_best": np.where(np.isnan(views), np.nan, 1).astype(np.float32),
    })  # fmt: skip
    traits = own_traits(claims, np.array([[0, 0], [3, 1], [0, 2]]))

    assert traits.shape == (3, 11 + 3 + 2 * 2)
    assert np.isfinite(traits[:, :14]).all()
    assert np.isnan(traits[:, 14:]).tolist() == np.repeat(np.isnan(views), 2, axis=1).tolist()
