"""Rows to compare products by do not depend on the batch, and tell texts apart."""

from __future__ import annotations

import numpy as np
import polars as pl

from shelfwise.catalogue.read import open_source
from shelfwise.corrections.rows import Rows


def test_rows_do_not_depend_on_the_batch(toy_model, toys):
    rows = Rows(toy_model.views_)
    products = toy_model.products(open_source(toys))
    whole, digests = rows.of(products), rows.digests(products)
    for row in (0, 44, 89):
        alone = rows.of(products[row])
        assert alone.data.tobytes() == whole[[row]].data.tobytes()
        assert rows.digests(products[row])[0] == digests[row]
    assert len(set(digests.tolist())) == 90


def test_rows_have_length_1_and_known_ngrams_make_the_same(toy_model, toys):
    rows = Rows(toy_model.views_)
    products = toy_model.products(open_source(toys))
    whole = rows.of(products)
    given = rows.of(products, toy_model.views_.text.blocks(products, ["neighbours"])["ngrams"])

    assert np.allclose(np.asarray(whole.multiply(whole).sum(axis=1)), 1, atol=2e-3)
    assert given.data.tobytes() == whole.data.tobytes()
    assert whole.shape == (90, rows.width)


def test_digests_are_of_the_text_but_for_its_case_and_0_for_none(toy_model):
    frame = pl.DataFrame(
        {"product_id": list("abcd"), "title": ["Cedar Boot", "cedar boot", "cedar  boots", ""]}
    )
    digests = Rows(toy_model.views_).digests(toy_model.products(open_source(frame))).tolist()

    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == 0
