"""`intake`: rows are counted and put away piece by piece, and it makes no difference where pieces end."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise import intake
from shelfwise.catalogue.read import open_source
from shelfwise.errors import LabelError, RecipeError
from shelfwise.intake import Intake, Training, asked_fields, choose_roles
from shelfwise.recipe import CatalogueRecipe, Recipe
from shelfwise.workspace import OWN, Workspace

ROWS = pl.DataFrame(
    {
        "product_id": [f"p{row}" for row in range(40)],
        "title": [f"{('boot', 'Watch')[row % 2]} no{row // 2}" if row != 7 else "" for row in range(40)],
        "category": [None if row == 9 else ("Boots", "Watches")[row % 2] for row in range(40)],
        "offer": [f"o{row % 15}" for row in range(40)],
        "split": ["test" if row % 10 == 3 else "train" for row in range(40)],
    }
)


def take(catalogue, split=None, space=None):
    recipe = Recipe(catalogue=CatalogueRecipe(label="category", roles={"group": "offer"}))
    source, report = open_source(catalogue), Training()
    roles = choose_roles(source, recipe, split)
    return Intake(source, roles, recipe, report, space or Workspace()).take(), report


def test_rows_that_may_be_learned_from_are_kept_and_others_counted():
    taken, report = take(ROWS, "split")

    assert (report.rows, report.left_out, report.unlabelled) == (40, 4, 1)
    assert report.empty == 1
    assert len(taken.pieces) == 34
    assert taken.label.to_list() == taken.pieces.frame()["label"].to_list()
    assert taken.known.to_list() == ["Boots", "Watches"]
    assert taken.telling == ("title",)
    assert any("both sides" in note for note in report.notes)  # of the offers


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_where_pieces_end_and_lie_makes_no_difference(monkeypatch, rows):
    whole, told = take(ROWS, "split")
    monkeypatch.setattr(intake, "_READ_ROWS", rows)
    taken, report = take(ROWS, "split", Workspace(OWN))

    assert taken.pieces.frame().equals(whole.pieces.frame())
    assert taken.keys.equals(whole.keys)
    assert (taken.label.to_list(), taken.label_path.to_list()) == (
        whole.label.to_list(),
        whole.label_path.to_list(),
    )
    assert (taken.telling, taken.known.to_list(), report) == (whole.telling, whole.known.to_list(), told)


def test_a_catalogue_in_which_nothing_may_be_learned_keeps_its_columns():
    taken, report = take(ROWS.with_columns(category=pl.lit(None, pl.String)))

    assert (len(taken.pieces), report.unlabelled) == (0, 39)
    assert taken.pieces.frame().columns == take(ROWS)[0].pieces.frame().columns
    assert (taken.label.to_list(), taken.telling) == ([], ())


def test_no_category_column_is_refused():
    with pytest.raises(LabelError, match="--label"):
        choose_roles(open_source(ROWS.select("product_id", "title")), Recipe(), None)


def test_fields_that_are_asked_for_must_exist():
    assert asked_fields(["url", "title"], Recipe()) == ("title", "url")
    assert asked_fields(["title"], Recipe(catalogue=CatalogueRecipe(fields=["brand", "title"]))) == ("title",)
    with pytest.raises(RecipeError, match="colour"):
        asked_fields(["title"], Recipe(catalogue=CatalogueRecipe(fields=["colour"])))
