"""A shop of which many products have no shelf yet, and a model of the others, for tests of the queue."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from audit_shop import plant, recipe, shop
from shelfwise.categorizer import Categorizer

HIDDEN = 120
BETWEEN = tuple(f"B{n}" for n in range(6))
"""Products that could be boots or sandals."""
STRANGE = tuple(f"S{n}" for n in range(6))
"""Products that are like nothing else; the last two are one and the same."""
_TUNES = ("sonata", "rondo", "fugue", "etude", "prelude", "prelude")


def catalogue(each: int = 24) -> pl.DataFrame:
    """Nine shelves, some products of each without a category, and twelve more that are hard to sort."""
    frame = plant(shop(each), 8)[0]  # a model of it is never quite sure
    hidden = np.zeros(frame.height, bool)
    hidden[np.random.default_rng(3).permutation(frame.height)[:HIDDEN]] = True
    frame = frame.with_columns(category=pl.when(pl.Series(hidden)).then(None).otherwise("category"))
    hard = [(name, f"boot sandal shoesware no{n} {name.lower()}x") for n, name in enumerate(BETWEEN)]
    hard += [(name, f"violin cello {tune} quartet") for name, tune in zip(STRANGE, _TUNES, strict=True)]
    rows = [{"product_id": name, "title": title, "category": None} for name, title in hard]
    return pl.concat([frame, pl.DataFrame(rows, schema=frame.schema)])


@cache
def trained() -> Categorizer:
    """A model of the labelled products; not to be changed."""
    return Categorizer(recipe()).fit(catalogue())
