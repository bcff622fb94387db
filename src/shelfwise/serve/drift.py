"""What is usual for a model: how its learned products are spread, and how many of their words nobody knows.

What a server is asked is held beside it, so that products that have changed are seen before anyone reads
answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from shelfwise.categorizer import Categorizer

_TITLES = 2_000


@dataclass(frozen=True)
class Usual:
    """What training saw.

    spread: share of the learned products by top shelf. unknown_words: share of the words in titles that a
    model of all the other products would not know; None where the model reads no titles.
    """

    spread: dict[str, float] = field(default_factory=dict)
    unknown_words: float | None = None

    @staticmethod
    def of(model: Categorizer) -> Usual:
        """What is usual for a model."""
        total = max(int(model.counts_.sum()), 1)
        spread: dict[str, float] = {}
        for path, count in zip(model.taxonomy_.paths, model.counts_.tolist(), strict=True):
            spread[path[0]] = spread.get(path[0], 0.0) + count / total
        known, seen = count_words(model, model.neighbours_.head(_TITLES), learned=True)
        return Usual(spread, 1 - known / seen if seen else None)


def count_words(model: Categorizer, products: pl.DataFrame, learned: bool = False) -> tuple[int, int]:
    """How many words (and pairs of words) of the products' titles the model knows, of how many.

    Titles alone, of which a model keeps those that it learned, so that the two can be compared.

    Parameters
    ----------
    model
        Whose words they are.
    products
        Clean products with a `title`.
    learned
        The model learned from these very products: a word is known where it would be without its product.

    """
    text = model.views_.text
    if text is None or "title" not in model.views_.fields or products.is_empty():
        return 0, 0
    rest = [pl.lit("").alias(name) for name in model.views_.fields if name != "title"]
    return text.features.count_known(products.select("title", *rest), learned)
