"""The memory is a value: joining makes another one, later words replace earlier ones, and nothing is lost."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.read import open_source
from shelfwise.corrections.memory import CORRECTED, NAMED, Memory


@pytest.fixture
def remember(toy_model):
    """Make a memory of titles by id, all with one label."""
    now = toy_model.corrections_

    def make(label="Watches", kind=CORRECTED, **titles):
        frame = pl.DataFrame({"product_id": list(titles), "title": list(titles.values())})
        products = toy_model.products(open_source(frame))
        told = pl.DataFrame({"label": label, "kind": kind, "head": [-1] * products.height})
        return Memory.of(products, told, now.rows, now.learned.ground)

    return make


def names(memory):
    return dict(zip(memory.table["product_id"].to_list(), memory.table["label"].to_list(), strict=True))


def test_later_words_replace_by_id_and_by_text(remember):
    first = remember(a="cedar boot", b="birch watch", c="rowan sandal")
    joined = first.add(remember("Shoes > Boots", a="quite another", d="Birch Watch"), True)

    assert names(joined) == {"c": "Watches", "a": "Shoes > Boots", "d": "Shoes > Boots"}
    assert names(first) == dict.fromkeys("abc", "Watches")
    by_text = first.add(remember("Shoes > Boots", a="quite another"), False)
    assert len(by_text) == 4


def test_rows_stay_beside_their_products(remember):
    one, other = remember(a="cedar boot", b="birch watch"), remember(c="rowan sandal", a="maple boot")
    joined = one.add(other, True)
    alone = remember(b="birch watch")

    assert joined.table["product_id"].to_list() == ["b", "c", "a"]
    assert (joined.rows[[0]] != alone.rows).nnz == 0
    assert joined.digests[0] == alone.digests[0]
    assert joined.near[0].tolist() == alone.near[0].tolist()


def test_names_of_shelves_are_no_products(remember):
    named = remember(kind=NAMED, x="cedar boot")
    joined = named.add(remember(x="cedar boot"), True)

    assert len(joined) == 2


def test_last_of_the_same_in_one_call_stands(remember):
    twice = remember(a="cedar boot", b="CEDAR boot", c="birch watch")

    assert twice.last(True).table["product_id"].to_list() == ["b", "c"]


def test_memory_survives_keeping(remember, toy_model):
    memory = remember(a="cedar böot", b="")
    widths = {"": toy_model.corrections_.rows.width}
    again = Memory.restore(memory.tensors(), 90, widths)

    assert again.table.equals(memory.table)
    assert again.rows.data.tobytes() == memory.rows.data.tobytes()
    for name, array in memory.tensors().items():
        assert np.array_equal(again.tensors()[name], array), name
