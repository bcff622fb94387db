"""Corrections that people make at run time: a journal of them, one JSON line each, replayed after a start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from shelfwise.errors import ModelError


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product, as it was sent, and its right category. new_shelf: the category may be a new one."""

    model: str
    product: dict[str, Any]
    category: str
    new_shelf: bool = False


class Journal:
    """Corrections in a file, in the order in which they were made; each is on the disk before it counts.

    Parameters
    ----------
    path: the file; it is made with the first correction.

    Raises
    ------
    ModelError
        The file cannot be read, or holds something else. A last line that was cut off by a crash is dropped.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read(path)

    def of(self, model: str) -> list[Correction]:
        """The corrections of one model."""
        return [one for one in self._known if one.model == model]

    def append(self, corrections: Sequence[Correction]) -> None:
        """Keep corrections; OSError where they could not be written."""
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in corrections)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            start = file.tell()
            try:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, start)  # half a line would spoil the next one
                raise
        self._known += corrections


def _read(path: Path) -> list[Correction]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModelError(f"the corrections in {path} cannot be read: {error.strerror or error}") from error
    whole, _, cut = content.rpartition(b"\n")
    if cut:
        os.truncate(path, len(whole) + 1 if whole else 0)
    try:
        return [msgspec.json.decode(line, type=Correction) for line in whole.split(b"\n") if line]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} holds no corrections of a server: {error}. Name another file.") from error
