"""`compiled`: how this project compiles its kernels, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:  # noqa: ANN401 - numba's own
    """Compile a kernel with numba: cached on disk, without the interpreter's lock, in IEEE arithmetic.

    `fastmath` stays off by default: it lets the compiler reorder sums, and then the same model could differ
    in its last bits from machine to machine and from build to build.
    """
    settings = {"cache": True, "nogil": True, **options}
    return numba.njit(**settings) if function is None else numba.njit(**settings)(function)


def _count_bits_kernel(context: Any, word: Any) -> Any:  # noqa: ANN401 - numba's own
    """How many bits of a word are set; numba has no name for the processor's own instruction."""

    def generate(target: Any, build: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401 - llvmlite's own
        return build.ctpop(values[0])

    return word(word), generate


count_bits: Any = intrinsic(_count_bits_kernel)


def _pattern_as_float_kernel(context: Any, pattern: Any) -> Any:  # noqa: ANN401 - numba's own
    """The float32 whose bits a uint32 is; numba knows that of arrays alone."""

    def generate(target: Any, build: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401 - llvmlite's own
        return build.bitcast(values[0], target.get_value_type(numba.types.float32))

    return numba.types.float32(numba.types.uint32), generate


pattern_as_float: Any = intrinsic(_pattern_as_float_kernel)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a contiguous copy, that nobody may write to.

    What a model has learned is so from the moment it is made, as it is when it comes out of mapped files:
    kernels are then compiled for one kind of it, and cannot be compiled where they would write.
    """
    kept = np.ascontiguousarray(array)
    if not kept.flags.aligned:
        kept = kept.copy()
    kept.flags.writeable = False
    return kept


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
