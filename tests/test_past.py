"""What a model keeps of its products: found again by id, by what they show and by their shelf."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.pieces import Pieces
from shelfwise.errors import ModelError
from shelfwise.features.vectors import PREFIX, TABLE
from shelfwise.learners.active_set import Support
from shelfwise.past import Match, Past, Rows, carried

CODES = np.arange(3, dtype=np.int32)


def pieces(ids, titles, **more):
    held = Pieces()
    held.add(pl.DataFrame({"product_id": ids, "title": titles, **more}))
    return held


def rows(ids, titles, by_id=True, **more):
    return Rows.of(pieces(ids, titles, **more), ["title"], by_id)


def past(ids, titles, y, by_id=True):
    return Past.of(rows(ids, titles, by_id), np.array(y, np.int32), np.array([0]), {})


def test_new_changed_moved_and_gone_products_are_told_apart():
    before = past(["a", "b", "c", "d"], ["boot", "hat", "sock", "cap"], [0, 1, 2, 0])
    now = rows(["e", "d", "b", "a"], ["glove", "cap", "felt hat", "boot"])
    match = Match.of(before, now, np.array([0, 1, 1, 0], np.int32), CODES)

    assert match.then.tolist() == [-1, 3, 1, 0]
    assert match.now.tolist() == [3, -1, -1, -1]
    assert (match.same, match.new, match.changed, match.moved, match.gone) == (1, 1, 1, 1, 1)


def test_a_category_that_was_renamed_moves_nobody():
    before = past(["a", "b"], ["boot", "hat"], [0, 1])
    swapped = np.array([1, 0], np.int32)

    assert Match.of(before, before.rows, np.array([1, 0], np.int32), swapped).same == 2
    assert Match.of(before, before.rows, np.array([1, 0], np.int32), np.array([-1, 0], np.int32)).moved == 1


def test_without_ids_what_is_shown_is_the_product():
    before = past(["0", "1"], ["boot", "hat"], [0, 1], by_id=False)
    match = Match.of(before, rows(["0", "1"], ["hat", "cap"], by_id=False), np.array([1, 1], np.int32), CODES)

    assert (match.same, match.new, match.changed, match.gone) == (1, 1, 0, 1)


def test_rows_of_one_id_are_each_found_again():
    before = past(["a", "a", "a"], ["boot", "hat", "cap"], [0, 1, 2])
    fewer = rows(["a", "a"], ["boot", "hat"])

    assert len(set(before.rows.keys.tolist())) == 3
    assert Match.of(before, fewer, np.array([0, 1], np.int32), CODES).then.tolist() == [0, 1]


def test_nothing_was_learned_and_nothing_is_there():
    empty = past(np.array([], str), np.array([], str), [])
    there = rows(["a"], ["boot"])

    assert Match.of(empty, there, np.array([0], np.int32), CODES).new == 1
    assert Match.of(past(["a"], ["boot"], [0]), empty.rows, np.array([], np.int32), CODES).gone == 1


def test_vectors_and_the_columns_of_a_table_are_shown_too():
    def contents(vector, price):
        column = pl.Series([vector], dtype=pl.Array(pl.Float32, 2))
        return rows(["a"], ["boot"], **{PREFIX + "pixels": column, TABLE + "price": [price]}).contents[0]

    same = contents([1.0, 2.0], "9")
    assert same == contents([1.0, 2.0], "9")
    assert len({same, contents([1.0, 2.5], "9"), contents([1.0, 2.0], None), contents(None, "9")}) == 4


def test_learned_ids_are_known():
    assert past(["a", "b"], ["boot", "hat"], [0, 1]).knows(["b", "c"]).tolist() == [True, False]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.floats(0, 9, width=16)), max_size=12))
def test_a_support_is_carried_by_product_and_class(entries):
    """Of four classes one is gone, and of five products one."""
    entries = sorted(set(entries), key=lambda e: e[1])
    starts = np.searchsorted([c for _, c, _ in entries], np.arange(5)).astype(np.int64)
    support = Support(
        np.array([r for r, _, _ in entries], np.int32),
        np.array([a for _, _, a in entries], np.float32),
        starts,
    )
    now, codes = np.array([2, -1, 0, 3, 1]), np.array([1, 0, -1, 2], np.int32)
    found = carried(support, now, codes, 4)

    told = [
        (int(row), c, float(alpha))
        for c in range(4)
        for row, alpha in zip(
            found.rows[found.starts[c] : found.starts[c + 1]],
            found.alphas[found.starts[c] : found.starts[c + 1]],
            strict=True,
        )
    ]
    wanted = [
        (int(now[r]), int(codes[c]), a) for r, c, a in entries if now[r] >= 0 and codes[c] >= 0 and a > 0
    ]
    assert sorted(told) == sorted(wanted)


def test_a_class_made_of_two_begins_anew():
    support = Support(np.array([0, 1], np.int32), np.ones(2, np.float32), np.array([0, 1, 2]))
    merged = carried(support, np.arange(2), np.array([0, 0], np.int32), 1)

    assert len(merged.rows) == 0
    assert merged.starts.tolist() == [0, 0]


def learned():
    support = Support(np.array([1, 0], np.int32), np.array([0.123456, 1e9], np.float32), np.array([0, 1, 2]))
    told = rows(["a", "b"], ["boot", "hat"])
    return Past.of(told, np.array([0, 1], np.int32), np.array([1]), {"ngrams": support})


def test_what_is_stored_is_what_is_used():
    before = learned()
    after = Past.restore(before.tensors(), 2)

    assert np.array_equal(before.supports["ngrams"].alphas, after.supports["ngrams"].alphas)
    assert np.isfinite(after.supports["ngrams"].alphas).all()
    for name, array in before.tensors().items():
        assert np.array_equal(array, after.tensors()[name])
        assert array.dtype == after.tensors()[name].dtype


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("y", [0, 2]),
        ("y", [0]),
        ("keys", [1]),
        ("record", [2]),
        ("record", [-1]),
        ("support.ngrams.rows", [0, 2]),
        ("support.ngrams.sizes", [1, 2]),
        ("support.ngrams.sizes", [1, 1, 0]),
        ("support.ngrams.alphas", [1.0, float("nan")]),
        ("support.ngrams.alphas", [1.0, -1.0]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, values):
    state = learned().tensors()
    state[name] = np.array(values, state[name].dtype)

    with pytest.raises(ModelError, match="damaged"):
        Past.restore(state, 2)
