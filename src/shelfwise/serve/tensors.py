"""Tensors as raw bytes, as the Open Inference Protocol has them: little-endian, texts after their length."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from shelfwise.serve.refusal import invalid

NUMPY = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1",
    "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Types of numbers by their names in the protocol. There is also BYTES: texts or pictures."""
_SIZE = struct.Struct("<I")
_SHOWN = 60


def unpack(name: str, datatype: str, content: bytes | memoryview, count: int) -> list[Any]:
    """Return the elements of an input.

    Parameters
    ----------
    name, datatype
        Of the input; its type has to be known (`check_type`).
    content
        Its bytes: numbers one after the other, or for BYTES each element after its length in four bytes.
    count
        How many elements its shape says there are.

    Raises
    ------
    RefusedError
        The bytes are of another number of elements, or are no text where text is wanted.

    """
    if datatype != "BYTES":
        kind = np.dtype(NUMPY[datatype])
        if len(content) != count * kind.itemsize:
            raise _of_another_length(name, count)
        values: list[Any] = np.frombuffer(content, kind).tolist()
        return values
    elements: list[bytes] = []
    place, end = 0, len(content)
    while place < end:
        if place + 4 > end or len(elements) == count:
            raise _of_another_length(name, count)
        (size,) = _SIZE.unpack_from(content, place)
        place += 4 + size
        if place > end:
            raise _of_another_length(name, count)
        elements.append(bytes(content[place - size : place]))
    if len(elements) != count:
        raise _of_another_length(name, count)
    return texts(name, elements)


def pack(datatype: str, data: Sequence[Any]) -> bytes:
    """Return the bytes of an output's elements."""
    if datatype != "BYTES":
        return np.array(data, NUMPY[datatype]).tobytes()
    encoded = [text.encode() for text in data]
    return b"".join(_SIZE.pack(len(text)) + text for text in encoded)


def texts(name: str, elements: Sequence[bytes]) -> list[Any]:
    """Elements of type BYTES as text, those of `picture` as they are; RefusedError where they are no text."""
    if name == "picture":
        return list(elements)
    try:
        return [element.decode() for element in elements]
    except UnicodeDecodeError as error:
        raise invalid("inputs", f"input {name[:_SHOWN]!r} is no text in UTF-8") from error


def check_type(name: str, datatype: str) -> None:
    """Raise RefusedError where there is no such type."""
    if datatype != "BYTES" and datatype not in NUMPY:
        raise invalid("inputs", f"input {name[:_SHOWN]!r} has the type {datatype[:20]!r}, which is none")


def _of_another_length(name: str, count: int) -> Exception:
    told = f"input {name[:_SHOWN]!r}: its bytes are not those of {count:,} elements, as its shape has it"
    return invalid("inputs", told)
