"""Views: ways to look at a product, each with its features and its learner, fitted together on one catalogue.

Every view gives each product a score for each category: about 0 where nothing speaks for it, about 1 and more where
all does. `decide` mixes them. A view that has nothing to go by for a product (no text at all) says so instead of guessing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.text import BLOCKS, TextFeatures
from shelfwise.learners.linear import LinearLearner
from shelfwise.learners.neighbours import NeighboursLearner
from shelfwise.recipe import Recipe

_BLOCK_OF = {"ngrams": "ngrams", "words": "words", "neighbours": "ngrams"}


@dataclass(frozen=True)
class ViewScores:
    """Scores of some products: by view float32 [products, categories], and where a view is silent.

    `present`: bool [products]; False = no view had anything to go by.
    """

    by_view: dict[str, NDArray[np.float32]]
    present: NDArray[np.bool_]

    @staticmethod
    def joined(parts: Sequence[ViewScores]) -> ViewScores:
        """The scores of some products after one another."""
        by_view = {name: np.concatenate([part.by_view[name] for part in parts]) for name in parts[0].by_view}
        return ViewScores(by_view, np.concatenate([part.present for part in parts]))


class Views:
    """All views of a catalogue's text: linear on n-grams, linear on words, neighbours.

    Parameters
    ----------
    recipe: sizes, costs and which views there are.
    fields: names of the text columns.
    threads: results do not depend on it.
    """

    def __init__(self, recipe: Recipe, fields: Sequence[str], threads: int = 1) -> None:
        self.recipe = recipe
        self.features = TextFeatures(recipe.text, fields, threads)
        text = recipe.text
        self.linear = {
            name: LinearLearner(cost=text.cost, smallest=text.smallest_weight, threads=threads)
            for name in BLOCKS
        }
        self.neighbours = NeighboursLearner(count=recipe.neighbours.count)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views, in the order of their weights."""
        return ("ngrams", "words", "neighbours") if self.recipe.neighbours.use else ("ngrams", "words")

    def fit(self, products: pl.DataFrame, y: NDArray[np.int32], classes: int) -> Views:
        """Learn from products and their codes y [products]."""
        self.classes = classes
        started = time.perf_counter()
        blocks = self.features.fit_transform(products)
        self.timings_ = {"features": round(time.perf_counter() - started, 3)}
        # Neighbours first: they keep a small extract, and the linear fit is what needs the memory.
        self.neighbour_rows_ = _spread(y, self.recipe.neighbours.max_rows, self.recipe.seed)
        kept = self.neighbour_rows_
        self.neighbours.fit(blocks["ngrams"][kept] if len(kept) < len(y) else blocks["ngrams"], y[kept], classes)
        started = time.perf_counter()
        for name, learner in self.linear.items():
            learner.fit(blocks[name], y, classes)
        self.timings_["linear"] = round(time.perf_counter() - started, 3)
        return self

    def scores(self, products: pl.DataFrame, names: Sequence[str] | None = None) -> ViewScores:
        """Scores of the products by the asked views (all, if none are named)."""
        names = tuple(names or self.names)
        blocks = self.blocks(products, names)
        present = np.zeros(products.height, bool)
        for block in blocks.values():
            present |= np.diff(block.indptr) > 0
        by_view = {
            name: (self.neighbours if name == "neighbours" else self.linear[name]).scores(blocks[_BLOCK_OF[name]])
            for name in names
        }
        return ViewScores(by_view, present)

    def blocks(self, products: pl.DataFrame, names: Sequence[str]) -> dict[str, sparse.csr_matrix]:
        """The feature blocks that the named views read."""
        return self.features.transform(products, tuple(dict.fromkeys(_BLOCK_OF[name] for name in names)))

    def nearest(self, products: pl.DataFrame, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most similar kept products: places in `neighbour_rows_` int32 [products, count] (-1: none), cosines."""
        return self.neighbours.nearest(self.blocks(products, ["neighbours"])["ngrams"], count)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state = self.features.tensors()
        for name, learner in self.linear.items():
            state |= {f"{name}.linear.{key}": value for key, value in learner.tensors().items()}
        return state | {f"neighbours.{key}": value for key, value in self.neighbours.tensors().items()}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> Views:
        """Take the state that `tensors` gave."""
        self.classes = classes
        self.features.restore(tensors)
        for name, learner in self.linear.items():
            learner.restore(_below(tensors, f"{name}.linear."))
        self.neighbours.restore(_below(tensors, "neighbours."), classes)
        return self


def _below(tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _spread(y: NDArray[np.int32], most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` rows, ascending: small categories whole, large ones cut to the same number each."""
    if len(y) <= most:
        return np.arange(len(y))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")]
    sizes = np.bincount(y)
    place = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # 0, 1, 2, ... within each category
    cut = int(np.searchsorted(np.cumsum(np.bincount(place)), most, "right"))
    return np.sort(order[place < max(cut, 1)][:most])
