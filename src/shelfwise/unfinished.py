"""Files and folders that appear whole or not at all: built under a hidden name, then moved to their place.

Whoever builds one holds a lock on it (flock). What a killed run has left behind is held by nobody, and the
next one that builds for the same place sweeps it away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shelfwise import locks

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD
_TOLD = re.compile(r"\(os error (\d+)\)")


@contextlib.contextmanager
def whole_file(path: Path, stem: str = "") -> Iterator[Path]:
    """A temporary file beside `path`: flushed to disk and renamed at the end, removed when anything fails.

    stem: what hidden names begin with, for files that are one of many there; the file's own name otherwise.
    OSError is left to the caller, who knows what was to be written.
    """
    with _held(path, stem or path.name, folder=False) as building:
        try:
            yield building
        except Exception as error:
            told = _os_error(error)
            if told is None:
                raise
            raise told from error
        _flush(building)
        building.chmod(0o644)
        building.replace(path)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`: flushed and moved there at the end, removed when anything fails.

    A folder that is there is replaced; see `put_folder`. OSError is left to the caller.
    """
    with _held(path, path.name, folder=True) as building:
        building.chmod(0o755)
        yield building
        put_folder(building, path)


def put_folder(building: Path, path: Path) -> None:
    """Flush a folder and move it to its place on the same disk; one that is there goes.

    In one step where the system can exchange two folders; elsewhere the old one comes back if that fails.
    """
    for file in sorted(building.rglob("*")):
        _flush(file)
    _flush(building)
    if not path.exists():
        building.rename(path)
    elif _exchanged(building, path):
        shutil.rmtree(building, ignore_errors=True)
    else:
        _replace(building, path)
    _flush(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; see `whole_file`."""
    with whole_file(path) as building:
        building.write_bytes(content)


@contextlib.contextmanager
def _held(path: Path, stem: str, folder: bool) -> Iterator[Path]:
    """Make the hidden file or folder and hold it; it is gone afterwards unless it was moved away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{stem}-"
    with _locked(path.parent):  # so that nobody sweeps away what was made and is not held yet
        _sweep(path.parent, prefix)
        if folder:
            name = tempfile.mkdtemp(prefix=prefix, dir=path.parent)
        else:
            handle, name = tempfile.mkstemp(prefix=prefix, dir=path.parent)
            os.close(handle)
        building = Path(name)
        held = _hold(building)
    try:
        yield building
    finally:
        _remove(building)
        if held is not None:
            os.close(held)


def _sweep(folder: Path, prefix: str) -> None:
    """Remove what was begun under the prefix and is held by nobody."""
    drawn = re.compile(re.escape(prefix) + r"[a-z0-9_]{8}")  # as `tempfile` draws names
    for entry in folder.iterdir():
        if drawn.fullmatch(entry.name) and not entry.is_symlink():
            held = _hold(entry)
            if held is not None:
                _remove(entry)
                os.close(held)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _hold(path: Path) -> int | None:
    """A handle that locks the path; None where another has it, or where nothing can be locked."""
    try:
        return locks.take(path, make=False)
    except OSError:
        return None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder for a moment; others wait. Where nothing can be locked, nobody waits."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(handle)


def _exchanged(building: Path, path: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(building), _HERE, os.fsencode(path), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(path))


def _replace(building: Path, path: Path) -> None:
    """Move a folder to where another one is; that one goes, or comes back if the move fails."""
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    try:
        path.rename(old / "folder")
        try:
            building.rename(path)
        except BaseException:
            (old / "folder").rename(path)
            raise
    finally:
        if path.exists():  # else the old folder is all there is: leave it to be found
            shutil.rmtree(old, ignore_errors=True)


def _os_error(error: Exception) -> OSError | None:
    """What polars tells of a failed write, as the OSError that it was; None for any other error."""
    told = _TOLD.search(str(error))
    if told is None or not type(error).__module__.startswith("polars"):
        return None
    number = int(told.group(1))
    return OSError(number, os.strerror(number))
