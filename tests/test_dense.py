"""`learners.dense`: every learner a recipe can ask for, its keeping, and arrays that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.errors import ModelError
from shelfwise.learners.dense import DenseLearner
from shelfwise.recipe import LearnerRecipe

SETTINGS = [
    {"learner": "softmax"},
    {"learner": "network"},
    {"learner": "neighbours"},
    {"learner": "both"},
    {"learner": "auto"},
    {"learner": "softmax", "balance": "weights"},
    {"learner": "network", "balance": "weights", "members": 2, "units": 96},
    {"learner": "softmax", "balance": "logits"},
    {"learner": "softmax", "balance": "over"},
    {"learner": "neighbours", "balance": "under"},
    {"learner": "softmax", "metric": 4},
]
NAMES = ["-".join(map(str, setting.values())) for setting in SETTINGS]
WIDTH, CLASSES = 6, 4


def clouds(rows: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds, one of them with a tenth of the rows; the fourth class has none."""
    centres = 3 * np.random.default_rng(1).standard_normal((3, WIDTH))
    rng = np.random.default_rng(seed)
    y = rng.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.int32)
    return (centres[y] + rng.standard_normal((rows, WIDTH))).astype(np.float32), y


def needs(setting: dict) -> None:
    if setting.get("balance") in ("over", "under"):
        pytest.importorskip("imblearn")
    if setting.get("metric"):
        pytest.importorskip("pytorch_metric_learning")


def fit(setting: dict, threads: int = 1) -> DenseLearner:
    return DenseLearner(LearnerRecipe(**{"units": 24, "members": 1} | setting), threads=threads).fit(
        *clouds(), CLASSES
    )


@pytest.fixture(scope="module")
def fitted() -> dict[str, DenseLearner]:
    return {}


@pytest.fixture(params=SETTINGS, ids=NAMES)
def learner(request, fitted) -> DenseLearner:
    needs(request.param)
    key = str(request.param)
    if key not in fitted:
        fitted[key] = fit(request.param)
    return fitted[key]


def test_probabilities_that_are_mostly_right(learner):
    X, y = clouds(seed=5)
    p = learner.scores(X)

    assert (p.shape, p.dtype) == ((160, CLASSES), np.float32)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-4)
    assert (p >= 0).all()
    assert (p.argmax(axis=1) == y).mean() > 0.9


def test_batches_do_not_change_a_bit(learner):
    X, _ = clouds(41, seed=6)
    whole = learner.scores(X)
    for size in (1, 7):
        parts = [learner.scores(X[at : at + size]) for at in range(0, 41, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_what_is_kept_answers_with_the_same_bits(learner):
    X, _ = clouds(30, seed=7)
    again = DenseLearner(learner.recipe).restore(learner.tensors(), CLASSES)

    assert again.scores(X).tobytes() == learner.scores(X).tobytes()
    assert {k: v.tobytes() for k, v in again.tensors().items()} == {
        k: v.tobytes() for k, v in learner.tensors().items()
    }
    assert again.width_ == learner.width_ == WIDTH


def test_arrays_of_another_shape_are_refused(learner):
    tensors = learner.tensors()
    for name, array in tensors.items():
        if array.size < 2:
            continue
        with pytest.raises(ModelError, match="do not fit"):
            DenseLearner(learner.recipe).restore(tensors | {name: array[:-1]}, CLASSES)
    with pytest.raises(ModelError, match="do not fit"):
        DenseLearner(learner.recipe).restore(tensors, CLASSES + 1)


def test_threads_do_not_change_a_bit():
    X, _ = clouds(30, seed=7)
    one, three = fit({"learner": "both"}), fit({"learner": "both"}, threads=3)

    assert one.scores(X).tobytes() == three.scores(X).tobytes()


def test_both_is_a_mean_of_its_parts_by_the_share_that_was_chosen():
    X, _ = clouds(30, seed=8)
    both = fit({"learner": "both"})

    assert list(both.parts_) == ["network", "neighbours"]
    assert 0 < both.share_ < 1
    network, neighbours = (both.parts_[name].scores(X) for name in ("network", "neighbours"))
    mean = (1 - both.share_) * network + both.share_ * neighbours
    np.testing.assert_allclose(both.scores(X), mean, rtol=1e-5, atol=1e-7)


def test_auto_keeps_neighbours_only_where_they_are_small(monkeypatch):
    assert list(fit({"learner": "auto"}).parts_) == ["network", "neighbours"]
    monkeypatch.setattr("shelfwise.learners.dense._KEPT_VALUES", 100)
    assert list(fit({"learner": "auto"}).parts_) == ["network"]


def test_balance_makes_rare_classes_likelier():
    X, _ = clouds(200, seed=9)
    rng = np.random.default_rng(3)
    noise = X + 3 * rng.standard_normal(X.shape).astype(np.float32)
    plain = fit({"learner": "softmax"}).scores(noise)[:, 2].mean()

    for balance in ("weights", "logits"):
        assert fit({"learner": "softmax", "balance": balance}).scores(noise)[:, 2].mean() > plain


def test_a_model_without_any_learner_says_so():
    with pytest.raises(KeyError, match="any learner"):
        DenseLearner(LearnerRecipe()).restore({"sizes": np.zeros(3, np.int64), "share": np.zeros(1)}, 3)
