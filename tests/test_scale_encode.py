"""Encoding ahead: afterwards everything is in the cache, the same bits whoever did it, and counted."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import shelfwise
from encode_shop import BAD, ROWS, check_kills_change_nothing, encode, kept, recipe_of
from encode_shop import shop as shop_in
from shelfwise.errors import CatalogueError, EncoderError, RecipeError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.vectors import vectors_of
from shelfwise.lesson import Training, read_lesson
from shelfwise.recipe import Recipe
from shelfwise.scale import EncodeOptions, encode_catalogue
from shelfwise.scale import encode as encoding


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of few rows, and a cache that is written often."""
    monkeypatch.setattr(encoding, "TEXTS", 32)
    monkeypatch.setattr(encoding, "PICTURES", 32)
    monkeypatch.setattr(encoding, "_KEEP_ROWS", 30)


@pytest.fixture
def shop(tmp_path):
    return shop_in(tmp_path)


@pytest.fixture
def recipe(shop):
    return recipe_of(shop)


def nobody_encodes(monkeypatch):
    """From now on an encoder that has anything to do fails."""

    def run(self, items):
        raise AssertionError(f"{self.name} had to encode {len(items)}")

    monkeypatch.setattr(BatchedEncoder, "run_filled", run)


def test_training_finds_all_vectors_and_they_are_its_own(shop, recipe, monkeypatch):
    source = shelfwise.open_source(shop / "products.parquet")
    monkeypatch.setenv("SHELFWISE_CACHE", str(shop / "its own"))
    expected = read_lesson(source, recipe, None, Training())
    encode(shop, "ahead")
    nobody_encodes(monkeypatch)
    monkeypatch.setenv("SHELFWISE_CACHE", str(shop / "ahead"))

    lesson = read_lesson(source, recipe, None, Training())

    assert lesson.fields == expected.fields == ("title",)
    for name in ("encoder", "pictures"):
        vectors, known = vectors_of(lesson.products, name)
        assert np.array_equal(vectors, vectors_of(expected.products, name)[0])
        assert known.sum() == (ROWS if name == "encoder" else 60 - BAD)


def test_what_was_done_is_counted_and_what_is_bad_is_data(shop):
    rows = []

    report = encode(shop, "cache", rows.append)

    assert (report.rows, report.fields, report.unread) == (ROWS, ["title"], {})
    text, picture = report.encoders
    assert (text.vectors, text.width, text.products, text.contents) == ("encoder", 6, ROWS, ROWS * 3 // 4)
    assert (text.cached, text.encoded, text.failed) == (0, ROWS * 3 // 4, {})
    assert (picture.products, picture.contents, picture.encoded) == (60, 41, 40)
    assert picture.failed == {"not_a_picture": 1}
    assert report.examples == ["P000.png is text; JPEG, PNG, WebP, GIF, BMP and TIFF are read"]
    assert sum(rows) == ROWS
    assert not list((shop / "cache").glob(".encode*"))


def test_second_run_encodes_nothing_and_changes_no_file(shop):
    encode(shop, "cache")
    before = kept(shop / "cache")

    report = encode(shop, "cache")

    assert [(one.cached, one.encoded) for one in report.encoders] == [(ROWS * 3 // 4, 0), (40, 0)]
    assert kept(shop / "cache") == before


def test_processes_that_are_killed_change_nothing(shop):
    def kill():
        pid = multiprocessing.active_children()[0].pid
        os.kill(pid, signal.SIGKILL)
        return [pid]

    check_kills_change_nothing(shop, "local", kill, workers=2)
    assert multiprocessing.active_children() == []


def test_run_that_is_stopped_goes_on_where_it_was(shop):
    def stop(rows):
        raise KeyboardInterrupt

    encode(shop, "straight")
    with pytest.raises(KeyboardInterrupt):
        encode(shop, "cache", stop)

    report = encode(shop, "cache")

    text = report.encoders[0]
    assert 0 < text.cached < text.contents == text.cached + text.encoded
    assert vectors_in(shop / "cache") == vectors_in(shop / "straight")


def vectors_in(cache):
    """Each vector of a cache by its encoder and key."""
    from safetensors.numpy import load_file

    found = {}
    for path in cache.rglob("*.safetensors"):
        shard = load_file(path)
        for key, *row in zip(*(shard[name] for name in ("keys", "values", "exponents")), strict=True):
            found[path.parent.name, key.tobytes()] = [value.tobytes() for value in row]
    return found


def test_pictures_in_the_catalogue_itself_and_files_that_cannot_be_read(shop, recipe):
    frame = pl.read_parquet(shop / "products.parquet").head(3)
    images = shop / "images"
    whole = (images / "P007.png").read_bytes()
    inside = [whole, whole[: len(whole) // 2], None]
    frame = frame.with_columns(pl.Series("image", inside, dtype=pl.Binary))
    bare = replace(recipe, encoder=replace(recipe.encoder, encoder="none"))
    bare = replace(bare, pictures=replace(bare.pictures, folder=""))
    options = EncodeOptions(cache=str(shop / "cache"))

    report = encode_catalogue(shelfwise.open_source(frame), bare, options)

    (one,) = report.encoders
    assert (one.products, one.encoded, one.failed) == (2, 1, {"truncated": 1})
    assert (report.fields, report.unread) == ([], {})
    (images / "P009.png").write_bytes(b"")
    again = encode(shop, "cache")
    assert again.unread == {"empty": 1}
    assert again.examples[0] == "P009.png is empty (0 bytes)"


def test_nothing_to_encode_and_no_pictures_are_told(shop):
    source = shelfwise.open_source(shop / "products.parquet")
    plain = Recipe()
    none = replace(plain, pictures=replace(plain.pictures, encoder="none"))

    with pytest.raises(RecipeError, match="give --text-encoder or --image-encoder"):
        encode_catalogue(source, none)
    with pytest.raises(RecipeError, match="say with --images where"):
        encode_catalogue(source, plain)
    with pytest.raises(RecipeError, match="engines are local, ray, spark"):
        EncodeOptions(engine="dask")


def test_encoder_that_cannot_be_kept_is_told_before_anything_is_done(shop, monkeypatch):
    from shelfwise.features.onnx import OnnxTextEncoder

    opener = OnnxTextEncoder.open

    def without(name, options):
        encoder = opener(name, options)
        encoder.fingerprint = ""
        return encoder

    monkeypatch.setattr(OnnxTextEncoder, "open", without)
    with pytest.raises(EncoderError, match="has no fingerprint"):
        encode(shop, "cache")
    assert not (shop / "cache").exists()


def test_two_runs_at_once_and_what_is_left_of_a_killed_one(shop):
    from shelfwise.scale.place import locked

    seen = []

    def listen(rows):
        if not seen:
            seen.extend((shop / "work").iterdir())
            with pytest.raises(CatalogueError, match="another run is encoding this catalogue"):
                encode(shop, "cache", work=str(shop / "work"))

    encode(shop, "cache", listen, work=str(shop / "work"))
    place = seen[0]
    with (
        locked(str(place), "is encoding this catalogue", "give another --work"),
        pytest.raises(CatalogueError, match=r"another run is encoding this catalogue.*another --work"),
    ):
        encode(shop, "cache", work=str(shop / "work"))
    place.mkdir(exist_ok=True)
    (place / "000007.in").write_bytes(b"of a run that was killed")
    (place / "000007.out").write_bytes(b"of a run that was killed")

    encode(shop, "cache", work=str(shop / "work"))

    assert not place.exists()


def test_workers_suit_the_catalogue_and_the_encoders(shop):
    source = shelfwise.open_source(shop / "products.parquet")
    cores = encoding.EncoderOptions().cores

    def workers(specs, **options):
        return encoding._workers(EncodeOptions(**options), source, specs, pictures=True)

    assert workers(["onnx:a", "pixels"]) == min(cores, ROWS // 32)
    assert workers(["hf:a", "pixels"]) == 1
    assert workers(["hf:a"], workers=3) == 3
    assert workers(["hf:a"], engine="ray") == 0
