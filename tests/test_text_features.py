"""`features.text`: two blocks of the same fields, weighted, invariant and restorable."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features.text import BLOCKS, TextFeatures
from shelfwise.recipe import TextRecipe

FIELDS = ("title", "brand")
PRODUCTS = pl.DataFrame(
    {
        "title": ["Red shoe", "red boot", "Größe 42", "靴 red", "", "red shoe 42"] * 4,
        "brand": ["Acme", "Bolt", "Acme", "", "", "Red"] * 4,
        "shop": ["never read"] * 24,
    }
)


def features(threads: int = 1, fields: tuple[str, ...] = FIELDS, **recipe: object) -> TextFeatures:
    return TextFeatures(TextRecipe(**{"bits": 18, **recipe}), fields, threads)


def learned(fitted: TextFeatures, products: pl.DataFrame):
    """The blocks of products that the features are learned from."""
    return {name: rows.whole for name, rows in fitted.fit(fitted.hash([products])).items()}


def bits_of(blocks) -> dict[str, tuple[bytes, ...]]:
    return {name: (m.data.tobytes(), m.indices.tobytes(), m.indptr.tobytes()) for name, m in blocks.items()}


def test_there_is_a_block_of_all_grams_and_one_of_words():
    blocks = learned(features(min_rows=1), PRODUCTS)
    assert tuple(blocks) == BLOCKS
    assert blocks["ngrams"].shape[0] == blocks["words"].shape[0] == 24
    # of titles and brands as one text: red shoe boot größe 42 靴 acme bolt; red-shoe red-boot größe-42 靴-red
    # shoe-42; shoe-acme boot-bolt 42-acme 42-red, from one field to the next; 靴 as a character
    assert blocks["words"].shape[1] == 8 + 5 + 4 + 1
    assert blocks["ngrams"].shape[1] > 2 * blocks["words"].shape[1]


def test_words_alone_know_no_pieces_of_words():
    fitted = features(min_rows=1)
    learned(fitted, pl.DataFrame({"title": ["shoe", "shoe"], "brand": ["", ""]}))
    blocks = fitted.transform(pl.DataFrame({"title": ["shoes"], "brand": [""]}))
    assert blocks["ngrams"].nnz > 0
    assert blocks["words"].nnz == 0


def test_only_the_asked_blocks_are_made():
    fitted = features()
    learned(fitted, PRODUCTS)
    assert list(fitted.transform(PRODUCTS, ["words"])) == ["words"]


def test_other_columns_are_not_read_and_the_order_of_rows_stays():
    fitted = features()
    blocks = learned(fitted, PRODUCTS)
    assert bits_of(blocks) == bits_of(learned(features(), PRODUCTS.drop("shop")))
    assert np.diff(blocks["ngrams"].indptr)[4] == 0  # the row without text
    assert (blocks["words"][0] != blocks["words"][6]).nnz == 0  # the same text again


def test_louder_fields_have_more_of_a_row():
    def energy_of_brand(weight: float) -> float:
        fitted = features(min_rows=1, weights={"brand": weight})
        block = learned(fitted, PRODUCTS)["ngrams"]
        only_brand = PRODUCTS.with_columns(title=pl.lit(""))
        columns = np.unique(fitted.transform(only_brand, ["ngrams"])["ngrams"].indices)
        return float((block[0, columns].toarray() ** 2).sum())

    assert energy_of_brand(0.5) == pytest.approx(0.2, abs=1e-3)  # 0.25 of 1.25
    assert energy_of_brand(1.0) == pytest.approx(0.5, abs=1e-3)
    assert energy_of_brand(0.0) == 0


def test_the_recipe_decides_the_grams():
    few = learned(features(min_rows=1, words=1, chars_min=3, chars_max=3), PRODUCTS)
    many = learned(features(min_rows=1), PRODUCTS)
    limited = learned(features(min_rows=1, max_features=7), PRODUCTS)
    for block in BLOCKS:
        assert few[block].shape[1] < many[block].shape[1]
        assert limited[block].shape[1] <= 7


def test_threads_do_not_change_a_bit():
    assert bits_of(learned(features(3), PRODUCTS)) == bits_of(learned(features(1), PRODUCTS))


def test_learning_and_transforming_agree_to_the_bit():
    fitted = features()
    assert bits_of(learned(fitted, PRODUCTS)) == bits_of(fitted.transform(PRODUCTS))


def test_features_come_back_bit_for_bit():
    fitted = features()
    blocks = learned(fitted, PRODUCTS)
    restored = features().restore(fitted.tensors())
    assert bits_of(restored.transform(PRODUCTS)) == bits_of(blocks)
    assert sorted(fitted.tensors()) == ["ngrams.idf", "ngrams.kept", "words.idf", "words.kept"]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_that_a_frame_can_hold_is_taken(texts):
    frame = pl.DataFrame({"title": texts, "brand": texts[::-1]})
    blocks = learned(features(min_rows=1), frame)
    assert all(np.isfinite(block.data).all() for block in blocks.values())
