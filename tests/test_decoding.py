from __future__ import annotations

import io
import resource
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.decoding import FORMATS, Limits, decode, picture_format, picture_size
from shelfwise.errors import PictureError

Image = pytest.importorskip("PIL.Image")

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_sides(width: int = 40, height: int = 20) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def noise(width: int = 64, height: int = 64) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def png_header(width: int, height: int) -> bytes:
    """A whole PNG but for its pixels: the header says how many there would be."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, "shelf/7.jpg", limits or Limits())
    assert "shelf/7.jpg" in str(caught.value)
    return caught.value.code


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int], far: int = 12) -> bool:
    return bool(np.abs(np.subtract(image.getpixel(place), colour)).max() <= far)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_back_as_it_was(kind: str):
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    data = saved(two_sides(), kind, **options)
    assert picture_format(data) == kind
    image = decode(data)
    assert (image.mode, image.size) == ("RGB", (40, 20))
    assert near(image, (5, 10), RED)
    assert near(image, (35, 10), BLUE)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first(kind: str):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    options = {"duration": 100} if kind != "TIFF" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert near(decode(data), (8, 8), RED)


def test_the_first_picture_of_a_phone_s_two():
    data = saved(two_sides(), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 20), WHITE)])
    assert near(decode(data), (5, 10), RED)


def test_cmyk():
    data = saved(two_sides().convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    image = decode(data)
    assert image.mode == "RGB"
    assert near(image, (5, 10), RED, 20)
    assert near(image, (35, 10), BLUE, 20)


def test_sixteen_bits_of_grey_keep_their_brightness():
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (8, 1))
    got = np.asarray(decode(saved(Image.fromarray(ramp), "PNG")))
    wanted = np.rint(ramp / 257).astype(int)
    assert np.abs(got[:, :, 1].astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), [0, 128, 255, 0]),
        (np.array([[0, 100, 255, 3]], np.float32), [0, 100, 255, 3]),
        (np.array([[-100, 0, 100, 100]], np.int32), [0, 127, 255, 255]),
    ],
)
def test_numbers_as_pixels_are_brought_to_eight_bits(values: np.ndarray, wanted: list[int]):
    got = np.asarray(decode(saved(Image.fromarray(values), "TIFF")))[0, :, 0]
    assert got.tolist() == wanted


def test_what_is_transparent_is_white():
    layer = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    layer.paste((255, 0, 0, 255), (0, 0, 10, 10))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    palette = two_sides(20, 10).quantize(4)
    index = palette.getpixel((15, 5))
    grey = Image.new("LA", (4, 4), (0, 0))
    for data in (saved(layer, "PNG"), saved(layer, "WEBP", lossless=True), saved(layer, "GIF")):
        image = decode(data)
        assert near(image, (2, 5), RED)
        assert near(image, (15, 5), WHITE)
    for kind in ("PNG", "GIF"):
        image = decode(saved(palette, kind, transparency=index))
        assert (near(image, (2, 5), RED), near(image, (15, 5), WHITE)) == (True, True)
    assert near(decode(saved(half, "PNG")), (1, 1), (127, 127, 127))
    assert near(decode(saved(grey, "PNG")), (1, 1), WHITE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_pictures_stand_upright(orientation: int, kind: str):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    corner = two_sides(48, 32)
    corner.paste((0, 255, 0), (0, 0, 16, 16))
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    data = saved(corner, kind, exif=exif, **options)
    turned = corner.copy()
    turned.getexif()[0x0112] = orientation
    wanted = ImageOps.exif_transpose(turned)
    got = decode(data)
    assert got.size == wanted.size
    assert np.abs(np.asarray(got).astype(int) - np.asarray(wanted)).mean() < 12


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_damaged_exif_costs_nothing():
    data = saved(two_sides(), "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff broken")
    assert near(decode(data), (5, 10), RED)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "empty", "0 bytes"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "not_a_picture", "web page"),
        (b"\xef\xbb\xbf \n<HTML lang=de>", "not_a_picture", "web page"),
        (b"just some words about a shoe\n" * 50, "not_a_picture", "text"),
        (b"BMW parts list", "not_a_picture", "text"),
        (bytes(range(256)), "not_a_picture", "no picture"),
        (b"%PDF-1.7 ...", "format", "PDF"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00", "format", "AVIF"),
        (b"\x00\x00\x00\x20ftypheic\x00\x00", "format", "HEIC"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "format", "SVG"),
        (b"P6\n2 2\n255\n" + b"\x00" * 12, "format", "PPM"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, code: str, said: str):
    assert code_of(data) == code
    with pytest.raises(PictureError, match=said):
        decode(data)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_picture_that_is_cut_off(kind: str, kept: float):
    data = saved(noise(), kind)
    assert code_of(data[: int(len(data) * kept)]) in ("truncated", "unreadable")
    if kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
        assert code_of(data[: int(len(data) * kept)]) == "truncated"


def test_damage_inside_is_not_called_truncation():
    data = bytearray(saved(noise(), "PNG"))
    data[len(data) // 2 : len(data) // 2 + 40] = b"\x00" * 40
    assert code_of(bytes(data)) == "unreadable"


def bomb_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + saved(Image.new("P", (4, 4)), "GIF")[10:]


def bomb_webp() -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + (16_000).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def bomb_bmp() -> bytes:
    data = bytearray(saved(Image.new("RGB", (4, 4)), "BMP"))
    data[18:26] = struct.pack("<ii", 20_000, 20_000)
    return bytes(data)


@pytest.mark.parametrize("make", [lambda: png_header(20_000, 20_000), bomb_gif, bomb_webp, bomb_bmp])
def test_a_bomb_is_refused_by_its_header(make: Callable[[], bytes]):
    data = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert code_of(data) == "too_many_pixels"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_no_warning_stands_between_a_bomb_and_its_error():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert code_of(png_header(10_000, 10_000)) == "too_many_pixels"
    assert said == []


def test_limits_are_the_caller_s():
    data = saved(two_sides(), "PNG")
    assert code_of(data, Limits(pixels=40 * 20 - 1)) == "too_many_pixels"
    assert decode(data, limits=Limits(pixels=40 * 20)).size == (40, 20)
    assert code_of(data, Limits(size=len(data) - 1)) == "too_large"


def test_a_hint_makes_a_large_jpeg_small_but_not_too_small():
    data = saved(two_sides(1600, 800), "JPEG")
    assert decode(data, size_hint=100).size == (200, 100)
    assert decode(data, size_hint=101).size == (400, 200)
    assert decode(data, size_hint=5000).size == (1600, 800)
    assert decode(saved(two_sides(160, 80), "PNG"), size_hint=10).size == (160, 80)
    assert near(decode(data, size_hint=100), (20, 50), RED)


@given(st.sampled_from(FORMATS), st.integers(0, 10_000), st.binary(min_size=1, max_size=12))
def test_damage_ends_in_a_picture_or_in_one_error(kind: str, place: int, junk: bytes):
    data = bytearray(saved(two_sides(), kind))
    place %= len(data)
    data[place : place + len(junk)] = junk
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged tags
        try:
            image = decode(bytes(data), limits=Limits(pixels=10_000_000))
        except PictureError as error:
            ended = error.code
        else:
            ended = image.mode
    assert ended in ("RGB", "truncated", "unreadable", "too_many_pixels", "not_a_picture", "format")


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (80, 48)), (3, (80, 48)), (6, (48, 80)), (8, (48, 80))]
)
def test_the_size_of_a_picture_that_was_decoded_smaller(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(noise(80, 48), "JPEG", exif=exif)
    small = decode(data, size_hint=1)

    assert small.width < 40
    assert picture_size(data, small) == size
