"""Products of a whole catalogue in pieces, which lie in memory or, where that is too small, in a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.workspace import Place, WorkFile, Workspace

_SHARE = 0.08
"""Of the workspace's memory, how much products may fill."""


class Pieces:
    """Frames of the same columns, one after the other.

    Parameters
    ----------
    space: where pieces go that are too many for memory; None: all of them stay in memory.

    """

    def __init__(self, space: Workspace | None = None) -> None:
        self.space = space or Workspace()
        self.starts = [0]
        """The first row of each piece, and how many rows there are."""
        self._room = self.space.part(_SHARE)
        self._pieces: list[pl.DataFrame | Place] = []
        self._file: WorkFile | None = None

    def __len__(self) -> int:
        return self.starts[-1]

    def add(self, piece: pl.DataFrame) -> None:
        """Put rows after the others; where they no longer fit into memory, all are written to disk."""
        self.starts.append(len(self) + piece.height)
        self._room -= int(piece.estimated_size())
        self._pieces.append(piece)
        if self._room < 0:
            self._pieces = [self._written(kept) for kept in self._pieces]

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """The pieces in order."""
        return self.read()

    def read(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The pieces in order, just these columns of them."""
        for piece in self._pieces:
            yield self._opened(piece, columns)

    def take(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Some rows, ascending."""
        edges = np.searchsorted(rows, self.starts)
        taken = [
            self._opened(piece, columns)[(rows[edges[number] : edges[number + 1]] - start).tolist()]
            for number, (piece, start) in enumerate(zip(self._pieces, self.starts, strict=False))
            if edges[number] < edges[number + 1] or number == 0
        ]
        whole: pl.DataFrame = pl.concat(taken)
        return whole

    def only(self, chosen: NDArray[np.bool_]) -> Pieces:
        """Some of the rows, bool [rows]; these pieces themselves where that is all of them."""
        if chosen.all():
            return self
        fewer = Pieces(self.space)
        for piece, start in zip(self, self.starts, strict=False):
            fewer.add(piece.filter(pl.Series(chosen[start : start + piece.height])))
        return fewer

    def frame(self) -> pl.DataFrame:
        """All rows as one frame in memory."""
        return pl.concat(list(self))

    def _written(self, piece: pl.DataFrame | Place) -> Place:
        if isinstance(piece, Place):
            return piece
        content = io.BytesIO()
        piece.write_ipc(content, compression="lz4")
        self._file = self._file or self.space.file()
        return self._file.write([content.getbuffer()])

    def _opened(self, piece: pl.DataFrame | Place, columns: Sequence[str] | None) -> pl.DataFrame:
        if isinstance(piece, pl.DataFrame):
            return piece if columns is None else piece.select(columns)
        assert self._file is not None
        content = io.BytesIO(self._file.read(piece).tobytes())
        return pl.read_ipc(content, columns=None if columns is None else list(columns))
