"""`learners.cosine`: exact neighbours, a chosen number of them, invariance and keeping."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from shelfwise.errors import ModelError
from shelfwise.features.dense_rows import DenseRows
from shelfwise.learners import cosine
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.workspace import OWN, Workspace


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


# -- many rows -----------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache")
def test_from_a_number_of_rows_on_there_is_an_index_with_exact_cosines():
    pytest.importorskip("faiss")
    X, y = vectors(2000, classes=30, noise=0.3)
    asked, _ = vectors(150, classes=30, seed=1, noise=0.3)
    exact = CosineNeighbours(exact_below=2001).fit(X, y, 30)
    indexed = CosineNeighbours(exact_below=2000).fit(X, y, 30)

    assert exact.cells_ is None
    assert indexed.cells_ is not None
    assert (exact.notes_, indexed.notes_) == ([], [])
    right, cosines = exact.nearest(asked, 10)
    found, similar = indexed.nearest(asked, 10)
    same = found == right
    assert same.mean() > 0.97
    assert similar[same].tobytes() == cosines[same].tobytes()  # to the bit
    assert (np.diff(similar, axis=1) <= 0).all()
    assert (exact.count_, exact.width_) == (indexed.count_, indexed.width_)


@pytest.mark.usefixtures("cache")
def test_with_an_index_neither_batch_nor_threads_nor_room_nor_keeping_touch_the_bits(tmp_path):
    pytest.importorskip("faiss")
    X, y = vectors(1500)
    asked, _ = vectors(70, seed=2)
    one = CosineNeighbours(exact_below=1000).fit(X, y, 6)
    tight = DenseRows(X, None, Workspace(OWN, tmp_path))
    two = CosineNeighbours(exact_below=1000, threads=2).fit(tight, y, 6)
    whole = one.scores(asked)
    kept = {name: array.copy() for name, array in one.tensors().items()}

    assert {name: array.tobytes() for name, array in two.tensors().items()} == {
        name: array.tobytes() for name, array in kept.items()
    }
    assert two.scores(asked).tobytes() == whole.tobytes()
    assert np.concatenate([one.scores(asked[:1]), one.scores(asked[1:])]).tobytes() == whole.tobytes()
    assert CosineNeighbours(exact_below=1000).restore(kept, 6).scores(asked).tobytes() == whole.tobytes()
    with pytest.raises(ModelError, match="cells"):
        CosineNeighbours().restore(kept | {"cells.cell": kept["cells.cell"][1:]}, 6)


@pytest.mark.usefixtures("cache")
def test_more_neighbours_than_the_likest_cells_hold():
    pytest.importorskip("faiss")
    X, y = vectors(900)
    found, similar = CosineNeighbours(exact_below=900).fit(X, y, 6).nearest(X[:5], 900)
    right, cosines = CosineNeighbours().fit(X, y, 6).nearest(X[:5], 900)

    assert found.tolist() == right.tolist()
    assert similar.tobytes() == cosines.tobytes()


@pytest.mark.usefixtures("cache")
def test_without_faiss_all_rows_are_compared_and_it_is_said(monkeypatch):
    X, y = vectors(600)
    asked, _ = vectors(20, seed=2)
    exact = CosineNeighbours().fit(X, y, 6)
    kept = CosineNeighbours(exact_below=600).fit(X, y, 6).tensors() if find_spec("faiss") else None
    monkeypatch.setattr(cosine, "installed", lambda: False)
    without = CosineNeighbours(exact_below=600).fit(X, y, 6)

    assert without.cells_ is None
    assert without.scores(asked).tobytes() == exact.scores(asked).tobytes()
    (note,) = without.notes_
    assert "600 vectors" in note
    assert 'pip install "shelfwise[faiss]"' in note
    assert CosineNeighbours(exact_below=601).fit(X, y, 6).notes_ == []
    if kept is not None:  # a model that has an index, where it cannot be used
        told = CosineNeighbours(exact_below=600).restore(kept, 6)
        assert told.scores(asked).tobytes() == exact.scores(asked).tobytes()
        assert len(told.notes_) == 1


@pytest.mark.parametrize("values", [1, 10**9])
def test_rows_in_half_precision_answer_with_the_same_bits(monkeypatch, values):
    X, y = vectors()
    learner = CosineNeighbours().fit(X, y, 6)
    monkeypatch.setattr(cosine, "_SINGLE", values)
    again = CosineNeighbours().restore(learner.tensors(), 6)

    assert again.rows_.dtype == (np.float16 if values == 1 else np.float32)
    assert again.scores(X).tobytes() == learner.scores(X).tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [("y", np.array([99], np.int32)), ("y", np.array([-1] * 500, np.int32)), ("count", np.array([0]))],
)
def test_damaged_arrays_are_refused(name, value):
    kept = CosineNeighbours().fit(*vectors(), 6).tensors() | {name: value}
    with pytest.raises(ModelError, match="do not fit"):
        CosineNeighbours().restore(kept, 6)
