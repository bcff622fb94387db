"""What is made of a picture: checked as it is, or made smaller."""

import io

import numpy as np
import pytest

from hostile_pictures import saved
from shelfwise.catalogue.decoding import LIMITS
from shelfwise.errors import PictureError
from shelfwise.images.checking_process import Settings, look

Image = pytest.importorskip("PIL.Image")


def picture(width, height, kind, **more):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return saved(Image.fromarray(pixels), kind, **more)


def settings(size):
    return Settings(size, LIMITS.pixels, LIMITS.size)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_is_told_with_its_whole_size(kind):
    found = look(picture(300, 200, kind), settings(0))
    assert (found.code, found.form, found.width, found.height, found.data) == ("", kind, 300, 200, None)


def test_a_turned_picture_is_told_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = look(picture(300, 200, "JPEG", exif=exif), settings(0))
    assert (found.width, found.height) == (200, 300)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_longer_side_becomes_that_long(kind):
    found = look(picture(300, 200, kind), settings(60))
    shown = Image.open(io.BytesIO(found.data))
    assert (found.form, found.width, found.height) == ("JPEG", 60, 40) == (shown.format, *shown.size)


def test_small_pictures_stay_as_they_are():
    assert look(picture(30, 20, "PNG"), settings(60)).data is None


def test_the_same_picture_gives_the_same_bytes():
    data = picture(300, 200, "PNG")
    assert look(data, settings(60)).data == look(data, settings(60)).data


def test_half_a_picture_is_none():
    data = picture(300, 200, "JPEG")
    with pytest.raises(PictureError) as caught:
        look(data[: len(data) // 2], settings(0))
    assert caught.value.code == "truncated"
