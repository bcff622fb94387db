"""`learners.neighbours`: against brute force, votes, keeping, and rows without anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shelfwise.learners.neighbours import WIDTH, NeighboursLearner


def matrix(rows: list[dict[int, float]], width: int = 10) -> sparse.csr_matrix:
    dense = np.zeros((len(rows), width), np.float32)
    for row, values in enumerate(rows):
        for feature, value in values.items():
            dense[row, feature] = value
    return sparse.csr_matrix(dense)


def simulate(rows: int, width: int, filled: int, seed: int) -> sparse.csr_matrix:
    """Rows of length 1 whose values are few distinct numbers, so that ties are common."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((rows, width), np.float32)
    for row in dense:
        row[rng.choice(width, rng.integers(0, filled + 1), replace=False)] = 1
    dense *= rng.integers(1, 4, dense.shape)
    return sparse.csr_matrix(dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9))


def cut(X: sparse.csr_matrix) -> np.ndarray:
    """Each row's `WIDTH` largest values, earlier ones first among equals; in plain numpy."""
    dense = X.toarray()
    for row in dense:
        row[np.argsort(-row, kind="stable")[WIDTH:]] = 0
    return dense


def brute_force(
    kept: sparse.csr_matrix, asked: sparse.csr_matrix, count: int
) -> tuple[np.ndarray, np.ndarray]:
    weights = cut(kept).astype(np.float16).astype(np.float32)
    found = np.full((asked.shape[0], count), -1)
    cosine = np.zeros((asked.shape[0], count), np.float32)
    for q, row in enumerate(cut(asked)):
        sums = np.zeros(len(weights), np.float32)
        for feature in np.flatnonzero(row):  # in the order of features, in float32: to the bit
            sums += row[feature] * weights[:, feature]
        order = [r for r in np.argsort(-sums, kind="stable") if sums[r] > 0][:count]
        found[q, : len(order)], cosine[q, : len(order)] = order, sums[order]
    return found, cosine


@pytest.mark.parametrize(("width", "filled"), [(12, 5), (200, 120)])  # rows that fit, rows that are cut
def test_it_finds_what_brute_force_finds(width, filled):
    kept, asked = simulate(120, width, filled, 1), simulate(40, width, filled, 2)
    learner = NeighboursLearner(count=7).fit(kept, np.zeros(120, np.int32), 2)
    found, cosine = learner.nearest(asked)
    right, similarity = brute_force(kept, asked, 7)
    assert found.tolist() == right.tolist()
    assert cosine.tolist() == similarity.tolist()


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9))
def test_it_finds_what_brute_force_finds_whatever_the_sizes(seed, rows, count):
    kept, asked = simulate(rows, 6, 4, seed), simulate(5, 6, 4, seed + 1)
    learner = NeighboursLearner(count=count).fit(kept, np.zeros(rows, np.int32), 2)
    assert learner.nearest(asked)[0].tolist() == brute_force(kept, asked, count)[0].tolist()


def test_equal_neighbours_come_in_the_order_of_rows():
    kept = matrix([{0: 0.6, 1: 0.8}, {0: 1}, {2: 1}, {0: 1}, {0: 1}])
    learner = NeighboursLearner(count=3).fit(kept, np.zeros(5, np.int32), 1)
    assert learner.nearest(matrix([{0: 1}]))[0].tolist() == [[1, 3, 4]]


def test_fewer_rows_than_asked_for_leave_places_empty():
    learner = NeighboursLearner(count=4).fit(matrix([{0: 1}, {1: 1}]), np.array([0, 1], np.int32), 2)
    found, cosine = learner.nearest(matrix([{0: 1}, {5: 1}, {}]))
    assert found.tolist() == [[0, -1, -1, -1], [-1] * 4, [-1] * 4]
    assert cosine.tolist() == [[1, 0, 0, 0], [0] * 4, [0] * 4]
    assert learner.nearest(matrix([{0: 1}]), 1)[0].tolist() == [[0]]


def test_the_vote_is_weighted_by_squared_similarity():
    kept = matrix([{0: 1}, {0: 0.5, 1: 0.75}, {0: 0.5, 2: 0.75}])
    learner = NeighboursLearner(count=3).fit(kept, np.array([0, 1, 1], np.int32), 3)
    shares = learner.scores(matrix([{0: 1}, {}]))
    # squares are 1, 1/4 and 1/4; nobody weighs 0.05
    np.testing.assert_allclose(shares[0], [1 / 1.55, 0.5 / 1.55, 0], rtol=1e-6)
    assert shares[1].tolist() == [0, 0, 0]  # an empty row says nothing


def test_features_without_weight_do_not_count():
    """A field of weight 0 leaves zeros in the rows: they must not list a row, nor list it twice."""
    kept = sparse.csr_matrix((3, 5), dtype=np.float32)
    kept.data, kept.indices = np.zeros(9, np.float32), np.array([0, 1, 2] * 3, np.int32)
    kept.indptr = np.array([0, 3, 6, 9], np.int32)
    kept.data[0] = 1
    learner = NeighboursLearner(count=3).fit(kept, np.array([0, 1, 1], np.int32), 2)
    assert learner.nearest(kept)[0].tolist() == [[0, -1, -1], [-1, -1, -1], [-1, -1, -1]]


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_batches_do_not_change_a_bit(batch):
    kept, asked = simulate(120, 60, 50, 1), simulate(40, 60, 50, 2)
    learner = NeighboursLearner().fit(kept, (np.arange(120) % 9).astype(np.int32), 9)
    parts = [learner.scores(asked[at : at + batch]) for at in range(0, 40, batch)]
    assert np.concatenate(parts).tobytes() == learner.scores(asked).tobytes()


def test_kept_rows_come_back_bit_for_bit():
    kept, asked = simulate(120, 60, 50, 1), simulate(40, 60, 50, 2)
    learner = NeighboursLearner(count=5).fit(kept, (np.arange(120) % 9).astype(np.int32), 9)
    tensors = learner.tensors()
    restored = NeighboursLearner(count=5).restore(tensors, 9)
    assert restored.scores(asked).tobytes() == learner.scores(asked).tobytes()
    assert tensors["weights"].dtype == np.float16
    assert {name: a.tobytes() for name, a in restored.tensors().items()} == {
        name: a.tobytes() for name, a in tensors.items()
    }


def test_rows_without_features_can_be_kept():
    learner = NeighboursLearner().fit(matrix([{}, {0: 1}, {}]), np.array([0, 1, 0], np.int32), 2)
    assert learner.nearest(matrix([{0: 1}]), 2)[0].tolist() == [[1, -1]]
