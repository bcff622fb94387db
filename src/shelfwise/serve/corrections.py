"""Corrections that people make at run time: a journal of them, one JSON line each, replayed after a start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    Several processes may use one file: who appends is `alone`, and knows what the others appended.

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
        self._known: list[Correction] = []
        self._end = 0  # bytes that are known
        with self.alone():
            pass

    def of(self, model: str) -> list[Correction]:
        """The corrections of one model, as far as they are known."""
        return [one for one in self._known if one.model == model]

    @property
    def has_more(self) -> bool:
        """Whether another process has appended something."""
        try:
            return self.path.stat().st_size > self._end
        except OSError:
            return False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from appending, and know all that they have appended."""
        with _locked(self.path.parent):
            self._read(cut=True)
            yield

    def read_on(self) -> None:
        """Read what other processes have appended."""
        self._read(cut=False)

    def append(self, corrections: Sequence[Correction]) -> None:
        """Keep corrections, `alone`; OSError where they could not be written."""
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
        self._end = start + len(lines)

    def _read(self, cut: bool) -> None:
        """Read on; `cut`: nobody is writing, so half a line is what a crash left, and goes."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._end)
                content = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            told = f"the corrections in {self.path} cannot be read: {error.strerror or error}"
            raise ModelError(told) from error
        whole = content[: content.rfind(b"\n") + 1]
        if cut and len(whole) < len(content):
            os.truncate(self.path, self._end + len(whole))
        try:
            self._known += [msgspec.json.decode(line, type=Correction) for line in whole.split(b"\n") if line]
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            told = f"{self.path} holds no corrections of a server: {error}. Name another file."
            raise ModelError(told) from error
        self._end += len(whole)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, among processes; it ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows, where one process serves
        yield
        return
    while not folder.is_dir():
        folder = folder.parent
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
