"""Products of dense matrices that give the same bits for any number of threads.

Those of a BLAS need not: how it cuts a matrix, and so the order of its sums, depends on the number of threads
and of rows (OpenBLAS's kernels for AVX2 differ, those for AVX-512 do not). What answers products sums each
value in one order, whatever batch a row stands in (`Workers.product`), at a third to a half of a BLAS's
speed. What is fitted sees the same rows every time: there a BLAS held to one thread multiplies pieces whose
size does not depend on the number of threads (`Workers.fitting`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.compiled import compiled

Floats = NDArray[np.float32]

_SHARE = 128
"""Rows that are multiplied at a time: so many lie in the cache."""
_TILE = 128


class Workers:
    """Threads that multiply matrices; a context manager.

    Parameters
    ----------
    threads: how many; the results do not depend on it.

    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = max(threads, 1)
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        if self.threads > 1:
            self._pool = ThreadPoolExecutor(self.threads)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def fitting(self, A: Floats, B: Floats, bias: Floats | None = None) -> Floats:
        """A [n, d] times B [d, m], plus bias [m] on each row: float32 [n, m].

        Only inside of `one_blas_thread`. In another batch a row may get other last bits: this is to fit with,
        not to answer with.
        """
        out = np.empty((len(A), B.shape[1]), np.float32)
        parts = [slice(at, at + _SHARE) for at in range(0, len(A), _SHARE)]
        run = map if self._pool is None else self._pool.map
        for _ in run(lambda part: np.matmul(A[part], B, out=out[part]), parts):
            pass
        if bias is not None:
            out += bias
        return out

    def product(self, A: Floats, B: Floats, bias: Floats | None = None) -> Floats:
        """A [n, d] times B [d, m], plus bias [m] on each row: float32 [n, m]; a row's bits are its own."""
        if A.shape[1] != len(B):  # the kernel checks no bounds
            raise ValueError(f"a matrix of {A.shape[1]} columns does not go with one of {len(B)} rows")
        wanted, rows, depth = len(A), -(-len(A) // 4) * 4, -(-A.shape[1] // 4) * 4
        if (rows, depth) != A.shape:
            A = np.pad(A, ((0, rows - len(A)), (0, depth - A.shape[1])))
            B = np.pad(B, ((0, depth - len(B)), (0, 0)))
        # read-only arrays, as a restored model may have, would be one more type to compile for
        left = np.require(A, np.float32, ["C", "W"])
        right = np.require(B, np.float32, ["C", "W"])
        out = np.zeros((rows, B.shape[1]), np.float32)
        if bias is not None:
            out += bias
        size = max(min(_SHARE, -(-rows // (4 * self.threads)) * 4), 4)
        parts = [slice(at, min(at + size, rows)) for at in range(0, rows, size)]
        run = map if self._pool is None else self._pool.map
        for _ in run(lambda part: multiply_kernel(left[part], right, out[part]), parts):
            pass
        return out[:wanted]


_holding = threading.Lock()
_held: list[object] = []
"""What holds the BLAS to one thread, and a mark for each further block that wants it so."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the BLAS of this process to one thread; several blocks may, at the same time."""
    from threadpoolctl import threadpool_limits

    with _holding:
        _held.append(threadpool_limits(1, "blas") if not _held else None)
    try:
        yield
    finally:
        with _holding:
            if len(_held) == 1:
                _held[0].restore_original_limits()  # type: ignore[attr-defined]
            _held.pop()


def product(A: Floats, B: Floats, bias: Floats | None = None) -> Floats:
    """A [n, d] times B [d, m], plus bias [m] on each row, on the calling thread: float32 [n, m]."""
    return Workers().product(A, B, bias)


@compiled(fastmath={"contract"})  # type: ignore[untyped-decorator]
def multiply_kernel(A: Floats, B: Floats, out: Floats) -> None:
    """Add A times B to `out`; rows and columns of A are multiples of four.

    Four rows and four places at a time, in tiles of B that stay in the cache. Along a row of `out` the
    compiler may use vectors: every value is still summed in the order of d.
    """
    n, d, m = A.shape[0], A.shape[1], B.shape[1]
    # copied side by side: rows at distances of a power of two would fight for the same places of the cache
    panel, sums = np.zeros((_TILE, _TILE), np.float32), np.zeros((4, _TILE), np.float32)
    c0, c1, c2, c3 = sums[0], sums[1], sums[2], sums[3]
    for k0 in range(0, d, _TILE):
        depth = min(_TILE, d - k0)
        for j0 in range(0, m, _TILE):
            width = min(_TILE, m - j0)
            padded = (width + 15) // 16 * 16
            panel[:] = 0
            panel[:depth, :width] = B[k0 : k0 + depth, j0 : j0 + width]
            for i in range(0, n, 4):
                sums[:, :width] = out[i : i + 4, j0 : j0 + width]
                for k in range(0, depth, 4):
                    b0, b1, b2, b3 = panel[k], panel[k + 1], panel[k + 2], panel[k + 3]
                    p0, p1, p2, p3 = A[i, k0 + k], A[i, k0 + k + 1], A[i, k0 + k + 2], A[i, k0 + k + 3]
                    q0, q1, q2, q3 = (
                        A[i + 1, k0 + k],
                        A[i + 1, k0 + k + 1],
                        A[i + 1, k0 + k + 2],
                        A[i + 1, k0 + k + 3],
                    )
                    r0, r1, r2, r3 = (
                        A[i + 2, k0 + k],
                        A[i + 2, k0 + k + 1],
                        A[i + 2, k0 + k + 2],
                        A[i + 2, k0 + k + 3],
                    )
                    s0, s1, s2, s3 = (
                        A[i + 3, k0 + k],
                        A[i + 3, k0 + k + 1],
                        A[i + 3, k0 + k + 2],
                        A[i + 3, k0 + k + 3],
                    )
                    for j in range(padded):
                        x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                        c0[j] = c0[j] + p0 * x0 + p1 * x1 + p2 * x2 + p3 * x3
                        c1[j] = c1[j] + q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3
                        c2[j] = c2[j] + r0 * x0 + r1 * x1 + r2 * x2 + r3 * x3
                        c3[j] = c3[j] + s0 * x0 + s1 * x1 + s2 * x2 + s3 * x3
                out[i : i + 4, j0 : j0 + width] = sums[:, :width]
