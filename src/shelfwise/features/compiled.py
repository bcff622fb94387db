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
