"""The process that decodes pictures for `decoders`: imports little, may do little, may die of a picture.

It reads pictures from its standard input and writes pixels, or why there are none, to its standard output.
Nothing else reaches it: no environment, no address, no token. It ends when its input is closed, when the
process that started it dies, and when a picture takes too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from shelfwise.catalogue.decoding import Limits, decode, prepare_decoders
from shelfwise.errors import PictureError

NAME = "\0"
"""Stands for the picture's name in messages."""
ASK = struct.Struct("<QQqQ")
"""A picture: most pixels, most bytes, hint of a size (-1: none), bytes that follow."""
TOLD = struct.Struct("<BIIQ")
"""What came of it: `PIXELS` or `REFUSED`, width, height, bytes that follow."""
PIXELS, REFUSED = 1, 2
READY = b"\x06"
PATIENCE = 4
"""How many times its limit in processor time a picture may take by the clock, on a machine that is busy."""

_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # numbers of Linux's prctl


def main() -> None:
    """Decode until the input ends; arguments: memory in bytes, seconds a picture, the parent's process id."""
    memory, seconds, parent = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    prepare_decoders()
    confine(memory)
    if os.name == "posix" and os.getppid() != parent:
        return  # it died before it could be watched
    answers.write(READY)
    answers.flush()
    while _serve_one(source, answers, seconds):
        pass


def _serve_one(source: BinaryIO, answers: BinaryIO, seconds: float) -> bool:
    """Answer one picture; whether another may come."""
    head = source.read(ASK.size)
    if len(head) < ASK.size:
        return False
    pixels, size, hint, length = ASK.unpack(head)
    data = source.read(length)
    if len(data) < length:
        return False
    alarm(seconds)
    try:
        image = decode(data, NAME, Limits(pixels, size), None if hint < 0 else hint)
        told, body = (PIXELS, *image.size), image.tobytes()
    except PictureError as error:
        code = "decoder_memory" if isinstance(error.__cause__, MemoryError) else error.code
        told, body = (REFUSED, 0, 0), json.dumps([code, str(error)]).encode()
    except MemoryError:
        told, body = (REFUSED, 0, 0), json.dumps(["decoder_memory", ""]).encode()
    alarm(0)
    answers.write(TOLD.pack(*told, len(body)))
    answers.write(body)
    answers.flush()
    return True


def alarm(seconds: float) -> None:
    """End the process after so many seconds of work, whatever it is doing; 0: not any more."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, (PATIENCE + 1) * seconds)  # who asks gives up before


def confine(memory: int) -> None:
    """Take away what a decoder needs not; where a system cannot, the caller's clock remains."""
    with contextlib.suppress(OSError):  # of all processes this one is to go when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            system = ctypes.CDLL(None)
            system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
            system.prctl(_DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a server that ends goes on answering: who asks decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


if __name__ == "__main__":
    main()
