"""`Standardiser`: dense columns on one scale, before a learner that penalises or descends sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.dense_rows import BLOCK, DenseRows, as_dense

Floats = NDArray[np.float32]

_MOSTLY = 0.9


class Standardiser:
    """Columns brought to mean 0 and deviation 1, after an optional signed square root.

    The root (power normalisation, Perronnin et al. 2010) tames columns that are mostly near zero with a few
    large values, as those of pooled networks and histograms are; vectors of sentence encoders are better
    without it.

    None: there is a root if nine tenths of the values are not negative.

    After fitting: `mean_` and `scale_` float32 [width], and `root_`.

    """

    def __init__(self, *, root: bool | None = None) -> None:
        self.root = root

    def fit(self, X: Floats | DenseRows) -> Standardiser:
        """Learn from rows float32 [rows, width]; a column that never changes becomes zero."""
        X = as_dense(X)
        first = slice(0, BLOCK)
        self.root_ = bool(np.mean(X.take(first) >= 0) >= _MOSTLY) if self.root is None else self.root
        rows = max(len(X), 1)
        mean, square = np.zeros(X.width), np.zeros(X.width)
        for _, part in self._parts(X):
            mean += part.sum(axis=0, dtype=np.float64) / rows
        for _, part in self._parts(X):
            square += np.square(part - mean).sum(axis=0) / rows
        deviation = np.sqrt(square)
        steady = deviation <= 1e-5 * np.abs(mean) + 1e-12
        self.mean_ = mean.astype(np.float32)
        self.scale_ = np.where(steady, 0, 1 / np.where(steady, 1, deviation)).astype(np.float32)
        return self

    def transform(self, X: Floats) -> Floats:
        """The rows standardised, a copy; what lies more than 8 deviations away is cut."""
        Z = np.empty(X.shape, np.float32)
        for rows, part in self._parts(as_dense(X)):
            np.clip((part - self.mean_) * self.scale_, -8, 8, out=Z[rows])
        return Z

    def _parts(self, X: DenseRows) -> Iterator[tuple[slice, Floats]]:
        """The rows, powered, some at a time: vectors are long, and a copy of all of them is memory."""
        for rows, part in X.blocks():
            yield rows, np.copysign(np.sqrt(np.abs(part)), part) if self.root_ else part

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, as named arrays."""
        return {"mean": self.mean_, "scale": self.scale_, "root": np.array([self.root_], np.float32)}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> Standardiser:
        """Take the state that `tensors` gave; other arrays beside it do no harm."""
        self.mean_ = tensors["mean"].astype(np.float32)
        self.scale_ = tensors["scale"].astype(np.float32)
        self.root_ = bool(tensors["root"][0])
        return self
