"""The folder of a pretrained encoder: its JSON files, read with care, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shelfwise.errors import EncoderError

_VECTORS = 1
"""Raised when this package computes other vectors from the same files than it did before."""


def folder_of(spec: str, name: str) -> Path:
    """The folder of that name; EncoderError if there is none."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise EncoderError(f"{spec}: the folder {folder} {what}; give the folder that holds the model")
    return folder


def read_json(path: Path, spec: str) -> dict[str, Any]:
    """An object from a JSON file of an encoder; EncoderError if it is missing or no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise EncoderError(
            f"{spec}: {path.parent} has no {path.name}; copy it from where the model is"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{spec}: {path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise EncoderError(f"{spec}: {path} holds no JSON object")
    return value


def read_json_if_there(path: Path, spec: str) -> dict[str, Any]:
    """As `read_json`, but empty where there is no such file."""
    return read_json(path, spec) if path.exists() else {}


def files_of(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The files of a folder that match any of the patterns, each once, in order of their names."""
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return sorted(found)


def fingerprint(folder: Path, files: Iterable[Path], options: Mapping[str, object]) -> str:
    """SHA-256 (hex) over the names and contents of files and over the options that change vectors.

    Where the folder lies and when its files were written makes no difference.
    """
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    settings = json.dumps({**options, "vectors": _VECTORS}, sort_keys=True, default=str)
    digest.update(settings.encode())
    return digest.hexdigest()
