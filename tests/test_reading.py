"""A reading passes to another process and reads there what it reads here."""

from __future__ import annotations

import pickle
from dataclasses import replace

import polars as pl
import pytest

import shelfwise
from scale_shop import broken_csv, dump
from shelfwise.errors import CatalogueError
from shelfwise.lesson import Training, read_lesson
from shelfwise.reading import Reader
from shelfwise.recipe import Recipe


def test_reading_is_plain_and_reads_the_same_elsewhere(seeing, demo, tmp_path, monkeypatch):
    seeing = replace_folder(seeing, demo.images)
    rows = pl.read_parquet(demo.catalogue).head(12)
    here = seeing.reader(shelfwise.open_source(rows))
    there = Reader(pickle.loads(pickle.dumps(here.reading)))
    expected = here.attach(here.choose(rows.select(*here.reading.columns)))
    monkeypatch.chdir(tmp_path)

    assert there.attach(there.choose(rows.select(*here.reading.columns))).equals(expected)
    assert there.reading.to_dict() == here.reading.to_dict()


def replace_folder(model, folder):
    from shelfwise.categorizer import Categorizer

    other = Categorizer(model.recipe).use_pictures(folder)
    other.__dict__.update({k: v for k, v in model.__dict__.items() if k != "recipe"})
    return other


def test_rows_may_be_read_one_by_one_at_their_places(toy_model, tmp_path):
    source = shelfwise.open_source(broken_csv(tmp_path / "dump.csv", 40))
    reader = toy_model.reader(source, "side")
    (place, raw), *more = reader.batches(source)
    whole = reader.choose(raw, place)
    rows = pl.Series([5, 9, 7, 30])

    assert (place, more) == (0, [])
    single = reader.choose(raw[rows.to_list()], rows)
    assert single.equals(whole.filter(pl.col("row").is_in([5, 9, 7, 30]))[[0, 2, 1, 3]][: single.height])
    assert set(single["status"]) == {"empty", "unreadable", "ok"}


def test_empty_catalogue_is_one_empty_piece(toy_model):
    source = shelfwise.open_source(dump(0))
    ((place, raw),) = toy_model.reader(source).batches(source)

    assert (place, raw.height) == (0, 0)
    assert [p for p, _ in toy_model.reader(source).batches(shelfwise.open_source(dump(5)), 2)] == [0, 2, 4]


def test_columns_that_are_not_there_are_named(toy_model):
    with pytest.raises(CatalogueError, match="no column 'x'"):
        toy_model.reader(shelfwise.open_source(dump(5)), "x")
    with pytest.raises(CatalogueError, match="none of the columns"):
        toy_model.reader(shelfwise.open_source(dump(5).select("side")))


def test_threads_are_no_part_of_what_answers_depend_on(toy_model):
    reading = toy_model.reader(shelfwise.open_source(dump(5))).reading
    other = replace(reading, recipe=replace(reading.recipe, threads=7))

    assert other.to_dict() == reading.to_dict()
    assert replace(reading, split="side").to_dict() != reading.to_dict()


def test_training_to_come_reads_the_fields_that_it_will_learn_from(monkeypatch):
    monkeypatch.setattr("shelfwise.reading.BATCH", 7)
    rows = dump(30).with_columns(
        category=pl.Series([None, *["shoe", "lamp"] * 15][:30]),
        brand=pl.Series(["Nork", *["Acme"] * 29]),  # nothing to learn from tells brands apart
    )
    source = shelfwise.open_source(rows)

    reader = Reader.for_training(source, Recipe())

    assert reader.reading.listens.fields == read_lesson(source, Recipe(), None, Training()).fields
    assert reader.reading.listens.fields == ("title",)
    assert reader.reading.split is None
    bare = shelfwise.open_source(rows.drop("category"))
    assert Reader.for_training(bare, Recipe()).reading.listens.fields == ("title", "brand")
