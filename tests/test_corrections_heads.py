"""New shelves take shares by what was learned of them; shares sum to less than 1, splits to their shelf."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from shelfwise.corrections.heads import Head, Heads
from shelfwise.errors import ModelError

CODES = {"old": 0, "other": 1, "new": 2, "part": 3}


def rows(kinds: list[int], width: int = 12) -> sparse.csr_matrix:
    """A row a kind: its own feature and one of noise."""
    random = np.random.default_rng(0)
    values = np.zeros((len(kinds), width), np.float32)
    values[np.arange(len(kinds)), kinds] = 0.9
    values[np.arange(len(kinds)), 6 + random.integers(0, 6, len(kinds))] = 0.43
    return sparse.csr_matrix(values)


@pytest.fixture(scope="module")
def heads():
    """Heads for a new shelf (feature 2) and one split off "old" (feature 3)."""
    found = Heads((Head("new"), Head("part", "old")))
    others = rows([0, 1] * 60)
    return found.fit(rows([2, 2, 2, 3, 3, 3, 1]), np.array([0, 0, 0, 1, 1, 1, -1], np.int32), others)


def test_examples_are_told_from_the_rest(heads):
    shares = heads.shares(rows([2, 3, 0, 1]))

    assert shares[0, 0] > 0.7
    assert shares[1, 1] > 0.7
    assert (shares[2:] == 0).all()
    assert (heads.shares(sparse.csr_matrix((3, 12), dtype=np.float32)) == 0).all()


def test_taking_keeps_the_sum_and_a_split_takes_from_its_shelf_alone(heads):
    p = np.tile(np.array([0.6, 0.4, 0, 0], np.float32), (3, 1))
    touched = heads.take(p, rows([2, 3, 1]), CODES)

    assert touched.tolist() == [True, True, False]
    assert np.allclose(p.sum(axis=1), 1, atol=1e-6)
    assert p[2].tolist() == np.array([0.6, 0.4, 0, 0], np.float32).tolist()
    free = 1 - heads.shares(rows([2, 3, 1]))[1, 0]  # what the other head, which takes from all, leaves
    assert p[1, 1] == pytest.approx(0.4 * free)
    assert p[1, 0] + p[1, 3] == pytest.approx(0.6 * free)
    assert p[0, 2] > 0.7
    assert p[0, 0] / p[0, 1] == pytest.approx(1.5, rel=1e-5)


def test_heads_follow_renamed_and_merged_shelves(heads):
    moved = heads.followed({"new": "newer", "old": "part"})

    assert [(head.label, head.source) for head in moved.heads] == [("newer", None), ("part", None)]
    assert heads.number("part") == 1
    assert moved.number("nowhere") == -1


def test_kept_heads_answer_the_same_and_damaged_ones_are_refused(heads):
    again = Heads.restore(heads.to_list(), heads.tensors(), 12)

    assert again.shares(rows([2, 3, 0])).tobytes() == heads.shares(rows([2, 3, 0])).tobytes()
    with pytest.raises(ModelError):
        Heads.restore(heads.to_list(), heads.tensors(), 11)
    with pytest.raises(ModelError):
        Heads.restore(heads.to_list()[:1], heads.tensors(), 12)


def test_without_an_example_there_is_nothing_to_take():
    found = Heads((Head("new"),)).fit(rows([1]), np.array([-1], np.int32), rows([0, 1]))

    assert found.learner is None
    assert found.shares(rows([2])).tolist() == [[0.0]]
