"""`learners.head`: quality beside scikit-learn, invariance, keeping, and classes of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.learners.head import NetworkLearner, NetworkOptions, SoftmaxLearner, SoftmaxOptions

SMALL = NetworkOptions(hidden=32, epochs=10, batch=32, members=2, rate=0.01)


def vectors(rows: int = 600, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds around fixed centres, as an encoder gives."""
    centres = np.random.default_rng(42).standard_normal((classes, 20)) * 0.8
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows).astype(np.int32)
    return (centres[y] + rng.standard_normal((rows, 20))).astype(np.float32), y


def rings(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that no plane can part."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (rows, 2)).astype(np.float32)
    return X, (np.hypot(*X.T) > 0.75).astype(np.int32)


def learners(**more):
    return [SoftmaxLearner(**more), NetworkLearner(SMALL, **more)]


def fitted(**more):
    X, y = vectors()
    return [learner.fit(X, y, 5) for learner in learners(**more)]


@pytest.fixture(scope="module")
def trained():
    return fitted()


def accuracy(learner, X, y) -> float:
    return float((learner.scores(X).argmax(axis=1) == y).mean())


# -- quality -------------------------------------------------------------------------------------------------


def test_softmax_answers_as_scikit_learn_does():
    from sklearn.linear_model import LogisticRegression

    X, y = vectors()
    tested, _ = vectors(seed=1)
    ours = SoftmaxLearner(SoftmaxOptions(priors=(10.0,), steps=200)).fit(X, y, 5)
    Z = ours.standardiser_.transform
    exact = LogisticRegression(C=0.1, max_iter=1000).fit(Z(X), y).predict_proba(Z(tested))
    plain = ours.scores(tested) ** ours.temperature_
    np.testing.assert_allclose(plain / plain.sum(axis=1, keepdims=True), exact, atol=0.01)


def test_softmax_chooses_a_strong_penalty_for_noise_and_a_weak_one_for_signal():
    X, y = vectors(400)
    X = np.concatenate([X, np.random.default_rng(5).standard_normal((400, 300)).astype(np.float32)], axis=1)
    clear = np.eye(5, dtype=np.float32)[y] + 0.01 * X[:, :5]
    assert SoftmaxLearner().fit(X, y, 5).prior_ > SoftmaxLearner().fit(clear, y, 5).prior_


def test_network_parts_what_no_plane_can():
    X, y = rings(1500, 0)
    tested, truth = rings(800, 1)
    options = NetworkOptions(hidden=64, epochs=40, batch=32, dropout=0.1, rate=0.01)
    assert accuracy(NetworkLearner(options).fit(X, y, 2), tested, truth) > 0.95
    assert accuracy(SoftmaxLearner().fit(X, y, 2), tested, truth) < 0.8


def test_both_generalise(trained):
    tested, truth = vectors(1000, seed=1)
    for learner in trained:
        assert accuracy(learner, tested, truth) > 0.85


def test_members_differ_and_are_averaged(trained):
    network = trained[1]
    assert len(network.members_) == 2
    assert network.members_[0].hidden.tobytes() != network.members_[1].hidden.tobytes()


def test_class_weights_move_the_border():
    X, y = vectors(800, 2)
    keep = (y == 1) | (np.arange(800) % 10 == 0)
    X, y = X[keep] * 0.3, y[keep]
    weights = np.array([10.0, 1.0], np.float32)
    for plain, weighted in zip(learners(), learners(class_weights=weights), strict=True):
        few = (plain.fit(X, y, 2).scores(X).argmax(axis=1) == 0).sum()
        assert (weighted.fit(X, y, 2).scores(X).argmax(axis=1) == 0).sum() > few


# -- invariance ----------------------------------------------------------------------------------------------


def test_scores_are_probabilities_that_do_not_depend_on_the_batch(trained):
    X, _ = vectors(1300, seed=2)
    for learner in trained:
        whole = learner.scores(X)
        assert whole.dtype == np.float32
        np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-5)
        parts = [learner.scores(X[a:b]) for a, b in [(0, 1), (1, 4), (4, 900), (900, 1300)]]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
        assert learner.scores(X[::-1])[::-1].tobytes() == whole.tobytes()
        assert learner.scores(X[:0]).shape == (0, 5)


def test_same_bits_for_any_number_of_threads(trained):
    X, _ = vectors(50, seed=2)
    for one, two in zip(trained, fitted(threads=2), strict=True):
        assert {k: v.tobytes() for k, v in one.tensors().items()} == {
            k: v.tobytes() for k, v in two.tensors().items()
        }
        assert one.scores(X).tobytes() == two.scores(X).tobytes()


def test_the_seed_decides(trained):
    again, other = fitted()[1], fitted(seed=9)[1]
    assert again.tensors()["0.hidden"].tobytes() == trained[1].tensors()["0.hidden"].tobytes()
    assert other.tensors()["0.hidden"].tobytes() != again.tensors()["0.hidden"].tobytes()


# -- keeping -------------------------------------------------------------------------------------------------


def test_what_is_kept_gives_the_same_bits(trained):
    X, _ = vectors(70, seed=3)
    for learner, fresh in zip(trained, learners(), strict=True):
        kept = {name: array.copy() for name, array in learner.tensors().items()}
        assert all(array.dtype in (np.float16, np.float32) for array in kept.values())
        assert fresh.restore(kept).scores(X).tobytes() == learner.scores(X).tobytes()


# -- odd shapes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [[0, 2, 2], [1], [0] * 30, [0, 1] * 40])
def test_classes_with_no_row_one_row_or_all_rows(y):
    X = np.random.default_rng(0).standard_normal((len(y), 3)).astype(np.float32)
    for learner in learners():
        scores = learner.fit(X, np.array(y, np.int32), 4).scores(X)
        assert scores.shape == (len(y), 4)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_columns_that_say_nothing_and_huge_values_do_no_harm():
    X, y = vectors()
    X = np.concatenate([X, np.full((600, 1), 3, np.float32), np.zeros((600, 1), np.float32)], axis=1)
    X[0, 0] = 1e30
    for learner in learners():
        assert accuracy(learner.fit(X, y, 5), X[1:], y[1:]) > 0.5
