"""What views say of products: scores by view, and where each view has something to go by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ViewScores:
    """Scores by view, float32 [products, categories], and where each view speaks, bool [products]."""

    by_view: dict[str, NDArray[np.float32]]
    speaks: dict[str, NDArray[np.bool_]]

    def present(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Where any of the named views speaks, bool [products]."""
        heard: NDArray[np.bool_] = np.logical_or.reduce([self.speaks[name] for name in names])
        return heard

    def __or__(self, other: ViewScores) -> ViewScores:
        """These views and those of `other`, of the same products."""
        return ViewScores(self.by_view | other.by_view, self.speaks | other.speaks)

    def __getitem__(self, rows: slice) -> ViewScores:
        """What the views say of some of the products."""
        return ViewScores(
            {name: part[rows] for name, part in self.by_view.items()},
            {name: part[rows] for name, part in self.speaks.items()},
        )

    @staticmethod
    def gathered(parts: Iterable[ViewScores], rows: int) -> ViewScores:
        """The scores of `rows` products, at least one, after one another; parts are let go one by one."""
        by_view: dict[str, NDArray[np.float32]] = {}
        speaks: dict[str, NDArray[np.bool_]] = {}
        begin = 0
        for part in parts:
            for name, scores in part.by_view.items():
                if begin == 0:
                    by_view[name] = np.empty((rows, scores.shape[1]), np.float32)
                    speaks[name] = np.empty(rows, bool)
                end = begin + len(scores)
                by_view[name][begin:end], speaks[name][begin:end] = scores, part.speaks[name]
            begin = end
        return ViewScores(by_view, speaks)

    @staticmethod
    def joined(parts: Sequence[ViewScores]) -> ViewScores:
        """The scores of some products after one another."""
        if len(parts) == 1:
            return parts[0]
        names = parts[0].by_view
        return ViewScores(
            {name: np.concatenate([part.by_view[name] for part in parts]) for name in names},
            {name: np.concatenate([part.speaks[name] for part in parts]) for name in names},
        )
