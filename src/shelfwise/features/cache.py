"""The cache of vectors: what an encoder once made of a text or picture, found again by its content.

    FOLDER/<fingerprint of the encoder>/<hash of the shard>.safetensors
        keys       uint8 [n, 16]       first half of the SHA-256 of each content
        values     float16 [n, width]  vectors, each divided by a power of two that brings it into range
        exponents  int16 [n]           that power
        sums       uint64 [n]          checksum of each row

Shards are written whole (temporary name, fsync, rename) under the hash of what is in them and never changed,
so that any number of processes may read and write at once; many small ones are merged in passing. Opening
reads the keys alone (16 bytes a vector); vectors stay on disk, memory-mapped, until they are asked for. A row
that does not match its checksum is not given out: its shard is set aside, and what it held is encoded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.unfinished import whole_file

KEY = 16
"""Bytes of a key: with a billion contents, two share one with a chance of 1 in 10 ** 21."""

_SUFFIX = ".safetensors"
_MANY, _SMALL = 32, 16_384  # this many shards below that many rows are merged
_BLOCK = 4_096  # rows that are checked and unpacked at once


def default_folder() -> Path:
    """Where vectors are kept unless told: SHELFWISE_CACHE, else a folder of the user's cache."""
    if named := os.environ.get("SHELFWISE_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "shelfwise" / "vectors"


def key_of(content: bytes) -> bytes:
    """The key of a content."""
    return hashlib.sha256(content).digest()[:KEY]


def as_keys(keys: Iterable[bytes]) -> NDArray[np.bytes_]:
    """Keys as an array, S16 [n], to compare and sort; its items as Python bytes would lose their zeros."""
    return np.frombuffer(b"".join(keys), f"S{KEY}")


def rounded(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors as they come back from the cache: 11 significant bits, relative to the largest of the row."""
    return _unpacked(*_packed(vectors))


def _packed(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.int16]]:
    largest, exponents = np.frexp(np.abs(vectors).max(axis=1, initial=0))
    exponents = exponents + (largest.astype(np.float16) == 1)  # it is rounded up: else twice were not once
    return np.ldexp(vectors, -exponents[:, None]).astype(np.float16), exponents.astype(np.int16)


def _unpacked(values: NDArray[np.float16], exponents: NDArray[np.int16]) -> NDArray[np.float32]:
    return np.ldexp(values.astype(np.float32), exponents.astype(np.int32)[:, None])


def _sums(
    keys: NDArray[np.uint8], values: NDArray[np.float16], exponents: NDArray[np.int16]
) -> NDArray[np.uint64]:
    """Checksums of rows: a multilinear hash (Carter, Wegman 1979) of their 64-bit words, modulo 2 ** 64."""
    parts = [keys, values.view(np.uint8), exponents[:, None].view(np.uint8)]
    used = sum(part.shape[1] for part in parts)
    row = np.zeros((len(keys), -(-used // 8) * 8), np.uint8)
    np.concatenate(parts, axis=1, out=row[:, :used])
    words = row.view(np.uint64)
    count = words.shape[1]
    factors = np.random.Generator(np.random.PCG64(count)).integers(1, 2**64, count, np.uint64) | np.uint64(1)
    return np.asarray(words @ factors + np.uint64(used), np.uint64)


class VectorCache:
    """A folder of vectors of any number of encoders.

    Parameters
    ----------
    folder: made when the first vector is kept; `default_folder()` where none is given.

    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def of(self, fingerprint: str, width: int) -> Vectors:
        """The vectors of one encoder, as they are on disk now."""
        name = fingerprint if fingerprint.isalnum() else key_of(fingerprint.encode()).hex()
        return Vectors(self.folder / name[:64], width)


@dataclass(frozen=True)
class _Shard:
    """One file, memory-mapped."""

    path: Path
    keys: NDArray[np.uint8]
    values: NDArray[np.float16]
    exponents: NDArray[np.int16]
    sums: NDArray[np.uint64]

    def rows(self, at: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Vectors of rows, None if any is damaged."""
        keys, values, exponents = self.keys[at], self.values[at], self.exponents[at]
        if not np.array_equal(_sums(keys, values, exponents), self.sums[at]):
            return None
        return _unpacked(values, exponents)


class Vectors:
    """The vectors of one encoder; `VectorCache.of` gives them.

    Attributes
    ----------
    notes: what was found damaged, for the user.

    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder, self.width = folder, width
        self.notes: list[str] = []
        self._shards: list[_Shard] = []
        self._indexed = False
        self._open()

    def __len__(self) -> int:
        """Rows in all shards; a content that two processes encoded at once counts twice."""
        return sum(len(shard.sums) for shard in self._shards)

    def find(self, keys: NDArray[np.bytes_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors float32 [keys, width] of contents, and which of them there are, bool [keys]."""
        vectors = np.zeros((len(keys), self.width), np.float32)
        found = np.zeros(len(keys), np.bool_)
        while True:
            places = self._places(keys)
            damaged = [
                number
                for number, shard in enumerate(self._shards)
                if not _fill(shard, np.flatnonzero(places[:, 0] == number), places[:, 1], vectors)
            ]
            if not damaged:
                break
            for number in reversed(damaged):
                self._set_aside(self._shards.pop(number).path, "a checksum does not match")
            self._indexed = False
        found[:] = places[:, 0] >= 0
        vectors[~found] = 0
        return vectors, found

    def keep(self, keys: NDArray[np.bytes_], vectors: NDArray[np.float32]) -> None:
        """Write vectors, finite float32 [keys, width], for good.

        Raises
        ------
        EncoderError
            The folder cannot be written to.

        """
        if not len(keys):
            return
        values, exponents = _packed(vectors)
        raw = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), KEY)
        try:
            self._write(raw, values, exponents)
            self._merge()
        except OSError as error:
            raise EncoderError(
                f"cannot keep vectors in {self.folder}: {error}. Free some space, or choose another folder "
                "with SHELFWISE_CACHE."
            ) from error

    def _write(
        self, keys: NDArray[np.uint8], values: NDArray[np.float16], exponents: NDArray[np.int16]
    ) -> Path:
        from safetensors.numpy import save

        tensors = {
            "keys": keys,
            "values": values,
            "exponents": exponents,
            "sums": _sums(keys, values, exponents),
        }
        content = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
        target = self.folder / f"{hashlib.sha256(content).hexdigest()[:40]}{_SUFFIX}"
        with whole_file(target, "shard") as building:
            building.write_bytes(content)
            # Mapped under the hidden name: once renamed, another process may merge it and take it away.
            shard = replace(_mapped(building, self.width), path=target)
        self._shards.append(shard)
        self._indexed = False
        return target

    def _open(self) -> None:
        """Map every shard there is; one that is no whole shard is set aside."""
        self._shards = []
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                self._shards.append(_mapped(path, self.width))
            except FileNotFoundError:  # merged by another process just now: look again
                return self._open()
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                self._set_aside(path, str(error))
            except OSError as error:
                self.notes.append(f"{path} cannot be read ({error}); what it holds is encoded again")
        self._indexed = False

    def _index(self) -> None:
        """Keys of all shards in order, and where each is: shard and row."""
        keys = [np.asarray(shard.keys).reshape(-1).view(f"S{KEY}") for shard in self._shards]
        joined = np.concatenate(keys) if keys else np.zeros(0, f"S{KEY}")
        order = np.argsort(joined, kind="stable")
        self._keys = joined[order]
        sizes = [len(part) for part in keys]
        shard = np.repeat(np.arange(len(keys), dtype=np.int64), sizes)
        row = np.concatenate([np.arange(size, dtype=np.int64) for size in sizes] or [np.zeros(0, np.int64)])
        self._where = np.stack([shard, row], axis=1)[order]
        self._indexed = True

    def _places(self, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """Shard and row of each key, int64 [keys, 2]; -1 where there is none."""
        if not self._indexed:  # only now: who writes alone never asks
            self._index()
        places = np.full((len(keys), 2), -1, np.int64)
        if len(self._keys) and len(keys):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            same = self._keys[at] == keys
            places[same] = self._where[at[same]]
        return places

    def _set_aside(self, path: Path, reason: str) -> None:
        self.notes.append(f"the cached vectors {path} are damaged ({reason}); they are encoded again")
        with contextlib.suppress(OSError):  # it may be gone, or not ours to move: it is not read in any case
            path.rename(path.with_name(f"{path.name}.damaged"))

    def _merge(self) -> None:
        """Make one shard of many small ones; nothing is removed before the new one is there for good."""
        small = [shard for shard in self._shards if len(shard.sums) < _SMALL]
        if len(small) < _MANY:
            return
        whole = [shard for shard in small if shard.rows(np.arange(len(shard.sums))) is not None]
        target = self._write(
            np.concatenate([shard.keys for shard in whole]),
            np.concatenate([shard.values for shard in whole]),
            np.concatenate([shard.exponents for shard in whole]),
        )
        done = {shard.path for shard in whole} - {target}
        self._shards = [shard for shard in self._shards if shard.path not in done]
        self._indexed = False
        for path in done:
            with contextlib.suppress(OSError):  # another process was first, or reads it (Windows)
                path.unlink()


def _fill(
    shard: _Shard, asked: NDArray[np.int64], rows: NDArray[np.int64], vectors: NDArray[np.float32]
) -> bool:
    """Fill in the vectors that a shard has; False if a row of it is damaged."""
    in_order = asked[np.argsort(rows[asked], kind="stable")]  # the disk is read from front to back
    for start in range(0, len(in_order), _BLOCK):
        block = in_order[start : start + _BLOCK]
        found = shard.rows(rows[block])
        if found is None:
            return False
        vectors[block] = found
    return True


_TYPES = {"keys": "U8", "values": "F16", "exponents": "I16", "sums": "U64"}
_NUMPY = {"U8": np.uint8, "F16": np.float16, "I16": np.int16, "U64": np.uint64}


def _mapped(path: Path, width: int) -> _Shard:
    """Map a shard; ValueError and the like if it is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000):
            raise ValueError("it is cut short")
        header = json.loads(file.read(length))
    begin = 8 + length
    arrays = {}
    rows = header["keys"]["shape"][0]
    shapes: dict[str, Sequence[int]] = {
        "keys": (rows, KEY),
        "values": (rows, width),
        "exponents": (rows,),
        "sums": (rows,),
    }
    for name, shape in shapes.items():
        entry, kind = header[name], _NUMPY[_TYPES[name]]
        start, end = entry["data_offsets"]
        expected = int(np.prod(shape)) * np.dtype(kind).itemsize
        if entry["dtype"] != _TYPES[name] or tuple(entry["shape"]) != tuple(shape) or end - start != expected:
            raise ValueError(f"its {name} are {entry['dtype']} {entry['shape']}")
        if rows < 1 or not 0 <= start <= end <= size - begin:
            raise ValueError("it is cut short")
        arrays[name] = np.memmap(path, kind, "r", begin + start, tuple(shape))
    return _Shard(path, arrays["keys"], arrays["values"], arrays["exponents"], arrays["sums"])
