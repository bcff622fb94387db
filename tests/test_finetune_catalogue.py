"""Fine-tuning by a recipe: what it asks for, and products held out that calibration then stands on."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

import finetune_bases as bases
import shelfwise
from shelfwise.errors import RecipeError
from shelfwise.features.vectors import HELD_OUT
from shelfwise.finetune.catalogue import Work, finetune_catalogue, plan_of, with_finetuned
from shelfwise.recipe import Recipe

SETTINGS = {"epochs": 1, "batch": 16, "device": "cpu", "learning_rate": 1e-3}


def recipe(text="none", picture="pixels", **finetune):
    return Recipe.from_dict(
        {
            "threads": 1,
            "encoder": {"encoder": text, "max_tokens": 16, "learner": "softmax"},
            "pictures": {"encoder": picture, "learner": "softmax"},
            "finetune": finetune,
        }
    )


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def catalogue(tmp_path):
    """Ninety products of three categories, with pictures in their shades beside the table."""
    rows = range(90)
    pl.DataFrame(
        {
            "product_id": [f"P{row:03}" for row in rows],
            "title": [
                f"{bases.FILLERS[row % 5]} {bases.KINDS[row % 3]} {bases.FILLERS[row // 5 % 5]} no{row}"
                for row in rows
            ],
            "category": [bases.KINDS[row % 3] for row in rows],
            "image": [f"P{row:03}.png" for row in rows],
        }
    ).write_parquet(tmp_path / "products.parquet")
    for row in rows:
        (tmp_path / f"P{row:03}.png").write_bytes(bases.picture_of(row % 3, row).read())
    return tmp_path / "products.parquet"


def test_no_table_no_plan(catalogue, tmp_path):
    assert plan_of(Recipe()) is None
    with pytest.raises(RecipeError, match="no table"):
        finetune_catalogue(shelfwise.open_source(catalogue), Recipe(), None, Work(tmp_path / "out"))


def test_a_plan_takes_over_seed_threads_and_the_length_of_texts():
    plan = plan_of(replace(recipe("hf:base", epochs=7, sides=["text"]), seed=3))

    assert plan is not None
    assert plan.sides == ("text",)
    settings = plan.settings
    assert (settings.text, settings.picture, settings.epochs) == ("hf:base", "", 7)
    assert (settings.seed, settings.threads, settings.max_tokens) == (3, 1, 16)
    assert plan_of(recipe("hf:a", "hf:b", sides=["text", "picture"])).settings.modality == "joint"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sides": []}, "finetune.sides"),
        ({"sides": "text"}, "finetune.sides"),
        ({"sides": ["sound"]}, "finetune.sides"),
        ({"sides": [["text"]]}, "finetune.sides"),
        ({"epoch": 3}, "finetune.epoch"),
        ({"modality": "text"}, "finetune.modality"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"learning_rate": "high"}, "learning_rate"),
        ({"sides": ["picture"]}, "pictures.encoder as hf:"),
    ],
)
def test_what_is_wrong_is_said(given, words):
    with pytest.raises(RecipeError, match=words):
        plan_of(recipe("hf:base", **given))


def test_a_base_of_another_kind_is_refused():
    with pytest.raises(RecipeError, match=r"encoder.encoder as hf:"):
        plan_of(recipe("st:base", sides=["text"]))


@pytest.mark.parametrize("sides", [["text"], ["picture"], ["text", "picture"]])
def test_calibration_stands_on_what_the_encoder_has_not_seen(catalogue, tmp_path, sides):
    text, picture = bases.text_base(tmp_path / "bert"), bases.picture_base(tmp_path / "vit")
    asked = recipe(text, picture, sides=sides, **SETTINGS)
    out = tmp_path / "encoder"

    report = finetune_catalogue(shelfwise.open_source(catalogue), asked, None, Work(out))

    held = json.loads((out / HELD_OUT).read_text())
    assert report.validated == len(held)
    assert report.products == 90 - len(held)
    assert 27 <= len(held) <= 45
    tuned = with_finetuned(asked, out)
    scheme = "joint" if len(sides) > 1 else "hf"
    for side, before, after in (
        ("text", text, tuned.encoder.encoder),
        ("picture", picture, tuned.pictures.encoder),
    ):
        assert after == (f"{scheme}:{out}" if side in sides else before)
    model = shelfwise.Categorizer(tuned).fit(catalogue)
    assert model.training_.out_of_fold["rows"] == len(held)
    model.save(tmp_path / "model")
    again = shelfwise.load(tmp_path / "model").predict(catalogue)
    assert again.equals(model.predict(catalogue))


def test_rows_marked_for_testing_are_never_trained_on(catalogue, tmp_path):
    marks = pl.read_parquet(catalogue).with_columns(
        split=pl.when(pl.int_range(pl.len()) < 30).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    marks.write_parquet(catalogue)
    asked = recipe(bases.text_base(tmp_path / "bert"), "none", sides=["text"], **SETTINGS)

    report = finetune_catalogue(shelfwise.open_source(catalogue), asked, "split", Work(tmp_path / "encoder"))

    assert report.products + report.validated == 60
    held = json.loads((tmp_path / "encoder" / HELD_OUT).read_text())
    assert min(held) >= "P030"
