"""Pictures that lie in a catalogue as bytes: a Binary column of Parquet, or a struct of bytes and path.

Hugging Face datasets write ``struct<bytes: binary, path: string>``; either part of it may be null. A column
of lists counts with the first picture of each list.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from shelfwise.catalogue.decoding import picture_format

_PATHS = ("path", "file_name", "filename", "file", "url", "name")
_TEXT_BYTES = 2048  # a path or an address is no longer
_TEXT = re.compile(rb"[^\x00-\x1f\x7f]+")


def is_embedded(dtype: object) -> bool:
    """Whether a column of this type may hold pictures as bytes."""
    if isinstance(dtype, pl.List | pl.Array):
        return is_embedded(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return any(field.dtype == pl.Binary for field in dtype.fields)
    return bool(dtype == pl.Binary)


def open_embedded(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Take a column of pictures apart.

    Args:
        series: [n] values of a type for which `is_embedded` holds.

    Returns:
        Bytes (Binary) and paths or addresses (String), both [n]. A path is there only where there are no
        bytes: beside them it is just a name that the picture once had, and such names repeat.

    """
    data, path = _parts(series)
    rows = [_sort_out(d, p) for d, p in zip(data.to_list(), path.to_list(), strict=True)]
    return (
        pl.Series("picture", [d for d, _ in rows], dtype=pl.Binary),
        pl.Series("image", [p for _, p in rows], dtype=pl.String),
    )


def bytes_as_text(value: Any) -> str | None:  # noqa: ANN401 - a value of any Binary column
    """Bytes as UTF-8 where they are text, else how many there are: ``(20,481 bytes)``."""
    if value is None:
        return None
    if picture_format(value) is not None or b"\x00" in value[:1024]:
        return f"({len(value):,} bytes)"
    return str(value.decode("utf-8", "replace"))


def share_of_pictures(series: pl.Series) -> float:
    """The share of the filled values that begin as a picture does, 0 for a column of another type."""
    if not is_embedded(series.dtype):
        return 0.0
    data = [value for value in _parts(series)[0].to_list() if value]
    return sum(picture_format(value) is not None for value in data) / len(data) if data else 0.0


def _parts(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    if isinstance(series.dtype, pl.Array):
        series = series.arr.to_list()
    if isinstance(series.dtype, pl.List):
        return _parts(series.list.first())
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, series.len())
    if not isinstance(series.dtype, pl.Struct):
        return series, nothing
    binary = [f.name for f in series.dtype.fields if f.dtype == pl.Binary]
    named = [f.name for f in series.dtype.fields if f.dtype == pl.String]
    path = next((series.struct.field(name) for name in _PATHS if name in named), nothing)
    return series.struct.field("bytes" if "bytes" in binary else binary[0]), path


def _sort_out(data: bytes | None, path: str | None) -> tuple[bytes | None, str | None]:
    """Bytes that are a path in truth (Parquet keeps old text columns as Binary) become one."""
    if not data:
        return None, path
    if len(data) <= _TEXT_BYTES and picture_format(data) is None and _TEXT.fullmatch(data.strip()):
        try:
            return None, data.decode()
        except UnicodeDecodeError:
            return data, None
    return data, None
