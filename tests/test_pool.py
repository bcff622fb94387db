"""`decide.pool`: the mix as a distribution, the fit against simulations, candidates for many categories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.decide import pool
from shelfwise.decide.pool import DEPARTMENTS, Pool, fit_pool

Scores = dict[str, np.ndarray]


def power_law(scores: Scores, shares: dict[str, float], sharpness: float, backing: float = 0) -> np.ndarray:
    """What the module's first lines say, in double precision."""
    pooled = sum(share * scores[name].astype(float) for name, share in shares.items())
    p = (np.maximum(pooled, 0) + 0.05) ** sharpness
    if backing:
        p *= (np.maximum(scores[DEPARTMENTS].astype(float), 0) + 0.05) ** (backing * sharpness)
    return p / p.sum(axis=1, keepdims=True)


def simulate(
    rows: int, classes: int, shares: dict[str, float], sharpness: float = 3.0, seed: int = 0
) -> tuple[Scores, np.ndarray]:
    """Noise as scores, and true codes drawn from the probabilities that shares and sharpness make of them."""
    rng = np.random.default_rng(seed)
    scores = {name: rng.uniform(-0.5, 2, (rows, classes)).astype(np.float32) for name in shares}
    p = power_law(scores, shares, sharpness)
    return scores, (np.log(p) + rng.gumbel(size=p.shape)).argmax(axis=1).astype(np.int32)


def simulate_departments(
    rows: int = 4000, leaf: float = 0.5, department: float = 1.0, shelves: int = 60
) -> tuple[Scores, np.ndarray]:
    """Noise, and how much the true category stands out of it, and its department, one of six."""
    rng = np.random.default_rng(5)
    above = np.arange(shelves) % 6
    y = rng.integers(0, shelves, rows).astype(np.int32)
    leaves = rng.normal(0.1, 0.3, (rows, shelves))
    leaves[np.arange(rows), y] += leaf
    tops = rng.normal(0.1, 0.2, (rows, 6))
    tops[np.arange(rows), above[y]] += department
    return {"a": leaves.astype(np.float32), DEPARTMENTS: tops[:, above].astype(np.float32)}, y


def right(fused: Pool, scores: Scores, y: np.ndarray) -> float:
    return float((mix(fused, scores).argmax(axis=1) == y).mean())


def mix(fused: Pool, scores: Scores) -> np.ndarray:
    return fused.probabilities(scores)


def log_loss(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(y)), y].astype(np.float64)).mean())


# -- mixing --------------------------------------------------------------------------------------------------


@given(st.integers(2, 300), st.floats(0, 1), st.floats(0.05, 50), st.integers(0, 1000))
def test_rows_sum_to_one(classes, share, sharpness, seed):
    scores, _ = simulate(9, classes, {"a": 0.5, "b": 0.5}, seed=seed)
    p = mix(Pool({"a": share, "b": 1 - share}, sharpness), scores)
    assert p.dtype == np.float32
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1, dtype=np.float64), 1, atol=1e-6)


def test_the_mix_is_a_power_law_of_the_pooled_scores():
    scores, _ = simulate(50, 6, {"a": 0.3, "b": 0.7})
    p = mix(Pool({"a": 0.3, "b": 0.7}, 4.5), scores)
    np.testing.assert_allclose(p, power_law(scores, {"a": 0.3, "b": 0.7}, 4.5), rtol=1e-4, atol=1e-7)


def test_departments_are_a_factor_of_their_own():
    scores, _ = simulate(50, 6, {"a": 0.3, "b": 0.7, DEPARTMENTS: 0.0})
    shares = {"a": 0.3, "b": 0.7}
    p = mix(Pool(shares, 4.5, backing=0.45), scores)
    np.testing.assert_allclose(p, power_law(scores, shares, 4.5, 0.45), rtol=1e-4, atol=1e-7)
    without = Pool(shares, 4.5)
    assert mix(without, scores).tobytes() == mix(without, {name: scores[name] for name in shares}).tobytes()


def test_a_view_has_a_say_by_its_share_or_by_backing():
    assert Pool({"words": 0.4, "a": 0.6}, 3.0).views == ("words", "a")
    assert Pool({"words": 1.0}, 3.0, backing=0.1).views == ("words", DEPARTMENTS)


def test_categories_that_nothing_speaks_for_share_evenly():
    p = mix(Pool({"a": 1.0}, 5.0), {"a": np.array([[-1, -0.5, -3, 0]], np.float32)})
    assert p.tolist() == [[0.25] * 4]


@pytest.mark.parametrize("scale", [0, 1e-30, 1e30])
def test_scores_of_any_size_give_probabilities(scale):
    p = mix(Pool({"a": 1.0}, 50.0), {"a": np.array([[1, -2, 3]], np.float32) * np.float32(scale)})
    assert p.sum() == pytest.approx(1)


def test_views_without_a_share_need_not_be_there():
    p = Pool({"a": 1.0}, 3.0).probabilities({"a": np.ones((1, 2), np.float32)})
    assert p.tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match="at least one view"):
        Pool({}, 3.0).probabilities({})


@pytest.mark.parametrize("classes", [2, 3, 17, 64, 127, 1000, 5003])
@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("backing", [0.0, 0.3])
def test_batches_do_not_change_a_bit(classes, batch, backing):
    scores, _ = simulate(211, classes, {"a": 0.3, "b": 0.3, "c": 0.4, DEPARTMENTS: 0.0})
    above = np.arange(classes) % 3
    scores[DEPARTMENTS] = scores[DEPARTMENTS][:, above]  # laid out as `Views` hands it over
    fused = Pool({"a": 0.237, "b": 0.411, "c": 0.352}, 4.0031, backing)
    whole = fused.probabilities(scores)
    parts = [
        fused.probabilities({n: part[at : at + batch] for n, part in scores.items()})
        for at in range(0, 211, batch)
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


# -- fitting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "sharpness"), [(0.7, 2.0), (0.4, 6.0)])
def test_shares_and_sharpness_of_a_simulated_world_are_found(share, sharpness):
    scores, y = simulate(12_000, 6, {"a": share, "b": 1 - share}, sharpness)
    fused = fit_pool(scores, y)
    assert fused.shares == pytest.approx({"a": share, "b": 1 - share}, abs=0.08)
    assert sum(fused.shares.values()) == pytest.approx(1, abs=2e-4)
    assert fused.sharpness == pytest.approx(sharpness, rel=0.06)


def test_a_useless_view_is_dropped():
    scores, y = simulate(4000, 6, {"a": 0.6, "noise": 0.0, "b": 0.4})
    assert list(fit_pool(scores, y).shares) == ["a", "b"]


def test_the_same_view_twice_is_kept_once():
    scores, y = simulate(2000, 5, {"a": 1.0})
    assert len(fit_pool({"a": scores["a"], "again": scores["a"].copy()}, y).shares) == 1


def test_a_misleading_view_gets_no_share():
    scores, y = simulate(3000, 5, {"a": 1.0})
    scores["b"] = 1 - scores["a"]
    assert list(fit_pool(scores, y).shares) == ["a"]


@pytest.mark.parametrize("seed", range(5))
def test_the_mix_is_at_least_as_good_as_any_single_view(seed):
    shares = dict(zip("abc", np.random.default_rng(seed).dirichlet([1, 1, 1]).tolist(), strict=True))
    scores, y = simulate(2000, 7, shares, sharpness=8.0, seed=seed)
    fitted = mix(fit_pool(scores, y), scores)
    for part in scores.values():
        assert (fitted.argmax(axis=1) == y).mean() >= (part.argmax(axis=1) == y).mean() - 0.003
        alone = [log_loss(mix(Pool({"a": 1.0}, s), {"a": part}), y) for s in np.arange(0.05, 12, 0.2)]
        assert log_loss(fitted, y) <= min(alone) * 1.01


def test_fitting_calibrates():
    scores, y = simulate(8000, 5, {"a": 1.0}, sharpness=6.0)
    p = mix(fit_pool(scores, y), scores)
    best = p.max(axis=1)
    for low, high in ((0.3, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (best > low) & (best <= high)
        assert inside.sum() > 300
        assert (p.argmax(axis=1) == y)[inside].mean() == pytest.approx(best[inside].mean(), abs=0.04)


def test_views_that_know_nothing_still_give_a_distribution():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400).astype(np.int32)
    scores = {name: rng.uniform(0, 1, (400, 4)).astype(np.float32) for name in "ab"}
    for part in scores.values():
        part[np.arange(400), y] = -1  # worse than knowing nothing
    p = mix(fit_pool(scores, y), scores)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert p.max() < 0.5


def test_clear_departments_back_poor_categories():
    scores, y = simulate_departments()
    fused = fit_pool(scores, y)
    alone = fit_pool({"a": scores["a"]}, y)
    assert fused.backing > 0
    assert list(fused.shares) == list(alone.shares) == ["a"]  # the departments are no part of the pool
    assert right(fused, scores, y) > right(alone, scores, y) + 0.1


@pytest.mark.parametrize("shelves", [12, 300])
def test_backing_does_not_cost_calibration(shelves):
    scores, y = simulate_departments(shelves=shelves)
    fused = fit_pool(scores, y)
    assert fused.backing > 0
    assert mix(fused, scores).max(axis=1).mean() == pytest.approx(right(fused, scores, y), abs=0.005)


@pytest.mark.parametrize(
    "world",
    [{"department": 0.0}, {"department": -0.5}, {"leaf": 9.0}],
    ids=["departments know nothing", "departments mislead", "categories know all"],
)
def test_departments_that_help_nobody_are_dropped(world):
    scores, y = simulate_departments(**world)
    fused = fit_pool(scores, y)
    assert fused.backing == 0
    assert fused.views == ("a",)
    assert fused == fit_pool({"a": scores["a"]}, y)


@pytest.mark.parametrize("classes", [40, 300])
def test_departments_are_weighed_alike_by_candidates_and_by_all(classes, monkeypatch):
    scores, y = simulate_departments(shelves=classes)
    short = fit_pool(scores, y)
    monkeypatch.setattr(pool, "_CANDIDATES", classes)
    full = fit_pool(scores, y)
    assert short.backing > 0
    assert right(short, scores, y) >= right(full, scores, y) - 0.01


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("views", [1, 3])
def test_the_slope_is_that_of_the_loss(views, right):
    from scipy.optimize import check_grad

    names = "abc"[:views]
    scores, y = simulate(60, 80, dict.fromkeys(names, 1 / views))
    problem = pool._Problem.of(scores, y, None)

    def loss(x):
        return problem._loss(x, np.ones(views, bool), right)

    at = np.append(np.linspace(0.3, 1.2, views), 2.5)
    assert check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], at) < 1e-5


@pytest.mark.parametrize("classes", [65, 66, 300])
def test_the_best_candidates_stand_for_all(classes, monkeypatch):
    """With the far categories counted together the fit is that of the whole problem."""
    rng = np.random.default_rng(0)
    far = rng.uniform(-0.3, 0.05, (2, 3000, classes)).astype(np.float32)
    far[:, :, :20] += rng.uniform(0, 1.5, (2, 3000, 20)).astype(
        np.float32
    )  # twenty that something speaks for
    scores = {"a": far[0], "b": far[1]}
    p = power_law(scores, {"a": 0.65, "b": 0.35}, 4.0)
    y = (np.log(p) + rng.gumbel(size=p.shape)).argmax(axis=1).astype(np.int32)
    short = fit_pool(scores, y)
    monkeypatch.setattr(pool, "_CANDIDATES", classes)
    full = fit_pool(scores, y)
    assert short.shares == pytest.approx(full.shares, abs=0.03)
    assert short.sharpness == pytest.approx(full.sharpness, rel=0.03)


def test_a_true_category_outside_the_candidates_counts_once():
    """Where the far categories are all alike nothing is approximated: the loss is the log loss of the mix."""
    scores, _ = simulate(200, 100, {"a": 1.0})
    scores["a"][:, pool._CANDIDATES // 2 :] = 0
    y = np.random.default_rng(0).integers(0, 100, 200).astype(np.int32)
    problem = pool._Problem.of(scores, y, None)
    loss, _ = problem._loss(np.array([1.0, 2.0]), np.array([True]), False)
    assert loss == pytest.approx(log_loss(power_law(scores, {"a": 1.0}, 2.0), y), rel=1e-5)


def test_mixing_and_fitting_leave_the_scores_alone():
    scores, y = simulate(300, 80, {"a": 0.5, "b": 0.5})
    scores[DEPARTMENTS] = scores["a"] + scores["b"]
    before = {name: part.tobytes() for name, part in scores.items()}
    mix(replace(fit_pool(scores, y), backing=0.3), scores)
    assert {name: part.tobytes() for name, part in scores.items()} == before


def test_the_order_in_which_shares_are_stored_does_not_change_a_bit():
    rng = np.random.default_rng(3)
    scores = {name: rng.random((50, 7), np.float32) for name in ("ngrams", "words", "neighbours")}
    shares = {"ngrams": 0.63, "words": 0.23, "neighbours": 0.14}
    kept = mix(Pool(dict(sorted(shares.items())), 2.5), scores)
    assert mix(Pool(shares, 2.5), scores).tobytes() == kept.tobytes()
