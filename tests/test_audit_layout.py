import sys

import numpy as np
import pytest

from shelfwise.audit.layout import lay_out
from shelfwise.errors import MissingExtraError

pytest.importorskip("openTSNE")


def clusters(rows, groups, rng, spread=0.25):
    """Vectors of length 1 around a few directions, and which direction each is of."""
    middles = np.linalg.qr(rng.normal(size=(32, 32)))[0][:groups]
    kind = np.arange(rows) % groups
    vectors = middles[kind] + rng.normal(size=(rows, 32)) * spread / np.sqrt(32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), kind


def neighbours_of_the_same_kind(places, kind, count=5):
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return (kind[np.argsort(apart, axis=1)[:, :count]] == kind[:, None]).mean()


def test_products_that_are_alike_lie_side_by_side():
    vectors, kind = clusters(400, 5, np.random.default_rng(0))
    places = lay_out(vectors, landmarks=150)
    assert places.shape == (400, 2)
    assert places.dtype == np.float32
    assert neighbours_of_the_same_kind(places, kind) > 0.98


def test_the_same_vectors_give_the_same_bits():
    vectors, _ = clusters(300, 4, np.random.default_rng(0))
    assert (lay_out(vectors, landmarks=100) == lay_out(vectors, landmarks=100)).all()


def test_another_seed_strews_and_does_not_move():
    vectors, _ = clusters(200, 3, np.random.default_rng(0))
    one, other = lay_out(vectors, landmarks=80), lay_out(vectors, seed=1, landmarks=80)
    assert (one != other).any()
    assert np.linalg.norm(one - other, axis=1).max() < 0.3


def test_the_number_of_threads_makes_no_difference():
    from threadpoolctl import threadpool_limits

    vectors, _ = clusters(150, 3, np.random.default_rng(0))
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(lay_out(vectors, landmarks=90, threads=threads))
    assert (results[0] == results[1]).all()


def test_equal_products_do_not_hide_one_another():
    vectors, _ = clusters(60, 3, np.random.default_rng(0))
    places = lay_out(np.concatenate([vectors, np.repeat(vectors[:1], 50, axis=0)]))
    assert len(np.unique(places, axis=0)) == 110
    assert np.linalg.norm(places[60:] - places[0], axis=1).max() < 0.5


def test_products_with_nothing_to_go_by_have_no_place():
    vectors, _ = clusters(50, 2, np.random.default_rng(0))
    vectors[[3, 7]] = 0
    places = lay_out(vectors)
    assert np.isnan(places[[3, 7]]).all()
    assert np.isfinite(np.delete(places, [3, 7], axis=0)).all()
    assert np.isnan(lay_out(np.zeros((4, 5), np.float32))).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 9])
def test_few_products_are_laid_out_too(rows):
    vectors, _ = clusters(rows, 2, np.random.default_rng(0))
    places = lay_out(vectors)
    assert places.shape == (rows, 2)
    assert np.isfinite(places).all()


def test_landmarks_go_by_the_keys_so_that_other_products_hardly_move_them():
    rng = np.random.default_rng(0)
    vectors, _ = clusters(420, 4, rng)
    keys = rng.integers(1 << 60, size=420).astype(np.uint64)
    keys[400:] |= np.uint64(1 << 63)  # the new ones are never among the smallest: the landmarks are the same
    before = lay_out(vectors[:400], landmarks=120, keys=keys[:400])
    after = lay_out(vectors, landmarks=120, keys=keys)
    assert (before == after[:400]).all()


def test_order_makes_no_difference():
    vectors, _ = clusters(300, 4, np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(300)
    assert np.allclose(
        lay_out(vectors, landmarks=90)[order], lay_out(vectors[order], landmarks=90), atol=1e-5
    )


def test_without_the_extra_only_asking_for_a_map_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[map\]"):
        lay_out(np.eye(4, dtype=np.float32))
