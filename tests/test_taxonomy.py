"""The category tree: codes, nodes, sums along branches, distances."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.catalogue.taxonomy import Taxonomy, split_path
from shelfwise.errors import LabelError, ModelError

ROWS = ["Shoes > Men", "Shoes > Women", "Shoes", "Home > Men", "Home > Kitchen > Pans", "Shoes > Men"]

names = st.sampled_from(["a", "b", "c", "d"])
paths = st.lists(names, min_size=1, max_size=4).map(" > ".join)
trees = st.lists(paths, min_size=1, max_size=12)


@pytest.fixture
def tree() -> Taxonomy:
    return Taxonomy.build(ROWS, separator=" > ")


@pytest.mark.parametrize(
    ("text", "separator", "levels"),
    [
        ("A > B", " > ", ("A", "B")),
        ("A  >   B ", " > ", ("A", "B")),
        ("A > > B >", " > ", ("A", "B")),
        ("A>B > C", " > ", ("A>B", "C")),
        ("A->B", "->", ("A", "B")),
        ("A/ B", "/", ("A", "B")),
        (" > ", " > ", (">",)),
        ("A > B", None, ("A > B",)),
    ],
)
def test_split_path_leaves_out_empty_levels(text, separator, levels):
    assert split_path(text, separator) == levels


def test_labels_are_sorted_and_nodes_are_every_beginning(tree):
    assert tree.labels == ("Home > Kitchen > Pans", "Home > Men", "Shoes", "Shoes > Men", "Shoes > Women")
    assert [tree.name(node) for node in range(len(tree.nodes))] == [
        "Home", "Home > Kitchen", "Home > Kitchen > Pans", "Home > Men",
        "Shoes", "Shoes > Men", "Shoes > Women",
    ]  # fmt: skip
    assert tree.parent.tolist() == [-1, 0, 1, 0, -1, 4, 4]
    assert tree.depth == 3


def test_departments_number_the_shelves_of_the_top(tree):
    assert tree.departments.tolist() == [0, 0, 1, 1, 1]  # Home, Home; Shoes itself and what lies below it
    assert tree.departments.dtype == np.int32
    assert Taxonomy.build(["b", "a", "c"]).departments.tolist() == [0, 1, 2]
    assert Taxonomy.build(["t > a", "t > b"], separator=" > ").departments.tolist() == [0, 0]


@given(trees)
def test_departments_are_counted_from_nought_and_share_the_top(rows):
    tree = Taxonomy.build(rows, separator=" > ")
    found = tree.departments.tolist()
    assert set(found) == set(range(len(set(found))))
    assert len({(path[0], number) for path, number in zip(tree.paths, found, strict=True)}) == len(set(found))


def test_labels_below_a_node_are_a_run_of_the_order(tree):
    runs = {
        tree.name(node): [tree.labels[code] for code in tree.order[tree.first[node] : tree.last[node]]]
        for node in range(len(tree.nodes))
    }
    assert runs["Home"] == ["Home > Kitchen > Pans", "Home > Men"]
    assert runs["Shoes"] == ["Shoes", "Shoes > Men", "Shoes > Women"]
    assert runs["Shoes > Women"] == ["Shoes > Women"]


def test_roll_up_adds_what_hangs_at_a_node_to_what_lies_below(tree):
    probabilities = np.array([[0.125, 0.125, 0.25, 0.25, 0.25]], np.float32)

    rolled = tree.roll_up(probabilities)

    assert rolled.tolist() == [[0.25, 0.125, 0.125, 0.125, 0.75, 0.25, 0.25]]


def test_ids_take_the_commonest_path_and_may_share_one():
    tree = Taxonomy.build(
        ["12", "12", "12", "7", "9"],
        ["Toys > Dolls", "Toys>Dols", "Toys > Dolls", "Toys > Dolls", None],
        " > ",
    )

    assert tree.labels == ("12", "7", "9")
    assert tree.paths == (("Toys", "Dolls"), ("Toys", "Dolls"), ("9",))
    assert tree.node_of_label[0] == tree.node_of_label[1]
    rolled = tree.roll_up(np.array([[0.5, 0.25, 0.25]]))
    assert rolled[0, tree.node_of_label[0]] == 0.75


def test_level_keeps_shallow_labels_at_their_node(tree):
    codes = tree.codes(["Home > Kitchen > Pans", "Shoes"])
    assert [tree.name(n) for n in tree.level(codes, 1)] == ["Home", "Shoes"]
    assert [tree.name(n) for n in tree.level(codes, 2)] == ["Home > Kitchen", "Shoes"]
    assert [tree.name(n) for n in tree.level(codes, 9)] == ["Home > Kitchen > Pans", "Shoes"]
    with pytest.raises(ValueError, match="from 1"):
        tree.level(codes, 0)


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [("Shoes", "Shoes", 0), ("Shoes", "Shoes > Men", 1), ("Shoes > Men", "Shoes > Women", 2),
     ("Home > Men", "Home > Kitchen > Pans", 3), ("Shoes > Men", "Home > Men", 4)],
)  # fmt: skip
def test_distance_counts_steps(tree, a, b, steps):
    one, other = tree.codes([a]), tree.codes([b])
    assert tree.distance(one, other).tolist() == [steps]
    assert tree.distance(other, one).tolist() == [steps]


def test_codes_of_unknown_and_missing_labels_are_minus_one(tree):
    assert tree.codes(pl.Series(["Shoes", None, "Cars"])).tolist() == [2, -1, -1]


def test_rows_without_any_label_are_an_error():
    with pytest.raises(LabelError, match="no row has a category"):
        Taxonomy.build([None, None])


@pytest.mark.parametrize(
    "values",
    [{}, {"labels": ["a"], "paths": []}, {"labels": ["b", "a"], "paths": [["b"], ["a"]]},
     {"labels": [1], "paths": [["x"]]},
     {"labels": ["a"], "paths": [[]]}, {"labels": ["a"], "paths": 3}],
)  # fmt: skip
def test_damaged_values_are_refused(values):
    with pytest.raises(ModelError, match="damaged"):
        Taxonomy.from_dict(values)


@given(trees, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert Taxonomy.build(shuffled, separator=" > ") == Taxonomy.build(rows, separator=" > ")


@given(trees)
def test_survives_json(rows):
    tree = Taxonomy.build(rows, separator=" > ")
    again = Taxonomy.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again == tree
    assert hash(again) == hash(tree)
    for one, other in zip(again.node_arrays(), tree.node_arrays(), strict=True):
        assert one.dtype == np.int32
        assert one.tolist() == other.tolist()


@settings(deadline=None)
@given(trees, st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_mass_is_conserved_and_a_parent_is_the_sum_of_its_parts_to_the_bit(rows, seed, count):
    tree = Taxonomy.build(rows, separator=" > ")
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(tree.labels)), count).astype(np.float32)

    rolled = tree.roll_up(probabilities)

    assert np.allclose(rolled[:, tree.parent < 0].sum(axis=1), 1.0, atol=1e-5)
    for node in range(len(tree.nodes)):
        total = np.zeros(count, np.float32)
        for code in tree.order:
            if tree.node_of_label[code] == node:
                total += probabilities[:, code]
        for child in np.flatnonzero(tree.parent == node)[::-1]:
            total += rolled[:, child]
        assert rolled[:, node].tobytes() == total.tobytes()


def test_a_row_does_not_depend_on_its_batch():
    tree = Taxonomy.build([f"{i % 3} > {i % 17} > {i}" for i in range(2_000)], separator=" > ")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(2_000), 700).astype(np.float32)

    rolled = tree.roll_up(probabilities)

    assert len(probabilities) * len(tree.nodes) * 4 > 1 << 22, "or one block would hold them all"
    for row in (0, 518, 699):
        assert tree.roll_up(probabilities[row : row + 1]).tobytes() == rolled[row].tobytes()
    with pytest.raises(ValueError, match="expected"):
        tree.roll_up(probabilities[:, 1:])
