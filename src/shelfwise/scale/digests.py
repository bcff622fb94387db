"""Digests: by what rows, models and versions of the program are told apart. Contents count, not dates."""

from __future__ import annotations

import hashlib
import io
import json
import socket
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import shelfwise
from shelfwise.artifact import MANIFEST
from shelfwise.catalogue.embedded import is_embedded
from shelfwise.errors import ModelError

_BYTES = 16  # of a row's digest


def digest_of(*parts: bytes) -> str:
    """SHA-256 of some bytes in hexadecimal, each part with its length before it."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.hexdigest()


def digest_values(values: Any) -> str:  # noqa: ANN401 - any JSON
    """SHA-256 of plain values, whatever the order of their keys."""
    return digest_of(json.dumps(values, sort_keys=True, ensure_ascii=True).encode())


def digest_model(folder: str) -> str:
    """SHA-256 of a model folder's manifest, which has that of every other file; loading checks those."""
    try:
        return digest_of((Path(folder) / MANIFEST).read_bytes())
    except FileNotFoundError:
        told = f"there is no model folder {folder}"
        if Path(folder).is_dir():
            told = f"{folder} is not a Shelfwise model: it has no {MANIFEST}"
        raise ModelError(told) from None
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error}") from error


@cache
def digest_program() -> str:
    """SHA-256 of this program: its sources, and the versions of what it counts with."""
    root = Path(shelfwise.__file__).parent
    sources = sorted(root.rglob("*.py"))
    versions = [shelfwise.__version__, np.__version__, pl.__version__]
    names = [path.relative_to(root).as_posix().encode() for path in sources]
    return digest_of(json.dumps(versions).encode(), *names, *(path.read_bytes() for path in sources))


def check_program(digest: str) -> None:
    """ModelError if this machine has another program than the one that began the run."""
    if digest_program() != digest:
        raise ModelError(
            f"{socket.gethostname()} has another version of Shelfwise, NumPy or polars than the machine "
            "that began the run: install the same on all"
        )


def pack(frame: pl.DataFrame) -> bytes:
    """A frame as bytes; equal frames may be different bytes, by what they were put together from."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def unpack(content: bytes) -> pl.DataFrame:
    """The frame that `pack` packed."""
    return pl.read_ipc(content)


def digest_frame(frame: pl.DataFrame) -> str:
    """SHA-256 of what a frame says: the same for equal frames, whatever they were put together from."""
    parts = [str(frame.height).encode()]
    for values in frame.get_columns():
        text = _as_text(values)
        if text.dtype != pl.String:
            text = text.to_frame().select(pl.struct(pl.all()).struct.json_encode()).to_series()
        lengths = text.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy()
        parts += [values.name.encode(), str(values.dtype).encode(), lengths.tobytes()]
        parts.append("".join(text.drop_nulls().to_list()).encode("utf-8", "surrogatepass"))
    return digest_of(*parts)


def digest_rows(raw: pl.DataFrame, pictures: Sequence[str] | None = None) -> NDArray[np.uint64]:
    """The digest of each row as it was read, uint64 [rows, 2].

    pictures: the digest of each row's picture, where pictures lie outside of the catalogue.
    """
    columns = [_as_text(raw[name]) for name in sorted(raw.columns)]
    if pictures is not None:
        columns.append(pl.Series(" pictures", list(pictures), dtype=pl.String))
    if not columns:
        return np.zeros((raw.height, 2), np.uint64)
    told = pl.DataFrame(columns).select(pl.struct(pl.all()).struct.json_encode()).to_series()
    each = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest() for text in told)
    return np.frombuffer(b"".join(each), np.uint64).reshape(-1, 2)


def _as_text(values: pl.Series) -> pl.Series:
    """A column that JSON can hold and in which different values stay different."""
    if is_embedded(values.dtype):
        return pl.Series(values.name, [_of_bytes(value) for value in values.to_list()], dtype=pl.String)
    if isinstance(values.dtype, pl.String | pl.List | pl.Struct | pl.Array):
        return values
    return values.cast(pl.String)


def _of_bytes(value: Any) -> str | None:  # noqa: ANN401 - bytes, or a struct or list with bytes
    return None if value is None else blake2b(repr(value).encode(), digest_size=_BYTES).hexdigest()
