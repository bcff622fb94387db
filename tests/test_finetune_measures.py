"""Scores from logits are those of scikit-learn; the temperature fits the confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.finetune.measures import best_temperature, measure, negative_log_likelihood

metrics = pytest.importorskip("sklearn.metrics")


@given(st.integers(0, 500), st.integers(3, 40))
def test_as_scikit_learn_has_it(seed, rows):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, 4)).astype(np.float32)
    y = rng.integers(0, 3, rows).astype(np.int32)
    found, answers = measure(logits, y), logits.argmax(axis=1)
    odds = np.exp(logits.astype(np.float64))

    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, answers))
    assert found.weighted_f1 == pytest.approx(metrics.f1_score(y, answers, average="weighted"))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(y, answers, average="macro"))
    assert found.loss == pytest.approx(
        metrics.log_loss(y, odds / odds.sum(axis=1, keepdims=True), labels=range(4)), rel=1e-6
    )


def test_temperature_cools_what_is_too_sure():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2000, 3))
    odds = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=p) for p in odds], np.int32)
    logits = (truth * 3).astype(np.float32)

    assert best_temperature(logits, y) == pytest.approx(3, rel=0.2)
    assert negative_log_likelihood(logits, y, 3.0) < negative_log_likelihood(logits, y)
    assert best_temperature(logits[:5], y[:5]) == 1
