"""A catalogue with texts and pictures, tiny encoders for both, and what holds of any engine that encodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

import shelfwise
from scale_shop import sha256
from shelfwise.recipe import Recipe
from shelfwise.scale import EncodeOptions, EncodeReport, encode_catalogue
from shelfwise.scale import encode as encoding
from tiny_encoders import WORDS, onnx_pictures, onnx_texts, picture_bytes

ROWS = 160
BAD = 4
"""Pictures that are none: their files hold text, the same in all."""


def catalogue(rows: int = ROWS) -> pl.DataFrame:
    """Products of two shelves; every fourth title is there twice, and a brand that never changes."""
    twins = [row - (row % 4 == 3) for row in range(rows)]
    return pl.DataFrame(
        {
            "product_id": [f"P{row:03}" for row in range(rows)],
            "title": [f"{WORDS[row % 8]} {WORDS[row // 8 % 8]} no{row}" for row in twins],
            "brand": ["Acme"] * rows,
            "category": ["shoe" if row % 2 else "lamp" for row in range(rows)],
        }
    )


def shop(folder: Path, pictures: int = 60) -> Path:
    """The folder with the catalogue as a file, pictures of some of it, and two encoders."""
    catalogue().write_parquet(folder / "products.parquet")
    onnx_texts(folder / "text")
    onnx_pictures(folder / "picture")
    (folder / "images").mkdir()
    for row in range(pictures):
        content = b"no picture" if row < BAD else picture_bytes(row % 40)
        (folder / "images" / f"P{row:03}.png").write_bytes(content)
    return folder


def recipe_of(folder: Path) -> Recipe:
    """A recipe with the two encoders of a shop, and none besides."""
    plain, images = Recipe(threads=1), str(folder / "images")
    text = replace(plain.encoder, encoder=f"onnx:{folder / 'text'}")
    seen = replace(plain.pictures, encoder=f"onnx:{folder / 'picture'}", folder=images, pixels=False)
    return replace(plain, encoder=text, pictures=seen)


def encode(folder: Path, cache: str, notify=None, **options) -> EncodeReport:
    """Encode a shop into a cache of its own."""
    source = shelfwise.open_source(folder / "products.parquet")
    chosen = EncodeOptions(**{"cache": str(folder / cache), **options})
    return encode_catalogue(source, recipe_of(folder), chosen, notify)


def kept(folder: Path) -> dict[str, str]:
    """The digest of each file in a cache."""
    return {
        str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def in_small_shards(monkeypatch) -> None:
    """Have a small shop cut into several shards, and kept in several files."""
    for name in ("TEXTS", "PICTURES", "_KEEP_ROWS"):
        monkeypatch.setattr(encoding, name, 32)


def check_kills_change_nothing(folder, engine, kill, **options):
    """An engine whose workers `kill` ends once, in the middle, keeps the bytes that one process keeps."""
    killed = []

    def listen(rows):
        if not killed:
            killed.extend(kill())

    straight = encode(folder, "straight", workers=1)
    report = encode(folder, engine, listen, engine=engine, work=str(folder / "work"), **options)

    assert killed
    assert report.rows == ROWS
    assert [one.encoded for one in report.encoders] == [one.encoded for one in straight.encoders]
    assert kept(folder / engine) == kept(folder / "straight")
    assert not (folder / "work").exists() or not list((folder / "work").iterdir())
