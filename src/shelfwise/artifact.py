"""The model folder: plain JSON, safetensors, a card and a manifest; no pickle, the same bytes every time.

    model.json      recipe, roles of the columns, fields, fusion, what it was trained on, scores
    taxonomy.json   labels, paths, separator
    *.safetensors   learned arrays (views, decision) and the neighbours' ids and titles
    corrections.*   what people changed since training; only in a model that was corrected
    past.*          what an update starts from (see `past`); nothing that answers need
    README.md       the model card, for people
    MANIFEST.json   format version, size and SHA-256 of each of the files above

A folder is written beside its place and moved there whole. Loading checks every file against the manifest and
refuses what is damaged, foreign, missing or from a newer version; nothing in it is ever executed. Arrays can
be mapped instead of read, once they are checked: processes with the same model then share one copy of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import operator
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError
from shelfwise.unfinished import whole_folder

FORMAT = 4
"""Version of the folder's layout; a program reads its own and older ones.

Corrections came with 2; with 3 linear weights in 8 bits, in the form in which they are used; with 4 what an
update starts from.
"""

Content = bytes | memoryview
"""Of a file: bytes, or for arrays the file mapped into memory."""

MANIFEST = "MANIFEST.json"
_NAMES = ("model.json", "taxonomy.json", "README.md", "views.safetensors", "decision.safetensors")
_CORRECTIONS = ("corrections.json", "corrections.safetensors")
"""Files that a model may have besides, both or neither."""
_PAST = ("past.safetensors",)
"""A file that a model may have besides."""


def write_folder(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> Path:
    """Write a model folder; a model that is there is replaced, anything else is refused.

    Raises
    ------
    ModelError
        The place is taken by something else, or cannot be written to. What was there is left as it was.

    """
    target = Path(os.path.abspath(folder))  # "." has a name, too
    if os.path.lexists(target) and not is_replaceable(target):
        raise ModelError(
            f"{folder} exists and is not a Shelfwise model, or holds other files as well; it is left as "
            "it is. Choose another folder with --model."
        )
    manifest = _manifest(files)
    try:
        with whole_folder(target) as building:
            for name, content in {**files, MANIFEST: manifest}.items():
                (building / name).write_bytes(content)
    except OSError as error:
        raise ModelError(f"cannot write the model to {folder}: {error}") from error
    return target


def _manifest(files: Mapping[str, Content]) -> bytes:
    listed = {name: _entry(content) for name, content in sorted(files.items())}
    return to_json({"format": FORMAT, "files": listed})


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the manifest of a model with these files: it names the model."""
    return hashlib.sha256(_manifest(files)).hexdigest()


def is_replaceable(folder: Path) -> bool:
    """Whether a model may take a path: an empty folder, or one with nothing but a model in it."""
    if not folder.is_dir():
        return False
    there = {entry.name for entry in folder.iterdir()}
    if not there:
        return True
    try:
        listed = dict(json.loads((folder / MANIFEST).read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return "model.json" in listed and there <= {*listed, MANIFEST}


def read_folder(folder: str | os.PathLike[str], mapped: bool = False) -> dict[str, Content]:
    """Read and check a model folder: file name -> content.

    mapped: do not read arrays but map them, so that processes with the same model share one copy. Who writes
    into a file that is mapped ends those processes (SIGBUS), so this is for work that can be begun again.

    Raises
    ------
    ModelError
        The folder is missing, damaged, holds foreign files or was written by a newer version.

    """
    where = Path(folder)
    if not where.is_dir():
        raise ModelError(f"there is no model folder {where}")
    version, listed = _read_manifest(where)
    _check_names(where, listed, _corrections(listed, version) + _past(listed, version))
    return {name: _read_checked(where / name, listed[name], mapped) for name in sorted(listed)}


def _corrections(listed: Mapping[str, Any], version: int) -> tuple[str, ...]:
    """The files of corrections, both of them, where any is listed."""
    return _CORRECTIONS if version >= 2 and set(listed) & set(_CORRECTIONS) else ()


def _past(listed: Mapping[str, Any], version: int) -> tuple[str, ...]:
    """The file that an update starts from, where it is listed."""
    return _PAST if version >= 4 and set(listed) & set(_PAST) else ()


def _read_manifest(where: Path) -> tuple[int, dict[str, Any]]:
    """Format and entries of the manifest, which must be as this program writes it, to the byte."""
    try:
        content = (where / MANIFEST).read_bytes()
        manifest = json.loads(content)
        version, listed = int(manifest["format"]), dict(manifest["files"])
    except FileNotFoundError:
        raise ModelError(f"{where} is not a Shelfwise model: it has no {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{where / MANIFEST} is damaged: {error}") from error
    if version > FORMAT:
        raise ModelError(
            f"{where} has model format {version}; this Shelfwise reads up to {FORMAT}. Upgrade Shelfwise."
        )
    if version < 1 or to_json({"format": version, "files": listed}) != content:
        raise ModelError(f"{where / MANIFEST} is damaged. Copy or train the model again.")
    return version, listed


def _check_names(where: Path, listed: Mapping[str, Any], more: tuple[str, ...]) -> None:
    there = {entry.name for entry in where.iterdir()}
    if unknown := sorted(set(listed) - set(_NAMES) - set(more)):
        raise ModelError(f"{where / MANIFEST} lists a file that is no part of a model: {unknown[0]!r}")
    if foreign := sorted(there - set(listed) - {MANIFEST}):
        raise ModelError(
            f"{where} holds a foreign file, {foreign[0]!r}. Remove it; a model folder holds nothing else."
        )
    if missing := sorted(set(_NAMES + more) - (there & set(listed))):
        raise ModelError(f"{where} is incomplete: {missing[0]} is missing. Copy or train the model again.")


def _entry(content: Content) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _read_checked(path: Path, entry: object, mapped: bool) -> Content:
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"{path} is not a plain file")
    try:
        with path.open("rb") as file:
            if mapped and path.suffix == ".safetensors":
                size = os.fstat(file.fileno()).st_size
                found = {"bytes": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
                content: Content = _mapped(file.fileno()) if size else b""
            else:
                content = file.read()
                found = _entry(content)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if found != entry:
        raise ModelError(f"{path} is damaged: it does not match {MANIFEST}. Copy or train the model again.")
    return content


def _mapped(file: int) -> memoryview:
    """A whole file, read-only; it stays what it is when its folder is replaced or removed."""
    return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))


def to_json(value: object) -> bytes:
    """Encode a value as the JSON of model folders: keys in order, so that equal values are equal bytes."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return f"{text}\n".encode("utf-8", "replace")


def to_safetensors(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Encode named arrays; equal arrays are equal bytes."""
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}))


def from_safetensors(content: Content) -> dict[str, NDArray[np.generic]]:
    """Decode named arrays; they lie in `content` and cannot be written to.

    Raises
    ------
    ModelError
        The content is not that of a safetensors file, or an array of it is of no known type or does not lie
        within it.

    """
    try:
        length = int.from_bytes(content[:8], "little")
        if len(content) < 8 or length > len(content) - 8:
            raise ValueError("it is cut short")
        header = json.loads(bytes(content[8 : 8 + length]))
        if not isinstance(header, dict):
            raise TypeError("its header is no object")
        header.pop("__metadata__", None)
        body = content[8 + length :]
        return {str(name): _array(body, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"the model's arrays are damaged: {error!r}") from error


_TYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "F16": np.float16,
    "U32": np.uint32, "I32": np.int32, "F32": np.float32, "U64": np.uint64, "I64": np.int64,
    "F64": np.float64,
}  # fmt: skip


def _array(body: Content, entry: Mapping[str, Any]) -> NDArray[np.generic]:
    kind = np.dtype(_TYPES[entry["dtype"]])
    shape = tuple(operator.index(size) for size in entry["shape"])
    begin, end = map(operator.index, entry["data_offsets"])
    count = math.prod(shape)
    if (
        min(shape, default=0) < 0
        or not 0 <= begin <= end <= len(body)
        or end - begin != count * kind.itemsize
    ):
        raise ValueError(f"an array of shape {shape} does not lie at {begin} to {end}")
    found = np.frombuffer(body[begin:end], kind) if count else np.empty(0, kind)
    if not found.flags.aligned:
        found = found.copy()
    found.flags.writeable = False
    return found.reshape(shape)


def pack_texts(texts: list[str]) -> dict[str, NDArray[np.generic]]:
    """Texts as two arrays: `bytes` uint8 and `ends` int64."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), dtype=np.int64)
    return {"bytes": np.frombuffer(b"".join(encoded), np.uint8), "ends": ends}


def unpack_texts(packed: Mapping[str, NDArray[np.generic]]) -> list[str]:
    """The texts that `pack_texts` packed."""
    content = packed["bytes"].tobytes()
    ends = [0, *packed["ends"].tolist()]
    return [content[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]
