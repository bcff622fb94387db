"""The text of products as sparse matrices: all n-grams field by field, and whole words of all fields as one.

Both are made from the same text. The first knows where a word stood, `apple` the brand from `apple` in a
description. The second reads all fields as one text: what was learned of a word in one field holds for the
others, where categories are too rare to learn it of each. They err differently, and the second costs a tenth
of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.compiled import read_only
from shelfwise.features.hashed import GramRows, HashedRows, hash_into
from shelfwise.features.ngrams import FieldGrams, HashedNgrams
from shelfwise.recipe import TextRecipe
from shelfwise.workspace import Workspace

BLOCKS = ("ngrams", "words")
_JOINED = "all"
_NO_CHARACTERS = (2, 1)  # shortest above longest: none
_HASHED = {"ngrams": 0.12, "words": 0.03}
"""Of a workspace's memory, how much the hashes of a block may fill."""
_WEIGHTED = {"ngrams": 0.33, "words": 0.05}
"""The same for a matrix of its rows."""
_AT_ONCE = 20_000  # products whose texts are held as Python's strings


@dataclass(frozen=True)
class HashedText:
    """The text of a catalogue's products, hashed: what every fit on some of them starts from.

    blocks: by name; chosen: bool [products], those to learn from, None: all.
    """

    blocks: dict[str, HashedRows]
    chosen: NDArray[np.bool_] | None = None

    def arranged(self, y: NDArray[np.int32]) -> HashedText:
        """The same, what lies in files laid by classes (codes y), whose products are read together."""
        return replace(self, blocks={name: rows.arranged(y) for name, rows in self.blocks.items()})

    def only(self, chosen: NDArray[np.bool_]) -> HashedText:
        """Some of the products, bool [products]."""
        return replace(self, chosen=chosen)


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
        weights = {name: recipe.weights.get(name, 1.0) for name in fields}
        self._joined = [name for name in fields if weights[name] > 0]
        characters = (recipe.chars_min, recipe.chars_max)
        grams = {
            "ngrams": [FieldGrams(name, recipe.words, *characters, weights[name]) for name in fields],
            "words": [FieldGrams(_JOINED if len(fields) > 1 else fields[0], recipe.words, *_NO_CHARACTERS)],
        }
        self._hashers = {
            block: HashedNgrams(
                grams[block],
                bits=recipe.bits,
                min_rows=recipe.min_rows,
                max_features=recipe.max_features,
                threads=threads,
            )
            for block in BLOCKS
        }

    def hash(self, pieces: Iterable[pl.DataFrame], space: Workspace | None = None) -> HashedText:
        """Hash the text of products, piece by piece."""
        space = space or Workspace()
        blocks = {
            block: HashedRows(len(hasher.fields), space, _HASHED[block])
            for block, hasher in self._hashers.items()
        }
        for piece in pieces:
            for start in range(0, piece.height, _AT_ONCE):
                part = piece[start : start + _AT_ONCE]
                for block, hasher in self._hashers.items():
                    hash_into(blocks[block], hasher, self._texts(part, block))
        return HashedText(blocks)

    def fit(self, text: HashedText) -> dict[str, GramRows]:
        """Learn the features of hashed products; return the blocks, each float32 [products, features]."""
        return {
            block: GramRows(text.blocks[block], hasher, text.chosen, _WEIGHTED[block])
            for block, hasher in self._hashers.items()
        }

    def transform(
        self, products: pl.DataFrame, blocks: Sequence[str] = BLOCKS
    ) -> dict[str, sparse.csr_matrix]:
        """The asked blocks of the products, each float32 [products, features]."""
        return {block: self._hashers[block].transform(self._texts(products, block)) for block in blocks}

    def count_known(self, products: pl.DataFrame, learned: bool = False) -> tuple[int, int]:
        """How many of the products' words (and pairs of words) were learned from, of how many.

        `learned`: the features come from these products, see `HashedNgrams.count_known`.
        """
        return self._hashers["words"].count_known(self._texts(products, "words"), learned)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state: dict[str, NDArray[np.generic]] = {}
        for block, hasher in self._hashers.items():
            state[f"{block}.kept"], state[f"{block}.idf"] = hasher.kept_, hasher.idf_
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> TextFeatures:
        """Take the state that `tensors` gave; arrays are not copied."""
        for block, hasher in self._hashers.items():
            hasher.kept_ = read_only(tensors[f"{block}.kept"].astype(np.uint32, copy=False))
            hasher.idf_ = read_only(tensors[f"{block}.idf"].astype(np.float32, copy=False))
        return self

    def _texts(self, products: pl.DataFrame, block: str) -> list[list[str]]:
        if block == "ngrams":
            return [products[field].to_list() for field in self.fields]
        if not self._joined:
            return [[""] * products.height]
        return [products.select(pl.concat_str(self._joined, separator="\n")).to_series().to_list()]
