"""One vector for each product, made without looking at the labels: what the map and the doctor go by.

A wrong label can only be seen against something that has not learned it. Words of all text fields, weighted
by how rare they are, are reduced by a truncated singular value decomposition (latent semantic analysis,
Deerwester et al. 1990; randomised as in Halko, Martinsson & Tropp 2011, arXiv:0909.4061); vectors of encoders
and of pictures by principal components. Everything is fitted on a sample chosen by content and then applied
to all products block by block: memory is that of the result, and products that are added change little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.ngrams import FieldGrams, HashedNgrams
from shelfwise.features.vectors import PREFIX, vectors_of
from shelfwise.learners.matrix import one_blas_thread

WIDTH = 128
"""Dimensions of the text; vectors of encoders and pictures get half as many each, at most."""
_SAMPLE = 20_000
_BLOCK = 20_000
_MORE = 12  # dimensions more than asked for: what a randomised decomposition needs to be exact in the first
_ROUNDS = 2
_SOFTEN = -0.5  # strong directions count less: neighbours of one shelf are found a little more often
_RIDGE = 1e-2
_TINY = 1e-9


@dataclass(frozen=True)
class _Block:
    """One kind of evidence: vectors float32 [products, width] of length 1, zeros where there is none."""

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]


def embed(
    products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str], seed: int = 0
) -> NDArray[np.float32]:
    """One vector for each product, float32 [products, width], of length 1; zeros: nothing to go by.

    `products` are clean (see `catalogue.products`), with columns `vector.NAME` for the names in `dense`;
    names that no product has are passed over. `fields`: text fields to read. `seed`: of the decomposition's
    random start. The kinds of evidence have equal say. What a product lacks (its picture, say) is filled
    with what products like it have, so that products are not set apart by what is missing.

    """
    with one_blas_thread():  # the same bits on any number of cores; and it is not slower
        return _embed(products, fields, dense, seed)


def _embed(
    products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str], seed: int
) -> NDArray[np.float32]:
    keys = content_keys(products, fields, dense)
    blocks = [_text_block(products, fields, keys, seed)] if fields else []
    for name in dense:
        if PREFIX + name in products.columns and products[PREFIX + name].is_not_null().any():
            blocks.append(_dense_block(products, name, keys, seed))
    blocks = [block for block in blocks if block.known.any()]
    if not blocks:
        return np.zeros((products.height, 1), np.float32)
    if len(blocks) == 1:
        return blocks[0].vectors
    return _side_by_side(blocks, keys)


def content_keys(products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str]) -> NDArray[np.uint64]:
    """A number for each product's content, uint64 [products]: equal content, equal number, in any catalogue.

    Products without text are told apart by their first vector.
    """
    keys = np.empty(products.height, np.uint64)
    silent = np.ones(products.height, bool)
    if fields:
        joined = products.select(pl.concat_str(list(fields), separator="\n")).to_series()
        keys[:] = [_key(text.encode("utf-8", "replace")) for text in joined]
        silent = (joined.str.strip_chars() == "").to_numpy()
    for name in dense:
        vectors, known = vectors_of(products.filter(pl.Series(silent)), name)
        rows = np.flatnonzero(silent)[known]
        keys[rows] = [_key(vector.tobytes()) for vector in vectors[known]]
        silent[rows] = False
    keys[silent] = _key(b"")
    return keys


def _key(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def sample_by_content(keys: NDArray[np.uint64], rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the rows, sorted: those with the smallest keys, one for each content.

    A product's being chosen depends on its content alone, so a catalogue that grows by a hundredth keeps all
    but about a hundredth of its sample.
    """
    _, first = np.unique(keys[rows], return_index=True)
    return np.sort(rows[first[:most]])


# -- text ----------------------------------------------------------------------------------------------------


def _text_block(products: pl.DataFrame, fields: Sequence[str], keys: NDArray[np.uint64], seed: int) -> _Block:
    joined = products.select(pl.concat_str(list(fields), separator="\n")).to_series()
    chosen = sample_by_content(keys, np.flatnonzero((joined.str.strip_chars() != "").to_numpy()), _SAMPLE)
    nothing = np.zeros(products.height, bool)
    if len(chosen) == 0:
        return _Block(np.zeros((products.height, 1), np.float32), nothing)
    hasher = HashedNgrams([FieldGrams("all", 1, 2, 1)], min_rows=2 if len(chosen) > 50 else 1)
    matrix = hasher.fit_transform([joined[chosen].to_list()])
    if matrix.nnz == 0:
        return _Block(np.zeros((products.height, 1), np.float32), nothing)
    columns, strength = _directions(matrix, WIDTH, seed)
    directions = np.ascontiguousarray(columns * strength**_SOFTEN, np.float32)
    vectors = np.empty((products.height, directions.shape[1]), np.float32)
    for start in range(0, products.height, _BLOCK):
        part = slice(start, start + _BLOCK)
        vectors[part] = hasher.transform([joined[part].to_list()]) @ directions
    return _of_length_one(vectors)


def _directions(
    matrix: sparse.csr_matrix | NDArray[np.float32], width: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The strongest directions of a matrix [rows, features], float64 [features, width], and how strong."""
    rows, features = matrix.shape
    wide = min(width + _MORE, rows, features)
    start = np.random.default_rng(seed).standard_normal((features, wide)).astype(np.float32)
    turned = matrix.T
    basis = np.linalg.qr(matrix @ start)[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(turned @ basis)[0])[0]
    small = (turned @ basis).astype(np.float64)  # [features, wide]
    squares, turns = np.linalg.eigh(small.T @ small)
    kept = np.flatnonzero(squares > _TINY * max(float(squares[-1]), _TINY))[::-1][:width]
    strength = np.sqrt(squares[kept])
    return _signed(small @ turns[:, kept] / strength), strength


def _signed(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns with a sign that does not depend on the library: the largest entry is positive."""
    largest = columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])]
    signed: NDArray[np.float64] = columns * np.where(largest < 0, -1.0, 1.0)
    return signed


# -- vectors -------------------------------------------------------------------------------------------------


def _dense_block(products: pl.DataFrame, name: str, keys: NDArray[np.uint64], seed: int) -> _Block:
    known = products[PREFIX + name].is_not_null().to_numpy()
    chosen = sample_by_content(keys, np.flatnonzero(known), _SAMPLE)
    sample = _of_length_one(vectors_of(products[chosen.tolist()], name)[0]).vectors
    middle = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions = _directions(sample - middle, WIDTH // 2, seed)[0].astype(np.float32)
    vectors = np.zeros((products.height, directions.shape[1]), np.float32)
    for start in range(0, products.height, _BLOCK):
        raw, there = vectors_of(products[start : start + _BLOCK], name)
        unit = _of_length_one(raw).vectors - middle
        vectors[start : start + _BLOCK] = np.where(there[:, None], unit @ directions, 0)
    return _of_length_one(vectors)


def _of_length_one(vectors: NDArray[np.float32]) -> _Block:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    known = lengths > 1e-6
    unit: NDArray[np.float32] = (vectors / np.where(known, lengths, 1)[:, None]).astype(
        np.float32, copy=False
    )
    unit[~known] = 0
    return _Block(unit, known)


# -- both ----------------------------------------------------------------------------------------------------


def _side_by_side(blocks: Sequence[_Block], keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    parts = [_filled(number, blocks, keys) for number in range(len(blocks))]
    told = np.logical_or.reduce([block.known for block in blocks])
    vectors = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(blocks)))
    vectors[~told] = 0
    return vectors


def _filled(number: int, blocks: Sequence[_Block], keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """One block with what is missing put in its place: ridge regressions on the blocks that are there."""
    block = blocks[number]
    vectors, lacking = block.vectors.copy(), ~block.known
    if not lacking.any():
        return vectors
    guess = np.zeros((int(lacking.sum()), vectors.shape[1]), np.float32)
    for other in (b for place, b in enumerate(blocks) if place != number):
        both = sample_by_content(keys, np.flatnonzero(block.known & other.known), _SAMPLE)
        if len(both):
            guess += other.vectors[lacking] @ _regression(other.vectors[both], block.vectors[both])
    vectors[lacking] = _of_length_one(guess).vectors
    return vectors


def _regression(seen: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """What turns `seen` [rows, a] into a guess at `wanted` [rows, b], float32 [a, b]."""
    known = seen.astype(np.float64)
    square = known.T @ known + _RIDGE * len(known) * np.eye(known.shape[1])
    return np.linalg.solve(square, known.T @ wanted.astype(np.float64)).astype(np.float32)
