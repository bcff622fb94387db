"""Adding rows of small integers to sixteen sums at once: the inner loop of scoring.

Written as instructions for LLVM because the loop `sums[c] += step * tile[row, c]` is not enough: the compiler
cannot know that the two arrays do not overlap, asks so for each row, and takes half of the vectors' width.
Lanes are sums of their own, so the result is the same to the bit on every processor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
FOUR = 4

_BYTE, _INT, _LONG, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_BYTES, _INTS, _FLOATS = (ir.VectorType(kind, LANES) for kind in (_BYTE, _INT, _FLOAT))


def _add_four_kernel(context: Any, sums: Any, tile: Any, places: Any, steps: Any, first: Any) -> Any:  # noqa: ANN401 - numba's own
    """Add steps[k] x tile[places[k]] to `sums` for the four k from `first` on; nothing is checked.

    sums float32 [16]; tile int8 [rows, 16]; places int32, steps float32: all contiguous.
    """
    signature = types.void(sums, tile, places, steps, first)

    def generate(target: Any, build: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401 - llvmlite's own
        to, rows, where, times = (
            target.make_array(kind)(target, build, value).data
            for kind, value in zip(signature.args[:4], values[:4], strict=True)
        )
        begin = target.cast(build, values[4], signature.args[4], types.int64)

        def product(number: int) -> Any:  # noqa: ANN401 - llvmlite's own
            at = build.add(begin, ir.Constant(_LONG, number))
            row = build.mul(build.sext(build.load(build.gep(where, [at])), _LONG), ir.Constant(_LONG, LANES))
            small = build.load(build.bitcast(build.gep(rows, [row]), _BYTES.as_pointer()), align=1)
            step = build.insert_element(
                ir.Constant(_FLOATS, ir.Undefined), build.load(build.gep(times, [at])), ir.Constant(_INT, 0)
            )
            every = build.shuffle_vector(step, ir.Constant(_FLOATS, ir.Undefined), ir.Constant(_INTS, None))
            return build.fmul(build.sitofp(build.sext(small, _INTS), _FLOATS), every)

        pairs = (build.fadd(product(number), product(number + 1)) for number in (0, 2))
        here = build.bitcast(to, _FLOATS.as_pointer())
        build.store(build.fadd(build.load(here, align=4), build.fadd(*pairs)), here, align=4)
        return target.get_dummy_value()

    return signature, generate


add_four: Any = intrinsic(_add_four_kernel)
