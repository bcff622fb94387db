"""`audit.swaps`: a made-up label is wrong, and wrong in the way that it says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.audit.claims import Tree
from shelfwise.audit.swaps import KINDS, draw, kinds_of
from shelfwise.catalogue.taxonomy import Taxonomy

PATHS = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), min_size=2, max_size=12)


def tree_of(paths):
    return Tree(Taxonomy.build([" > ".join(path) for path in paths], None, " > "))


def drawn(tree, y, seed=0, sharpness=0.3):
    rng = np.random.default_rng(seed)
    labels = len(tree.taxonomy.labels)
    p = rng.dirichlet(np.full(labels, sharpness), len(y)).astype(np.float32)
    return p, *draw(p, np.asarray(y, np.int32), tree, rng)


@given(PATHS, st.integers(0, 10_000), st.sampled_from([0.01, 0.3, 5.0]))
def test_what_is_drawn_is_another_category_wrong_in_the_way_told(paths, seed, sharpness):
    tree = tree_of(paths)
    taxonomy = tree.taxonomy
    y = np.random.default_rng(seed).integers(len(taxonomy.labels), size=40)
    p, codes, way = drawn(tree, y, seed, sharpness)
    kinds = kinds_of(tree)

    assert (codes != y).all()
    assert ((codes >= 0) & (codes < len(taxonomy.labels))).all()
    assert set(way.tolist()) <= set(range(len(kinds)))
    for row, number in enumerate(way.tolist()):
        if kinds[number] == "sister":
            above = taxonomy.paths[y[row]][:-1]
            assert above
            assert taxonomy.paths[codes[row]][: len(above)] == above
        if kinds[number] == "confusion":
            assert p[row, codes[row]] > 0


def test_a_tree_of_one_level_has_no_sisters_apart():
    assert kinds_of(tree_of([("a",), ("b",)])) == ("anywhere", "confusion")
    assert kinds_of(tree_of([("a", "x"), ("b",)])) == KINDS


def test_every_way_and_every_sister_is_drawn_about_as_often():
    tree = tree_of([("a", name) for name in "pqrst"] + [("b", "p"), ("b", "q")])
    _, codes, way = drawn(tree, np.zeros(9000, int))
    share = np.bincount(way, minlength=3) / 9000
    sisters = np.bincount(codes[way == 1], minlength=7) / (way == 1).sum()

    assert np.abs(share - 1 / 3).max() < 0.03
    assert sisters[[0, 5, 6]].tolist() == [0, 0, 0]
    assert np.abs(sisters[1:5] - 1 / 4).max() < 0.04


def test_confusions_are_drawn_as_the_models_find_them_likely():
    tree = tree_of([("a",), ("b",), ("c",)])
    p = np.tile(np.array([0.4, 0.45, 0.15], np.float32), (6000, 1))
    codes, way = draw(p, np.zeros(6000, np.int32), tree, np.random.default_rng(0))
    confused = np.bincount(codes[way == 1], minlength=3) / (way == 1).sum()
    anywhere = np.bincount(codes[way == 0], minlength=3) / (way == 0).sum()

    assert np.abs(confused - [0, 0.75, 0.25]).max() < 0.03
    assert np.abs(anywhere - [0, 0.5, 0.5]).max() < 0.03


def test_what_has_no_sister_or_no_doubt_gets_any_other_category():
    tree = tree_of([("a", "x"), ("b", "x"), ("c", "x")])
    y = np.arange(300) % 3
    codes, way = draw(np.eye(3, dtype=np.float32)[y], y.astype(np.int32), tree, np.random.default_rng(0))

    assert set(way.tolist()) == {0}
    assert (codes != y).all()


def test_the_same_chance_draws_the_same():
    tree = tree_of([("a", "x"), ("a", "y"), ("b",)])
    first, again = (drawn(tree, np.arange(50) % 3, seed=5) for _ in range(2))

    assert all((a == b).all() for a, b in zip(first, again, strict=True))
