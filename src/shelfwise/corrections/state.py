"""Corrections of a model as a whole: the tree as it is now, what is remembered, and what new shelves learned.

A value that is replaced and never changed, so that a model can be asked by many while it is corrected. It is
the last step from products to probabilities: `apply` takes what the trained views and the fusion say, and
gives the probabilities of the shelves of now. Without any correction it gives back what it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.ground import Ground
from shelfwise.corrections.heads import Heads
from shelfwise.corrections.memory import CORRECTED, NAMED, Memory
from shelfwise.corrections.reach import Reach, Touch
from shelfwise.corrections.rows import Rows
from shelfwise.corrections.shelves import Shelves
from shelfwise.errors import ModelError
from shelfwise.scoring import Asked
from shelfwise.views.panel import Views

VIEW = "corrections"
"""What corrections are called among the views of an explanation."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What corrections stand on: views, kept products (product_id, title), training's tree and counts.

    products: the kept products, or what makes the frame of them when it is asked for. by_id: the catalogue
    has product ids, so that one id is one product. accuracy: share of right answers to products that were
    held out.
    """

    views: Views
    products: pl.DataFrame | Callable[[], pl.DataFrame]
    taxonomy: Taxonomy
    counts: NDArray[np.int64]
    renamed: Mapping[str, str | None]
    by_id: bool = True
    accuracy: float = 0.9

    @cached_property
    def kept(self) -> pl.DataFrame:
        """The kept products: product_id and title."""
        return self.products() if callable(self.products) else self.products

    @cached_property
    def ground(self) -> Ground | None:
        """The kept products, ready to be compared with."""
        return Ground.of(self.views, self.kept)


@dataclass(frozen=True, eq=False)
class Corrections:
    """Everything that people changed since training; `log`: what they did, in order, as plain values."""

    learned: Learned
    shelves: Shelves
    memory: Memory = field(default_factory=Memory.empty)
    heads: Heads = field(default_factory=Heads)
    strength: float = 0.0
    log: tuple[dict[str, Any], ...] = ()

    @staticmethod
    def none(learned: Learned) -> Corrections:
        """No corrections yet."""
        return Corrections(learned, Shelves.of(learned.taxonomy))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.log)

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree as it is now."""
        return self.shelves.taxonomy

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Products known of each category of now [labels]: learned ones, and examples of new shelves."""
        counts = self.shelves.counts(self.learned.counts)
        labels = self.memory.table.filter((pl.col("kind") != NAMED) & (pl.col("head") >= 0))["label"]
        np.add.at(counts, self.taxonomy.codes(labels), 1)
        return counts

    @cached_property
    def renamed(self) -> dict[str, str | None]:
        """Names that a catalogue may still use, and what they are called now; None = dropped."""
        return self.shelves.follow(self.learned.renamed)

    @cached_property
    def rows(self) -> Rows:
        """What makes rows of products."""
        return Rows(self.learned.views)

    @cached_property
    def replaced(self) -> NDArray[np.bool_]:
        """Which of the kept products corrections speak of, bool [kept]."""
        ground = self.learned.ground
        products = self.memory.table.filter(pl.col("kind") != NAMED)
        if ground is None or products.height == 0:
            return np.zeros(self.learned.kept.height, bool)
        return ground.replaced(products, self.learned.by_id)

    @cached_property
    def reach(self) -> Reach:
        """The spheres of what is remembered."""
        reach = Reach(self.memory, self.shelves, self.rows, self.strength, self.learned.by_id)
        if self.learned.ground is not None:
            reach = reach.of_text(self.memory, self.shelves, self.learned.ground, self.replaced)
        return reach.of_vectors(self.memory, self.shelves)

    @property
    def compares(self) -> bool:
        """Whether products are compared with remembered ones."""
        return len(self.memory) > 0

    def apply(
        self, asked: Asked, probabilities: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Probabilities float32 [products, labels] of now, of those of training [products, trained labels].

        `present`: where there is anything to go by, bool [products]. The arrays may be changed or given back.
        """
        probabilities = self.shelves.fold(probabilities)
        if len(self.memory) == 0:
            return probabilities, present
        rows = self.rows.of(asked.products, asked.ngrams)
        if self.heads.learner is not None:
            codes = {label: code for code, label in enumerate(self.taxonomy.labels)}
            present = present | self.heads.take(probabilities, rows, codes)
        touch = self.reach.ask(asked.products, rows)
        if len(touch.products):
            _pull(probabilities, touch, self.reach.codes)
            present = present.copy()
            present[touch.products] = True
        return probabilities, present

    def votes(self, products: pl.DataFrame) -> Iterator[tuple[int, dict[str, object]]]:
        """What corrections alone would answer, as `predictions.VOTE` by row of a block; silent for most."""
        if len(self.memory) == 0:
            return
        touch = self.reach.ask(products, self.rows.of(products))
        labels = self.memory.table["label"]
        best = touch.weight.argmax(axis=1)
        for row, found, weights, one in zip(touch.products, touch.found, touch.weight, best, strict=True):
            sure = min(round(float(weights.sum()), 4), 1.0)
            yield int(row), {"view": VIEW, "category": labels[int(found[one])], "confidence": sure}

    def rebuilt(self) -> Corrections:
        """The same with new shelves learned again from what is remembered now."""
        ground = self.learned.ground
        if not self.heads.heads or ground is None:
            return self
        targets = set(self.taxonomy.codes([head.label for head in self.heads.heads]).tolist())
        trained = np.isin(self.shelves.into[ground.y], list(targets))
        others = ground.rows[np.flatnonzero(~trained & ~self.replaced)]
        codes = self.taxonomy.codes(self.memory.table["label"])
        numbers = self.memory.table["head"].to_numpy()
        told = (numbers >= 0) | ~np.isin(codes, list(targets))
        told &= np.diff(self.memory.rows.indptr) > 0
        mine = np.flatnonzero(told)
        heads = self.heads.fit(self.memory.rows[mine], numbers[mine], others)
        return replace(self, heads=heads)

    # -- keeping ---------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """What was done since training, as plain values for the card and for programs."""
        kinds = self.memory.table["kind"]
        done: dict[str, Any] = {"corrected": int((kinds == CORRECTED).sum())}
        for name in ("added", "renamed", "merged", "split"):
            done[name] = [entry for entry in self.log if entry["did"] == name]
        new = self.memory.table.filter((pl.col("head") >= 0) & (pl.col("kind") != NAMED))
        return {**done, "examples": new.height, "categories": len(self.taxonomy.labels)}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "shelves": self.shelves.to_dict(),
            "heads": self.heads.to_list(),
            "strength": self.strength,
            "log": list(self.log),
        }

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The rest of it as named arrays."""
        memory = {f"memory.{name}": array for name, array in self.memory.tensors().items()}
        return {**memory, **self.heads.tensors()}

    @staticmethod
    def restore(
        learned: Learned, values: Mapping[str, Any], tensors: Mapping[str, NDArray[np.generic]]
    ) -> Corrections:
        """Take what `to_dict` and `tensors` gave; ModelError where it does not fit the model."""
        shelves = Shelves.from_dict(learned.taxonomy, values["shelves"])
        rows = Rows(learned.views)
        state = {key.removeprefix("memory."): v for key, v in tensors.items() if key.startswith("memory.")}
        widths = {"": rows.width, **{name: learned.views.dense[name].width_ for name in rows.dense}}
        memory = Memory.restore(state, learned.kept.height, widths)
        heads = Heads.restore(values["heads"], tensors, rows.width)
        labels = set(memory.table["label"]) | {head.label for head in heads.heads}
        numbers = memory.table["head"].to_numpy()
        numbered = int(numbers.min(initial=-1)) >= -1 and int(numbers.max(initial=-1)) < len(heads.heads)
        if not numbered or not labels <= set(shelves.paths):
            raise ModelError("the corrections do not fit each other: the model is damaged")
        log = tuple(dict(entry) for entry in values["log"])
        return Corrections(learned, shelves, memory, heads, float(values["strength"]), log)


def _pull(probabilities: NDArray[np.float32], touch: Touch, codes: NDArray[np.int32]) -> None:
    """Move what each touched product's spheres ask for, in place."""
    rows = touch.products
    probabilities[rows] *= np.float32(1) - np.minimum(touch.weight.sum(axis=1), np.float32(1))[:, None]
    for place in range(touch.found.shape[1]):
        there = touch.found[:, place] >= 0
        probabilities[rows[there], codes[touch.found[there, place]]] += touch.weight[there, place]
