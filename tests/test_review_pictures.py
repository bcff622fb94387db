"""Pictures are made small and encoded anew; what vanished or is broken is counted and has a code."""

from __future__ import annotations

import io
import os

import polars as pl
import pytest

from review_shop import make_shop
from shelfwise.catalogue.read import open_source
from shelfwise.errors import PictureError
from shelfwise.review.doubts import read_doubts
from shelfwise.review.pictures import GONE, NONE, THERE, Pictures
from shelfwise.review.products import find_catalogue, read_products

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def shop(tmp_path):
    return make_shop(tmp_path / "shop", 20)


def pictures_of(shop, change=None, images=True):
    doubts = read_doubts(shop[0])
    source = find_catalogue(doubts.audit, None, doubts.path)
    if change is not None:
        source = open_source(change(source.frame()))
    products = read_products(doubts, source)
    return products, Pictures(products, str(shop[2]) if images else "")


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("size", "wanted"), [(160, (160, 120)), (640, (240, 180))])
def test_a_picture_is_a_small_jpeg_and_never_blown_up(shop, size, wanted):
    products, pictures = pictures_of(shop)
    place = products.place_of("SKU-000003")
    image = opened(pictures.jpeg(place, size))
    assert image.format == "JPEG"
    assert image.size == wanted
    assert pictures.jpeg(place, size) is pictures.jpeg(place, size)  # made once


def test_the_bytes_of_the_shop_are_never_sent(shop):
    path = shop[2] / "SKU-000003.jpg"
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    Image.new("RGB", (50, 50), "red").save(path, exif=exif)
    products, pictures = pictures_of(shop)
    sent = pictures.jpeg(products.place_of("SKU-000003"), 160)
    assert b"<script>" in path.read_bytes()
    assert b"<script>" not in sent


def test_vanished_pictures_are_counted(shop):
    _products, pictures = pictures_of(shop)
    assert pictures.state.tolist().count(GONE) == 2  # of twenty, every tenth was never drawn
    assert pictures.note().startswith("2 of 20 pictures are not in")
    place = pictures.state.tolist().index(GONE)
    with pytest.raises(PictureError) as error:
        pictures.jpeg(place, 160)
    assert error.value.code == "missing"


def test_a_broken_picture_has_a_code(shop):
    (shop[2] / "SKU-000003.jpg").write_bytes(b"<html>not found</html>")
    products, pictures = pictures_of(shop)
    with pytest.raises(PictureError) as error:
        pictures.jpeg(products.place_of("SKU-000003"), 160)
    assert error.value.code == "not_a_picture"


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "link.jpg"])
def test_nothing_outside_the_folders_is_opened(shop, tmp_path, name):
    Image.new("RGB", (20, 20)).save(tmp_path / "secret.jpg")
    os.symlink(tmp_path / "secret.jpg", shop[2] / "link.jpg")
    for path in shop[2].glob("SKU*"):
        path.unlink()
    _products, pictures = pictures_of(shop, lambda f: f.with_columns(image=pl.lit(name)))
    assert THERE not in pictures.state
    with pytest.raises(PictureError):
        pictures.jpeg(0, 160)


def test_pictures_in_the_catalogue_are_served_and_not_held_in_memory(shop):
    def embed(frame):
        data = [
            (shop[2] / name).read_bytes() if (shop[2] / name).exists() else None for name in frame["image"]
        ]
        return frame.with_columns(image=pl.Series(data, dtype=pl.Binary))

    products, pictures = pictures_of(shop, embed, images=False)
    assert pictures.state.tolist().count(THERE) == 18
    assert "picture" not in products.frame.columns
    assert opened(pictures.jpeg(products.place_of("SKU-000003"), 160)).size == (160, 120)


def test_addresses_that_were_never_downloaded_are_nothing_to_complain_about(shop):
    change = lambda f: f.with_columns(image="https://x.example/" + pl.col("image"))  # noqa: E731
    _, pictures = pictures_of(shop, change, images=False)
    assert set(pictures.state.tolist()) == {NONE}
    assert pictures.note() is None
