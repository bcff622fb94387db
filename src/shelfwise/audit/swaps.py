"""Made-up wrong labels: what an error would look like to models that never saw the product.

Nobody knows which of a shop's labels are wrong, but anybody can make one up. Three ways of being wrong are
drawn: any other category, another one under the same parent, and one that the models themselves find likely
(what a hasty person would confuse it with). The difference between made-up and given labels is what `doubt`
learns from (contrastive estimation of a density ratio: Gutmann & Hyvarinen 2010; learning from one labelled
class and a mixture: Elkan & Noto 2008).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Codes, Floats, Tree

Kind = Literal["anywhere", "sister", "confusion"]
KINDS: tuple[Kind, ...] = ("anywhere", "sister", "confusion")


def kinds_of(tree: Tree) -> tuple[Kind, ...]:
    """The ways of being wrong that differ in a tree: with one level, every category is a sister."""
    return KINDS if tree.taxonomy.depth > 1 and (tree.parent >= 0).any() else ("anywhere", "confusion")


def draw(
    probabilities: Floats, y: Codes, tree: Tree, rng: np.random.Generator
) -> tuple[Codes, NDArray[np.int64]]:
    """A wrong category for each product, int32 [rows], and in which way it is wrong (place in `kinds_of`).

    `probabilities`: float32 [rows, labels] of models that never saw the products; y: their given codes
    [rows]. Where a way has nothing to offer (no sister, no doubt at all) any other category is taken.
    """
    ways, rows, labels = kinds_of(tree), len(y), len(tree.taxonomy.labels)
    way = rng.integers(len(ways), size=rows)
    drawn = rng.integers(labels - 1, size=rows)
    drawn = drawn + (drawn >= y)
    for number, name in enumerate(ways[1:], start=1):
        found = _sisters(y, tree, rng) if name == "sister" else _confusions(probabilities, y, rng)
        asked = way == number
        drawn = np.where(asked & (found >= 0), found, drawn)
        way = np.where(asked & (found < 0), 0, way)
    return drawn.astype(np.int32), way.astype(np.int64)


def _sisters(y: Codes, tree: Tree, rng: np.random.Generator) -> NDArray[np.int64]:
    """Another category under the same parent, each as likely; -1 where there is none."""
    first, last = (side[y] for side in tree.family)
    order = tree.taxonomy.order.astype(np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    room = last - first - 1
    step = rng.integers(np.maximum(room, 1))
    at = first + step
    at = at + (at >= place[y])
    found = order[np.minimum(at, len(order) - 1)]
    return np.where((room > 0) & (tree.parent[y] >= 0), found, -1)


def _confusions(probabilities: Floats, y: Codes, rng: np.random.Generator) -> NDArray[np.int64]:
    """Another category as likely as the models find it; -1 where they are sure of the given one."""
    others = probabilities.astype(np.float64)
    others[np.arange(len(y)), y] = 0
    sums = others.cumsum(axis=1)
    total = sums[:, -1]
    asked = rng.random(len(y)) * total
    found = (sums <= asked[:, None]).sum(axis=1)
    return np.where((total > 1e-9) & (found < others.shape[1]) & (found != y), found, -1)
