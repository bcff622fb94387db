"""Files by their content: pictures/ab/abcd....jpg, each content once, whole or not there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from shelfwise.images.ledger import Ledger

FOLDER = "pictures"
STATE = ".shelfwise-images"
"""Folder of the ledger and of files that are being written; hidden, so that nobody takes it for pictures."""

_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff"}


def file_of(sha: str, form: str) -> str:
    """The path of a content in the folder, with "/"."""
    return f"{FOLDER}/{sha[:2]}/{sha}.{_ENDINGS[form]}"


class Store:
    """The files of a folder.

    Parameters
    ----------
    folder
        Where they are.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._building = folder / STATE / "building"
        self._count = 0

    def open(self) -> None:
        """Make the folders that files are written in; what a run that was killed left there goes."""
        shutil.rmtree(self._building, ignore_errors=True)  # of a run that was killed
        self._building.mkdir(parents=True)
        for number in range(256):
            (self.folder / FOLDER / f"{number:02x}").mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes, form: str) -> str:
        """Store bytes, unless they are there; returns their SHA-256 in hexadecimal."""
        sha = hashlib.sha256(data).hexdigest()
        path = self.folder / file_of(sha, form)
        if not _has_size(path, len(data)):
            self._count += 1
            building = self._building / str(self._count)
            building.write_bytes(data)
            os.replace(building, path)
        return sha

    def read(self, sha: str, form: str) -> bytes:
        """Return the bytes of a content."""
        return (self.folder / file_of(sha, form)).read_bytes()

    def missing(self, ledger: Ledger) -> Iterator[str]:
        """The contents of the ledger whose files are not there or not whole."""
        for sha, form, size in ledger.contents():
            if not _has_size(self.folder / file_of(sha, form), size):
                yield sha

    def prune(self, ledger: Ledger) -> int:
        """Remove files that the ledger knows nothing of; returns how many. One folder at a time in memory."""
        removed = 0
        contents = ledger.contents()
        upcoming = next(contents, None)
        for number in range(256):
            start, known = f"{number:02x}", set()
            while upcoming is not None and upcoming[0][:2] == start:
                known.add(os.path.basename(file_of(upcoming[0], upcoming[1])))
                upcoming = next(contents, None)
            with os.scandir(self.folder / FOLDER / start) as entries:
                strange = [entry.path for entry in entries if entry.name not in known]
            for path in strange:
                os.unlink(path)
            removed += len(strange)
        return removed

    def close(self) -> None:
        """Remove the folder of files that are being written, and folders without pictures."""
        shutil.rmtree(self._building, ignore_errors=True)
        for number in range(256):
            folder = self.folder / FOLDER / f"{number:02x}"
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _has_size(path: Path, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
