"""Vectors to learn from: rows of numbers in memory or in a file, some of them chosen without a copy.

A learner asks for some rows, or for all of them in blocks, and gets the same numbers wherever they lie.
Blocks are as long whatever memory there is, so that sums over them are the same to the bit. Files are read
and not mapped: where one row of a mapped file is touched, the system may map two megabytes around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.workspace import WorkFile, Workspace

Floats = NDArray[np.float32]
_Numbers = NDArray[np.floating[Any]]

BLOCK = 4096
"""Rows that are worked on at a time."""
SHARE = 0.06
"""Of the workspace's memory, how much one set of vectors may fill."""
_MOST = 1 << 30  # bytes that are read by one call
_SPARSE = 4  # rows are read with all between them unless these are so many times as many


class FiledNumbers:
    """Rows of numbers [rows, width] that lie in a file, one after the other.

    Parameters
    ----------
    file: holds nothing else.
    width: numbers of a row. kind: of which type they are.

    """

    def __init__(self, file: WorkFile, width: int, kind: type[np.float32] | type[np.float16]) -> None:
        self._file, self._kind = file, kind
        self.shape = (0, width)
        self._row = width * np.dtype(kind).itemsize

    def add(self, part: NDArray[np.floating]) -> None:
        """Put rows after the others."""
        values = np.ascontiguousarray(part, self._kind)
        self._file.write([values.reshape(-1).view(np.uint8).data])
        self.shape = (self.shape[0] + len(values), self.shape[1])

    def read(self, begin: int, end: int) -> _Numbers:
        """The rows from `begin` to `end`."""
        values: _Numbers = np.empty((end - begin, self.shape[1]), self._kind)
        content = values.reshape(-1).view(np.uint8).data
        for at in range(0, len(content), _MOST):
            self._file.read_into(begin * self._row + at, content[at : at + _MOST])
        return values

    def take(self, places: NDArray[np.integer]) -> _Numbers:
        """Some rows in that order."""
        if not len(places):
            return self.read(0, 0)
        first, last = int(places.min()), int(places.max()) + 1
        if last - first <= _SPARSE * len(places):
            some: _Numbers = self.read(first, last)[places - first]
            return some
        values: _Numbers = np.empty((len(places), self.shape[1]), self._kind)
        content = values.reshape(-1).view(np.uint8).data
        for number, place in enumerate(places.tolist()):
            own = content[number * self._row : (number + 1) * self._row]
            self._file.read_into(place * self._row, own)
        return values


class DenseRows:
    """Rows float32 [rows, width]; numbers that are kept in half precision are handed out in single.

    Parameters
    ----------
    values: an array [any, width], which is not written to, or numbers in a file.
    chosen: which rows of it these are, int64 [rows]; None: all, in their order.
    space: where arrays lie that are made of them.

    """

    def __init__(
        self,
        values: _Numbers | FiledNumbers,
        chosen: NDArray[np.int64] | None = None,
        space: Workspace | None = None,
    ) -> None:
        self._values = values
        self._chosen = chosen
        self.space = space or Workspace()

    def __len__(self) -> int:
        return len(self._chosen) if self._chosen is not None else int(self._values.shape[0])

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return int(self._values.shape[1])

    @property
    def filed(self) -> bool:
        """Whether they lie in a file."""
        return isinstance(self._values, FiledNumbers)

    def whole(self) -> _Numbers:
        """All rows as one array in memory, in the precision in which they are kept."""
        if self._chosen is not None:
            return self._some(self._chosen)
        return self._values.read(0, len(self)) if isinstance(self._values, FiledNumbers) else self._values

    def take(self, rows: NDArray[np.integer] | slice) -> Floats:
        """Some rows in that order, a copy in memory."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        return self._some(rows if self._chosen is None else self._chosen[rows]).astype(np.float32, copy=False)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, Floats]]:
        """All rows in order, `size` at a time: where they stand, and what they are; not to be written to."""
        for at in range(0, len(self), size):
            rows = slice(at, min(at + size, len(self)))
            if self._chosen is not None:
                part = self._some(self._chosen[rows])
            elif isinstance(self._values, FiledNumbers):
                part = self._values.read(at, rows.stop)
            else:
                part = self._values[rows]
            yield rows, part.astype(np.float32, copy=False)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> DenseRows:
        """Some of the rows, by a mask [rows] or by numbers, which may repeat; nothing is copied."""
        if chosen.dtype == np.bool_ and chosen.all():
            return self
        numbers = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return DenseRows(self._values, numbers if self._chosen is None else self._chosen[numbers], self.space)

    def changed(
        self,
        change: Callable[[Floats], NDArray[np.floating]],
        width: int | None = None,
        kind: type[np.float32] | type[np.float16] = np.float32,
    ) -> DenseRows:
        """What `change` makes of each block of rows, [rows, width], kept as `kind`."""
        wide = self.width if width is None else width
        size = len(self) * wide * np.dtype(kind).itemsize
        if size > self.space.part(SHARE):
            filed = FiledNumbers(self.space.file(), wide, kind)
            for _, part in self.blocks():
                filed.add(change(part))
            return DenseRows(filed, None, self.space)
        values: _Numbers = np.empty((len(self), wide), kind)
        for rows, part in self.blocks():
            values[rows] = change(part)
        return DenseRows(values, None, self.space)

    def _some(self, places: NDArray[np.integer]) -> _Numbers:
        return self._values.take(places) if isinstance(self._values, FiledNumbers) else self._values[places]


def as_dense(X: Floats | DenseRows) -> DenseRows:
    """An array as rows; rows as they are."""
    return X if isinstance(X, DenseRows) else DenseRows(np.asarray(X))


@dataclass(frozen=True)
class KnownRows:
    """Vectors of products: rows, of those that have one; known: which these are, bool [products]."""

    rows: DenseRows
    known: NDArray[np.bool_]

    def only(self, chosen: NDArray[np.bool_]) -> KnownRows:
        """Those of some of the products, bool [products]."""
        return KnownRows(self.rows.only(chosen[self.known]), self.known[chosen])


class Gathered:
    """Vectors of products that come piece by piece; those that are known are kept.

    They stay in memory until they no longer fit, and lie in a file from then on.

    Parameters
    ----------
    space: decides where they lie.

    """

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._room = space.part(SHARE)
        self._parts: list[Floats] = []
        self._filed: FiledNumbers | None = None
        self._known: list[NDArray[np.bool_]] = []

    def add(self, vectors: Floats, known: NDArray[np.bool_]) -> None:
        """Put the vectors float32 [products, width] of a piece after the others; known: bool [products].

        A piece without any may be of width 0.
        """
        self._known.append(known)
        if not known.any():
            return
        kept = vectors if known.all() else vectors[known]
        self._room -= kept.nbytes
        self._parts.append(kept)
        if self._room < 0:
            width = vectors.shape[1]
            self._filed = self._filed or FiledNumbers(self._space.file(), width, np.float32)
            for part in self._parts:
                self._filed.add(part)
            self._parts = []

    def done(self) -> KnownRows:
        """The vectors of all products that came."""
        known = np.concatenate([np.empty(0, np.bool_), *self._known])
        if self._filed is not None:
            return KnownRows(DenseRows(self._filed, None, self._space), known)
        values = np.concatenate(self._parts) if self._parts else np.empty((0, 0), np.float32)
        self._parts = []
        return KnownRows(DenseRows(values, None, self._space), known)
