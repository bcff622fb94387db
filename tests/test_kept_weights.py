"""`learners.kept_weights`: what is kept is near what was learned, in any layout, and never changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from shelfwise.learners import kept_weights
from shelfwise.learners.kept_weights import ClassWeights, KeptWeights, sound

FEATURES = 30


def learned(classes, seed=0, bias=0.0):
    """Weights [classes, 30]: of the first twenty features in all classes, of the others in one or two."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(classes, FEATURES)).astype(np.float32)
    weights[:, 20:] *= rng.random((classes, 10)) < 1.5 / classes
    weights[0, 20:] = 1.0
    made = ClassWeights.of(sparse.csr_matrix(weights))
    return weights, ClassWeights(
        made.features, made.weights, made.sizes, made.bias + np.float32(bias), FEATURES
    )


def rows(count, seed=1):
    rng = np.random.default_rng(seed)
    X = sparse.random(count, FEATURES, 0.5, format="csr", rng=rng, dtype=np.float32)
    X.indices = X.indices.astype(np.int32)
    return X


def scores(kept, X):
    return kept.scores(X.indptr.astype(np.int64), X, kept.bias)


def kept_matrix(kept):
    """Weights [classes, features] as a row of one feature scores them."""
    return scores(kept, sparse.csr_matrix(np.eye(FEATURES, dtype=np.float32))).T - kept.bias[:, None]


@pytest.mark.parametrize("classes", [3, 16, 64, 65, 200])
def test_features_of_many_classes_score_as_those_of_few(classes):
    weights, made = learned(classes, classes, bias=0.5)
    kept = KeptWeights.of(made)
    assert 0 < len(kept.heavy_features) < FEATURES or classes < 6
    np.testing.assert_allclose(kept_matrix(kept), weights, atol=0.02)
    X = rows(5)
    np.testing.assert_allclose(scores(kept, X), X @ kept_matrix(kept).T + 0.5, atol=1e-3)


@pytest.mark.parametrize("share", [0, 1, 10**6])
def test_the_layout_does_not_change_a_bit(share, monkeypatch):
    _, made = learned(100)
    usual = KeptWeights.of(made)
    monkeypatch.setattr(kept_weights, "_HEAVY_SHARE", share)
    other = KeptWeights.of(made)
    X = rows(50)
    assert len(other.heavy_features) in {0: [0], 1: [0], 10**6: [FEATURES]}[share]
    assert scores(other, X).tobytes() == scores(usual, X).tobytes()


def test_the_order_of_a_rows_features_does_not_change_a_bit():
    _, made = learned(100)
    kept, X = KeptWeights.of(made), rows(20)
    turned = X.copy()
    for begin, end in zip(X.indptr, X.indptr[1:], strict=False):
        turned.indices[begin:end], turned.data[begin:end] = (
            X.indices[begin:end][::-1],
            X.data[begin:end][::-1],
        )
    assert scores(kept, turned).tobytes() == scores(kept, X).tobytes()


def test_a_row_of_very_many_features_does_not_overflow():
    """Ten thousand features that all speak as loudly as they can for a class."""
    many = 10_000
    matrix = sparse.csr_matrix(np.stack([np.ones(many), -np.ones(many)]).astype(np.float32))
    kept = KeptWeights.of(ClassWeights.of(matrix))
    X = sparse.csr_matrix(np.ones((1, many), np.float32))
    np.testing.assert_allclose(scores(kept, X)[0], [many, -many], rtol=1e-3)


def test_negative_values_and_rows_without_features():
    weights, made = learned(70, bias=-1.0)
    kept = KeptWeights.of(made)
    X = sparse.csr_matrix(np.vstack([-np.ones(FEATURES), np.zeros(FEATURES)]).astype(np.float32))
    told = scores(kept, X)
    np.testing.assert_allclose(told[0], -weights.sum(axis=1) - 1, atol=0.2)
    assert (told[1] == -1).all()


def test_what_is_stored_comes_back_bit_for_bit_and_nobody_can_write_to_it():
    _, made = learned(100)
    kept, X = KeptWeights.of(made), rows(9)
    stored = kept.tensors()
    again = KeptWeights.restore(stored)
    assert sound(stored, FEATURES, 100)
    assert scores(again, X).tobytes() == scores(kept, X).tobytes()
    assert {k: v.tobytes() for k, v in again.tensors().items()} == {k: v.tobytes() for k, v in stored.items()}
    assert np.shares_memory(again.tiles, stored["tiles"])
    assert np.shares_memory(again.weights, stored["weights"])
    for array in (kept.tiles, kept.weights, kept.classes, again.scales):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


def test_weights_of_older_models_are_understood():
    weights, made = learned(70)
    kept = KeptWeights.of(made)
    heavy = kept.heavy_features
    listed = [(f, c) for f in range(FEATURES) if f not in heavy for c in np.flatnonzero(weights[:, f])]
    scales = np.abs(weights[:, heavy]).max(axis=0) / 127
    old = {
        "sizes": np.bincount([f for f, _ in listed], minlength=FEATURES).astype(np.int32),
        "classes": np.array([c for _, c in listed], np.uint16),
        "weights": np.array([weights[c, f] for f, c in listed], np.float16),
        "heavy_features": heavy,
        "heavy": np.rint(weights[:, heavy] / scales).astype(np.int8).T.copy(),
        "scales": scales.astype(np.float32),
        "bias": kept.bias,
    }
    assert sound(old, FEATURES, 70)
    np.testing.assert_allclose(kept_matrix(KeptWeights.restore(old)), weights, atol=0.02)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("classes", lambda a: np.where(a == a.max(), 100, a).astype(a.dtype)),
        ("classes", lambda a: a[:-1]),
        ("weights", lambda a: a.astype(np.int16)),
        ("sizes", lambda a: -a),
        ("sizes", lambda a: a[:-1]),
        ("heavy_features", lambda a: a + FEATURES),
        ("tiles", lambda a: a[:, :-1]),
        ("tiles", lambda a: a.view(np.int8)),
        ("scales", lambda a: a[:-1]),
        ("bias", lambda a: a[:-1]),
    ],
)
def test_arrays_that_do_not_fit_are_told(name, change):
    stored = KeptWeights.of(learned(100)[1]).tensors()
    assert sound(stored, FEATURES, 100)
    assert not sound({**stored, name: change(stored[name])}, FEATURES, 100)
