"""What can be learned from, why the rest cannot, and a split that keeps near-duplicates together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_bases import lesson
from shelfwise.catalogue.pictures import Picture
from shelfwise.errors import LabelError, RecipeError
from shelfwise.finetune.lesson import Lesson, prepare


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=6, max_size=40), st.integers(0, 5))
def test_groups_stay_on_one_side_and_no_class_only_on_the_second(rows, seed):
    y = np.array([code for code, _ in rows], np.int32)
    groups = np.array([group for _, group in rows], np.int64)
    if len(set(y.tolist())) < 2:
        return
    found = prepare(Lesson(y, ("a", "b", "c"), ["x"] * len(y), None, groups), "text", 0.4, seed, 1)

    assert not set(groups[found.train].tolist()) & set(groups[found.val].tolist())
    assert set(y[found.val].tolist()) <= set(y[found.train].tolist())
    assert sorted([*found.train, *found.val]) == list(range(len(y)))


def test_given_validation_that_shares_a_group_is_learned_from():
    plain = lesson(12)
    val = np.arange(12) >= 9
    groups = np.arange(12)
    groups[9] = groups[0]
    found = prepare(replace(plain, val=val, groups=groups), "text", 0.5, 0, 1)

    assert found.val.tolist() == [10, 11]
    assert "1 products given for validation" in found.notes[0]


def test_a_bad_picture_costs_one_product_and_is_counted():
    plain = lesson(12, texts=False, pictures=True)
    broken = [Picture("P0", data=b"<html>no</html>"), None, Picture("P2", data=b""), *plain.pictures[3:]]
    found = prepare(replace(plain, pictures=broken), "picture", 0.2, 0, 2)

    assert found.rows.tolist() == list(range(3, 12))
    assert found.dropped == {"no usable picture": 3}
    assert found.pictures_failed == {"empty": 1, "not_a_picture": 1}
    assert any("P0" in text for text in found.examples)


def test_joint_keeps_a_product_with_one_of_the_two():
    plain = lesson(12, pictures=True)
    texts = ["", "", *plain.texts[2:]]
    pictures = [None, *plain.pictures[1:11], Picture("P11", data=b"x")]
    found = prepare(replace(plain, texts=texts, pictures=pictures), "joint", 0.2, 0, 1)

    assert found.rows.tolist() == list(range(1, 12))
    assert not found.pictured[11]


def test_digest_tells_lessons_apart():
    plain = lesson(12, pictures=True)
    digests = {
        prepare(one, "joint", 0.2, 0, 1).digest
        for one in (
            plain,
            replace(plain, texts=["boot", *plain.texts[1:]]),
            replace(plain, pictures=[None, *plain.pictures[1:]]),
            replace(plain, classes=("a", "b", "c")),
        )
    }

    assert len(digests) == 4


def test_nothing_to_tell_apart_is_refused():
    with pytest.raises(LabelError, match="fewer than two"):
        prepare(Lesson(np.zeros(3, np.int32), ("a", "b"), ["x", "y", ""]), "text", 0.1, 0, 1)
    with pytest.raises(RecipeError, match="pictures"):
        prepare(lesson(6), "joint", 0.1, 0, 1)
    with pytest.raises(RecipeError, match="6 products has 1 texts"):
        replace(lesson(6), texts=["x"])
    with pytest.raises(LabelError, match="code"):
        Lesson(np.array([0, 5], np.int32), ("a", "b"), ["x", "y"])
    with pytest.raises(LabelError, match="nothing is left"):
        prepare(replace(lesson(6), val=np.ones(6, np.bool_)), "text", 0.1, 0, 1)
