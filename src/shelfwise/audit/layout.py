"""The map: every product a point, products that are alike side by side.

A sample of the products, the landmarks, is laid out by openTSNE (Poličar, Stražar & Zupan 2024). It starts
from the principal components of vectors that were averaged over their neighbours again and again (as in
diffusion maps, Coifman & Lafon 2006): they hardly change when products are added, those of the vectors
themselves do; and so that the start decides where things come to lie, it is wide and early exaggeration is
mild. Every other product comes to stand between the landmarks most like it. Landmarks are chosen by their
content, not by place or chance: a catalogue that grows a little keeps nearly all of them.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.errors import MissingExtraError

LANDMARKS = 5_000
"""Products that are laid out by the library, which takes most of the time up to some 100,000 products."""
_PERPLEXITY = 30
_EARLY, _LATE = (60, 4.0), (290, 1.0)  # rounds, and how much more attraction counts in them
_STEPS, _MIXED = 20, 30  # how often, and over how many nearest, vectors are averaged for the start
_SPREAD = 5.0  # standard deviation of the start: wide enough that it decides where things come to lie
_MANY = 1_000  # landmarks from which on interpolation is quicker than a tree
_COARSE = 4  # the grid of the interpolation: a fourth of the usual fineness, twice as fast, the same map
_FEWEST = 8  # landmarks that can be laid out at all
_NEAREST = 6  # landmarks that a product stands between
_SHARPNESS = 4.0  # the power of similarity that they are weighed by
_REACH = 0.15  # of the map's radius: landmarks further from the best one do not count
_JITTER = 0.7  # of the distance between neighbouring landmarks: how far products are strewn
_CELLS = 1 << 23  # products x landmarks of a block: 32 MB


def lay_out(
    vectors: NDArray[np.float32],
    seed: int = 0,
    landmarks: int = LANDMARKS,
    keys: NDArray[np.uint64] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """A place on the map for each product, float32 [products, 2], its middle at 0 and its radius about 1.

    `vectors` float32 [products, width] are of length 1 (see `audit.embedding`); zeros have nothing to go by
    and get NaN. `seed`: of the strewing. `landmarks`: at most that many products are laid out by the library.
    `keys` uint64 [products]: numbers of the products' content (`embedding.content_keys`), by which landmarks
    are chosen; without them, by the vectors themselves, and a catalogue that grows gets other landmarks. The
    same input gives the same places to the bit, for any number of threads.

    Raises
    ------
    MissingExtraError
        openTSNE is not installed.

    """
    try:
        import openTSNE  # noqa: F401 - asked for before the work
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("the map", "map") from error
    known = np.flatnonzero(np.einsum("ij,ij->i", vectors, vectors) > 0.25)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    if not len(known):
        return places
    own = keys[known] if keys is not None else _vector_keys(vectors[known])
    chosen = known[np.unique(own, return_index=True)[1][:landmarks]]
    with threadpool_limits(1):
        laid = _lay_landmarks(vectors[chosen])
        places[known] = _place(vectors, known, (vectors[chosen], laid), threads)
    places[known] += _strewn(own, seed) * _spacing(laid)
    return places


def _vector_keys(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    digests = (hashlib.blake2b(vector.tobytes(), digest_size=8).digest() for vector in vectors)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)


# -- landmarks -----------------------------------------------------------------------------------------------


def _lay_landmarks(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The places of the landmarks, float32 [landmarks, 2]."""
    if len(vectors) < _FEWEST:
        return _in_circle(_principal(vectors))
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    near, far = _nearest(vectors, min(int(3 * perplexity), len(vectors) - 1))
    start = _principal(_averaged(vectors, near[:, :_MIXED]))
    index = PrecomputedNeighbors(near, far)
    affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=1)
    method = "fft" if len(vectors) > _MANY else "bh"
    start = start / max(float(start[:, 0].std()), 1e-12) * _SPREAD
    map_ = TSNEEmbedding(
        start,
        affinities,
        negative_gradient_method=method,
        ints_in_interval=_COARSE,
        n_jobs=1,
        random_state=0,
    )
    map_ = map_.optimize(_EARLY[0], exaggeration=_EARLY[1], momentum=0.5)
    map_ = map_.optimize(_LATE[0], exaggeration=_LATE[1], momentum=0.8)
    return _in_circle(np.asarray(map_, np.float64))


def _averaged(vectors: NDArray[np.float32], near: NDArray[np.int64]) -> NDArray[np.float64]:
    """The vectors after each was replaced, many times over, by the mean of those near: the coarse shape."""
    rows, count = near.shape
    places = (np.repeat(np.arange(rows), count), near.ravel())
    joints = sparse.csr_matrix((np.ones(rows * count), places), shape=(rows, rows))
    joints = joints + joints.T
    steps = sparse.diags(1 / np.asarray(joints.sum(axis=1)).ravel()) @ joints
    averaged: NDArray[np.float64] = vectors.astype(np.float64)
    for _ in range(_STEPS):
        averaged = steps @ averaged
    return averaged


def _principal(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The two principal components, float64 [rows, 2]; the longer tail of each points to the right."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    columns = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]
    places = np.zeros((len(vectors), 2))
    places[:, : columns.shape[1]] = centred @ columns
    signed: NDArray[np.float64] = places * np.where((places**3).sum(axis=0) < 0, -1.0, 1.0)
    return signed


def _nearest(vectors: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest others of each vector, int64 [rows, count], and how far they are, nearest first."""
    rows = len(vectors)
    near, far = np.empty((rows, count), np.int64), np.empty((rows, count))
    for start in range(0, rows, step := max(_CELLS // rows, 1)):
        part = np.arange(start, min(start + step, rows))
        alike = vectors[part] @ vectors.T
        alike[np.arange(len(part)), part] = -np.inf
        best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(alike, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        near[part] = np.take_along_axis(best, order, axis=1)
        cosines = np.take_along_axis(values, order, axis=1).astype(np.float64)
        far[part] = np.sqrt(np.maximum(2 - 2 * cosines, 1e-12))
    return near, far


def _in_circle(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Places moved and scaled so that the middle is 0 and nearly all lie within 1."""
    places = places - places.mean(axis=0)
    radius = np.quantile(np.sqrt((places**2).sum(axis=1)), 0.99)
    return (places / max(float(radius), 1e-12)).astype(np.float32)


# -- the others ----------------------------------------------------------------------------------------------


def _place(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    landmarks: tuple[NDArray[np.float32], NDArray[np.float32]],
    threads: int,
) -> NDArray[np.float32]:
    """Places float32 [rows, 2] of some products, block by block; `landmarks`: their vectors and places."""
    others, laid = np.ascontiguousarray(landmarks[0].T), landmarks[1]
    step = max(_CELLS // len(laid), 1)
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(lambda part: _between(vectors[part] @ others, laid), blocks)))


def _between(alike: NDArray[np.float32], laid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Places float32 [rows, 2] between the landmarks that are most alike, by cosines [rows, landmarks]."""
    count = min(_NEAREST, alike.shape[1])
    best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    values = np.maximum(np.take_along_axis(alike, best, axis=1).astype(np.float64), 1e-6)
    order = np.lexsort((best, -values), axis=1)
    best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    weights = (values / values[:, :1]) ** _SHARPNESS
    there = laid[best].astype(np.float64)
    # Landmarks of other parts of the map would pull a product into the void between: they do not count.
    weights *= np.sqrt(((there - there[:, :1]) ** 2).sum(axis=2)) <= _REACH
    weights /= weights.sum(axis=1, keepdims=True)
    places: NDArray[np.float32] = np.einsum("rk,rkd->rd", weights, there).astype(np.float32)
    return places


def _strewn(keys: NDArray[np.uint64], seed: int) -> NDArray[np.float32]:
    """A small step for each product, float32 [products, 2], of length up to 1; another for each of equals."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    rank = np.empty(len(keys), np.uint64)
    rank[order] = (np.arange(len(keys)) - np.searchsorted(ordered, ordered)).astype(np.uint64)
    mixed = _mix(keys + (rank + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed))
    angle = (mixed >> np.uint64(32)).astype(np.float64) / 2**32 * 2 * np.pi
    radius = np.sqrt((mixed & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2**32)
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], axis=1).astype(np.float32)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that look random (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _spacing(laid: NDArray[np.float32]) -> np.float32:
    """How far products are strewn: a part of the usual distance between neighbouring landmarks."""
    if len(laid) < 2:
        return np.float32(0.01)
    from scipy.spatial import KDTree

    nearest = KDTree(laid.astype(np.float64)).query(laid.astype(np.float64), k=2)[0][:, 1]
    return np.float32(_JITTER * max(float(np.median(nearest)), 1e-4))
