"""Hashed word and character n-grams of several text fields, as one sparse matrix.

Each field of a product (title, description, ...) is hashed with its own salt into one table, so that "apple"
as a brand and "apple" in a description are two features. Weights are sublinear term frequency times inverse
document frequency, each field normalised to length 1 and scaled by its weight (Weinberger et al. 2009,
arXiv:0902.2206 for hashing; Salton & Buckley 1988 for the weights; character grams stay inside words, as
scikit-learn's `char_wb`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features import ngrams_kernels as kernels
from shelfwise.features.compiled import read_only
from shelfwise.features.slots import Slots

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_BLOCK_CHARACTERS = 1 << 20  # bounds the memory of a block; a row is never split


@dataclass(frozen=True)
class FieldGrams:
    """Which n-grams of a field are features: up to `words` words, `chars_min` to `chars_max` characters."""

    name: str
    words: int = 2
    chars_min: int = 3
    chars_max: int = 5
    weight: float = 1.0


@dataclass(frozen=True)
class HashedBlock:
    """The n-grams of some rows before weighting: distinct hashes of each segment (row x field), counts."""

    hashes: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    sizes: NDArray[np.int64]  # [rows * fields]


_NOTHING = HashedBlock(np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty(0, np.int64))


@cache
def character_kinds() -> NDArray[np.uint8]:
    """0: between words; 1: letter, digit, combining mark; 2: a script without spaces. uint8 [0x30000]."""
    points = np.arange(0x30000, dtype=np.uint32)
    points[0xD800:0xE000] = 32
    kinds = np.strings.isalnum(points.view("U1")).astype(np.uint8)
    for point in np.flatnonzero(kinds[:0x3100] == 0).tolist():  # vowel signs and accents belong to their word
        if unicodedata.category(chr(point))[0] == "M":
            kinds[point] = 1
    for first, last in (
        (0x0E00, 0x0E7F),
        (0x3040, 0x30FF),
        (0x3400, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0x20000, 0x2FFFF),
    ):
        kinds[first : last + 1] *= 2
    return kinds


class HashedNgrams:
    """Learns which hashed n-grams a catalogue uses; turns text fields into rows of length 1.

    Parameters
    ----------
    fields: what to hash, in order; `transform` takes one list of texts a field in that order.
    bits: the table has 2**bits slots.
    min_rows: a feature seen in fewer rows is dropped (one row's own words cannot be generalised from).
    max_features: keep at most that many, the ones seen most often; 0 keeps all.
    threads: rows are hashed in blocks by that many threads; the result does not depend on it.

    After fitting: `kept_` uint32 [features], the table slots in use, commonest first; `idf_` float32
    [features].

    """

    def __init__(
        self,
        fields: Sequence[FieldGrams],
        *,
        bits: int = 22,
        min_rows: int = 2,
        max_features: int = 0,
        threads: int = 1,
    ) -> None:
        self.fields = tuple(fields)
        self.bits = bits
        self.min_rows = min_rows
        self.max_features = max_features
        self.threads = threads
        self._slots: tuple[NDArray[np.uint32], Slots] | None = None

    def fit_transform(self, texts: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """Learn the features of `texts` ([fields][rows]) and return the matrix [rows, features]."""
        blocks = self.hash(texts)
        self.fit(blocks)
        return self.weigh(blocks, release=True)

    def transform(self, texts: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """The matrix float32 [rows, features] of `texts` ([fields][rows])."""
        return self.weigh(self.hash(texts), release=True)

    def hash(self, texts: Sequence[Sequence[str]]) -> list[HashedBlock]:
        """Hash all rows, block by block; what `fit` and `weigh` start from."""
        if len(texts) != len(self.fields):
            raise ValueError(f"{len(self.fields)} fields are expected, {len(texts)} were given")
        return self._map(self._hash_block, list(self._blocks(texts)))

    def count_known(self, texts: Sequence[Sequence[str]], learned: bool = False) -> tuple[int, int]:
        """How many of the distinct n-grams of `texts` ([fields][rows]) are features; of how many.

        With `learned`, the rows are some that the features come from, and each is looked at as if it had not
        been there: what is as rare as a feature can be would be none.
        """
        slots, blocks, end = self._used(), self.hash(texts), len(self.idf_)
        if learned and len(self.idf_):
            end = int(np.flatnonzero(self.idf_ == self.idf_.max())[0])  # the commonest come first
        found = (slots.find(block.hashes) for block in blocks)
        known = sum(int(np.count_nonzero((part >= 0) & (part < end))) for part in found)
        return known, sum(len(block.hashes) for block in blocks)

    def fit(self, blocks: Sequence[HashedBlock]) -> HashedNgrams:
        """Choose the features and their idf from hashed rows."""
        rows_with = np.zeros(1 << self.bits, np.int32)
        rows = 0
        for block in blocks:
            kernels.count_rows(block.hashes, rows_with)
            rows += len(block.sizes) // len(self.fields)
        return self.choose(rows_with, rows)

    def choose(self, rows_with: NDArray[np.int32], rows: int) -> HashedNgrams:
        """Choose the features and their idf: of `rows` rows, how many have each slot, int32 [2**bits]."""
        least = max(self.min_rows, 1)
        kept = np.flatnonzero(rows_with >= least)
        # The commonest first (equally common ones by slot): what is read most often then lies together in the
        # caches.
        kept = kept[np.argsort(-rows_with[kept], kind="stable")]
        if self.max_features:
            kept = kept[: self.max_features]
        self.kept_ = read_only(kept.astype(np.uint32))
        self.idf_ = read_only((np.log((1 + rows) / (1 + rows_with[self.kept_])) + 1).astype(np.float32))
        return self

    def weigh(self, blocks: list[HashedBlock], release: bool = False) -> sparse.csr_matrix:
        """The weighted matrix of hashed rows; a feature that was not kept is left out.

        With `release`, each block is taken out of the list once it is in the matrix: the two never lie in
        memory whole.
        """
        slots = self._used()
        if len(blocks) == 1:  # looking up each hash twice takes longer than room for those that were not kept
            sizes = [len(blocks[0].hashes)]
        else:
            sizes = self._map(lambda block: int(np.count_nonzero(slots.find(block.hashes) >= 0)), blocks)
        starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        indices, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)

        def weigh_block(number: int) -> NDArray[np.int64]:
            block = blocks[number]
            if release:
                blocks[number] = _NOTHING
            place = slice(starts[number], starts[number + 1])
            ends = self.weigh_block(block, indices[place], values[place])
            ends += starts[number]
            return ends

        ends = self._map(weigh_block, range(len(blocks)))
        indptr = np.concatenate([np.zeros(1, np.int64), *ends])
        matrix = sparse.csr_matrix((len(indptr) - 1, len(self.kept_)), dtype=np.float32)
        if indptr[-1] <= np.iinfo(np.int32).max:  # scipy wants one type of both, and copies where they differ
            indptr = indptr.astype(np.int32)
        # Assigned, not passed: the constructor would scan and copy; indices stay in the order of the text.
        matrix.data, matrix.indices, matrix.indptr = values[: indptr[-1]], indices[: indptr[-1]], indptr
        return matrix

    def weigh_block(
        self, block: HashedBlock, indices: NDArray[np.int32], values: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Write the features of a block's rows and their weights; returns the end of each row, [rows]."""
        slots, weights = self._used(), np.array([field.weight for field in self.fields], np.float32)
        ends = np.empty(len(block.sizes) // len(weights), np.int64)
        kernels.weigh(
            block.hashes, block.counts, block.sizes, slots.words, slots.features, self.idf_, weights, indices,
            values, ends,
        )  # fmt: skip
        return ends

    def find(self, hashes: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The feature of each hash, -1 where it is none: int32 [hashes]."""
        return self._used().find(hashes)

    def _used(self) -> Slots:
        known = self._slots  # read and set as one: threads share a fitted model
        if known is None or known[0] is not self.kept_:
            self._slots = known = (self.kept_, Slots.of(self.kept_, self.bits))
        return known[1]

    def _map(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        if self.threads <= 1 or len(items) <= 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, items))

    def _blocks(self, texts: Sequence[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
        rows = len(texts[0])
        lengths = np.zeros(rows, np.int64)
        for field in texts:
            lengths += np.fromiter(map(len, field), np.int64, rows)
        ends = np.cumsum(lengths)
        begin = 0
        while begin < rows:
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + _BLOCK_CHARACTERS, "right")))
            yield [field[begin:end] for field in texts]
            begin = end

    def _hash_block(self, texts: Sequence[Sequence[str]]) -> HashedBlock:
        segments = [text.lower() for row in zip(*texts, strict=True) for text in row]
        starts = np.zeros(len(segments) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, segments), np.int64, len(segments)), out=starts[1:])
        text = np.frombuffer("".join(segments).encode("utf-32-le", "surrogatepass"), np.uint32)
        salts = np.array([_salt(field.name) for field in self.fields], np.uint64)
        grams = np.array([(f.words, f.chars_min, f.chars_max) for f in self.fields], np.int64)
        room = int(grams[:, 0].max() + grams[:, 2].max() + 1) * (len(text) * 2 + len(segments)) // 2 + 64
        hashes, counts = np.empty(room, np.uint32), np.empty(room, np.uint8)
        sizes = np.empty(len(segments), np.int64)
        mask = np.uint32((1 << self.bits) - 1)
        used = kernels.hash_segments(
            text, starts, salts, character_kinds(), grams, mask, hashes, counts, sizes
        )
        return HashedBlock(hashes[:used].copy(), counts[:used].copy(), sizes)


def _salt(name: str) -> int:
    """A salt that depends on nothing but the field's name (FNV-1a of its UTF-8 bytes)."""
    salt = 0xCBF29CE484222325
    for byte in name.encode():
        salt = (salt ^ byte) * 0x100000001B3 % (1 << 64)
    return salt
