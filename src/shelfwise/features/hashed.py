"""Hashed n-grams of a whole catalogue, and rows of weighted features that are made of them when asked for.

Text is hashed once. Every fit, on whatever rows, starts from the hashes: features are counted on its rows,
and a row's weights are made of its hashes when a learner asks for it. So neither texts nor matrices need fit
into memory: pieces of hashes lie in memory or in a file, as the workspace has it, and the matrix of all rows
is made only where there is room for it. The rows are the same to the bit either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features import hashed_kernels as kernels
from shelfwise.features.ngrams import HashedBlock, HashedNgrams
from shelfwise.features.ngrams_kernels import count_rows
from shelfwise.workspace import Place, WorkFile, Workspace

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Kind = TypeVar("_Kind", bound=np.generic)
_VALUE = 8
"""Bytes of one value of a matrix: its feature and its weight."""


class HashedRows:
    """The n-grams of rows before weighting, piece by piece.

    Parameters
    ----------
    fields: segments of a row.
    space: where pieces go that are too many for memory.
    share: of the workspace's memory, how much they may fill.

    """

    def __init__(self, fields: int, space: Workspace, share: float) -> None:
        self.fields = fields
        self.starts = [0]
        """Where each piece begins among the rows as they lie, and how many rows there are."""
        self.order: NDArray[np.int32] | None = None
        """The rows as they lie, int32 [rows]; None: in their own order."""
        self.space, self.share = space, share
        self._room = space.part(share)
        self._pieces: list[HashedBlock | _Shelved] = []
        self._file: WorkFile | None = None

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return len(self._pieces)

    def add(self, block: HashedBlock) -> None:
        """Put a block of rows after the others; where they no longer fit into memory, all go to disk."""
        self.starts.append(self.starts[-1] + len(block.sizes) // self.fields)
        self._room -= block.hashes.nbytes + block.counts.nbytes + block.sizes.nbytes
        self._pieces.append(block)
        if self._room < 0:
            self._file = self._file or self.space.file()
            for number, piece in enumerate(self._pieces):
                if isinstance(piece, HashedBlock):
                    self._pieces[number] = _Shelved.of(piece, self._file)

    def piece(self, number: int, chosen: NDArray[np.bool_] | None = None) -> HashedBlock:
        """A piece; `chosen`: of the rows [len(self)] only those."""
        if chosen is not None:
            here = self.lying(chosen, number)
            if not here.any():
                return _nothing()
        piece = self._pieces[number]
        block = piece if isinstance(piece, HashedBlock) else piece.read()
        if chosen is None or here.all():
            return block
        hashes, counts = np.empty_like(block.hashes), np.empty_like(block.counts)
        sizes = np.empty(int(here.sum()) * self.fields, np.int64)
        used = kernels.pick_rows(
            block.hashes, block.counts, block.sizes, self.fields, here, hashes, counts, sizes
        )
        return HashedBlock(hashes[:used], counts[:used], sizes)

    def lying(self, values: NDArray[_Kind], number: int | None = None) -> NDArray[_Kind]:
        """Values of the rows [len(self)] as the rows lie; `number`: those of one piece."""
        if self.order is None:
            return values if number is None else values[self.starts[number] : self.starts[number + 1]]
        if number is None:
            return values[self.order]
        return values[self.order[self.starts[number] : self.starts[number + 1]]]

    def arranged(self, y: NDArray[np.int32]) -> HashedRows:
        """The same rows, laid so that those of one class (codes y) are together: few pieces have to be read.

        Rows in memory are left as they are. Rows of the same class keep their order.
        """
        if self._file is None:
            return self
        shelf_of = _shelves(y)
        most = max(self.space.part(_SHELVES_SHARE) // _SHELVES, _SHELF_BYTES)
        shelves = [_Shelf(min(most, 100 * _SHELF_BYTES)) for _ in range(int(shelf_of.max(initial=0)) + 1)]
        laid = HashedRows(self.fields, self.space, self.share)
        laid._file, laid._room = self.space.file(), -1
        order: list[NDArray[np.int32]] = []
        for number in range(self.pieces):
            rows = np.arange(self.starts[number], self.starts[number + 1], dtype=np.int32)
            for place, part, block in _sorted(self.piece(number), rows, shelf_of[y[rows]], self.fields):
                shelves[place].put(part, block)
                if shelves[place].full:
                    shelves[place].clear(laid, order)
        for shelf in shelves:
            shelf.clear(laid, order)
        laid.order = np.concatenate([np.empty(0, np.int32), *order])
        return laid


_SHELVES = 96
_SHELVES_SHARE = 0.05
_SHELF_BYTES = 50_000


def _shelves(y: NDArray[np.int32]) -> NDArray[np.int64]:
    """The shelf of each class: runs of classes of about as many rows, int64 [classes]."""
    before = np.cumsum(np.bincount(y)) - np.bincount(y)
    return before * _SHELVES // max(len(y), 1)


class _Shelf:
    """Rows of some classes, until they are more than `most` bytes: enough for a piece."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._rows: list[NDArray[np.int32]] = []
        self._blocks: list[HashedBlock] = []

    @property
    def full(self) -> bool:
        return self._size > self._most

    def put(self, rows: NDArray[np.int32], block: HashedBlock) -> None:
        self._rows.append(rows)
        self._blocks.append(block)
        self._size += block.hashes.nbytes + block.counts.nbytes + block.sizes.nbytes

    def clear(self, into: HashedRows, order: list[NDArray[np.int32]]) -> None:
        if self._rows:
            order.append(np.concatenate(self._rows))
            hashes = np.concatenate([block.hashes for block in self._blocks])
            counts = np.concatenate([block.counts for block in self._blocks])
            sizes = np.concatenate([block.sizes for block in self._blocks])
            into.add(HashedBlock(hashes, counts, sizes))
        self._rows, self._blocks, self._size = [], [], 0


def _sorted(
    block: HashedBlock, rows: NDArray[np.int32], shelf: NDArray[np.int64], fields: int
) -> Iterator[tuple[int, NDArray[np.int32], HashedBlock]]:
    """The rows of a block by shelf, int64 [rows]: its number, the rows and what they hold."""
    order = np.argsort(shelf, kind="stable")
    hashes, counts = np.empty_like(block.hashes), np.empty_like(block.counts)
    sizes = np.empty_like(block.sizes)
    kernels.sort_rows(block.hashes, block.counts, block.sizes, fields, order, hashes, counts, sizes)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    edges = np.flatnonzero(np.diff(shelf[order], prepend=-1, append=-1))
    for a, b in pairwise(edges.tolist()):
        here = slice(ends[a * fields], ends[b * fields])
        part = HashedBlock(hashes[here].copy(), counts[here].copy(), sizes[a * fields : b * fields].copy())
        yield int(shelf[order[a]]), rows[order[a:b]], part


class _Shelved:
    """A piece that lies in a file."""

    def __init__(self, file: WorkFile, place: Place, grams: int, segments: int) -> None:
        self._file, self._place, self._grams, self._segments = file, place, grams, segments

    @staticmethod
    def of(block: HashedBlock, file: WorkFile) -> _Shelved:
        parts = (block.hashes, block.counts, block.sizes.astype(np.uint32))
        place = file.write([np.ascontiguousarray(part).view(np.uint8).data for part in parts])
        return _Shelved(file, place, len(block.hashes), len(block.sizes))

    def read(self) -> HashedBlock:
        content, grams = self._file.read(self._place), self._grams
        hashes = content[: 4 * grams].view(np.uint32)
        sizes = np.empty(self._segments, np.uint32)
        sizes.view(np.uint8)[:] = content[5 * grams :]
        return HashedBlock(hashes, content[4 * grams : 5 * grams], sizes.astype(np.int64))


def _nothing() -> HashedBlock:
    return HashedBlock(np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty(0, np.int64))


class GramRows:
    """Rows of weighted features; see `learners.rows.Rows` for what a learner may ask.

    Parameters
    ----------
    hashed: the catalogue's hashes.
    hasher: chooses the features and weighs them; it is fitted on the chosen rows.
    chosen: bool [len(hashed)], the rows; None: all of them.
    share: of the workspace's memory, how much one matrix may fill.

    """

    def __init__(
        self, hashed: HashedRows, hasher: HashedNgrams, chosen: NDArray[np.bool_] | None, share: float
    ) -> None:
        self._hashed, self._hasher, self.space = hashed, hasher, hashed.space
        self._chosen = np.ones(len(hashed), np.bool_) if chosen is None else chosen
        self._rows = None if self._chosen.all() else np.flatnonzero(self._chosen)
        self._fit()
        self.lengths: NDArray[np.int32] = self._known[self._chosen]
        self.shape = len(self.lengths), len(hasher.kept_)
        self.room = max(self.space.part(share) // _VALUE, 1)
        self.order: NDArray[np.int32] | None = None
        if hashed.order is not None:
            number = np.cumsum(self._chosen, dtype=np.int32) - np.int32(1)
            self.order = number[hashed.order[self._chosen[hashed.order]]]
        everything = np.arange(self.shape[0])
        fits = int(self.lengths.sum(dtype=np.int64)) <= self.room
        self.whole: sparse.csr_matrix | None = None
        self.whole = self.take(everything) if fits else None

    def take(self, rows: NDArray[np.integer]) -> sparse.csr_matrix:
        """The matrix float32 of some rows, which are ascending and each there once."""
        if self.whole is not None:
            return self.whole if len(rows) == self.shape[0] else self.whole[rows]
        lying, matrix = self.gather(rows)
        return matrix if self.order is None else matrix[np.argsort(lying)]

    def gather(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.integer], sparse.csr_matrix]:
        """The matrix of some rows, each there once, as they lie; and the rows in that order."""
        if self.whole is not None:
            rows = np.sort(rows)
            return rows, self.take(rows)
        hashed = self._hashed
        wanted = np.zeros(self.shape[0], np.bool_)
        wanted[rows] = True
        lying = np.flatnonzero(wanted) if self.order is None else self.order[wanted[self.order]]
        if self._rows is not None:
            every = np.zeros(len(hashed), np.bool_)
            every[self._rows] = wanted
            wanted = every
        return lying, self._matrix(wanted, self.lengths[lying])

    def _fit(self) -> None:
        """Choose the features by the rows, and count how many each row has: int32 [len(hashed)]."""
        hashed, hasher = self._hashed, self._hasher
        rows_with = np.zeros(1 << hasher.bits, np.int32)
        for number in range(hashed.pieces):
            count_rows(hashed.piece(number, self._chosen).hashes, rows_with)
        hasher.choose(rows_with, int(self._chosen.sum()))

        def count(number: int) -> NDArray[np.int32]:
            block = hashed.piece(number)
            lengths = np.empty(len(block.sizes) // hashed.fields, np.int32)
            kernels.count_known(hasher.find(block.hashes), block.sizes, hashed.fields, lengths)
            return lengths

        counted = _share(count, range(hashed.pieces), hasher.threads)
        self._known: NDArray[np.int32] = np.concatenate([np.empty(0, np.int32), *counted])
        if hashed.order is not None:
            lying, self._known = self._known, np.empty_like(self._known)
            self._known[hashed.order] = lying

    def _matrix(self, wanted: NDArray[np.bool_], lengths: NDArray[np.int32]) -> sparse.csr_matrix:
        """The rows that are wanted, bool [len(hashed)], as they lie; lengths: int32 [wanted], so too."""
        hashed, hasher = self._hashed, self._hasher
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        indices, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
        edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(hashed.lying(wanted))])[hashed.starts]

        def weigh(number: int) -> None:
            begin, end = edges[number], edges[number + 1]
            if begin < end:
                here = slice(indptr[begin], indptr[end])
                hasher.weigh_block(hashed.piece(number, wanted), indices[here], values[here])

        _share(weigh, range(hashed.pieces), hasher.threads)
        return as_matrix(indptr, indices, values, self.shape[1])


def hash_into(hashed: HashedRows, hasher: HashedNgrams, texts: Sequence[Sequence[str]]) -> None:
    """Hash the texts [fields][rows] of products and add them."""
    for block in hasher.hash(texts):
        hashed.add(block)


def as_matrix(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32], width: int
) -> sparse.csr_matrix:
    """A sparse matrix of arrays as they are: the constructor would scan and copy, and could sort."""
    matrix = sparse.csr_matrix((len(indptr) - 1, width), dtype=np.float32)
    if indptr[-1] <= np.iinfo(np.int32).max:  # scipy wants one type of both, and copies where they differ
        indptr = indptr.astype(np.int32)
    matrix.data, matrix.indices, matrix.indptr = values, indices, indptr
    return matrix


def _share(work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> list[_Result]:
    if threads <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
