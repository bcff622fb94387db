"""The weights of a linear learner as a model keeps them: by feature, in 8 bits, scored in whole numbers.

Each feature has one scale. Most of the work of scoring is on features that many classes weigh, a few per cent
of all: those are laid out dense in tiles of sixty-four classes, so that one tile serves hundreds of rows from
the caches; all others are lists of classes. A row's values times the scales are rounded to whole steps of 15
bits, the largest or the sum of them filling the range, and all sums are sums of whole numbers: the same bits
in any order, on any processor, whichever way a feature is laid out. Nothing here is ever written to once it
is made, so that a model's files can be mapped into memory and shared among processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.compiled import read_only
from shelfwise.learners import scoring_kernels as kernels
from shelfwise.learners.lanes import CENTRE, LANES

_HEAVY_BYTES = 1 << 26
_HEAVY_SHARE = 12
"""Features that at least one in so many classes weighs lie dense."""
_LARGEST = 127
_LEAST_SCALE = np.float32(2**-14)
"""The smallest that a float16 holds in full."""


@dataclass(frozen=True)
class ClassWeights:
    """Weights class after class: of class c the next `sizes[c]` of `features` int32 and `weights` float32.

    `bias`: float32 [classes]; `width`: how many features there are.
    """

    features: NDArray[np.int32]
    weights: NDArray[np.float32]
    sizes: NDArray[np.int64]
    bias: NDArray[np.float32]
    width: int

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> ClassWeights:
        """The rows float32 [classes, features] of a matrix."""
        bias = np.zeros(matrix.shape[0], np.float32)
        sizes = np.diff(matrix.indptr).astype(np.int64)
        return ClassWeights(matrix.indices.astype(np.int32), matrix.data, sizes, bias, matrix.shape[1])

    def with_centroids(
        self, centroids: sparse.csr_matrix, missing: NDArray[np.bool_], bias: float
    ) -> ClassWeights:
        """The same, but the `missing` classes [classes], which have no weights, get their centroids.

        `bias`: theirs.
        """
        here = np.repeat(missing, np.diff(centroids.indptr))
        added = np.where(missing, np.diff(centroids.indptr), 0)
        at = np.repeat(np.cumsum(self.sizes), added)
        return ClassWeights(
            np.insert(self.features, at, centroids.indices[here]),
            np.insert(self.weights, at, centroids.data[here]),
            self.sizes + added,
            np.where(missing, np.float32(bias), self.bias),
            self.width,
        )


@dataclass(frozen=True)
class KeptWeights:
    """Weights by feature.

    scales: float32 [features] (values that float16 can hold). Of feature f `classes[posts[f]:posts[f+1]]`
    (uint16 where that suffices) with `weights` int8; or, where f is one of `heavy_features` int32, a row of
    each of the `tiles` uint8 [tiles, heavy, 64] (weight + 128). bias: float32 [classes].
    """

    scales: NDArray[np.float32]
    posts: NDArray[np.int64]
    classes: NDArray[np.unsignedinteger]
    weights: NDArray[np.int8]
    heavy_features: NDArray[np.int32]
    tiles: NDArray[np.uint8]
    bias: NDArray[np.float32]

    @staticmethod
    def of(learned: ClassWeights) -> KeptWeights:
        """Lay out weights, rounded as they are stored, so that saving loses nothing."""
        classes = len(learned.bias)
        tiles = -(-classes // LANES)
        sizes = np.bincount(learned.features, minlength=learned.width)
        scales = _scales(learned)
        heavy = np.flatnonzero(sizes * _HEAVY_SHARE >= tiles * LANES)
        most = max(_HEAVY_BYTES // (tiles * LANES), 1)
        if len(heavy) > most:
            heavy = np.sort(heavy[np.argsort(-sizes[heavy], kind="stable")[:most]])
        place = _places(heavy, learned.width)
        sizes[heavy] = 0
        posts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        listed = np.empty(posts[-1], _narrow(classes))
        weights = np.empty(posts[-1], np.int8)
        dense = np.full((tiles, len(heavy), LANES), CENTRE, np.uint8)
        kernels.lay_out(
            learned.features, learned.weights, learned.sizes, place, posts.copy(), scales, listed, weights,
            dense,
        )  # fmt: skip
        return KeptWeights._fixed(scales, posts, listed, weights, heavy, dense, learned.bias)

    @staticmethod
    def _fixed(*arrays: NDArray[np.generic]) -> KeptWeights:
        scales, posts, classes, weights, heavy, tiles, bias = map(read_only, arrays)
        return KeptWeights(scales, posts, classes, weights, heavy.astype(np.int32, copy=False), tiles, bias)

    @cached_property
    def heavy_of(self) -> NDArray[np.int32]:
        """Row of the tiles that a feature has, -1: none, int32 [features]."""
        return read_only(_places(self.heavy_features, len(self.scales)))

    def scores(
        self, indptr: NDArray[np.int64], X: sparse.csr_matrix, bias: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Products with the rows of X that `indptr` [rows + 1] names, and `bias`: float32 [rows, classes]."""
        out = np.empty((len(indptr) - 1, len(bias)), np.float32)
        kernels.score_rows(
            indptr, X.indices.view(np.uint32), X.data, self.scales, self.posts, self.classes, self.weights,
            self.heavy_of, self.tiles, bias, out,
        )  # fmt: skip
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to store, by name."""
        return {
            "sizes": np.diff(self.posts).astype(np.int32),
            "classes": self.classes,
            "weights": self.weights,
            "heavy_features": self.heavy_features,
            "tiles": self.tiles,
            "scales": self.scales.astype(np.float16),
            "bias": self.bias,
        }

    @staticmethod
    def restore(tensors: Mapping[str, NDArray[np.generic]]) -> KeptWeights:
        """Take what `tensors` gave, or what models of format 1 and 2 hold; large arrays are not copied."""
        posts = np.concatenate([[0], np.cumsum(tensors["sizes"], dtype=np.int64)])
        bias = tensors["bias"].astype(np.float32)
        classes = tensors["classes"].astype(_narrow(len(bias)), copy=False)
        if "tiles" not in tensors:
            return _of_format_2(tensors, posts, classes, bias)
        return KeptWeights._fixed(
            tensors["scales"].astype(np.float32), posts, classes, tensors["weights"],
            tensors["heavy_features"], tensors["tiles"], bias,
        )  # fmt: skip


def sound(state: Mapping[str, NDArray[np.generic]], features: int, classes: int) -> bool:
    """Whether stored arrays fit each other and so many features and classes.

    Compiled kernels check no bounds: arrays from elsewhere could make them read or write anywhere.
    """
    heavy, total = state["heavy_features"], int(state["sizes"].sum(dtype=np.int64))
    tiled = (-(-classes // LANES), len(heavy), LANES)
    if "tiles" in state:
        dense = _is(state["tiles"], np.uint8, tiled) and _is(state["scales"], np.float16, (features,))
    else:
        dense = _is(state["heavy"], np.int8, (len(heavy), classes)) and state["scales"].shape == heavy.shape
    return (
        dense
        and state["sizes"].shape == (features,)
        and _within(state["sizes"], 1 << 31)
        and state["classes"].shape == state["weights"].shape == (total,)
        and state["weights"].dtype == (np.int8 if "tiles" in state else np.float16)
        and _within(state["classes"], classes)
        and heavy.ndim == 1
        and _within(heavy, features)
        and state["bias"].shape == (classes,)
    )


def _is(array: NDArray[np.generic], kind: type[np.generic], shape: tuple[int, ...]) -> bool:
    return array.dtype == kind and array.shape == shape


def _within(values: NDArray[np.generic], limit: int) -> bool:
    return values.size == 0 or (int(values.min()) >= 0 and int(values.max()) < limit)


def _of_format_2(
    tensors: Mapping[str, NDArray[np.generic]],
    posts: NDArray[np.int64],
    classes: NDArray[np.generic],
    bias: NDArray[np.float32],
) -> KeptWeights:
    """Of lists in 16 bits, and dense weights [heavy, classes] with a scale each."""
    heavy, listed = tensors["heavy_features"].astype(np.int32), tensors["weights"].astype(np.float32)
    scales = np.zeros(len(posts) - 1, np.float32)
    told = np.flatnonzero(np.diff(posts))
    if len(told):
        scales[told] = np.maximum.reduceat(np.abs(listed), posts[told])
    scales = _rounded_scales(scales / np.float32(_LARGEST))
    each = np.repeat(scales, np.diff(posts))
    weights = np.clip(np.rint(listed / np.maximum(each, _LEAST_SCALE)), -_LARGEST, _LARGEST).astype(np.int8)
    scales[heavy] = tensors["scales"].astype(np.float32)
    tiles = _tiled(tensors["heavy"].astype(np.int8))
    return KeptWeights._fixed(scales, posts, classes, weights, heavy, tiles, bias)


def _tiled(heavy: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Dense weights [heavy, classes] cut into tiles of sixty-four classes, [tiles, heavy, 64]."""
    features, classes = heavy.shape
    tiles = -(-classes // LANES)
    padded = np.full((features, tiles * LANES), CENTRE, np.uint8)
    padded[:, :classes] = heavy.view(np.uint8) + np.uint8(CENTRE)
    return np.ascontiguousarray(padded.reshape(features, tiles, LANES).transpose(1, 0, 2))


def _scales(learned: ClassWeights) -> NDArray[np.float32]:
    """What one unit of each feature's weights is worth, float32 [features]; 0: it has none."""
    largest = np.zeros(learned.width, np.float32)
    kernels.find_largest(learned.features, learned.weights, largest)
    return _rounded_scales(largest / np.float32(_LARGEST))


def _rounded_scales(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales as float16 holds them, none of a weight too small for it."""
    kept = np.where(scales > 0, np.maximum(scales, _LEAST_SCALE), 0).astype(np.float16)
    return kept.astype(np.float32)


def _places(heavy: NDArray[np.integer], features: int) -> NDArray[np.int32]:
    place = np.full(features, -1, np.int32)
    place[heavy] = np.arange(len(heavy), dtype=np.int32)
    return place


def _narrow(classes: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if classes <= 1 << 16 else np.uint32
