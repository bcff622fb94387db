"""`learners.cosine`: exact neighbours, a chosen number of them, invariance and keeping."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.errors import ModelError
from shelfwise.learners import cosine
from shelfwise.learners.cosine import CosineNeighbours


def vectors(rows: int = 500, classes: int = 6, seed: int = 0, noise: float = 0.5):
    """Clouds far from the origin, as encoders give them: all cosines are high until the mean is taken off."""
    centres = np.random.default_rng(7).standard_normal((classes, 16))
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows).astype(np.int32)
    return (10 + centres[y] + noise * rng.standard_normal((rows, 16))).astype(np.float32), y


def test_neighbours_are_the_nearest_by_cosine(monkeypatch):
    monkeypatch.setattr(cosine, "_ROWS", 64)  # several blocks
    X, y = vectors()
    asked, _ = vectors(40, seed=1)
    learner = CosineNeighbours().fit(X, y, 6)
    found, similar = learner.nearest(asked, 5)

    centred = asked - X.mean(axis=0)
    exact = (centred / np.linalg.norm(centred, axis=1, keepdims=True)) @ learner.rows_.T
    np.testing.assert_allclose(similar, -np.sort(-exact, axis=1)[:, :5], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, found, axis=1), similar, atol=1e-5)


def test_it_generalises_and_scores_are_shares_of_the_vote():
    learner = CosineNeighbours().fit(*vectors(), 6)
    X, y = vectors(300, seed=1)
    scores = learner.scores(X)
    assert (scores.argmax(axis=1) == y).mean() > 0.95
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_noise_asks_for_more_neighbours():
    assert (
        CosineNeighbours().fit(*vectors(noise=0.1), 6).count_
        < CosineNeighbours().fit(*vectors(noise=2.5), 6).count_
    )
    assert CosineNeighbours(count=3).fit(*vectors(), 6).count_ == 3


def test_of_equals_the_earlier_wins_and_a_row_of_zeros_is_no_accident():
    X = np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]], np.float32)
    learner = CosineNeighbours(count=2).fit(X, np.array([0, 1, 2, 2], np.int32), 3)
    found, similar = learner.nearest(np.array([[1, 0], [0, 0]], np.float32), 3)
    assert found[0].tolist()[:2] == [0, 1]
    assert (similar[1] == 0).all()
    assert np.isfinite(learner.scores(np.zeros((1, 2), np.float32))).all()


def test_more_neighbours_than_rows():
    learner = CosineNeighbours().fit(np.eye(3, dtype=np.float32), np.array([0, 1, 1], np.int32), 5)
    found, similar = learner.nearest(np.eye(3, dtype=np.float32)[:1], 4)
    assert found[0, 0] == 0
    assert found[0, 3] == -1
    assert similar[0, 3] == 0
    assert learner.scores(np.eye(3, dtype=np.float32)).shape == (3, 5)


def test_batch_threads_and_keeping_do_not_touch_the_bits():
    X, y = vectors()
    asked, _ = vectors(300, seed=2)
    one, two = CosineNeighbours().fit(X, y, 6), CosineNeighbours(threads=2).fit(X, y, 6)
    whole = one.scores(asked)
    assert two.scores(asked).tobytes() == whole.tobytes()
    assert np.concatenate([one.scores(asked[:1]), one.scores(asked[1:])]).tobytes() == whole.tobytes()
    kept = {name: array.copy() for name, array in one.tensors().items()}
    assert kept["rows"].dtype == np.float16
    assert CosineNeighbours().restore(kept, 6).scores(asked).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [("y", np.array([99], np.int32)), ("y", np.array([-1] * 500, np.int32)), ("count", np.array([0]))],
)
def test_damaged_arrays_are_refused(name, value):
    kept = CosineNeighbours().fit(*vectors(), 6).tensors() | {name: value}
    with pytest.raises(ModelError, match="do not fit"):
        CosineNeighbours().restore(kept, 6)
