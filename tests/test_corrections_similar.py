"""Evidence: learned and remembered products side by side, each once, with the category of now."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import load
from shelfwise.corrections.similar import find_similar


@pytest.fixture
def box(toy_model, tmp_path):
    toy_model.save(tmp_path / "model")
    return load(tmp_path / "model")


def similar(model, frame, count=3):
    return find_similar(model.products(open_source(frame)), model.corrections_, count)


def test_remembered_products_stand_among_the_learned_ones(box, toys):
    before = similar(box, toys.head(5))
    box.correct(pl.DataFrame({"product_id": ["X"], "title": [toys["title"][0]]}), ["Watches"])
    after = similar(box, toys.head(5))

    assert [n["product_id"] for n in after[0]][:2] in (["P000", "X"], ["X", "P000"])
    assert {n["product_id"]: n["category"] for n in after[0]}["X"] == "Watches"
    for row, found in zip(before, after, strict=True):
        assert len(found) == len(row) == 3
        close = [n["similarity"] for n in found]
        assert close == sorted(close, reverse=True)


def test_learned_product_that_was_corrected_stands_there_once(box, toys):
    box.correct(toys.head(2), ["Watches", "Watches"])
    found = similar(box, toys.head(1), 10)[0]
    ids = [n["product_id"] for n in found]

    assert len(ids) == len(set(ids))
    assert {n["product_id"]: n["category"] for n in found}["P000"] == "Watches"
