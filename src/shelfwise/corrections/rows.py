"""What products are compared by: their strongest n-grams as rows of length 1, and their vectors.

The n-grams are those that the model's own text views know, so that a product is read once. A word that no
product to learn from had counts by its parts alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.corrections import kernels
from shelfwise.features.vectors import vectors_of
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.neighbours import strongest
from shelfwise.views.panel import Views

DENSE = ("encoder", "pictures", "pixels")
"""Vectors that products without text are compared by."""


class Rows:
    """Makes rows of products for a model's views."""

    def __init__(self, views: Views) -> None:
        self.views = views

    @property
    def width(self) -> int:
        """How many n-grams there are."""
        text = self.views.text
        return len(text.neighbours.posts_) - 1 if text is not None else 0

    def of(self, products: pl.DataFrame, ngrams: sparse.csr_matrix | None = None) -> sparse.csr_matrix:
        """Rows float32 [products, width] of length 1; an empty row where there is no text.

        `ngrams`: the n-grams of the products as the views see them, where they are known already.
        """
        if self.views.text is None:
            return sparse.csr_matrix((products.height, 0), dtype=np.float32)
        if ngrams is None:
            ngrams = self.views.text.blocks(products, ["neighbours"])["ngrams"]
        return unit(strongest(ngrams))

    def digests(self, products: pl.DataFrame) -> NDArray[np.uint64]:
        """What tells texts apart, uint64 [products]: equal for equal texts but for case; 0: no text."""
        if not self.views.fields:
            return np.zeros(products.height, np.uint64)
        whole = products.select(pl.concat_str(list(self.views.fields), separator="\x1f")).to_series()
        texts = (text.lower().encode("utf-8", "replace") for text in whole.to_list())
        return np.fromiter(map(_digest, texts), np.uint64, products.height)

    def vectors(self, products: pl.DataFrame, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Directions float32 [products, width] of vectors, the mean taken off, and who has one [products]."""
        view = self.views.dense[name]
        vectors, known = vectors_of(products, name, view.width_)
        near = neighbours_of(self.views, name)
        if near is not None:
            return _directions(vectors - near.mean_), known
        learner = view.learner_
        if learner.projection_ is not None:
            return _directions(learner.projection_.standardiser_.transform(vectors)), known
        part = next(part for part in learner.parts_.values() if not isinstance(part, CosineNeighbours))
        return _directions(part.standardiser_.transform(vectors)), known

    @property
    def dense(self) -> tuple[str, ...]:
        """Names of the vectors that the model has."""
        return tuple(name for name in DENSE if name in self.views.dense)


def unit(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """The rows brought to length 1, in place; values are those that float16 can hold."""
    kernels.unit_rows(rows.indptr.astype(np.int64, copy=False), rows.data)
    rows.data = rows.data.astype(np.float16).astype(np.float32)
    return rows


def neighbours_of(views: Views, name: str) -> CosineNeighbours | None:
    """The products that a view on vectors keeps in the encoder's own space, if it keeps any."""
    learner = views.dense[name].learner_
    part = learner.parts_.get("neighbours") if learner.projection_ is None else None
    return part if isinstance(part, CosineNeighbours) else None


def vector_digests(directions: NDArray[np.float32]) -> NDArray[np.uint64]:
    """What tells vectors apart, uint64 [rows]."""
    return np.array([_digest(row.astype(np.float16).tobytes()) for row in directions], np.uint64)


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    directions: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float16)
    return directions.astype(np.float32)


def _digest(content: bytes) -> int:
    """64 bits of BLAKE2; 0 is kept for nothing at all."""
    if not content.strip(b"\x1f \n"):
        return 0
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little") | 1
