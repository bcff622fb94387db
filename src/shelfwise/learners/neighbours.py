"""The vote of the most similar labelled products, by cosine over their strongest n-grams.

Alone it is weaker than the linear learner; it answers for categories with one or two products, and it is the
evidence that a person understands at once ("these are the most similar products, and where they stand"). Rows
are cut to their strongest features, so that the index stays small and rare words decide.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.compiled import read_only
from shelfwise.learners import neighbours_kernels as kernels

WIDTH = 48
"""A row is compared by that many of its features, the strongest."""
_DOUBT = 0.05


class NeighboursLearner:
    """k nearest rows by cosine, votes weighted by squared similarity.

    Parameters
    ----------
    count: how many neighbours vote.

    After fitting: `posts_` int64 [features + 1], `rows_` int32 and `weights_` float16, the kept rows by
    feature; `y_` int32 [rows], their classes. Nobody can write to them, and they may lie in a mapped file.

    """

    def __init__(self, *, count: int = 10) -> None:
        self.count = count

    def fit(self, X: sparse.csr_matrix, y: NDArray[np.int32], classes: int) -> NeighboursLearner:
        """Keep the rows float32 [rows, features] with their classes y [rows]."""
        by_feature = strongest(X).tocsc()
        self.posts_ = read_only(by_feature.indptr.astype(np.int64))
        self.rows_ = read_only(by_feature.indices.astype(np.int32))
        self.weights_ = read_only(by_feature.data.astype(np.float16))
        self.y_ = read_only(y.astype(np.int32))
        self.classes_ = classes
        return self

    def rows(self) -> sparse.csr_matrix:
        """The kept rows, float32 [rows, features]."""
        shape = (len(self.y_), len(self.posts_) - 1)
        by_feature = (self.weights_.astype(np.float32), self.rows_.copy(), self.posts_.copy())
        return sparse.csc_matrix(by_feature, shape=shape).tocsr()

    def nearest(
        self, X: sparse.csr_matrix, count: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most similar kept rows: numbers int32 [rows, count] (-1: none) and cosines, best first."""
        queries = strongest(X)
        most = count or self.count
        found = np.empty((queries.shape[0], most), np.int32)
        cosine = np.zeros((queries.shape[0], most), np.float32)
        kernels.find_nearest(
            queries.indptr, queries.indices, queries.data, self.posts_, self.rows_,
            self.weights_.view(np.uint16), len(self.y_), found, cosine,
        )  # fmt: skip
        return found, cosine

    def scores(self, X: sparse.csr_matrix) -> NDArray[np.float32]:
        """Each class's share of the vote, float32 [rows, classes]; shares sum to less than 1."""
        found, cosine = self.nearest(X)
        votes = np.empty((X.shape[0], self.classes_), np.float32)
        kernels.count_votes(found, cosine, self.y_, np.float32(_DOUBT), votes)
        return votes

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        sizes = np.diff(self.posts_).astype(np.int32)
        return {"sizes": sizes, "rows": self.rows_, "weights": self.weights_, "y": self.y_}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> NeighboursLearner:
        """Take the state that `tensors` gave; large arrays are not copied."""
        self.posts_ = read_only(np.concatenate([[0], np.cumsum(tensors["sizes"], dtype=np.int64)]))
        self.rows_ = read_only(tensors["rows"].astype(np.int32, copy=False))
        self.weights_ = read_only(tensors["weights"].astype(np.float16, copy=False))
        self.y_ = read_only(tensors["y"].astype(np.int32, copy=False))
        self.classes_ = classes
        return self


def strongest(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row's strongest features alone; lengths stay as they were, so products are cosines from below."""
    indptr = X.indptr.astype(np.int64, copy=False)
    room = int(np.minimum(np.diff(indptr), WIDTH).sum())
    features, kept = np.empty(room, np.int32), np.empty(room, np.float32)
    sizes = np.empty(X.shape[0], np.int64)
    kernels.cut_rows(indptr, X.indices, X.data, WIDTH, features, kept, sizes)
    cut = sparse.csr_matrix(X.shape, dtype=np.float32)
    cut.data, cut.indices, cut.indptr = kept, features, np.concatenate([[0], np.cumsum(sizes)])
    return cut
