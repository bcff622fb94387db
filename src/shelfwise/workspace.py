"""The room for a piece of work: how much memory it may fill, and files for what goes beyond.

What is large asks the workspace where to lie. The answer changes where arrays are and how large the pieces
are that are worked on, and never a result. Files have no name: they are gone with the process, however it
ends.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import RecipeError, WorkspaceError

_Kind = TypeVar("_Kind", bound=np.generic)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SHARE = 0.5
"""Of the memory that is free, that much is filled where nobody says how much may be."""
_SOME = 400_000_000
_UNKNOWN = 4 * 2**30
OWN = 600_000_000
"""Bytes that the program itself fills: libraries, compiled kernels, tables of features."""
_ENOUGH = 1 << 62


class Place(NamedTuple):
    """Where bytes stand in a file of a workspace."""

    start: int
    size: int


class Workspace:
    """Memory and files for one piece of work.

    Parameters
    ----------
    limit: bytes of memory that the work may fill; None: any number.
    folder: where files are put; None: the system's folder for temporary files.

    """

    def __init__(self, limit: int | None = None, folder: str | os.PathLike[str] | None = None) -> None:
        self.limit = limit or _ENOUGH
        self.folder = Path(folder) if folder is not None else Path(tempfile.gettempdir())
        self._mapped: list[weakref.ref[mmap.mmap]] = []
        self.filed = 0
        """Bytes that were put into files so far."""

    def to_dict(self) -> dict[str, int]:
        """Bytes of memory that may be filled, and of what was put into files so far."""
        return {"limit": self.limit, "filed": self.filed}

    def part(self, share: float) -> int:
        """That share of what the limit leaves beside the program itself, in bytes."""
        return int(max(self.limit - OWN, 0) * share)

    def empty(self, count: int, kind: type[_Kind], share: float) -> NDArray[_Kind]:
        """An array [count] of no particular values: in memory where it needs no more than `share` of it.

        Otherwise it is a mapped file, whose pages the system writes and fetches.
        """
        size = count * np.dtype(kind).itemsize
        if size <= self.part(share):
            return np.empty(count, kind)
        with self.open() as file:  # the mapping keeps it
            try:
                _reserve(file, size)
            except OSError as error:
                raise self.full(error, size) from error
            mapped = mmap.mmap(file.fileno(), size)
        self.filed += size
        self._mapped = [known for known in self._mapped if known() is not None] + [weakref.ref(mapped)]
        return np.frombuffer(mapped, kind)

    def release(self) -> None:
        """Give pages of mapped arrays back to the system; they are fetched again when they are read."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        for known in self._mapped:
            if (mapped := known()) is not None:
                mapped.madvise(mmap.MADV_DONTNEED)

    def file(self) -> WorkFile:
        """A new file for bytes; it is gone when nothing refers to it any more."""
        return WorkFile(self)

    def open(self) -> BinaryIO:
        """A new file without a name."""
        try:
            return tempfile.TemporaryFile(dir=self.folder)
        except OSError as error:
            raise WorkspaceError(
                f"no work file can be made in {self.folder}: {error.strerror}. Name a folder with --work."
            ) from error

    def full(self, error: OSError, size: int) -> WorkspaceError:
        """What to say when a file does not get `size` bytes more."""
        return WorkspaceError(
            f"there is no room in {self.folder} for {in_units(size)} more of work files "
            f"({error.strerror}). Free some space, name another folder with --work, or allow more memory "
            "with --memory."
        )


class WorkFile:
    """A file of a workspace: bytes are put at its end and read again, from any thread."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._lock = threading.Lock()
        self._file = space.open()
        self._end = 0
        weakref.finalize(self, self._file.close)

    def write(self, parts: Sequence[bytes | memoryview]) -> Place:
        """Put bytes at the end."""
        with self._lock:
            start = self._end
            self._file.seek(start)
            try:
                for part in parts:
                    self._file.write(part)
                self._file.flush()
            except OSError as error:
                raise self._space.full(error, sum(len(part) for part in parts)) from error
            self._end = self._file.tell()
            self._space.filed += self._end - start
            return Place(start, self._end - start)

    def read(self, place: Place) -> NDArray[np.uint8]:
        """What was put there, uint8, in memory of its own."""
        content = np.empty(place.size, np.uint8)
        self.read_into(place.start, content.data)
        return content

    def read_into(self, start: int, content: memoryview) -> None:
        """Fill `content`, bytes, with what stands from `start` on."""
        if hasattr(os, "preadv"):
            got = os.preadv(self._file.fileno(), [content], start)
        else:
            with self._lock:
                self._file.seek(start)
                got = self._file.readinto(content)  # type: ignore[attr-defined]
        if got != len(content):
            raise WorkspaceError(f"a work file in {self._space.folder} was cut short while it was in use")


def _reserve(file: BinaryIO, size: int) -> None:
    """Give a file its size for good: writing to a mapped file on a full disk would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])
    file.flush()


def parse_size(text: str) -> int:
    """Bytes of a size such as 8GB, 500 MB, 2GiB or 1.5g; RecipeError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, flags=re.IGNORECASE)
    if found:
        letter = found[2].upper()
        unit = _BINARY.get(f"{letter}i") if found[3] else _UNITS[letter]
        if unit and (size := int(float(found[1]) * unit)) > 0:
            return size
    raise RecipeError(f"{text!r} is no size of memory, such as 8GB, 500MB or 2GiB")


def in_units(size: float) -> str:
    """Bytes for people: "7.5 GB", "320 MB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.{0 if size >= 100 * unit or name == 'kB' else 1}f} {name}"
    return f"{size:.0f} bytes"


def usual_limit() -> int:
    """Half of the memory that is free now, for the machine and for the group of processes that this is in.

    Some at least: a small catalogue is not refused because little is free.
    """
    return max(int(_free() * _SHARE), OWN + _SOME)


def folder_beside(path: str | os.PathLike[str]) -> Path:
    """The folder that a path is in, or the nearest one above it that is there already."""
    return next(folder for folder in Path(os.path.abspath(path)).parents if folder.is_dir())


def _free(root: Path = Path("/")) -> int:
    known = [_available(root), *_group_rooms(root)]
    return min((size for size in known if size is not None), default=_UNKNOWN)


def _available(root: Path) -> int | None:
    """Bytes of memory that the machine could give now."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (root / "proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _group_rooms(root: Path) -> list[int | None]:
    """What is left of the limits of control groups (containers), version 2 and 1, from this one upwards."""
    top = root / "sys/fs/cgroup"
    groups = [top]
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                own = top / line[4:]
                groups += [own, *(above for above in own.parents if top in above.parents)]
    version_1 = top / "memory"
    return [
        *(_left(group / "memory.max", group / "memory.current", group / "memory.stat") for group in groups),
        _left(
            version_1 / "memory.limit_in_bytes",
            version_1 / "memory.usage_in_bytes",
            version_1 / "memory.stat",
        ),
    ]


def _left(most: Path, used: Path, kinds: Path) -> int | None:
    """What a group may still take; files that the system keeps in memory are given up when it is asked to."""
    try:
        room = int(most.read_text()) - int(used.read_text())  # "max": no limit
    except (OSError, ValueError):
        return None
    cached = 0
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = kinds.read_text().splitlines()
        cached = int(next(line for line in lines if line.startswith("inactive_file ")).split()[1])
    return max(room + cached, 0)
