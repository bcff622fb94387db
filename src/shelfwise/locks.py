"""Locks among processes: whoever has one keeps it as long as the process lives, however it ends."""

from __future__ import annotations

import os
from pathlib import Path


def take(path: Path, *, make: bool = True) -> int | None:
    """Lock a file or a folder for this process; what to close to let another have it.

    make: a file that is not there is made. None: this system has no such locks (Windows), and nobody is kept
    away.

    Raises
    ------
    BlockingIOError
        Another process has it.
    OSError
        It cannot be opened, or its file system has no locks.

    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(path, os.O_CLOEXEC | (os.O_RDWR | os.O_CREAT if make else os.O_RDONLY), 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
