"""The picker finds shelves in any script, best first; the tree can be walked; new shelves are there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import CatalogueError
from shelfwise.review.shelves import JOINT, Shelves, fold, spans

PATHS = {
    "Elektronik > Küche > Kaffeemühlen": 5,
    "Elektronik > Küche > Wasserkocher": 9,
    "Möbel > Küchentische": 2,
    "Maison > Éclairage": 3,
    "Книги > Сказки": 4,
    "食品 > お茶": 1,
    "Straße": 1,
    "Gone": 0,
}


@pytest.fixture
def shelves():
    return Shelves(list(PATHS), [None] * len(PATHS), list(PATHS.values()), " > ")


def found(shelves, question, limit=30):
    return [shelves.labels[hit.code] for hit in shelves.search(question, limit)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("kaffee", "Elektronik > Küche > Kaffeemühlen"),
        ("MUHLEN", "Elektronik > Küche > Kaffeemühlen"),
        ("eclair", "Maison > Éclairage"),
        ("сказ", "Книги > Сказки"),
        ("お茶", "食品 > お茶"),
        ("strasse", "Straße"),
        ("elektronik wasser", "Elektronik > Küche > Wasserkocher"),
        ("wasser, elektronik", "Elektronik > Küche > Wasserkocher"),
    ],
)
def test_any_language_finds_its_shelf(shelves, question, first):
    assert found(shelves, question)[0] == first


def test_the_leaf_comes_before_the_path_and_more_products_before_fewer(shelves):
    assert found(shelves, "kuche") == [
        "Möbel > Küchentische",
        "Elektronik > Küche > Wasserkocher",
        "Elektronik > Küche > Kaffeemühlen",
    ]


def test_every_word_must_be_somewhere(shelves):
    assert found(shelves, "elektronik tisch") == []


def test_without_a_question_the_most_used_come_first_and_none_that_is_gone(shelves):
    assert found(shelves, "", 2) == ["Elektronik > Küche > Wasserkocher", "Elektronik > Küche > Kaffeemühlen"]
    assert "Gone" not in found(shelves, "")
    assert found(shelves, "gone") == []


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=5), max_size=3))
def test_matches_are_places_in_the_text_as_a_browser_counts_them(text, words):
    units = len(text.encode("utf-16-le")) // 2
    for start, end in spans(text, [fold(word) for word in words]):
        assert 0 <= start < end <= units


def test_a_match_after_a_sign_of_two_units_stands_right():
    assert spans("👟 > Schuhe", ["schuhe"]) == [(5, 11)]


def test_the_tree_is_walked_from_the_root_and_sums_what_is_below(shelves):
    path, below = shelves.node(0)
    names = {shelves.node_label(node)[0]: node for node in below}
    assert path == []
    assert set(names) == {"Elektronik", "Möbel", "Maison", "Книги", "食品", "Straße", "Gone"}
    sums = shelves.roll_up(np.array(shelves.products, np.int64))
    assert sums[0] == sum(PATHS.values())
    assert sums[names["Elektronik"]] == 14
    path, below = shelves.node(names["Elektronik"])
    assert path == ["Elektronik"]
    assert [shelves.node_label(node) for node in below] == [("Küche", None, 2)]
    with pytest.raises(IndexError):
        shelves.node(999)


def test_a_new_shelf_is_in_the_picker_and_in_the_tree_and_codes_stay(shelves):
    before = {name: shelves.code(name) for name in PATHS}
    code, new = shelves.add("Elektronik >  Küche > Toaster ")
    assert new
    assert shelves.labels[code] == "Elektronik > Küche > Toaster"
    assert found(shelves, "toast") == ["Elektronik > Küche > Toaster"]
    assert shelves.add("Elektronik > Küche > Toaster") == (code, False)
    assert {name: shelves.code(name) for name in PATHS} == before


def test_a_shelf_that_vanished_can_be_made_anew(shelves):
    assert shelves.add("Gone") == (shelves.code("Gone"), True)
    assert found(shelves, "gone") == ["Gone"]


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\u202eb", "x" * 501])
def test_what_cannot_be_a_name_is_refused(shelves, name):
    with pytest.raises(CatalogueError, match="cannot be a shelf"):
        shelves.add(name)


def test_below_takes_a_path_its_beginning_and_how_it_is_shown():
    shelves = Shelves(["a/b", "a/c", "ab/c"], [None] * 3, [1, 1, 1], "/")
    assert shelves.below("a").tolist() == [True, True, False]
    assert shelves.below("a/c").tolist() == [False, True, False]
    assert shelves.below(JOINT.join(["ab", "c"])).tolist() == [False, False, True]
    assert not shelves.below("x").any()


def test_ids_have_the_paths_that_stand_beside_them():
    shelves = Shelves(["17", "18"], ["Shoes > Boots", "Shoes > Pumps"], [1, 1], " > ")
    assert found(shelves, "pumps") == ["18"]
    assert shelves.paths[shelves.code("17")] == ("Shoes", "Boots")
    assert shelves.below("Shoes").all()
