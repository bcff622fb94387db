"""Spheres speak for what lies inside of them, by text first and by vectors where there is no text."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from shelfwise.categorizer import Categorizer, load
from shelfwise.predictions import PredictOptions
from shelfwise.recipe import PicturesRecipe, Recipe

COLOURS = {"Lamps": (250, 200, 40), "Sofas": (40, 60, 200), "Plants": (30, 160, 60)}


def picture(colour, row: int) -> bytes:
    """Sixteen pixels a side in a colour, with a little noise."""
    from PIL import Image

    noise = np.random.default_rng(row).integers(-20, 20, (16, 16, 3))
    held = io.BytesIO()
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of pictures and some titles, and the folder of its pictures."""
    box = tmp_path_factory.mktemp("pictured")
    (box / "images").mkdir()
    rows = []
    for row in range(90):
        shelf = list(COLOURS)[row % 3]
        title = None if row % 3 == row % 4 else f"{('lumen', 'cushion', 'leaf')[row % 3]} no{row}"
        rows.append({"product_id": f"P{row:03}", "title": title, "category": shelf})
        (box / "images" / f"P{row:03}.png").write_bytes(picture(COLOURS[shelf], row))
    for name, colour, row in (
        ("pink", (250, 60, 180), 500),
        ("twin", (250, 60, 180), 500),
        ("blue", COLOURS["Sofas"], 600),
    ):
        (box / "images" / f"{name}.png").write_bytes(picture(colour, row))
    recipe = Recipe(pictures=PicturesRecipe(folder=str(box / "images"), learner="both", units=16, members=1))
    Categorizer(recipe).fit(pl.DataFrame(rows)).save(box / "model")
    return box


@pytest.fixture
def model(folder):
    return load(folder / "model").use_pictures(folder / "images")


def shown(*names, titles=None):
    return pl.DataFrame(
        {"product_id": names, "title": titles or [None] * len(names)},
        schema={"product_id": pl.String, "title": pl.String},
    )


def test_products_without_text_are_corrected_by_their_pictures(model, folder, tmp_path):
    before = model.predict_proba(shown("blue", "P001"))
    model.correct(shown("pink"), ["Plants"])
    told = model.predict(shown("pink", "twin", "blue"), PredictOptions(explain=True))

    assert told["category"].to_list()[:2] == ["Plants", "Plants"]
    assert told["confidence"][0] == 1
    assert told["confidence"][1] >= 0.55
    assert told["evidence"][1]["neighbours"][0]["product_id"] == "pink"
    assert np.array_equal(model.predict_proba(shown("blue", "P001")), before)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").use_pictures(folder / "images")
    assert again.predict_proba(shown("twin")).tobytes() == model.predict_proba(shown("twin")).tobytes()


def test_text_speaks_before_pictures(model):
    model.correct(shown("pink", titles=["velvet ottoman"]), ["Plants"])
    same_text = model.predict(shown("blue", titles=["velvet ottoman"]))
    other_text = model.predict_proba(shown("twin", titles=["cushion no4"]))

    assert same_text["category"][0] == "Plants"
    plain = load(model_folder(model)).use_pictures(model.recipe.pictures.folder)
    assert other_text.tobytes() == plain.predict_proba(shown("twin", titles=["cushion no4"])).tobytes()


def model_folder(model):
    """Where the fixture's model lies, beside its pictures."""
    from pathlib import Path

    return Path(model.recipe.pictures.folder).parent / "model"


def test_same_picture_is_the_same_product_where_there_is_no_text(model):
    model.correct(shown("pink"), ["Plants"])
    report = model.correct(shown("twin"), ["Lamps"])

    assert report.replaced == 1
    assert model.predict(shown("pink"))["category"][0] == "Lamps"
