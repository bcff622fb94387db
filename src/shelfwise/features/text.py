"""The text of products as sparse matrices: one of all n-grams, one of whole words alone.

Both are made from the same fields; the second costs a tenth of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.ngrams import FieldGrams, HashedNgrams
from shelfwise.recipe import TextRecipe

BLOCKS = ("ngrams", "words")
_NO_CHARACTERS = (2, 1)  # shortest above longest: none


class TextFeatures:
    """Hashed n-grams of the text fields, fitted on a catalogue's products.

    Parameters
    ----------
    recipe: sizes of n-grams, weights of fields.
    fields: names of the text columns to read, in order.
    threads: see `HashedNgrams`.

    """

    def __init__(self, recipe: TextRecipe, fields: Sequence[str], threads: int = 1) -> None:
        self.fields = tuple(fields)
        self._hashers = {
            block: HashedNgrams(
                [
                    FieldGrams(name, recipe.words, *sizes, weight=recipe.weights.get(name, 1.0))
                    for name in fields
                ],
                bits=recipe.bits,
                min_rows=recipe.min_rows,
                max_features=recipe.max_features,
                threads=threads,
            )
            for block, sizes in (("ngrams", (recipe.chars_min, recipe.chars_max)), ("words", _NO_CHARACTERS))
        }

    def fit_transform(self, products: pl.DataFrame) -> dict[str, sparse.csr_matrix]:
        """Learn the features of the products; return the blocks, each float32 [products, features]."""
        texts = self._texts(products)
        return {block: hasher.fit_transform(texts) for block, hasher in self._hashers.items()}

    def transform(
        self, products: pl.DataFrame, blocks: Sequence[str] = BLOCKS
    ) -> dict[str, sparse.csr_matrix]:
        """The asked blocks of the products, each float32 [products, features]."""
        texts = self._texts(products)
        return {block: self._hashers[block].transform(texts) for block in blocks}

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state: dict[str, NDArray[np.generic]] = {}
        for block, hasher in self._hashers.items():
            state[f"{block}.kept"], state[f"{block}.idf"] = hasher.kept_, hasher.idf_
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> TextFeatures:
        """Take the state that `tensors` gave."""
        for block, hasher in self._hashers.items():
            hasher.kept_ = tensors[f"{block}.kept"].astype(np.uint32)
            hasher.idf_ = tensors[f"{block}.idf"].astype(np.float32)
        return self

    def _texts(self, products: pl.DataFrame) -> list[list[str]]:
        return [products[field].to_list() for field in self.fields]
