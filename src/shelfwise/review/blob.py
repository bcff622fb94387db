"""Records on disk: what is needed one at a time (texts, neighbours, pictures) does not fill the memory."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterable

import numpy as np

from shelfwise.errors import CatalogueError


class Blob:
    """Byte strings by number, appended once and then read in any order by any thread.

    They lie in a temporary file that has no name and vanishes with the blob or the process. 8 bytes a record
    stay in memory.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="shelfwise-review-")  # noqa: SIM115 - closed with the process
        self._closing = weakref.finalize(self, self._file.close)
        self._ends = np.zeros(1, np.int64)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def close(self) -> None:
        """Give the file up; nothing can be read any more."""
        self._closing()

    def extend(self, records: Iterable[bytes]) -> None:
        """Append records; CatalogueError when the disk of temporary files is full."""
        listed = list(records)
        if not listed:
            return
        try:
            with self._lock:
                self._file.seek(int(self._ends[-1]))
                self._file.write(b"".join(listed))
                self._file.flush()
        except OSError as error:
            told = error.strerror or error
            raise CatalogueError(
                f"{tempfile.gettempdir()}: the temporary copy of the catalogue cannot be written: {told}. "
                "Make room there, or name another folder by the environment variable TMPDIR."
            ) from error
        sizes = np.fromiter((len(record) for record in listed), np.int64, len(listed))
        self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(sizes)])

    def read(self, number: int) -> bytes:
        """Return record `number`; IndexError where there is none."""
        if not 0 <= number < len(self):
            raise IndexError(f"record {number} of {len(self)}")
        start, end = int(self._ends[number]), int(self._ends[number + 1])
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)
