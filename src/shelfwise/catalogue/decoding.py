"""From bytes that call themselves a picture to pixels, safely; what cannot be decoded is one coded error.

Bytes from a catalogue are a stranger's. Only the formats of `FORMATS` are opened, each by its own decoder and
chosen by the first bytes, never by the file's name; the size in the header is checked before any pixel is
allocated; whatever a decoder raises becomes a `PictureError` that names the picture.

Decoders are called directly and not through ``PIL.Image.open``: its own guard against decompression bombs is
a warning, and warnings can be neither caught nor silenced in threads.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are decoded, by their names in Pillow."""

_NAMED = "JPEG, PNG, WebP, GIF, BMP and TIFF"
_ORIENTATION = 0x0112  # the EXIF tag
_FOREIGN = {
    b"%PDF": "a PDF document", b"8BPS": "a Photoshop file", b"\x00\x00\x01\x00": "an icon",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 picture", b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\xff\x0a": "a JPEG XL picture", b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture", b"qoif": "a QOI picture",
    b"%!PS": "a PostScript file", b"P3\n": "a PPM picture", b"P6\n": "a PPM picture",
}  # fmt: skip
_BRANDS = {b"avif": "an AVIF picture", b"avis": "an AVIF picture"}
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_START = 1024  # bytes that are looked at to tell what is no picture


@dataclass(frozen=True)
class Limits:
    """The largest picture that is read: `pixels` of width x height, and `size` in bytes of the file."""

    pixels: int = 50_000_000
    size: int = 64 * 2**20


LIMITS = Limits()


def picture_format(data: bytes) -> str | None:
    """The format of `FORMATS` that the first bytes speak of, or None."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    # "BM" alone also begins words: the sizes of BMP's headers are few.
    if (
        data[:2] == b"BM"
        and data[14:18]
        and int.from_bytes(data[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)
    ):
        return "BMP"
    return None


def decode(data: bytes, name: str = "", limits: Limits = LIMITS, size_hint: int | None = None) -> Image:
    """Decode a picture: its first frame, upright (EXIF), in 8-bit RGB, transparency on white.

    Parameters
    ----------
    data
        The bytes of the file.
    name
        What to call the picture in messages.
    limits
        The largest picture to accept; by its header, before any pixel is allocated.
    size_hint
        Pixels that both sides are needed at. A JPEG that is at least twice that is decoded at a half, quarter
        or eighth of its size, several times as fast; all others are decoded whole. No side gets shorter than
        this.

    Raises
    ------
    PictureError
        With the code "empty", "too_large", "not_a_picture", "format", "too_many_pixels", "truncated", or
        "unreadable" (damaged inside).

    """
    shown = name or "the picture"
    if not data:
        raise PictureError("empty", f"{shown} is empty (0 bytes)")
    if len(data) > limits.size:
        raise PictureError(
            "too_large", f"{shown} has {len(data):,} bytes; up to {limits.size:,} are read. Save it smaller"
        )
    kind = picture_format(data)
    if kind is None:
        raise _not_a_picture(data, shown)
    try:
        if kind == "WEBP":  # whose decoder allocates on opening
            _check_pixels(_webp_size(data), limits, shown)
        image = _openers()[kind](io.BytesIO(data), "")
        _check_pixels(image.size, limits, shown)
        if size_hint is not None and kind == "JPEG":
            image.draft(None, (size_hint, size_hint))
        image.load()
        return _upright(image, _to_rgb(image))
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("too_many_pixels", f"{shown} does not fit into memory") from error
    except Exception as error:  # on damaged bytes decoders raise a dozen kinds
        raise _damaged(data, kind, shown, error) from error


def prepare_decoders() -> None:
    """Load everything that decoding needs, which otherwise the first picture does."""
    from PIL import Image, ImageMode  # noqa: F401 - loaded for later

    for kind in _openers():
        blank, file = Image.new("RGBA" if kind == "PNG" else "RGB", (2, 2)), io.BytesIO()
        blank.save(file, kind)
        decode(file.getvalue())


@cache
def _openers() -> dict[str, Callable[[io.BytesIO, str], Image]]:
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import jpeg_factory
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    return {
        "JPEG": jpeg_factory, "PNG": PngImageFile, "WEBP": WebPImageFile,
        "GIF": GifImageFile, "BMP": BmpImageFile, "TIFF": TiffImageFile,
    }  # fmt: skip


def picture_size(data: bytes, image: Image) -> tuple[int, int]:
    """Width and height of a picture as it is seen; `image` was decoded from it, perhaps at a smaller size."""
    if picture_format(data) != "JPEG":
        return image.size
    width, height = _openers()["JPEG"](io.BytesIO(data), "").size
    lies = (width > height) != (image.width > image.height) and width != height
    return (height, width) if lies else (width, height)


# -- before decoding -----------------------------------------------------------------------------------------


def _check_pixels(size: tuple[int, int], limits: Limits, shown: str) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise PictureError(
            "too_many_pixels",
            f"{shown} is {width:,} x {height:,} pixels; up to {limits.pixels:,} in all are decoded. "
            "Save it smaller",
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in the header of a WebP; (0, 0) where there is none, for the decoder to complain."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _not_a_picture(data: bytes, shown: str) -> PictureError:
    """Say what the bytes are instead."""
    for start, what in _FOREIGN.items():
        if data.startswith(start):
            return PictureError("format", f"{shown} is {what}; {_NAMED} are read")
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        what = _BRANDS.get(brand, "a HEIC picture" if brand in _HEIF else "a video")
        return PictureError("format", f"{shown} is {what}; {_NAMED} are read")
    start = data[:_START].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return PictureError("format", f"{shown} is an SVG drawing; {_NAMED} are read")
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or b"<html" in start:
        what = "a web page: the shop answered with a page instead of the picture. Fetch it again"
    elif start and all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in start):
        what = "text"
    else:
        what = "no picture that is known"
    return PictureError(
        "not_a_picture", f"{shown} is {what}" + ("" if "Fetch" in what else f"; {_NAMED} are read")
    )


def _damaged(data: bytes, kind: str, shown: str, error: Exception) -> PictureError:
    said = str(error).lower()
    if "bomb" in type(error).__name__.lower() or "bomb" in said:
        return PictureError("too_many_pixels", f"{shown} has a frame of too many pixels")
    if _ends_early(data, kind) or "truncat" in said or isinstance(error, EOFError):
        told = (
            f"{shown} is cut off: its {len(data):,} bytes end before the {kind} picture does. Fetch it again"
        )
        return PictureError("truncated", told)
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    return PictureError("unreadable", f"{shown} is a damaged {kind} picture ({first})")


def _ends_early(data: bytes, kind: str) -> bool:
    """Whether the mark that ends a file of this format is not there."""
    if kind == "JPEG":
        return b"\xff\xd9" not in data[-64:]
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "GIF":
        return b";" not in data[-16:]
    if kind in ("WEBP", "BMP"):
        size = int.from_bytes(data[4:8] if kind == "WEBP" else data[2:6], "little")
        return len(data) < size + (8 if kind == "WEBP" else 0)
    return False


# -- after decoding ------------------------------------------------------------------------------------------


def _to_rgb(image: Image) -> Image:
    """8-bit RGB of a decoded picture of any mode; what is transparent becomes white."""
    from PIL import Image as pillow

    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()  # a plain picture, without the file
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = pillow.new("RGBA", layer.size, (255, 255, 255, 255))
    return pillow.alpha_composite(white, layer).convert("RGB")


def _eight_bits(image: Image) -> Image:
    """A grey picture of 16 or 32 bits or of floats, brought to 0..255.

    Sixteen bits have a fixed white. Others have none: 1 (for floats), 255 or 65,535 is taken where nothing is
    above it, and anything else is stretched from its darkest to its brightest.
    """
    from PIL import Image as pillow

    values = np.asarray(image).astype(np.float64)  # worked on in place: a large picture fills the memory
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        low, white = 0.0, 65_535.0
    elif low < 0 or high > 65_535:
        white = high
    else:
        white = 1.0 if high <= 1 and image.mode == "F" else 255.0 if high <= 255 else 65_535.0
        low = 0.0
    values -= low
    values *= 255.0 / max(white - low, 1e-12)
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    return pillow.fromarray(values.astype(np.uint8))


def _upright(image: Image, rgb: Image) -> Image:
    """`rgb` turned as the EXIF of its file says; damaged EXIF turns nothing."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are right; a damaged note beside them is no reason to lose them
        return rgb
    turn = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }.get(orientation)  # fmt: skip
    return rgb if turn is None else rgb.transpose(turn)
