"""Renaming, merging and adding keep the tree sound, and probabilities what they were or the sum of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.shelves import Shelves
from shelfwise.errors import LabelError, ModelError

LABELS = ["Home > Lamps", "Shoes", "Shoes > Boots", "Shoes > Boots > Men", "Watches"]


@pytest.fixture
def shelves():
    return Shelves.of(Taxonomy.build(LABELS, separator=" > "))


def p_of(rows: int = 7) -> np.ndarray:
    p = np.random.default_rng(3).random((rows, len(LABELS))).astype(np.float32)
    return p / p.sum(axis=1, keepdims=True)


def test_nothing_done_is_the_very_same_tree_and_array(shelves):
    p = p_of()

    assert shelves.taxonomy is shelves.trained
    assert shelves.fold(p) is p
    assert not shelves.changed


def test_renamed_shelf_takes_all_below_it_along(shelves):
    after, names = shelves.rename("Shoes", "Footwear > Shoes")

    assert names == {
        "Shoes": "Footwear > Shoes",
        "Shoes > Boots": "Footwear > Shoes > Boots",
        "Shoes > Boots > Men": "Footwear > Shoes > Boots > Men",
    }
    assert after.taxonomy.depth == 4
    assert sorted(after.fold(p_of())[0].tolist()) == sorted(p_of()[0].tolist())
    for old, new in after.names.items():
        before = p_of()[:, shelves.taxonomy.codes([old])[0]]
        assert (after.fold(p_of())[:, after.taxonomy.codes([new])[0]] == before).all()


def test_shelf_without_a_category_of_its_own_can_be_moved(shelves):
    after, names = shelves.rename("Home", "House > Indoor")

    assert names == {"Home > Lamps": "House > Indoor > Lamps"}
    assert ("House",) in after.taxonomy.nodes


def test_renaming_there_and_back_is_nothing(shelves):
    there, _ = shelves.rename("Watches", "Clocks")
    back, _ = there.rename("Clocks", "Watches")

    assert back.taxonomy is shelves.trained
    assert (back.fold(p_of()) == p_of()).all()


def test_two_categories_can_be_swapped(shelves):
    for old, new in (("Watches", "x"), ("Home > Lamps", "Watches"), ("x", "Home > Lamps")):
        shelves, _ = shelves.rename(old, new)
    lamps, watches = LABELS.index("Home > Lamps"), LABELS.index("Watches")

    assert (shelves.fold(p_of())[:, lamps] == p_of()[:, watches]).all()
    assert shelves.follow({}) == {}  # both names are categories, so neither is an old name of another


def test_merged_category_has_the_sum_and_its_parent_too(shelves):
    after, names = shelves.merge(["Shoes > Boots", "Watches"], "Wearables")
    tree = after.taxonomy
    folded = after.fold(p_of())

    assert set(names) == {"Shoes > Boots", "Shoes > Boots > Men", "Watches"}
    parts = [LABELS.index(name) for name in LABELS if name in names]
    assert np.allclose(folded[:, tree.codes(["Wearables"])[0]], p_of()[:, parts].sum(axis=1), atol=1e-7)
    assert np.allclose(folded.sum(axis=1), 1, atol=1e-6)


def test_merging_into_one_of_them_keeps_its_path(shelves):
    after, _ = shelves.merge(["Home > Lamps"], "Watches")

    assert after.taxonomy.labels == ("Shoes", "Shoes > Boots", "Shoes > Boots > Men", "Watches")
    assert after.counts(np.array([1, 2, 4, 8, 16])).tolist() == [2, 4, 8, 17]
    assert after.follow({"Lampen": "Home > Lamps", "-": None}) == {
        "Lampen": "Watches", "-": None, "Home > Lamps": "Watches",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda s: s.rename("Watchs", "x"), "did you mean 'Watches'"),
        (lambda s: s.rename("Watches", "Shoes"), "merge them"),
        (lambda s: s.rename("Shoes", "Home"), None),
        (lambda s: s.merge(["Watches"], "Watches"), "nothing to merge"),
        (lambda s: s.merge(LABELS, "All"), "leave one category"),
        (lambda s: s.add("Shoes>Boots"), "already"),
        (lambda s: s.add("  "), "needs a name"),
    ],
)
def test_what_makes_no_sense_is_refused(shelves, work, said):
    if said is None:
        assert "Home" in work(shelves)[0].paths
        return
    with pytest.raises(LabelError, match=said):
        work(shelves)


def test_ids_keep_their_names_when_their_path_moves():
    tree = Taxonomy.build(["17", "18"], ["Shoes > Boots", "Shoes > Clogs"], " > ")
    after, names = Shelves.of(tree).rename("Shoes", "Feet")
    renumbered, _ = after.rename("17", "99")

    assert names == {"17": "17", "18": "18"}
    assert after.paths == {"17": ("Feet", "Boots"), "18": ("Feet", "Clogs")}
    assert renumbered.paths == {"99": ("Feet", "Boots"), "18": ("Feet", "Clogs")}
    assert renumbered.add("20", "Feet > Pumps").paths["20"] == ("Feet", "Pumps")


STEPS = st.lists(
    st.tuples(st.sampled_from(["rename", "merge", "add"]), st.integers(0, 9), st.integers(0, 9)), max_size=6
)


@given(STEPS)
def test_whatever_is_done_probabilities_stay_sums_and_survive_keeping(steps):
    shelves = Shelves.of(Taxonomy.build(LABELS, separator=" > "))
    for number, (what, one, other) in enumerate(steps):
        labels = sorted(shelves.paths)
        a, b = labels[one % len(labels)], labels[other % len(labels)]
        try:
            if what == "rename":
                shelves, _ = shelves.rename(a, f"New {number} > {other}")
            elif what == "merge":
                shelves, _ = shelves.merge([a], b)
            else:
                shelves = shelves.add(f"{a} > {number}")
        except LabelError:
            continue
    p, tree = p_of(), shelves.taxonomy
    folded = shelves.fold(p)
    kept = Shelves.from_dict(shelves.trained, shelves.to_dict())

    assert np.abs(folded.sum(axis=1, dtype=np.float64) - 1).max() < 1e-5
    assert tree.depth >= 1
    for label in LABELS:
        assert (folded[:, tree.codes([shelves.names[label]])[0]] >= p[:, LABELS.index(label)]).all()
    assert kept.taxonomy == tree
    assert kept.fold(p).tobytes() == folded.tobytes()


def test_kept_values_of_another_tree_are_refused(shelves):
    other = Shelves.of(Taxonomy.build(["A", "B"])).rename("A", "C")[0].to_dict()

    with pytest.raises(ModelError):
        Shelves.from_dict(shelves.trained, other)
