"""What a model answered beside what is true: the one value that every score and every figure is made from.

An `Outcome` is plain arrays, so whoever has answers from anywhere (this model, an older one, another tool)
can score them. Rows stand in the order of the evaluated catalogue, and every row counts: a product without an
answer, or of a category that the model never saw, is a wrong answer and not a missing row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy, split_path
from shelfwise.errors import CatalogueError

Codes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PromiseOutcome:
    """What became of a promise such as "accepted answers are right 95 times in 100".

    `asked`: the precision that was promised, 0..1. `accepted`: bool `[n]`, rows whose category is accepted
    without a person. `shelf`: int32 `[n]`, the deepest node of the tree that keeps the promise for the row,
    -1 for none.
    """

    asked: float
    accepted: NDArray[np.bool_]
    shelf: Codes | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Truth and answers of `n` products.

    `y`: int32 `[n]`, the true label's code, -1 = a label that the learner never saw (wrong whatever was
    answered). `codes`: int32 `[n, k]`, the best candidates of each row, best first; -1 = no answer.
    `confidence`: float32 `[n, k]`, probability of each candidate, 0..1. `given`: the true label of each row
    as text; only needed where `y` is -1, to tell unseen labels apart. `by_view`: the first candidate of each
    view alone, int32 `[n]`; -1 = the view had nothing to go by. `left_out`: the first candidate of all other
    views together where one is left out, by its name, int32 `[n]`. `groups`: int `[n]`, equal for
    near-duplicates; they are resampled together. None = all rows independent. `product_ids`, `titles`: text
    `[n]`, shown with examples. `train_counts`: `[labels]`, products learned from. `empty`: bool `[n]`,
    products with no text or picture to go by.
    """

    taxonomy: Taxonomy
    y: Codes
    codes: Codes
    confidence: NDArray[np.float32]
    given: Sequence[str] | None = None
    by_view: Mapping[str, Codes] = field(default_factory=dict)
    left_out: Mapping[str, Codes] = field(default_factory=dict)
    groups: NDArray[np.integer] | None = None
    product_ids: Sequence[str] | None = None
    titles: Sequence[str] | None = None
    train_counts: NDArray[np.integer] | None = None
    empty: NDArray[np.bool_] | None = None
    promise: PromiseOutcome | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.shape[1] == 0 or self.codes.shape != self.confidence.shape:
            shapes = f"{self.codes.shape} and {self.confidence.shape}"
            raise CatalogueError(f"candidates and confidence must both be [rows, k], k >= 1, not {shapes}")
        if self.rows == 0:
            raise CatalogueError("nothing to score: no row has a known category")
        for name, values in self._by_row():
            if values is not None and len(values) != self.rows:
                raise CatalogueError(f"{name} has {len(values)} rows where y has {self.rows}")
        for name, codes in (
            ("y", self.y),
            ("codes", self.codes),
            *self.by_view.items(),
            *self.left_out.items(),
        ):
            if codes.min() < -1 or codes.max() >= len(self.taxonomy.labels):
                known = len(self.taxonomy.labels)
                raise CatalogueError(f"{name} holds a code that is none of the {known} categories")

    def _by_row(self) -> list[tuple[str, Sequence[object] | NDArray[np.generic] | None]]:
        promise = self.promise
        return [
            ("codes", self.codes),
            ("given", self.given),
            ("groups", self.groups),
            ("product_ids", self.product_ids),
            ("titles", self.titles),
            ("empty", self.empty),
            ("promise.accepted", promise.accepted if promise else None),
            ("promise.shelf", promise.shelf if promise else None),
            *((f"by_view[{name!r}]", codes) for name, codes in self.by_view.items()),
            *((f"left_out[{name!r}]", codes) for name, codes in self.left_out.items()),
        ]

    @property
    def rows(self) -> int:
        """Number of products."""
        return len(self.y)

    @property
    def answer(self) -> Codes:
        """The first candidate of each row, int32 `[n]`, -1 = no answer."""
        return self.codes[:, 0]

    @property
    def sure(self) -> NDArray[np.float64]:
        """Confidence in the first candidate, float64 `[n]`, 0..1 (0 where there is no answer)."""
        sure = np.clip(np.nan_to_num(self.confidence[:, 0].astype(np.float64)), 0.0, 1.0)
        return np.where(self.answer >= 0, sure, 0.0)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the first candidate is the true label, bool `[n]`."""
        right: NDArray[np.bool_] = (self.answer == self.y) & (self.y >= 0)
        return right

    @cached_property
    def unseen_names(self) -> tuple[str, ...]:
        """Labels that the learner never saw, sorted; one name for all of them when `given` is not known."""
        if self.given is None:
            return ("(unseen)",) if (self.y < 0).any() else ()
        return tuple(sorted({self.given[i] for i in np.flatnonzero(self.y < 0).tolist()}))

    @cached_property
    def unseen_paths(self) -> tuple[tuple[str, ...], ...]:
        """Levels of each of `unseen_names`."""
        return tuple(split_path(name, self.taxonomy.separator) for name in self.unseen_names)

    @cached_property
    def truth(self) -> Codes:
        """`y` with a code of its own, after the learned ones, for each unseen label: int32 `[n]`, no -1."""
        truth = self.y.astype(np.int32).copy()
        place = {name: len(self.taxonomy.labels) + i for i, name in enumerate(self.unseen_names)}
        for row in np.flatnonzero(truth < 0).tolist():
            truth[row] = place[self.given[row]] if self.given is not None else len(self.taxonomy.labels)
        return truth

    def label_name(self, code: int) -> str:
        """Readable path of a code, with the label when several share it; "" for no answer."""
        known = len(self.taxonomy.labels)
        if code < 0:
            return ""
        if code >= known:
            return self.unseen_names[code - known]
        node = int(self.taxonomy.node_of_label[code])
        name = self.taxonomy.name(node)
        return f"{name} [{self.taxonomy.labels[code]}]" if node in self._shared_nodes else name

    @cached_property
    def _shared_nodes(self) -> frozenset[int]:
        nodes, labels = np.unique(self.taxonomy.node_of_label, return_counts=True)
        return frozenset(nodes[labels > 1].tolist())
