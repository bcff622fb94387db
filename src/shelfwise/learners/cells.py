"""Cells: many rows grouped around middles, so that a query is compared with those in the likest cells alone.

The middles are found by FAISS (k-means on a sample, with a fixed seed on one thread), and so are the rows of
the likest cells that come into question, from codes of eight bits a number (IVF,SQ8: Jégou et al. 2011,
doi:10.1109/TPAMI.2010.57). Which of them are the nearest is for the caller to say, from the rows themselves.

What was found is plain arrays: a model keeps them, and a file beside the cached vectors does, too, under the
digest of the rows. That file is a cache: without it, or where it is damaged, the cells are made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError
from shelfwise.features.cache import default_folder
from shelfwise.features.dense_rows import DenseRows
from shelfwise.learners.matrix import Workers, one_blas_thread
from shelfwise.unfinished import whole_file

Floats = NDArray[np.float32]

PROBES = 32
"""Cells that a query is compared with."""
_PER_ROOT = 4  # cells: so many times the root of the number of rows
_SAMPLE = 50  # rows a cell that the middles are found on
_ROUNDS = 10
_SEED = 1234
_QUERIES = 256
_VERSION = 1  # of how cells are made; another one makes other digests
_FOLDER = "index-cells"  # no fingerprint of an encoder has a hyphen, see `VectorCache.of`


@dataclass(frozen=True)
class Cells:
    """What was found out about rows.

    middles: float32 [cells, width]. cell: int32 [rows], the one each row lies in. low, span: float32 [width],
    where codes begin and how far they reach, of a row less the middle of its cell.
    """

    middles: Floats
    cell: NDArray[np.int32]
    low: Floats
    span: Floats

    @staticmethod
    def of(rows: DenseRows, threads: int = 1) -> Cells:
        """Find the cells of rows of length 1; the same bits for any number of threads, on one machine.

        Only where FAISS is installed (`installed`).
        """
        import faiss

        count, width = min(round(_PER_ROOT * math.sqrt(len(rows))), len(rows)), rows.width
        chosen = np.random.default_rng(_SEED).permutation(len(rows))[: _SAMPLE * count]
        sample = rows.take(np.sort(chosen))
        index = _empty_index(np.zeros((0, width), np.float32), count)
        index.cp.seed, index.cp.niter = _SEED, _ROUNDS
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLE
        with _one_thread(faiss):
            index.train(sample)
            middles: Floats = index.quantizer.reconstruct_n(0, count)
        trained = faiss.vector_to_array(index.sq.trained)
        cell = np.empty(len(rows), np.int32)
        turned = np.ascontiguousarray(middles.T)
        with one_blas_thread(), Workers(threads) as workers:
            for place, part in rows.blocks(1024):
                cell[place] = workers.fitting(part, turned).argmax(axis=1)
        return Cells(middles, cell, trained[:width].copy(), trained[width:].copy())

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name."""
        return {"middles": self.middles, "cell": self.cell, "low": self.low, "span": self.span}

    @staticmethod
    def restore(tensors: Mapping[str, NDArray[np.generic]], rows: int, width: int) -> Cells:
        """Take what `tensors` gave, of that many rows; ModelError where it does not fit."""
        middles, low, span = (tensors[name].astype(np.float32) for name in ("middles", "low", "span"))
        cell = tensors["cell"].astype(np.int32)
        sound = middles.ndim == 2 and middles.shape[1:] == low.shape == span.shape == (width,)
        sound = sound and cell.shape == (rows,) and rows > 0
        sound = sound and 0 <= int(cell.min()) <= int(cell.max()) < len(middles)
        if not sound or not all(np.isfinite(array).all() for array in (middles, low, span)):
            raise ModelError("the cells of an index of vectors do not fit them: the model is damaged")
        return Cells(middles, cell, low, span)


class CellIndex:
    """Finds the rows that may be the nearest of queries; it is made when it is first asked.

    It fills one byte a number of each row.

    Parameters
    ----------
    rows: the rows.
    cells: their cells.

    """

    def __init__(self, rows: DenseRows, cells: Cells) -> None:
        self.rows, self.cells = rows, cells
        self._making = threading.Lock()

    def candidates(self, queries: Floats, count: int, threads: int = 1) -> NDArray[np.int64]:
        """Up to `count` rows for each query float32 [queries, width], int64 [queries, count], -1: no more.

        What one query gets does not depend on the others.
        """
        with self._making:
            index = self._index
        parts = [queries[at : at + _QUERIES] for at in range(0, len(queries), _QUERIES)]
        if threads <= 1 or len(parts) <= 1:
            return np.concatenate(
                [np.empty((0, count), np.int64), *(self._ask(index, part, count) for part in parts)]
            )
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(lambda part: self._ask(index, part, count), parts)))

    def _ask(self, index: Any, queries: Floats, count: int) -> NDArray[np.int64]:  # noqa: ANN401 - of FAISS
        with Workers() as workers:  # not by FAISS, whose sums depend on how many are asked at once
            alike = workers.product(queries, self._turned)
        probes = index.nprobe
        best = np.argpartition(-alike, probes - 1, axis=1)[:, :probes]
        near = np.take_along_axis(alike, best, axis=1)
        found: NDArray[np.int64] = index.search_preassigned(queries, count, best, near)[1]
        return found

    @cached_property
    def _turned(self) -> Floats:
        return np.ascontiguousarray(self.cells.middles.T)

    @cached_property
    def _index(self) -> Any:  # noqa: ANN401 - of FAISS
        import faiss

        cells = self.cells
        index = _empty_index(cells.middles, len(cells.middles))
        faiss.copy_array_to_vector(np.concatenate([cells.low, cells.span]), index.sq.trained)
        index.is_trained, index.nprobe = True, min(PROBES, len(cells.middles))
        with _one_thread(faiss):
            for place, part in self.rows.blocks():
                part = np.ascontiguousarray(part)
                own = cells.cell[place].astype(np.int64)
                index.add_core(len(part), faiss.swig_ptr(part), None, faiss.swig_ptr(own))
        return index


def installed() -> bool:
    """Whether FAISS can be used."""
    return find_spec("faiss") is not None


def kept_cells(rows: DenseRows, threads: int = 1) -> tuple[Cells, str | None]:
    """The cells of rows, from the cache where they are known; and what to know about it, if anything."""
    path = default_folder() / _FOLDER / f"{_digest(rows)}.safetensors"
    note = None
    if path.is_file():
        try:
            return _read(path, rows), None
        except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
            note = f"the cached index {path} is damaged ({error}); it was made again"
    cells = Cells.of(rows, threads)
    with contextlib.suppress(OSError):  # a cache that cannot be written to costs time, and nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, "index") as building:
            building.write_bytes(_packed(cells))
    return cells, note


def _digest(rows: DenseRows) -> str:
    """SHA-256 of the rows and of how cells are made of them."""
    import faiss

    settings = (_VERSION, _PER_ROOT, _SAMPLE, _ROUNDS, _SEED, faiss.__version__, len(rows), rows.width)
    digest = hashlib.sha256(repr(settings).encode())
    for _, part in rows.blocks():
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _packed(cells: Cells) -> bytes:
    """The cells as the bytes of a file, with their digest before them."""
    from safetensors.numpy import save

    content = bytes(save(dict(cells.tensors())))
    return hashlib.sha256(content).digest() + content


def _read(path: Path, rows: DenseRows) -> Cells:
    """The cells in a file; ValueError and the like if it is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = path.read_bytes()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError("its bytes are not those that were written")
    try:
        return Cells.restore(load(content[32:]), len(rows), rows.width)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _empty_index(middles: Floats, count: int) -> Any:  # noqa: ANN401 - of FAISS
    """An inverted file with codes of eight bits around `count` middles, of which these are known."""
    import faiss

    kind, width = faiss.METRIC_INNER_PRODUCT, middles.shape[1]
    flat = faiss.IndexFlatIP(width)
    if len(middles):
        flat.add(middles)
    index = faiss.IndexIVFScalarQuantizer(flat, width, count, faiss.ScalarQuantizer.QT_8bit, kind)
    return index


@contextlib.contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Hold FAISS to one thread of this thread's, and its BLAS."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        with one_blas_thread():
            yield
    finally:
        faiss.omp_set_num_threads(before)
