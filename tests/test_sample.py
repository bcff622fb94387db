"""Samples to measure an export on: different texts, pictures that can be decoded, no more than asked for."""

from __future__ import annotations

import polars as pl
import pytest

import shelfwise
from shelfwise.features.sample import sample_pictures, sample_texts
from tiny_encoders import picture_bytes


@pytest.fixture
def catalogue(tmp_path):
    rows = range(60)
    frame = pl.DataFrame(
        {
            "product_id": [f"P{row}" for row in rows],
            "title": ["" if row % 10 == 0 else f"boot number {row % 50}" for row in rows],
            "brand": ["Acme"] * 60,
            "category": [("Shoes", "Boots")[row % 2] for row in rows],
        }
    )
    frame.write_parquet(tmp_path / "products.parquet")
    (tmp_path / "pictures").mkdir()
    for row in rows[:20]:
        whole = picture_bytes(row)
        (tmp_path / "pictures" / f"P{row}.png").write_bytes(b"" if row == 3 else whole)
    return tmp_path / "products.parquet"


def test_texts_differ_and_leave_the_category_out(catalogue):
    texts = sample_texts(shelfwise.open_source(catalogue), 30)

    assert len(texts) == len(set(texts)) == 30
    assert all("boot number" in text for text in texts if text != "Acme")
    assert not any("Shoes" in text or "Boots" in text for text in texts)


def test_fewer_than_asked_for_are_all(catalogue):
    texts = sample_texts(shelfwise.open_source(catalogue), 1000)

    assert 45 <= len(texts) <= 46  # those of 50 that are not empty, and the brand alone


def test_pictures_that_cannot_be_read_are_passed_over(catalogue):
    found = sample_pictures(shelfwise.open_source(catalogue), catalogue.parent / "pictures", 100)

    assert len(found) == 19
    assert {image.size for image in found} == {(13, 9)}


def test_no_more_pictures_than_asked_for(catalogue):
    folder = catalogue.parent / "pictures"

    assert len(sample_pictures(shelfwise.open_source(catalogue), folder, 30)) == 19
    assert len(sample_pictures(shelfwise.open_source(catalogue), folder, 5)) <= 5
