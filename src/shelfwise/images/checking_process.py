"""The process that looks at pictures for `checkers`: decodes them, makes them smaller, and may die of them.

It reads lists of pictures from its standard input and writes what it found to its standard output, each as
MessagePack behind its length. It is confined as the processes of `catalogue.decoder_process` are.
"""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO

import msgspec

from shelfwise.catalogue.decoder_process import NAME, READY, alarm, confine
from shelfwise.catalogue.decoding import Limits, decode, picture_format, picture_size, prepare_decoders
from shelfwise.errors import PictureError

LENGTH = 4
"""Bytes of a length, the lowest first."""
_QUALITY = 90
_SMALLEST = 1  # pixels: a JPEG that is only checked is decoded at an eighth of its size


class Found(msgspec.Struct, array_like=True):
    """What a picture is: a code and why, or its format, width, height; `data` where it was made smaller."""

    code: str
    message: str = ""
    form: str = ""
    width: int = 0
    height: int = 0
    data: bytes | None = None


class Settings(msgspec.Struct, array_like=True):
    """What is made of a picture: longest side (0: as it is); most pixels and bytes that are decoded."""

    size: int
    pixels: int
    most: int


def main() -> None:
    """Look until the input ends; arguments: settings, memory in bytes, seconds a picture, parent's id."""
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    memory, seconds, parent = int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    prepare_decoders()
    confine(memory)
    if os.name == "posix" and os.getppid() != parent:
        return
    answers.write(READY)
    answers.flush()
    while (asked := _read(source)) is not None:
        found = [_guarded(data, settings, seconds) for data in asked]
        body = msgspec.msgpack.encode(found)
        answers.write(len(body).to_bytes(LENGTH, "little") + body)
        answers.flush()


def _read(source: BinaryIO) -> list[bytes] | None:
    head = source.read(LENGTH)
    length = int.from_bytes(head, "little")
    body = source.read(length) if len(head) == LENGTH else b""
    return msgspec.msgpack.decode(body, type=list[bytes]) if body and len(body) == length else None


def _guarded(data: bytes, settings: Settings, seconds: float) -> Found:
    alarm(seconds)
    try:
        return look(data, settings)
    except PictureError as error:
        code = "decoder_memory" if isinstance(error.__cause__, MemoryError) else error.code
        return Found(code, str(error))
    except MemoryError:
        return Found("decoder_memory")
    finally:
        alarm(0)


def look(data: bytes, settings: Settings) -> Found:
    """Decode a picture, and make it smaller where its longer side is too long.

    Raises
    ------
    PictureError
        As `decoding.decode` does.

    """
    limits = Limits(settings.pixels, settings.most)
    image = decode(data, NAME, limits, settings.size or _SMALLEST)
    form = picture_format(data) or ""
    width, height = picture_size(data, image)
    if not settings.size or max(width, height) <= settings.size:
        return Found("", "", form, width, height)
    from PIL.Image import Resampling

    image.thumbnail((settings.size, settings.size), Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return Found("", "", "JPEG", *image.size, file.getvalue())


if __name__ == "__main__":
    main()
