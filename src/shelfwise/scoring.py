"""Scoring in blocks: products through the views a block at a time, on several threads, in bounded memory.

This is the one path from products to scores and probabilities. A block is as many products as keep one array
of products x categories small; a product's result does not depend on its block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.decide.fusion import Fusion
from shelfwise.views.panel import Views
from shelfwise.views.scores import ViewScores

_Result = TypeVar("_Result")
_CELLS = 1 << 22  # products x categories of one block: 16 MB an array
_MIXED_CELLS = 1 << 16  # of what is mixed at once: mixing goes over its arrays many times, in the caches


def block_rows(classes: int) -> int:
    """How many products make a block for that many categories."""
    return int(min(max(_CELLS // max(classes, 1), 64), 4096))


def score_in_blocks(views: Views, products: pl.DataFrame, threads: int) -> ViewScores:
    """Scores of products by all views; there must be at least one product."""
    return ViewScores.gathered(map_blocks(views.scores, products, views.classes, threads), products.height)


class Amendments(Protocol):
    """What people changed since training, as the last step to probabilities (`corrections.state`)."""

    @property
    def compares(self) -> bool:
        """Whether products are compared with remembered ones, by their n-grams."""

    def apply(
        self, asked: Asked, probabilities: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Probabilities of the categories of now, of those of training; see `probabilities_of`."""


@dataclass(frozen=True)
class Asked:
    """Products that are asked for, and their n-grams float32 [products, features] where they are known."""

    products: pl.DataFrame
    ngrams: sparse.csr_matrix | None = None


def probabilities_of(
    views: Views, fusion: Fusion, products: pl.DataFrame, amend: Amendments | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probabilities float32 [products, categories] of a block, and where anything was there to go by.

    Categories are those of training, or with `amend` those of now.
    """
    if amend is None or not amend.compares or views.text is None:
        return probabilities_from(views.scores(products, fusion.views), fusion, Asked(products), amend)
    names = [name for name in fusion.views if name not in views.dense]
    blocks = views.text.blocks(products, [*names, "neighbours"])  # hashed once for the views and for `amend`
    scores = views.scores(products, fusion.views, blocks)
    return probabilities_from(scores, fusion, Asked(products, blocks["ngrams"]), amend)


def probabilities_from(
    scores: ViewScores, fusion: Fusion, asked: Asked, amend: Amendments | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As `probabilities_of`, of scores that the views with a say have given already."""
    classes, rows = len(fusion.prior), asked.products.height
    mixed = np.empty((rows, classes), np.float32)
    step = max(_MIXED_CELLS // classes, 1)
    for start in range(0, rows, step):
        part = scores[start : start + step]
        fusion.mix(part.by_view, part.speaks, mixed[start : start + step])
    present = fusion.present(scores.speaks)
    return (mixed, present) if amend is None else amend.apply(asked, mixed, present)


def map_blocks(
    work: Callable[[pl.DataFrame], _Result], products: pl.DataFrame, classes: int, threads: int
) -> Iterator[_Result]:
    """Do some work on each block, results in order; never more than a few blocks are under way."""
    size = block_rows(classes)
    blocks = [products[start : start + size] for start in range(0, products.height, size)]
    if threads <= 1 or len(blocks) <= 1:
        for block in blocks:  # `map` would take a StopIteration in the work for the end of the blocks
            yield work(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from _bounded(pool, work, blocks, threads + 1)


def _bounded(
    pool: ThreadPoolExecutor,
    work: Callable[[pl.DataFrame], _Result],
    blocks: Sequence[pl.DataFrame],
    most: int,
) -> Iterator[_Result]:
    waiting = iter(blocks)
    under_way = [pool.submit(work, block) for block in islice(waiting, most)]
    while under_way:
        yield under_way.pop(0).result()
        under_way += [pool.submit(work, block) for block in islice(waiting, 1)]
