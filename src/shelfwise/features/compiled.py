"""`compiled`: how this project compiles its kernels, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:  # noqa: ANN401 - numba's own
    """Compile a kernel with numba: cached on disk, without the interpreter's lock, in IEEE arithmetic.

    `fastmath` stays off by default: it lets the compiler reorder sums, and then the same model could differ
    in its last bits from machine to machine and from build to build.
    """
    settings = {"cache": True, "nogil": True, **options}
    return numba.njit(**settings) if function is None else numba.njit(**settings)(function)


@compiled
def nth_largest(values, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The n-th largest (from 1) of `values`, which are reordered: quickselect (Hoare 1961).

    numpy's `partition` would do, but takes five seconds to compile, most of the first run.
    """
    low, high, wanted = 0, len(values) - 1, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]
