"""The model folder: plain JSON and safetensors, a card, and a manifest; no pickle, and the same bytes every time.

    model.json      format version, recipe, roles of the columns, fields, fusion, what it was trained on, scores
    taxonomy.json   labels, paths, separator
    *.safetensors   learned arrays (views, decision) and the neighbours' ids and titles
    README.md       the model card, for people
    MANIFEST.json   size and SHA-256 of each of the files above

A folder is written beside its place and moved there whole. Loading checks every file against the manifest and refuses
what is damaged, foreign, missing or from a newer version; nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError

FORMAT = 1
"""Version of the folder's layout; a program reads its own and older ones."""

MANIFEST = "MANIFEST.json"
_NAMES = ("model.json", "taxonomy.json", "README.md", "views.safetensors", "decision.safetensors")


def write_folder(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> Path:
    """Write a model folder; one that is there is replaced if it is a model, and refused if it is anything else."""
    target = Path(folder)
    if target.exists() and not is_replaceable(target):
        raise ModelError(
            f"{target} exists and is not a Shelfwise model; it is left as it is. Choose another folder with --model."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    }
    manifest = to_json({"format": FORMAT, "files": listed})
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        building.chmod(0o755)
        for name, content in {**files, MANIFEST: manifest}.items():
            with (building / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        old = None
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.rename(old / "model")
        building.rename(target)
        if old is not None:
            shutil.rmtree(old)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return target


def is_replaceable(folder: Path) -> bool:
    """Whether a path may be overwritten by a model: an empty folder, or one with a manifest of ours."""
    return folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))


def read_folder(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """Read and check a model folder: file name -> content.

    Raises
    ------
    ModelError
        The folder is missing, damaged, holds foreign files or was written by a newer version.

    """
    where = Path(folder)
    if not where.is_dir():
        raise ModelError(f"there is no model folder {where}")
    try:
        manifest = json.loads((where / MANIFEST).read_bytes())
        version, listed = int(manifest["format"]), dict(manifest["files"])
    except FileNotFoundError:
        raise ModelError(f"{where} is not a Shelfwise model: it has no {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{where / MANIFEST} is damaged: {error}") from error
    if version > FORMAT:
        raise ModelError(
            f"{where} has model format {version}; this version of Shelfwise reads up to {FORMAT}. Upgrade Shelfwise."
        )
    _check_names(where, listed)
    return {name: _read_checked(where / name, listed[name]) for name in sorted(listed)}


def _check_names(where: Path, listed: Mapping[str, Any]) -> None:
    there = {entry.name for entry in where.iterdir()}
    if unknown := sorted(set(listed) - set(_NAMES)):
        raise ModelError(f"{where / MANIFEST} lists a file that is no part of a model: {unknown[0]!r}")
    if foreign := sorted(there - set(listed) - {MANIFEST}):
        raise ModelError(f"{where} holds a foreign file, {foreign[0]!r}. Remove it; a model folder holds nothing else.")
    if missing := sorted(set(_NAMES) - (there & set(listed))):
        raise ModelError(f"{where} is incomplete: {missing[0]} is missing. Copy or train the model again.")


def _read_checked(path: Path, entry: Any) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"{path} is not a plain file")
    content = path.read_bytes()
    expected = entry.get("sha256") if isinstance(entry, dict) else None
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelError(f"{path} is damaged: it does not match {MANIFEST}. Copy or train the model again.")
    return content


def to_json(value: Any) -> bytes:  # any JSON value
    """Encode a value as the JSON of model folders: keys in order, so that equal values are equal bytes."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("utf-8", "replace")


def to_safetensors(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Encode named arrays; equal arrays are equal bytes."""
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}))


def from_safetensors(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Decode named arrays."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"the model's arrays are damaged: {error}") from error


def pack_texts(texts: list[str]) -> dict[str, NDArray[np.generic]]:
    """Texts as two arrays: `bytes` uint8 and `ends` int64."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), dtype=np.int64)
    return {"bytes": np.frombuffer(b"".join(encoded), np.uint8), "ends": ends}


def unpack_texts(packed: Mapping[str, NDArray[np.generic]]) -> list[str]:
    """The texts that `pack_texts` packed."""
    content = packed["bytes"].tobytes()
    ends = [0, *packed["ends"].tolist()]
    return [content[a:b].decode("utf-8", "replace") for a, b in zip(ends, ends[1:], strict=False)]
