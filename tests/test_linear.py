"""`learners.linear`: quality beside scikit-learn, invariance, keeping, and catalogues of odd shapes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from part_rows import PartRows
from shelfwise.learners.linear import LinearLearner


def texts_like(
    rows: int, classes: int, seed: int = 0, own: float = 0.25
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Rows of length 1 with 12 of 600 features; a quarter of a row's features tells its class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows).astype(np.int32)
    telling = np.random.default_rng(99).integers(0, 600, (classes, 20))
    features = np.where(
        rng.random((rows, 12)) < own, telling[y[:, None], rng.integers(0, 20, (rows, 12))],
        rng.integers(0, 600, (rows, 12)),
    )  # fmt: skip
    X = sparse.csr_matrix(
        (np.ones(rows * 12, np.float32), features.ravel(), np.arange(0, rows * 12 + 1, 12)), (rows, 600)
    )
    X.sum_duplicates()
    lengths = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags_array(1 / lengths) @ X, dtype=np.float32), y


def margins_of(learner: LinearLearner, X: sparse.csr_matrix) -> np.ndarray:
    return learner.scores(X) - 1


def weights_of(learner: LinearLearner, features: int) -> np.ndarray:
    """Weights [features, classes], whatever form they are kept in: what a row of one feature scores."""
    nothing = learner.scores(sparse.csr_matrix((1, features), dtype=np.float32))
    return learner.scores(sparse.csr_matrix(np.eye(features, dtype=np.float32))) - nothing


def bits_of(learner: LinearLearner) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in learner.tensors().items()}


# -- quality -------------------------------------------------------------------------------------------------


def test_a_separable_problem_is_separated():
    X = sparse.csr_matrix(np.repeat(np.eye(5, dtype=np.float32), 8, axis=0))
    y = np.repeat(np.arange(5, dtype=np.int32), 8)
    margins = margins_of(LinearLearner().fit(X, y, 5), X)
    own = margins[np.arange(40), y]
    others = np.where(np.arange(5) == y[:, None], -np.inf, margins).max(axis=1)
    assert (margins.argmax(axis=1) == y).all()
    assert own.min() > 0.8
    assert others.max() < -0.8


def test_it_answers_as_scikit_learn_does():
    from sklearn.svm import LinearSVC

    # Six classes, so that every class is a rival of every row and both solve the same problem.
    X, y = texts_like(1500, 6)
    tested, truth = texts_like(2000, 6, seed=1)
    learner = LinearLearner(smallest=0).fit(X, y, 6)
    costs = learner.costs(np.bincount(y))
    exact = np.stack(
        [
            LinearSVC(C=float(costs[c]), tol=1e-6, max_iter=20_000).fit(X, y == c).decision_function(tested)
            for c in range(6)
        ],
        axis=1,
    )
    ours = margins_of(learner, tested)

    assert (exact.argmax(axis=1) == truth).mean() < 0.95  # else any learner would pass
    accuracy = (ours.argmax(axis=1) == truth).mean()
    assert accuracy >= (exact.argmax(axis=1) == truth).mean() - 0.01
    assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 0.99
    assert np.abs(ours - exact).mean() < 0.1


def test_few_rivals_of_many_classes_are_enough():
    from sklearn.svm import LinearSVC

    X, y = texts_like(1500, 60, own=0.5)
    tested, truth = texts_like(1500, 60, seed=1, own=0.5)
    ours = LinearLearner(threads=2).fit(X, y, 60).scores(tested).argmax(axis=1)
    theirs = LinearSVC(C=2.0).fit(X, y).predict(tested)
    assert (ours == truth).mean() >= (theirs == truth).mean() - 0.01


def test_costs_fall_with_the_size_of_a_class():
    sizes = np.array([0, 1, 25, 100_000_000])
    costs, double = (LinearLearner(cost=cost).costs(sizes) for cost in (1.0, 2.0))
    assert costs[0] == costs[1] > costs[2] > costs[3]
    assert costs[3] == pytest.approx(1, rel=1e-2)
    assert double.tolist() == pytest.approx((2 * costs).tolist())


def test_a_score_is_the_distance_from_the_plane_and_one():
    X, y = texts_like(300, 4)
    learner = LinearLearner().fit(X, y, 4)
    expected = X @ weights_of(learner, 600) + learner.bias_ + 1
    np.testing.assert_allclose(learner.scores(X), expected, atol=1e-4)


# -- odd shapes ----------------------------------------------------------------------------------------------


def test_two_classes():
    X, y = texts_like(200, 2, own=0.7)
    assert (margins_of(LinearLearner().fit(X, y, 2), X).argmax(axis=1) == y).mean() > 0.97


def test_classes_without_rows_never_win():
    X, y = texts_like(300, 4, own=0.7)
    there = np.array([1, 3, 4, 8], np.int32)
    learner = LinearLearner().fit(X, there[y], 10)
    margins = margins_of(learner, X)
    assert set(margins.argmax(axis=1).tolist()) <= set(there.tolist())
    absent = np.setdiff1d(np.arange(10), there)
    assert (margins[:, absent] == -1).all()
    empty = sparse.csr_matrix((1, 600), dtype=np.float32)
    assert np.isfinite(learner.scores(empty)).all()


def test_hundreds_of_classes_with_one_row_each():
    X = sparse.csr_matrix(np.eye(300, dtype=np.float32))
    y = np.arange(300, dtype=np.int32)[::-1].copy()
    assert (margins_of(LinearLearner().fit(X, y, 300), X).argmax(axis=1) == y).all()


def test_rows_without_features_do_no_harm():
    X, y = texts_like(200, 3, own=0.8)
    X = sparse.vstack([X, sparse.csr_matrix((20, 600), dtype=np.float32)]).tocsr()
    y = np.concatenate([y, np.zeros(20, np.int32)])
    margins = margins_of(LinearLearner().fit(X, y, 3), X)
    assert np.isfinite(margins).all()
    assert (margins[:200].argmax(axis=1) == y[:200]).mean() > 0.95


def test_smaller_weights_are_dropped():
    X, y = texts_like(400, 5)
    fine, coarse = (LinearLearner(smallest=size).fit(X, y, 5) for size in (0.001, 0.2))
    assert np.count_nonzero(weights_of(coarse, 600)) < 0.7 * np.count_nonzero(weights_of(fine, 600))


def test_features_without_weight_do_no_harm():
    """A field of weight 0 leaves stored zeros in the rows."""
    X, y = texts_like(200, 3, own=0.8)
    runs = [slice(*pair) for pair in pairwise(X.indptr.tolist())]
    both = sparse.csr_matrix((200, 1200), dtype=np.float32)
    both.data = np.concatenate([part for run in runs for part in (X.data[run], 0 * X.data[run])])
    both.indices = np.concatenate([part for run in runs for part in (X.indices[run], X.indices[run] + 600)])
    both.indptr = X.indptr * 2
    scores = LinearLearner().fit(both, y, 3).scores(both)
    np.testing.assert_allclose(scores, LinearLearner().fit(X, y, 3).scores(X), atol=1e-3)


# -- the same bits -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problem() -> tuple[sparse.csr_matrix, np.ndarray]:
    return texts_like(2500, 40, own=0.4)


@pytest.fixture(scope="module")
def fitted(problem) -> LinearLearner:
    return LinearLearner().fit(*problem, 40)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_a_bit(problem, fitted, threads):
    assert bits_of(LinearLearner(threads=threads).fit(*problem, 40)) == bits_of(fitted)


@pytest.mark.parametrize("room", [1, 3_000, 10**9], ids=["a class at a time", "some classes", "all at once"])
def test_rows_in_parts_give_the_same_bits(problem, fitted, room):
    X, y = problem
    parts = PartRows(X, room)
    parts.order = np.argsort(y % 7, kind="stable").astype(np.int32)  # rows of one class keep their order
    learner = LinearLearner(threads=2).fit(parts, y, 40)

    assert bits_of(learner) == bits_of(fitted)
    assert parts.space.filed > 0
    assert learner.support_.alphas.tobytes() == fitted.support_.alphas.tobytes()
    again = [LinearLearner().fit(rows, y, 40, fitted.support_) for rows in (X, parts)]
    assert bits_of(again[0]) == bits_of(again[1])


def test_kept_weights_come_back_bit_for_bit(problem, fitted):
    restored = LinearLearner().restore(fitted.tensors())
    assert bits_of(restored) == bits_of(fitted)
    assert restored.scores(problem[0]).tobytes() == fitted.scores(problem[0]).tobytes()
    assert not any(array.dtype == np.float64 for array in fitted.tensors().values())


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batches_do_not_change_a_bit(problem, fitted, batch):
    X = problem[0][:1200]
    whole = fitted.scores(X)
    parts = [fitted.scores(X[at : at + batch]) for at in range(0, 1200, batch)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


# -- starting from what is known -----------------------------------------------------------------------------


def test_a_fit_from_a_part_ends_where_a_fit_from_nothing_does(problem):
    X, y = problem
    part = np.flatnonzero(np.arange(len(y)) % 5 != 0)
    tested, truth = texts_like(8000, 40, seed=1, own=0.4)
    cold = LinearLearner().fit(X, y, 40)
    support = LinearLearner().fit(X[part], y[part], 40).support_
    warm = LinearLearner().fit(X, y, 40, support.renumbered(part))
    assert np.corrcoef(cold.scores(tested).ravel(), warm.scores(tested).ravel())[0, 1] > 0.99
    right = [(learner.scores(tested).argmax(axis=1) == truth).mean() for learner in (cold, warm)]
    assert right[1] > right[0] - 0.01


def test_a_class_that_the_start_knows_nothing_of_meets_its_rivals(problem):
    X, y = problem
    part = np.flatnonzero(y >= 10)
    support = LinearLearner().fit(X[part], y[part], 40).support_
    warm = LinearLearner().fit(X, y, 40, support.renumbered(part))
    tested, truth = texts_like(1000, 40, seed=1, own=0.4)
    said = warm.scores(tested).argmax(axis=1)
    new = truth < 10
    assert (said[new] == truth[new]).mean() > 0.75
    assert (said[~new] < 10).mean() < 0.1  # a class that had met no rivals would claim the products of others


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit_of_a_fit_from_a_start(problem, fitted, threads):
    fits = [LinearLearner(threads=n).fit(*problem, 40, fitted.support_) for n in (1, threads)]
    assert bits_of(fits[0]) == bits_of(fits[1])
