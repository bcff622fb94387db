"""Claims: "this product belongs to that category", and all that held-out models say about each.

A product's given category is a claim; so is the same product with another category (see `swaps`). The models
that speak here never saw the product, so what they say does not depend on which category is claimed, and a
made-up claim can be looked at just as a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Claims:
    """What is known of m claims.

    row: int64 [m], the product. code: int32 [m], the category that is claimed; p: float32 [m], its
    probability. top: int32 [m], the most probable category. best_code, best: the best category other than
    the claimed one, and its probability. entropy: float32 [m], of the probabilities, in nats. rank: float32
    [m], how many categories are more probable. sisters: float32 [m], mean probability of the other
    categories under the same parent. known: float32 [m], products of the category that the models learned
    from. levels: float32 [m, depth - 1], probability of the shelves above the category, from the top; along:
    bool [m, depth - 1], whether the top answer lies under them, too. views, view_best: float32 [m, views],
    what each view alone gives the category and gives its best one; NaN where it has nothing to go by.
    """

    row: NDArray[np.int64]
    code: Codes
    p: Floats
    top: Codes
    best_code: Codes
    best: Floats
    entropy: Floats
    rank: Floats
    sisters: Floats
    known: Floats
    levels: Floats
    along: NDArray[np.bool_]
    views: Floats
    view_best: Floats

    def __len__(self) -> int:
        """How many claims."""
        return len(self.row)

    def __getitem__(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> Claims:
        """Some of the claims."""
        return Claims(*(getattr(self, part.name)[chosen] for part in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Claims]) -> Claims:
        """Claims after one another."""
        return Claims(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Claims))
        )

    def in_order(self) -> Claims:
        """The claims by product."""
        return self[np.argsort(self.row, kind="stable")]

    def with_rows(self, rows: NDArray[np.int64]) -> Claims:
        """The claims with other numbers for the products."""
        return replace(self, row=rows[self.row])


@dataclass(frozen=True)
class Tree:
    """The part of a taxonomy that claims need, as arrays over its labels."""

    taxonomy: Taxonomy

    @cached_property
    def parent(self) -> Codes:
        """[labels] the node above each label's own; -1 at the top."""
        above: Codes = self.taxonomy.parent[self.taxonomy.node_of_label]
        return above

    @cached_property
    def family(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """[labels] where the labels under the same parent begin and end in `taxonomy.order`."""
        t, everyone = self.taxonomy, len(self.taxonomy.labels)
        at_top = self.parent < 0
        first = np.where(at_top, 0, t.first[self.parent]).astype(np.int64)
        last = np.where(at_top, everyone, t.last[self.parent]).astype(np.int64)
        return first, last


@dataclass(frozen=True)
class Said:
    """What held-out models say of a block of products.

    probabilities: float32 [rows, labels]; rows: int64 [rows], numbers of the products; by_view: float32
    [rows, labels] by view, each alone; speaks: bool [rows] by view; known: int64 [labels], products of each
    category that the models learned from.
    """

    probabilities: Floats
    rows: NDArray[np.int64]
    by_view: dict[str, Floats]
    speaks: dict[str, NDArray[np.bool_]]
    known: NDArray[np.int64]


def claims_of(said: Said, places: NDArray[np.int64], codes: Codes, tree: Tree) -> Claims:
    """What is said of claims that the products at `places` [m] of the block belong to `codes` [m]."""
    p = said.probabilities[places]
    every, taxonomy = np.arange(len(places)), tree.taxonomy
    own = p[every, codes]
    top = p.argmax(axis=1).astype(np.int32)
    others = p.copy()
    others[every, codes] = -1
    best_code = others.argmax(axis=1).astype(np.int32)
    rolled = taxonomy.roll_up(p)
    above = taxonomy.chains[codes][:, : taxonomy.depth - 1]
    parents = tree.parent[codes]
    first, last = (side[codes] for side in tree.family)
    family = np.where(parents < 0, np.float32(1), rolled[every, parents])
    views = [_alone(said, name, places, codes) for name in said.by_view]
    none = np.empty((len(places), 0), np.float32)
    return Claims(
        row=said.rows[places],
        code=codes.astype(np.int32),
        p=own,
        top=top,
        best_code=best_code,
        best=others[every, best_code],
        entropy=-(p * np.log(np.maximum(p, 1e-12))).sum(axis=1),
        rank=(p > own[:, None]).sum(axis=1).astype(np.float32),
        sisters=(np.maximum(family - own, 0) / np.maximum(last - first - 1, 1)).astype(np.float32),
        known=said.known[codes].astype(np.float32),
        levels=rolled[every[:, None], above],
        along=taxonomy.chains[top][:, : taxonomy.depth - 1] == above,
        views=np.stack([own for own, _ in views], axis=1) if views else none,
        view_best=np.stack([best for _, best in views], axis=1) if views else none,
    )


def _alone(said: Said, name: str, places: NDArray[np.int64], codes: Codes) -> tuple[Floats, Floats]:
    """What one view gives the claimed categories, and its best ones; NaN where it has nothing to go by."""
    p = said.by_view[name][places]
    heard = said.speaks[name][places]
    own, best = p[np.arange(len(places)), codes], p.max(axis=1)
    return np.where(heard, own, np.nan).astype(np.float32), np.where(heard, best, np.nan).astype(np.float32)
