"""The words of titles: which of them a set of products has that others lack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

_WORD = r"[\p{L}\p{M}\p{N}]+"
_LONGEST = 300  # characters of a title that are looked at


class Words:
    """Which words each title has.

    Parameters
    ----------
    titles: [products] texts, or empty: no product has any word.
    rows: number of products.

    """

    def __init__(self, titles: Sequence[str], rows: int) -> None:
        texts = pl.Series("word", list(titles) if len(titles) else [""] * rows, dtype=pl.String)
        found = (
            pl.DataFrame({"row": np.arange(rows, dtype=np.uint32), "word": texts})
            .with_columns(pl.col("word").str.slice(0, _LONGEST).str.to_lowercase().str.extract_all(_WORD))
            .explode("word", empty_as_null=True)
            .drop_nulls()
            .unique()
        )
        vocabulary = found["word"].unique().sort()
        codes = found["word"].replace_strict(
            vocabulary, np.arange(len(vocabulary), dtype=np.int32), return_dtype=pl.Int32
        )
        ones = np.ones(found.height, np.float32)
        shape = (rows, len(vocabulary))
        self.vocabulary = vocabulary
        self.there = sparse.csr_matrix((ones, (found["row"].to_numpy(), codes.to_numpy())), shape=shape)
        self.totals = np.asarray(self.there.sum(axis=0)).ravel()

    def telling(self, rows: NDArray[np.int64], others: NDArray[np.int64], count: int = 4) -> list[str]:
        """The words that stand in `rows` rather than in `others`, the most telling first."""
        if not len(rows) or not len(others) or not len(self.vocabulary):
            return []
        here = np.asarray(self.there[rows].sum(axis=0)).ravel()
        there = np.asarray(self.there[others].sum(axis=0)).ravel()
        lead = here / len(rows) - there / len(others)
        best = np.lexsort((np.arange(len(lead)), -lead))[:count]
        return [self.vocabulary[int(word)] for word in best if lead[word] > 0.02 and here[word] > 1]

    def own_word(self, rows: NDArray[np.int64]) -> tuple[str, float, float]:
        """The word that tells these products from all others best.

        Returned with the share of the products that have it, and the share of the titles with it that are
        theirs; ("", 0, 0) where no word stands in two of them.
        """
        here = np.asarray(self.there[rows].sum(axis=0)).ravel() if len(self.vocabulary) else np.zeros(0)
        if not len(here) or here.max() < 2:
            return "", 0.0, 0.0
        found, pure = here / len(rows), here / np.maximum(self.totals, 1)
        both = np.where(here >= 2, 2 * found * pure / np.maximum(found + pure, 1e-9), 0)
        best = int(both.argmax())
        return self.vocabulary[best], float(found[best]), float(pure[best])
