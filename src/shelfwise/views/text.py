"""The views of a product's text, each with its features and its learner, fitted together on one catalogue.

Every one of them gives each product a score for each category: about 0 where nothing speaks for it, about 1
and more where all does. `decide` pools them. A view that has nothing to go by for a product (no text at all)
says so instead of guessing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.errors import ModelError
from shelfwise.features.hashed import GramRows
from shelfwise.features.text import HashedText, TextFeatures
from shelfwise.learners.active_set import Support
from shelfwise.learners.kept_weights import sound as sound_weights
from shelfwise.learners.linear import LinearLearner
from shelfwise.learners.neighbours import NeighboursLearner, strongest
from shelfwise.recipe import Recipe
from shelfwise.views.scores import ViewScores
from shelfwise.workspace import Workspace

_BLOCK_OF = {"ngrams": "ngrams", "words": "words", "departments": "ngrams", "neighbours": "ngrams"}
LINEAR = ("ngrams", "words", "departments")
_KEPT_AT_ONCE = 20_000


class TextViews:
    """The views of a catalogue's text.

    "ngrams" and "words" are linear on all n-grams and on whole words alone: they err differently, and their
    mean is better than either. "departments" is linear on the n-grams, but knows the shelves of the top
    level only and gives each category its department's score: what categories of a few products cannot
    learn, their department can (on a long tail worth 0.6 points of weighted and 0.5 of macro F1).
    "neighbours" is the vote of the most similar products.

    Parameters
    ----------
    recipe: sizes and costs.
    fields: names of the text columns.
    threads: results do not depend on it.

    """

    def __init__(self, recipe: Recipe, fields: Sequence[str], threads: int = 1) -> None:
        self.recipe = recipe
        self.features = TextFeatures(recipe.text, fields, threads)
        self.neighbours = NeighboursLearner(count=recipe.neighbours.count)
        self.linear: dict[str, LinearLearner] = {}
        self.departments = np.empty(0, np.int32)
        self._threads = threads

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views that have a say."""
        return (*self.linear, "neighbours") if self.recipe.neighbours.use else tuple(self.linear)

    def fit(
        self,
        products: pl.DataFrame | HashedText,
        y: NDArray[np.int32],
        departments: NDArray[np.int32],
        names: Collection[str] | None = None,
        start: Mapping[str, Support] | None = None,
    ) -> TextViews:
        """Learn from products (or their text as `features.hash` hashed it) and their codes y [products].

        `departments`: int32 [categories], the department of each category, from 0. `names`: the linear views
        to learn; None: all that there can be. Neighbours are always kept, as evidence. `start`: the support,
        by view, of views that learned from some of these products, in numbers of these.
        """
        self.classes, self.departments = len(departments), departments.astype(np.int32)
        started = time.perf_counter()
        text = products if isinstance(products, HashedText) else self.features.hash([products])
        blocks = self.features.fit(text)
        self.timings_ = {"features": round(time.perf_counter() - started, 3)}
        self.neighbour_rows_ = _spread(y, self.recipe.neighbours.max_rows, self.recipe.seed)
        kept = self.neighbour_rows_
        self.neighbours.fit(_strongest(blocks["ngrams"], kept), y[kept], self.classes)
        started = time.perf_counter()
        for name in LINEAR:
            if (names is None or name in names) and (name != "departments" or self._has_departments()):
                target = departments[y].astype(np.int32) if name == "departments" else y
                classes = int(departments.max()) + 1 if name == "departments" else self.classes
                begin = start.get(name) if start else None
                self.linear[name] = self._learner().fit(blocks[_BLOCK_OF[name]], target, classes, begin)
        self.timings_["linear"] = round(time.perf_counter() - started, 3)
        return self

    def supports(self, rows: NDArray[np.int64], space: Workspace | None = None) -> dict[str, Support]:
        """What a fit on more products can start from, by view; product i of these is rows[i] of those."""
        return {name: learner.support_.renumbered(rows, space) for name, learner in self.linear.items()}

    def scores(
        self,
        products: pl.DataFrame,
        names: Sequence[str] | None = None,
        blocks: Mapping[str, sparse.csr_matrix] | None = None,
    ) -> ViewScores:
        """Scores of the products by the asked views (all, if none are named); `blocks`: theirs, if known."""
        names = tuple(names or self.names)
        blocks = self.blocks(products, names) if blocks is None else blocks
        heard = {name: np.diff(block.indptr) > 0 for name, block in blocks.items()}
        by_view = {name: self._score(name, blocks[_BLOCK_OF[name]]) for name in names}
        speaks = {name: heard[_BLOCK_OF[name]] for name in names}
        if "neighbours" in by_view:  # words that are known need not be shared with any product that was kept
            speaks["neighbours"] = by_view["neighbours"].max(axis=1, initial=0) > 0
        return ViewScores(by_view, speaks)

    def blocks(self, products: pl.DataFrame, names: Sequence[str]) -> dict[str, sparse.csr_matrix]:
        """The feature blocks that the named views read."""
        return self.features.transform(products, tuple(dict.fromkeys(_BLOCK_OF[name] for name in names)))

    def nearest(self, products: pl.DataFrame, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Most similar products: places in `neighbour_rows_` int32 [products, count], -1: none; cosines."""
        return self.neighbours.nearest(self.blocks(products, ["neighbours"])["ngrams"], count)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state = {**self.features.tensors(), "departments": self.departments}
        for name, learner in self.linear.items():
            state |= {f"linear.{name}.{key}": value for key, value in learner.tensors().items()}
        return state | {f"neighbours.{key}": value for key, value in self.neighbours.tensors().items()}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> TextViews:
        """Take the state that `tensors` gave."""
        self.departments = tensors["departments"].astype(np.int32)
        self.classes = len(self.departments)
        _check_arrays(tensors, self.recipe.text.bits)
        self.features.restore(tensors)
        for name in LINEAR:
            if state := _below(tensors, f"linear.{name}."):
                self.linear[name] = self._learner().restore(state)
        self.neighbours.restore(_below(tensors, "neighbours."), self.classes)
        return self

    def _has_departments(self) -> bool:
        return 1 < int(self.departments.max()) + 1 < self.classes

    def _learner(self) -> LinearLearner:
        text = self.recipe.text
        return LinearLearner(cost=text.cost, smallest=text.smallest_weight, threads=self._threads)

    def _score(self, name: str, block: sparse.csr_matrix) -> NDArray[np.float32]:
        if name == "neighbours":
            return self.neighbours.scores(block)
        scores = self.linear[name].scores(block)
        return np.take(scores, self.departments, axis=1) if name == "departments" else scores


def _check_arrays(tensors: Mapping[str, NDArray[np.generic]], bits: int) -> None:
    """Raise ModelError unless every place that an array names is there.

    Compiled kernels check no bounds: arrays from elsewhere could make them read or write anywhere.
    """
    departments = tensors["departments"]
    features = {}
    sound = departments.ndim == 1 and _within(departments, max(len(departments), 1))
    for block in dict.fromkeys(_BLOCK_OF.values()):
        kept, idf = tensors[f"{block}.kept"], tensors[f"{block}.idf"]
        features[block] = len(kept)
        sound = sound and kept.shape == idf.shape == (len(kept),) and _within(kept, 1 << bits)
    for name in LINEAR:
        if state := _below(tensors, f"linear.{name}."):
            targets = int(departments.max()) + 1 if name == "departments" else len(departments)
            sound = sound and sound_weights(state, features[_BLOCK_OF[name]], targets)
    state = _below(tensors, "neighbours.")
    sound = (
        sound
        and _adds_up(state["sizes"], features["ngrams"], state["rows"], state["weights"])
        and _within(state["rows"], len(state["y"]))
        and _within(state["y"], len(departments))
    )
    if not sound:
        raise ModelError(
            "the model's arrays do not fit each other: it is damaged, or was not made by Shelfwise"
        )


def _within(values: NDArray[np.generic], limit: int) -> bool:
    return values.size == 0 or (int(values.min()) >= 0 and int(values.max()) < limit)


def _adds_up(
    sizes: NDArray[np.generic], features: int, places: NDArray[np.generic], values: NDArray[np.generic]
) -> bool:
    total = int(sizes.sum(dtype=np.int64))
    counted = sizes.shape == (features,) and _within(sizes, 1 << 31)
    return counted and places.shape == values.shape == (total,)


def _below(tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _strongest(X: GramRows, rows: NDArray[np.int64]) -> sparse.csr_matrix:
    """The strongest features of some rows, some at a time: whole rows are ten times as large."""
    cut = [
        strongest(X.take(rows[start : start + _KEPT_AT_ONCE])) for start in range(0, len(rows), _KEPT_AT_ONCE)
    ]
    return sparse.vstack(cut, "csr")


def _spread(y: NDArray[np.int32], most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` rows, ascending: small categories whole, large ones cut to the same number each."""
    if len(y) <= most:
        return np.arange(len(y))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")]
    sizes = np.bincount(y)
    place = np.arange(len(y)) - np.repeat(
        np.cumsum(sizes) - sizes, sizes
    )  # 0, 1, 2, ... within each category
    cut = int(np.searchsorted(np.cumsum(np.bincount(place)), most, "right"))
    return np.sort(order[place < max(cut, 1)][:most])
