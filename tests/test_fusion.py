"""`decide.fusion`: the mix of text and other evidence, for every set of members that can speak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.decide.fusion import FACTORS, TEXT, Fusion, fit_fusion
from shelfwise.decide.pool import DEPARTMENTS, Pool

Scores = dict[str, np.ndarray]
POOL = Pool({"ngrams": 0.7, "words": 0.3}, 3.0)
SETS = {
    "text": {"text": 3.0},
    "pictures": {"pictures": 0.9},
    "pictures+text": {"pictures": 0.6, "text": 2.0},
}


def uniform(classes: int) -> np.ndarray:
    return np.full(classes, 1 / classes, np.float32)


def told(truth: np.ndarray, classes: int, strength: float, seed: int) -> np.ndarray:
    """Probabilities of a member that knows the truth that well; 0: not at all, below 0: it misleads."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 1, (len(truth), classes))
    logs[np.arange(len(truth)), truth] += strength
    p = np.exp(logs)
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def world(
    rows: int = 3000, classes: int = 6, gaps: bool = True, **strength: float
) -> tuple[Scores, dict[str, np.ndarray], np.ndarray]:
    """Scores by view, where each speaks, and the truth; a third of each member's rows is missing."""
    rng = np.random.default_rng(9)
    y = rng.integers(0, classes, rows).astype(np.int32)
    scores = {name: told(y, classes, s, seed) for seed, (name, s) in enumerate(strength.items())}
    speaks = {name: np.ones(rows, bool) for name in scores}
    if gaps:
        speaks = {name: rng.random(rows) < 2 / 3 for name in scores}
    for name, heard in speaks.items():
        scores[name][~heard] = 0
    return scores, speaks, y


def right(fusion: Fusion, scores: Scores, speaks: dict[str, np.ndarray], y: np.ndarray) -> float:
    return float((fusion.mix(scores, speaks).argmax(axis=1) == y).mean())


def rows_of(parts: dict[str, np.ndarray], rows) -> dict[str, np.ndarray]:
    return {name: part[rows] for name, part in parts.items()}


# -- mixing --------------------------------------------------------------------------------------------------


@given(
    st.integers(2, 200), st.integers(0, 1000), st.sampled_from([{}, SETS, {"pictures": {"pictures": 40.0}}])
)
def test_rows_sum_to_one(classes, seed, exponents):
    rng = np.random.default_rng(seed)
    scores = {name: rng.random((20, classes), np.float32) for name in ("ngrams", "words", "pictures")}
    speaks = {name: rng.random(20) < 0.5 for name in scores}
    p = Fusion(POOL, uniform(classes), exponents).mix(scores, speaks)

    assert p.dtype == np.float32
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1, dtype=np.float64), 1, atol=1e-5)


def test_the_mix_is_a_product_of_powers():
    scores, speaks, _ = world(50, gaps=False, ngrams=1.0, words=1.0, pictures=1.0)
    p = Fusion(POOL, uniform(6), SETS).mix(scores, speaks)
    pooled = 0.7 * scores["ngrams"].astype(float) + 0.3 * scores["words"].astype(float)
    expected = (pooled + 0.05) ** 2.0 * (scores["pictures"].astype(float) + 0.005) ** 0.6

    np.testing.assert_allclose(p, expected / expected.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6)


def test_members_beside_the_first_are_taken_by_how_much_they_lift_a_category():
    scores, speaks, _ = world(50, gaps=False, ngrams=1.0, words=1.0, pictures=1.0, pixels=1.0)
    prior = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02])
    text, pair = {"text": 2.0, "pictures": 0.6}, {"pictures": 0.9, "pixels": 0.7}
    fusion = Fusion(POOL, prior.astype(np.float32), {"pictures+pixels+text": text, "pictures+pixels": pair})
    pooled = 0.7 * scores["ngrams"].astype(float) + 0.3 * scores["words"].astype(float)
    lift = {name: (scores[name].astype(float) + 0.005) / (prior + 0.005) for name in ("pictures", "pixels")}

    with_text = (pooled + 0.05) ** 2.0 * lift["pictures"] ** 0.6
    expected = with_text / with_text.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fusion.mix(scores, speaks), expected, rtol=1e-3, atol=1e-6)
    without = (scores["pictures"].astype(float) + 0.005) ** 0.9 * lift["pixels"] ** 0.7
    expected = without / without.sum(axis=1, keepdims=True)
    mute = speaks | {name: np.zeros(50, bool) for name in ("ngrams", "words")}
    np.testing.assert_allclose(fusion.mix(scores, mute), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 17, 300])
@pytest.mark.parametrize("batch", [1, 7, 100])
def test_batches_do_not_change_a_bit(classes, batch):
    scores, speaks, _ = world(211, classes, ngrams=1.0, words=0.5, pictures=1.0)
    fusion = Fusion(POOL, uniform(classes), SETS)
    whole = fusion.mix(scores, speaks)
    cuts = [slice(at, at + batch) for at in range(0, 211, batch)]
    parts = [fusion.mix(rows_of(scores, cut), rows_of(speaks, cut)) for cut in cuts]

    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_mixing_and_fitting_leave_the_scores_alone():
    scores, speaks, y = world(500, ngrams=1.0, words=1.0, pictures=1.0, table=0.5)
    before = {name: part.tobytes() for name, part in scores.items()}
    fit_fusion(scores, speaks, y, uniform(6)).mix(scores, speaks)

    assert {name: part.tobytes() for name, part in scores.items()} == before


def test_the_prior_stands_where_nothing_speaks():
    prior = np.array([0.5, 0.3, 0.2], np.float32)
    scores = {name: np.zeros((4, 3), np.float32) for name in ("ngrams", "words", "pictures")}
    silent = {name: np.zeros(4, bool) for name in scores}
    fusion = Fusion(POOL, prior, SETS)

    assert fusion.mix(scores, silent).tolist() == [prior.tolist()] * 4
    assert not fusion.present(silent).any()
    assert (
        fusion.present(silent | {"pictures": np.array([True, False, True, False])}).tolist()
        == [True, False] * 2
    )


def test_a_row_without_a_picture_is_mixed_as_by_text_alone():
    scores, speaks, _ = world(300, ngrams=1.0, words=1.0, pictures=2.0)
    without = ~speaks["pictures"] & (speaks["ngrams"] | speaks["words"])
    both = Fusion(POOL, uniform(6), SETS).mix(scores, speaks)
    text = Fusion(POOL, uniform(6)).mix(scores, speaks)

    assert 50 < without.sum() < 200
    assert both[without].tobytes() == text[without].tobytes()
    assert not np.array_equal(both[~without], text[~without])


def test_sets_that_were_never_seen_share_what_their_members_have():
    scores, speaks, _ = world(40, gaps=False, ngrams=1.0, words=1.0, pictures=1.0)
    prior = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02], np.float32)
    unseen = Fusion(POOL, prior, {"pictures": {"pictures": 0.8}, "table": {"table": 1.0}})
    scores["table"], speaks["table"] = np.zeros((40, 6), np.float32), np.zeros(40, bool)
    pooled = 0.7 * scores["ngrams"].astype(float) + 0.3 * scores["words"].astype(float)
    expected = (pooled + 0.05) ** 1.5 * (scores["pictures"].astype(float) + 0.005) ** 0.4

    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(unseen.mix(scores, speaks), expected, rtol=1e-3, atol=1e-6)


def test_views_that_have_a_say_are_named():
    fusion = Fusion(POOL, uniform(3), SETS)

    assert fusion.factors == ("pictures",)
    assert fusion.views == ("ngrams", "words", "pictures")
    assert Fusion(None, uniform(3), {"table": {"table": 1.0}}).views == ("table",)
    # no exponent in the set with text, yet pictures speak where there is no text
    assert Fusion(POOL, uniform(3), {"pictures": {"pictures": 1.0}}).factors == ("pictures",)


# -- one view alone, or left out -----------------------------------------------------------------------------


def test_alone_is_as_if_there_were_no_other_view():
    scores, speaks, _ = world(60, ngrams=1.0, words=1.0, pictures=1.0)
    fusion = Fusion(POOL, uniform(6), SETS)
    words = fusion.alone("words")
    picture = fusion.alone("pictures")

    assert words.views == ("words",)
    assert picture.views == ("pictures",)
    pooled = Pool({"words": 1.0}, 3.0).probabilities({"words": scores["words"][speaks["words"]].copy()})
    np.testing.assert_allclose(words.mix(scores, speaks)[speaks["words"]], pooled, rtol=1e-5)
    said = picture.mix(scores, speaks)
    assert (said[~speaks["pictures"]] == uniform(6)).all()
    heard = speaks["pictures"]
    assert (said[heard].argmax(axis=1) == scores["pictures"][heard].argmax(axis=1)).all()


def test_without_a_view_the_others_go_on():
    scores, speaks, _ = world(60, ngrams=1.0, words=1.0, pictures=1.0)
    fusion = Fusion(POOL, uniform(6), SETS)

    pictureless = fusion.without("pictures")
    assert pictureless.views == ("ngrams", "words")
    assert pictureless.mix(scores, speaks).tobytes() == Fusion(POOL, uniform(6)).mix(scores, speaks).tobytes()
    assert fusion.without("words").pool.shares == {"ngrams": 1.0}
    textless = Fusion(Pool({"words": 1.0}, 3.0), uniform(6), SETS).without("words")
    assert (textless.pool, textless.views) == (None, ("pictures",))
    assert Fusion(Pool({"words": 1.0}, 3.0), uniform(6)).without("words") is None
    assert Fusion(None, uniform(6), {"table": {"table": 1.0}}).without("table") is None


def test_without_the_departments_the_pool_keeps_its_shares():
    backed = Fusion(Pool({"words": 1.0}, 3.0, backing=0.4), uniform(3))

    assert DEPARTMENTS not in backed.without(DEPARTMENTS).views


# -- fitting -------------------------------------------------------------------------------------------------


def test_a_helpful_factor_makes_more_answers_right():
    scores, speaks, y = world(gaps=False, ngrams=1.0, pictures=1.0)
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert set(fused.exponents) == {"text", "pictures", "pictures+text"}
    assert set(fused.exponents["pictures+text"]) == {"pictures", "text"}
    best = max(right(fused.alone(name), scores, speaks, y) for name in ("ngrams", "pictures"))
    assert right(fused, scores, speaks, y) > best + 0.05


@pytest.mark.parametrize("strength", [0.0, -2.0], ids=["useless", "misleading"])
def test_a_factor_that_does_not_help_has_no_exponent_beside_text(strength):
    scores, speaks, y = world(gaps=False, ngrams=2.5, pictures=strength)
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert set(fused.exponents["pictures+text"]) == {"text"}
    assert (
        fused.mix(scores, speaks).argmax(axis=1)
        == fused.without("pictures").mix(scores, speaks).argmax(axis=1)
    ).all()


def posterior(signal: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """What a signal, the code with normal noise in as many dimensions as categories, tells by Bayes' rule."""
    p = prior * np.exp(2 * (signal - signal.max(axis=1, keepdims=True)))
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def test_independent_members_are_mixed_as_bayes_rule_has_it():
    rng = np.random.default_rng(3)
    prior = np.array([0.6, 0.2, 0.1, 0.05, 0.05])
    y = rng.choice(5, 20_000, p=prior).astype(np.int32)
    # noise of deviation 1 around 2 at the code: the log-likelihoods differ by 2 x the signal
    one, other = (rng.normal(0, 1, (len(y), 5)) + 2 * np.eye(5)[y] for _ in range(2))
    scores = {"pictures": posterior(one, prior), "pixels": posterior(other, prior)}
    speaks = {name: np.ones(len(y), bool) for name in scores}
    exact = posterior(one + other, prior)
    fused = fit_fusion(scores, speaks, y, prior.astype(np.float32))
    p = fused.mix(scores, speaks)

    assert (p.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.98
    assert np.abs(p - exact).mean() < 0.01


def test_every_set_of_members_is_calibrated():
    scores, speaks, y = world(9000, ngrams=1.5, pictures=1.5, table=0.7)
    fused = fit_fusion(scores, speaks, y, uniform(6))
    p = fused.mix(scores, speaks)
    code = sum(heard.astype(int) << bit for bit, heard in enumerate(speaks.values()))

    assert len(fused.exponents) == 7
    for chosen in range(1, 8):
        inside = code == chosen
        assert inside.sum() > 200
        accuracy = (p.argmax(axis=1) == y)[inside].mean()
        assert p.max(axis=1)[inside].mean() == pytest.approx(accuracy, abs=0.03), chosen


def test_a_larger_set_is_never_worse_than_those_within_it():
    scores, speaks, y = world(gaps=False, ngrams=1.0, pictures=0.3, table=0.0, pixels=0.5)
    fused = fit_fusion(scores, speaks, y, uniform(6))

    for name in ("ngrams", "pictures", "table"):
        assert right(fused, scores, speaks, y) >= right(fused.alone(name), scores, speaks, y) - 1e-9


def test_members_that_only_speak_together_have_no_set_alone():
    scores, speaks, y = world(800, gaps=False, ngrams=1.0, encoder=1.0, pictures=1.0, pixels=1.0)
    found = set(fit_fusion(scores, speaks, y, uniform(6)).exponents)

    assert "encoder" not in found
    assert "pixels" not in found
    assert "encoder+pictures" not in found
    assert {"text", "encoder+text", "pictures+pixels", "encoder+pictures+pixels+text"} <= found


def test_a_set_of_few_rows_is_left_to_its_members():
    scores, speaks, y = world(600, gaps=False, ngrams=1.0, pictures=1.0)
    speaks["pictures"][40:] = False
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert set(fused.exponents) == {TEXT}
    np.testing.assert_allclose(fused.mix(scores, speaks).sum(axis=1), 1, atol=1e-5)


def test_text_alone_is_the_pool():
    scores, speaks, y = world(600, gaps=False, ngrams=1.0, words=0.5)
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert fused.exponents == {}
    np.testing.assert_allclose(fused.mix(scores, speaks), fused.pool.probabilities(scores), rtol=1e-5)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_shop_without_text_is_judged_by_its_factor(factor):
    scores, speaks, y = world(600, **{factor: 1.5})
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert fused.pool is None
    np.testing.assert_allclose(fused.mix(scores, speaks).sum(axis=1), 1, atol=1e-5)


def test_departments_belong_to_the_text():
    scores, speaks, y = world(3000, gaps=False, ngrams=0.6, pictures=1.0)
    tops = told(y % 2, 2, 3.0, seed=77)
    scores[DEPARTMENTS] = np.ascontiguousarray(tops[:, np.arange(6) % 2])
    speaks[DEPARTMENTS] = speaks["ngrams"]
    fused = fit_fusion(scores, speaks, y, uniform(6))

    assert fused.pool.backing > 0
    assert fused.factors == ("pictures",)
    assert right(fused, scores, speaks, y) > right(fused.without("pictures"), scores, speaks, y)


def test_fitting_twice_is_the_same():
    scores, speaks, y = world(600, ngrams=1.0, pictures=1.0, table=0.5)

    assert (
        fit_fusion(scores, speaks, y, uniform(6)).exponents
        == fit_fusion(scores, speaks, y, uniform(6)).exponents
    )
