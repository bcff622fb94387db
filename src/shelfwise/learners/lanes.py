"""Sums of whole numbers for sixty-four classes at once: the inner loop of scoring.

A row is steps (whole numbers of 15 bits) on features, a feature is weights (8 bits) of all classes; a score
is the sum of their products. Whole numbers add up to the same in any order and on any processor. Written as
instructions for LLVM because a loop is not enough: the compiler keeps the sums in memory and cannot know of
instructions that multiply four pairs of bytes and add them up (AVX-512 VNNI: two to three times as fast as
floating point, `vpdpbusd`). Where the processor has none, the same sums are made of plain vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.core import config as _config
from numba.extending import intrinsic
from numpy.typing import NDArray

Own = Any  # types that numba and llvmlite do not tell
cgutils: Own = _cgutils
config: Own = _config

LANES = 64
"""Classes of a tile."""
FOUR = 4
"""A row's steps are filled up to a multiple of so many."""
CENTRE = 128
"""What is added to a weight, so that none is negative; `add_up` leaves it in its sums."""
_LOW = 7
"""Bits of a step's lower half, -64 to 63; the upper half is a byte as well."""
MOST = 127 << _LOW
"""The largest step."""

_BYTE, _SHORT, _INT, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_BYTES, _SHORTS, _INTS = ir.VectorType(_BYTE, 64), ir.VectorType(_SHORT, 32), ir.VectorType(_INT, 16)
_PARTS = LANES // 16
_LINE = 64
"""Bytes that a cache fetches at once."""


def split_steps(steps: NDArray[np.int32]) -> NDArray[np.int8]:
    """Steps [a multiple of four] as `add_up` wants them: of every four the upper halves, then the lower."""
    low = ((steps + 64) & 127) - 64
    halves = np.stack([((steps - low) >> _LOW).reshape(-1, FOUR), low.reshape(-1, FOUR)], axis=1)
    return halves.astype(np.int8).ravel()


def has_byte_products() -> bool:
    """Whether kernels may use AVX-512 VNNI: the processor has it, and numba was not told otherwise."""
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None or not config.ENABLE_AVX:
        return False
    features = binding.get_host_cpu_features()
    return all(features.get(name, False) for name in ("avx512f", "avx512bw", "avx512vnni"))


def _add_up(by_bytes: bool) -> Own:
    """Make the intrinsic; `by_bytes`: with AVX-512 VNNI."""

    def add_up_kernel(
        context: Own, sums: Own, tile: Own, places: Own, steps: Own, first: Own, last: Own
    ) -> Own:
        """Write to `sums` int32 [64] the sums of step x row of the tile for the places from first to last.

        tile uint8 [rows, 64], weights plus 128; places int32; steps int8, two a place (`split_steps`); first
        and last are multiples of four. All arrays are contiguous; nothing is checked.
        """
        signature = types.void(sums, tile, places, steps, first, last)

        def generate(target: Own, build: Own, signature: Own, values: Own) -> Own:
            arrays = [
                target.make_array(kind)(target, build, value).data
                for kind, value in zip(signature.args[:4], values[:4], strict=True)
            ]
            ends = [
                target.cast(build, value, kind, types.int64)
                for kind, value in zip(signature.args[4:], values[4:], strict=True)
            ]
            to, *read = arrays
            (_by_bytes if by_bytes else _by_numbers)(build, to, read, ends)
            return target.get_dummy_value()

        return signature, generate

    return intrinsic(add_up_kernel)


def _by_bytes(build: Own, to: Own, read: Own, ends: Own) -> None:
    """Four rows of the tile at a time, their bytes shuffled so that those of a class lie side by side."""
    upper = [cgutils.alloca_once_value(build, ir.Constant(_INTS, None)) for _ in range(_PARTS)]
    lower = [cgutils.alloca_once_value(build, ir.Constant(_INTS, None)) for _ in range(_PARTS)]
    dot = cgutils.get_or_insert_function(
        build.module, ir.FunctionType(_INTS, [_INTS] * 3), "llvm.x86.avx512.vpdpbusd.512"
    )
    steps = read[2]
    with cgutils.for_range_slice(build, *ends, ir.Constant(_LONG, FOUR), _LONG) as (at, _):
        a, b, c, d = (_row(build, read, _after(build, at, number), _BYTES) for number in range(FOUR))
        classes = []
        for half in (0, 1):
            pairs = [
                build.bitcast(build.shuffle_vector(x, y, _turns(half, 1)), _SHORTS)
                for x, y in ((a, b), (c, d))
            ]
            classes += [
                build.bitcast(build.shuffle_vector(*pairs, _turns(quarter, 2)), _INTS) for quarter in (0, 1)
            ]
        four = build.bitcast(steps, _INT.as_pointer())
        begin = build.lshr(at, ir.Constant(_LONG, 1))
        for number, totals in enumerate((upper, lower)):
            step = build.load(build.gep(four, [build.add(begin, ir.Constant(_LONG, number))]), align=4)
            every = _splat(build, step)
            for total, bytes_of in zip(totals, classes, strict=True):
                build.store(build.call(dot, [build.load(total), bytes_of, every]), total)
    wholes = [
        build.add(build.shl(build.load(up), ir.Constant(_INTS, [_LOW] * 16)), build.load(low))
        for up, low in zip(upper, lower, strict=True)
    ]
    for lane in range(4):  # of each of them four classes follow one another, see `_turns`
        taken = _numbers([i for start in (4 * lane, 16 + 4 * lane) for i in range(start, start + 4)])
        halves = [build.shuffle_vector(*wholes[i : i + 2], taken) for i in (0, 2)]
        place = build.bitcast(build.gep(to, [ir.Constant(_LONG, 16 * lane)]), _INTS.as_pointer())
        build.store(build.shuffle_vector(*halves, _numbers(range(16))), place, align=4)


def _by_numbers(build: Own, to: Own, read: Own, ends: Own) -> None:
    """One row of the tile at a time, its bytes widened to numbers of 32 bits."""
    totals = [cgutils.alloca_once_value(build, ir.Constant(_INTS, None)) for _ in range(_PARTS)]
    steps = read[2]
    few = ir.VectorType(_BYTE, 16)
    with cgutils.for_range_slice(build, *ends, ir.Constant(_LONG, FOUR), _LONG) as (at, _):
        begin = build.shl(at, ir.Constant(_LONG, 1))
        for number in range(FOUR):
            halves = [
                build.sext(build.load(build.gep(steps, [build.add(begin, ir.Constant(_LONG, i))])), _INT)
                for i in (number, FOUR + number)
            ]
            step = build.add(build.shl(halves[0], ir.Constant(_INT, _LOW)), halves[1])
            every = _splat(build, step)
            for part, total in enumerate(totals):
                weights = build.zext(_row(build, read, _after(build, at, number), few, 16 * part), _INTS)
                build.store(build.add(build.load(total), build.mul(weights, every)), total)
    for part, total in enumerate(totals):
        place = build.gep(to, [ir.Constant(_LONG, 16 * part)])
        build.store(build.load(total), build.bitcast(place, _INTS.as_pointer()), align=4)


def _row(build: Own, read: Own, at: Own, kind: Own, first: int = 0) -> Own:
    """Bytes of the row of the tile that the place `at` names, from byte `first` on, as a vector."""
    tile, places, _ = read
    place = build.sext(build.load(build.gep(places, [at])), _LONG)
    begin = build.add(build.mul(place, ir.Constant(_LONG, LANES)), ir.Constant(_LONG, first))
    return build.load(build.bitcast(build.gep(tile, [begin]), kind.as_pointer()), align=1)


def _after(build: Own, at: Own, number: int) -> Own:
    return build.add(at, ir.Constant(_LONG, number))


def _splat(build: Own, value: Own) -> Own:
    none = ir.Constant(_INTS, ir.Undefined)
    one = build.insert_element(none, value, ir.Constant(_INT, 0))
    return build.shuffle_vector(one, none, ir.Constant(_INTS, None))


def _turns(upper: int, size: int) -> Own:
    """Which elements of `size` bytes of two vectors follow in turns, lower or upper half of each 16 bytes."""
    across = 16 // size
    every = LANES // size
    starts = [lane + upper * across // 2 for lane in range(0, every, across)]
    return _numbers([which for s in starts for i in range(s, s + across // 2) for which in (i, every + i)])


def _numbers(values: Own) -> Own:
    values = list(values)
    return ir.Constant(ir.VectorType(_INT, len(values)), values)


def _fetch_kernel(context: Own, array: Own, begin: Own, end: Own) -> Own:
    """Ask for the elements of an array from begin to end, which are needed soon; waits for nothing."""
    signature = types.void(array, begin, end)

    def generate(target: Own, build: Own, signature: Own, values: Own) -> Own:
        content = target.make_array(signature.args[0])(target, build, values[0]).data
        first, last = (
            build.ptrtoint(build.gep(content, [target.cast(build, value, kind, types.int64)]), _LONG)
            for value, kind in zip(values[1:], signature.args[1:], strict=True)
        )
        pointer = _BYTE.as_pointer()
        kinds = [pointer, _INT, _INT, _INT]
        ask = cgutils.get_or_insert_function(
            build.module, ir.FunctionType(ir.VoidType(), kinds), "llvm.prefetch.p0"
        )
        to_read = [ir.Constant(_INT, flag) for flag in (0, 3, 1)]
        with cgutils.for_range_slice(build, first, last, ir.Constant(_LONG, _LINE), _LONG) as (at, _):
            build.call(ask, [build.inttoptr(at, pointer), *to_read])
        return target.get_dummy_value()

    return signature, generate


fetch: Own = intrinsic(_fetch_kernel)
add_up_plainly: Own = _add_up(False)
add_up: Own = _add_up(True) if has_byte_products() else add_up_plainly
