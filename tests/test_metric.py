"""`learners.metric`: classes come together, whatever the loss; kept and applied without torch."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from shelfwise.errors import MissingExtraError
from shelfwise.learners.metric import LossName, MetricOptions, MetricProjection

pytest.importorskip("pytorch_metric_learning")
SMALL = MetricOptions(width=6, epochs=15, classes_a_batch=4, rows_a_class=4, rate=0.01)


def vectors(rows: int = 240, seed: int = 0):
    """Four classes told apart by 3 of 23 columns, the rest is louder noise."""
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) % 4).astype(np.int32)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    X = np.concatenate(
        [corners[y] + 0.5 * rng.standard_normal((rows, 3)), rng.standard_normal((rows, 20))], axis=1
    )
    return X.astype(np.float32), y


def nearest_is_own(V, y) -> float:
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    similar = V @ V.T
    np.fill_diagonal(similar, -2)
    return float((y[similar.argmax(axis=1)] == y).mean())


@pytest.mark.parametrize("loss", get_args(LossName))
def test_every_loss_brings_classes_together(loss):
    tested, truth = vectors(seed=1)
    projection = MetricProjection(replace(SMALL, loss=loss)).fit(*vectors(), 4)
    projected = projection.transform(tested)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, rtol=1e-5)
    assert nearest_is_own(projected, truth) > nearest_is_own(tested, truth) + 0.02


def test_same_seed_same_bits_kept_and_in_any_batch():
    import torch

    X, y = vectors()
    state = torch.random.get_rng_state()
    one = MetricProjection(SMALL).fit(X, y, 4)
    assert (torch.random.get_rng_state() == state).all()
    assert MetricProjection(SMALL).fit(X, y, 4).weights_.tobytes() == one.weights_.tobytes()
    assert MetricProjection(SMALL, seed=1).fit(X, y, 4).weights_.tobytes() != one.weights_.tobytes()
    whole = MetricProjection(SMALL).restore(one.tensors()).transform(X)
    assert whole.tobytes() == one.transform(X).tobytes()
    assert np.concatenate([one.transform(X[:7]), one.transform(X[7:])]).tobytes() == whole.tobytes()


def test_a_class_of_one_row_is_no_obstacle():
    X, y = vectors(41)
    y[0] = 5
    assert np.isfinite(MetricProjection(SMALL).fit(X, y, 7).transform(X)).all()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[finetune\]"):
        MetricProjection(SMALL).fit(*vectors(), 4)
