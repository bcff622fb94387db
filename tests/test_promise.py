"""Promises of precision: kept on fresh draws, refused where the data cannot support them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr, bdtrc, expit

from shelfwise.decide.promise import choose_shelf, make_promise, make_shelf_promise
from shelfwise.errors import PromiseError


def true_confidence(generator, rows):
    """Chance of being right: many sure answers, a long tail of doubtful ones."""
    return expit(generator.normal(2.8, 2.0, rows))


# What the model says, given the chance that it is right.
SAYS = {
    "calibrated": lambda chance: chance,
    "over-confident": lambda chance: chance**0.3,
    "heavy ties": lambda chance: np.round(chance, 1),
    "float32 near 1": lambda chance: (1 - (1 - chance) * 1e-3).astype(np.float32),
}


@pytest.mark.parametrize("kind", SAYS)
@pytest.mark.parametrize(("rows", "asked"), [(400, 0.9), (4_000, 0.95)])
def test_kept_on_fresh_draws_as_often_as_said(kind, rows, asked):
    fresh = true_confidence(np.random.default_rng(999), 400_000)
    order = np.argsort(-SAYS[kind](fresh), kind="stable")
    said = SAYS[kind](fresh)[order].astype(np.float64)
    # Precision of a threshold, from the chances themselves: no noise of its own.
    precision = np.cumsum(fresh[order]) / np.arange(1, len(fresh) + 1)
    ends = np.flatnonzero(np.append(np.diff(said) != 0, True))
    oracle = (ends[precision[ends] >= asked].max() + 1) / len(fresh)
    repeats, broken, coverage = 300, 0, []
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        chance = true_confidence(generator, rows)
        right = generator.random(rows) < chance
        try:
            promise = make_promise(SAYS[kind](chance), right, asked, delta=0.1)
        except PromiseError:
            coverage.append(0.0)
            continue
        accepted = int(np.searchsorted(-said, -promise.threshold, side="right"))
        coverage.append(accepted / len(fresh))
        broken += precision[accepted - 1] < asked
    assert bdtrc(broken - 1, repeats, 0.1) > 0.001, f"broken {broken} times of {repeats}"
    if rows == 4_000:
        assert np.mean(coverage) > 0.8 * oracle


def test_groups_that_stand_or_fall_together_are_kept_too():
    asked, repeats, broken = 0.9, 200, 0
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        chance = true_confidence(generator, 400)
        right = generator.random(400) < chance
        twins = np.repeat(np.arange(400), generator.integers(1, 8, 400))
        promise = make_promise(chance[twins], right[twins], asked, groups=twins)
        fresh = np.sort(true_confidence(np.random.default_rng(7), 20_000))
        broken += fresh[fresh >= promise.threshold].mean() < asked
    assert bdtrc(broken - 1, repeats, 0.1) > 0.001, f"broken {broken} times of {repeats}"


def test_twins_add_no_evidence():
    confidence, right = np.full(300, 0.99), np.ones(300, bool)
    make_promise(confidence, right, 0.98)
    with pytest.raises(PromiseError, match=r"at least 114 products.*worth 100 independent ones"):
        make_promise(confidence, right, 0.98, groups=np.arange(300) // 3)
    alone = make_promise(confidence, right, 0.95, groups=np.arange(300))
    assert alone == make_promise(confidence, right, 0.95)


@pytest.mark.parametrize(("asked", "least"), [(0.9, 22), (0.98, 114), (0.99, 230)])
def test_flawless_rows_suffice_from_the_number_that_the_binomial_gives(asked, least):
    assert asked**least <= 0.1 < asked ** (least - 1)
    assert make_promise(np.full(least, 0.9), np.ones(least), asked).coverage == 1.0
    with pytest.raises(PromiseError, match=f"at least {least} products"):
        make_promise(np.full(least - 1, 0.9), np.ones(least - 1), asked)


def test_one_error_among_the_surest_does_not_end_it():
    confidence = np.linspace(0.999, 0.5, 5_000)
    right = np.ones(5_000, bool)
    right[3] = False
    assert make_promise(confidence, right, 0.99).coverage == 1.0


def test_values_are_those_of_the_accepted_rows():
    # 1,000 sure rows with 10 errors, 1,000 doubtful ones that are half wrong.
    confidence = np.repeat([0.9, 0.3], 1_000)
    right = np.concatenate([np.arange(1_000) >= 10, np.arange(1_000) % 2 == 0])

    promise = make_promise(confidence, right, 0.98, delta=0.05)

    assert 0.3 < promise.threshold <= 0.9
    assert (promise.asked, promise.delta, promise.rows) == (0.98, 0.05, 2_000)
    assert (promise.coverage, promise.precision_seen) == (0.5, 0.99)
    # Were the precision at the bound, 10 or fewer errors would be seen with a probability of delta.
    assert bdtr(10, 1_000, 1 - promise.lower_bound) == pytest.approx(0.05)
    assert promise.accepts([0.95, 0.9, 0.3]).tolist() == [True, True, False]


def test_refusal_says_what_is_possible():
    confidence = np.repeat([0.9, 0.3], 1_000)
    right = np.concatenate([np.arange(1_000) >= 30, np.arange(1_000) % 2 == 0])
    with pytest.raises(
        PromiseError, match=r"of 98 % cannot be promised with 90 % certainty: only 97 % even of"
    ) as error:
        make_promise(confidence, right, 0.98)
    best = float(str(error.value).rsplit("support is ", 1)[1].removesuffix(" %")) / 100
    assert 0.95 < best < 0.97
    make_promise(confidence, right, best)
    with pytest.raises(PromiseError):
        make_promise(confidence, right, best + 0.001)
    with pytest.raises(PromiseError, match=r"97 % were right, which takes about [\d,]+ labelled products"):
        make_promise(confidence, right, 0.965)
    with pytest.raises(PromiseError, match="no promise is possible"):
        make_promise(confidence, np.zeros(2_000), 0.98)


def test_bad_arguments_are_named():
    with pytest.raises(PromiseError, match=r"precision.*above 0 and below 1.*98"):
        make_promise([0.5], [True], 98)
    with pytest.raises(PromiseError, match="delta"):
        make_promise([0.5], [True], 0.9, delta=0.0)
    with pytest.raises(PromiseError, match="no labelled product"):
        make_promise([], [], 0.9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        make_promise([np.nan], [True], 0.9)
    with pytest.raises(ValueError, match="same shape"):
        make_promise([0.5, 0.5], [True], 0.9)
    with pytest.raises(ValueError, match="must not rise"):
        make_shelf_promise([[0.5, 0.9]], [[True, True]], 0.9)


# -- shelves -------------------------------------------------------------------------------------------------


def shelves(generator, rows):
    """Chains of three nodes, calibrated at every level: [rows, 3] probabilities and rights."""
    steps = expit(generator.normal([4.0, 2.0, 1.0], 1.5, (rows, 3)))
    return np.cumprod(steps, axis=1), np.cumprod(generator.random((rows, 3)) < steps, axis=1).astype(bool)


def test_shelf_backs_off_to_the_deepest_node_that_reaches_the_threshold():
    chain = np.array([[0.99, 0.9, 0.5], [0.99, 0.98, 0.97], [0.6, 0.6, 0.1]])
    assert choose_shelf(chain, 0.95).tolist() == [0, 2, -1]


def test_shelf_promise_is_kept_and_covers_more_than_the_leaf():
    asked, repeats, broken = 0.9, 200, 0
    chain, _ = shelves(np.random.default_rng(999), 100_000)
    for seed in range(repeats):
        known, right = shelves(np.random.default_rng(seed), 2_000)
        promise = make_shelf_promise(known, right, asked)
        level = choose_shelf(chain, promise.threshold)
        given_ = level >= 0
        # A node's probability is its chance of being right.
        broken += chain[given_, level[given_]].mean() < asked
    assert bdtrc(broken - 1, repeats, 0.1) > 0.001, f"broken {broken} times of {repeats}"
    assert promise.coverage > 2 * make_promise(known[:, 2], right[:, 2], asked).coverage


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3]), st.sampled_from([0.6, 0.8]))
def test_counts_are_those_of_applying_the_threshold(seed, digits, asked):
    generator = np.random.default_rng(seed)
    chain, right = shelves(generator, 300)
    chain = np.round(chain, digits)
    promise = make_shelf_promise(chain, right, asked)
    level = choose_shelf(chain, promise.threshold)
    answered = np.flatnonzero(level >= 0)
    assert promise.coverage == len(answered) / 300
    assert promise.precision_seen == pytest.approx(right[answered, level[answered]].mean())
    assert promise.precision_seen >= asked
    assert promise.lower_bound < promise.precision_seen


def test_repeated_ends_of_short_chains_change_nothing():
    chain, right = shelves(np.random.default_rng(1), 2_000)
    longer = make_shelf_promise(chain[:, [0, 1, 2, 2]], right[:, [0, 1, 2, 2]], 0.95)
    assert longer == make_shelf_promise(chain, right, 0.95)


def test_fifty_thousand_rows_take_no_time():
    generator = np.random.default_rng(0)
    chance = true_confidence(generator, 50_000)
    right = generator.random(50_000) < chance
    make_promise(chance, right, 0.95)
    start = time.process_time()
    make_promise(chance, right, 0.95)
    assert time.process_time() - start < 0.25
