"""`lesson`: what of a raw catalogue can be learned from, and every other row counted by reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, LabelError, RecipeError
from shelfwise.lesson import Training, clean_batches, open_pictures, read_lesson, read_products, sides
from shelfwise.recipe import CatalogueRecipe, PicturesRecipe, Recipe, TableRecipe

COLUMN = {"label": "category"}


def fit(catalogue, split=None, **settings):
    return Categorizer(Recipe(threads=1, catalogue=CatalogueRecipe(**COLUMN | settings))).fit(
        catalogue, split=split
    )


def png(shade: int = 0) -> bytes:
    """A small picture, each shade another."""
    from PIL import Image

    rng = np.random.default_rng(shade)
    held = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(held, "PNG")
    return held.getvalue()


def pictured(folder: Path, rows: int = 30) -> pl.DataFrame:
    """A catalogue whose products have pictures in `folder` under their ids."""
    folder.mkdir()
    for row in range(rows):
        (folder / f"P{row:03}.png").write_bytes(png(row))
    return pl.DataFrame(
        {
            "product_id": [f"P{row:03}" for row in range(rows)],
            "title": [f"{('boot', 'watch')[row % 2]} no{row}" for row in range(rows)],
            "category": [("Boots", "Watches")[row % 2] for row in range(rows)],
        }
    )


def read(catalogue, recipe: Recipe, split: str | None = None):
    report = Training()
    return read_lesson(open_source(catalogue), recipe, split, report), report


def test_every_row_is_counted_once(tmp_path, toys):
    odd = pl.DataFrame(
        {
            "product_id": ["no-label", "no-text", "neither", "test"],
            "title": ["alder boot", None, " ", "birch boot"],
            "category": [None, "Watches", "", "Watches"],
            "split": ["train", "train", "val", "test"],
        }
    )
    pl.concat([toys.with_columns(split=pl.lit("train")), odd]).write_csv(tmp_path / "shop.csv")
    with (tmp_path / "shop.csv").open("a") as file:
        file.write('P99,"never closed,Watches,train\n')
    told = fit(tmp_path / "shop.csv", split="split").training_

    assert (told.rows, told.learned, told.unlabelled) == (95, 90, 1)
    assert (told.empty, told.unreadable, told.left_out) == (2, 1, 1)
    assert told.rows == told.learned + told.unlabelled + told.empty + told.unreadable + told.left_out


def test_rows_without_text_in_the_chosen_fields_are_counted_as_empty(toys):
    described = toys.with_columns(description=pl.lit("a long story about ") + pl.col("title"))
    gaps = described.with_columns(title=pl.when(pl.col("product_id") == "P000").then(None).otherwise("title"))
    told = fit(gaps, fields=["title"]).training_

    assert (told.learned, told.empty, told.rows) == (89, 1, 90)


def test_near_duplicates_across_the_given_split_are_noted(toys):
    twins = pl.concat(
        [toys.with_columns(split=pl.lit("train")), toys.head(5).with_columns(split=pl.lit("test"))]
    )

    assert any("5 test rows have a twin" in note for note in fit(twins, split="split").training_.notes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"category": pl.lit("Watches")}, r"only one category, 'Watches'"),
        ({"category": pl.lit(None, pl.String)}, "no row with a category and text or picture"),
        ({"title": pl.lit("")}, "no row with a category and text or picture"),
        ({"title": pl.lit("the same for all")}, "no row with a category and text or picture"),
    ],
)
def test_nothing_to_learn_names_file_column_and_remedy(tmp_path, toys, change, why):
    toys.drop("product_id").with_columns(**change).write_parquet(tmp_path / "shop.parquet")

    with pytest.raises(LabelError, match=rf"shop\.parquet: the column 'category' leaves {why}.*--label"):
        fit(tmp_path / "shop.parquet")


def test_no_column_for_the_category_names_the_columns(tmp_path, toys):
    toys.select("product_id", "title").write_csv(tmp_path / "shop.csv")

    with pytest.raises(LabelError, match=r"shop\.csv.*product_id, title.*--label"):
        Categorizer().fit(tmp_path / "shop.csv")


def test_catalogue_without_rows_is_refused(toys):
    with pytest.raises(LabelError):
        fit(toys.head(0))


@pytest.mark.parametrize("column", [{"label": "kategorie"}, {"roles": {"title": "titel"}}])
def test_column_that_is_not_there_is_named(toys, column):
    with pytest.raises(CatalogueError, match=r"kategorie|titel"):
        fit(toys, **column)


def test_split_column_must_be_there_and_say_train_or_test(toys):
    with pytest.raises(CatalogueError, match="side"):
        fit(toys, split="side")
    with pytest.raises(CatalogueError, match="'left'"):
        fit(toys.with_columns(side=pl.Series(["train", "left"] * 45)), split="side")


def test_fields_option_and_constant_fields(toys):
    described = toys.with_columns(brand=pl.lit("Acme"), description=pl.lit("all about ") + pl.col("title"))

    assert fit(described).training_.fields == ["title", "description"]
    assert fit(described, fields=["description", "brand"]).training_.fields == ["description"]
    with pytest.raises(RecipeError, match=r"'titel'.*title"):
        fit(described, fields=["titel"])


def test_mapping_that_matches_nothing_is_noted(tmp_path, toys):
    (tmp_path / "map.csv").write_text("from,to\nWatchs,Clocks\n")
    told = fit(toys, mapping=str(tmp_path / "map.csv")).training_

    assert any("Watchs" in note and "Watches" in note for note in told.notes)


def test_mapping_and_merging_follow_each_other(tmp_path, toys):
    (tmp_path / "map.csv").write_text("from,to\nSandalias,Shoes > Sandalias\n")
    spanish = toys.head(2).with_columns(category=pl.lit("Sandalias"), title="title" + pl.lit(" sandalia"))
    model = fit(pl.concat([toys, spanish]), mapping=str(tmp_path / "map.csv"), min_products=5)

    assert model.renamed_ == {"Sandalias": "Shoes"}
    renamed, merged = model.training_.mapping
    assert [(use["source"], use["target"], use["rows"]) for use in renamed["uses"]] == [
        ("Sandalias", "Shoes > Sandalias", 2)
    ]
    assert [(use["source"], use["target"], use["rows"]) for use in merged["uses"]] == [
        ("Shoes > Sandalias", "Shoes", 2)
    ]
    assert fit(toys).training_.mapping == []


def test_merging_into_parents_says_when_there_are_none(toys):
    rows = [{"title": f"word{i % 4} no{i}", "category_id": str(i % 4), "category_name": f"Top->Leaf{i % 4}"}
            for i in range(80)]  # fmt: skip
    ids = fit(pl.DataFrame(rows), label="category_id", min_products=30).training_

    assert ids.categories == 4
    assert [note for note in ids.notes if "'category_id'" in note and "merges nothing" in note]
    assert not [note for note in fit(toys, min_products=40).training_.notes if "merges nothing" in note]


def test_split_column_with_other_values_is_called_by_its_own_name(toys):
    marked = toys.with_columns(part=pl.Series(["train", "test", "holdout"] * 30))

    with pytest.raises(CatalogueError, match=r'"part".*\'holdout\' \(30 rows\)'):
        Categorizer().fit(marked, split="part")


def test_unreadable_rows_are_on_neither_side(tmp_path, toys):
    toys.with_columns(split=pl.Series(["train", "test"] * 45)).write_csv(tmp_path / "shop.csv")
    with (tmp_path / "shop.csv").open("a") as file:
        file.write('P99,"never closed\n')
    _, products = read_products(open_source(tmp_path / "shop.csv"), Recipe(), "split")
    learn, test = sides(products)

    assert (int(learn.sum()), int(test.sum()), products.height) == (45, 45, 91)


def test_batches_are_cut_anywhere_and_an_empty_catalogue_is_one_empty_piece(toys):
    roles, whole = read_products(open_source(toys), Recipe(), None)
    pieces = list(clean_batches(open_source(toys), roles, Recipe(), 7))

    assert pl.concat(pieces).equals(whole)
    assert [piece.height for piece in clean_batches(open_source(toys.head(0)), roles, Recipe(), 7)] == [0]
    with pytest.raises(CatalogueError, match="Columns are: x"):
        next(clean_batches(open_source(pl.DataFrame({"x": [1]})), roles, Recipe(), 7))


def test_fingerprint_is_of_what_was_learned(toys):
    first = fit(toys).training_.data_sha256

    assert fit(toys.with_columns(price=pl.lit(3))).training_.data_sha256 == first
    assert (
        fit(toys.with_columns(title=pl.col("title").str.replace("no7$", "no8"))).training_.data_sha256
        != first
    )


# -- pictures and other columns ------------------------------------------------------------------------------


def test_pictures_in_a_folder_become_vectors_of_the_products(tmp_path):
    shop = pictured(tmp_path / "images")
    lesson, report = read(shop, Recipe(pictures=PicturesRecipe(folder=str(tmp_path / "images"))))

    assert (lesson.dense, list(lesson.marks)) == (("pictures",), ["pictures"])
    assert report.pictures == report.learned == 30
    assert lesson.products["vector.pictures"].null_count() == 0
    assert report.notes == []


def test_a_row_with_nothing_but_a_picture_found_by_its_id_is_learned_from(tmp_path):
    shop = pictured(tmp_path / "images")
    bare = shop.with_columns(title=pl.when(pl.col("product_id") == "P003").then(None).otherwise("title"))
    (tmp_path / "images" / "P005.png").write_bytes(b"<html>not found</html>")
    unseen = bare.with_columns(title=pl.when(pl.col("product_id") == "P005").then(None).otherwise("title"))
    recipe = Recipe(pictures=PicturesRecipe(folder=str(tmp_path / "images")))
    lesson, report = read(unseen, recipe)

    assert "P003" in lesson.products["product_id"].to_list()
    assert "P005" not in lesson.products["product_id"].to_list()
    assert (report.learned, report.empty, report.pictures) == (29, 1, 29)
    assert lesson.products["status"].unique().to_list() == ["ok"]
    assert report.rows == report.learned + report.empty


def test_pictures_none_of_which_can_be_used_are_noted_with_the_first_reason(tmp_path):
    shop = pictured(tmp_path / "images")
    for file in (tmp_path / "images").iterdir():
        file.write_bytes(b"<html>not found</html>")
    lesson, report = read(shop, Recipe(pictures=PicturesRecipe(folder=str(tmp_path / "images"))))

    assert lesson.dense == ()
    assert report.learned == 30
    assert any("no picture of 30" in note and ".png" in note for note in report.notes)


def test_pictures_that_were_never_downloaded_are_not_looked_for(tmp_path):
    shop = pictured(tmp_path / "images").with_columns(image=pl.col("product_id") + ".png")
    shop.write_csv(tmp_path / "shop.csv")
    source = open_source(tmp_path / "shop.csv")
    products = read_products(source, Recipe(), None)[1]
    assert open_pictures(source, products, "") is None

    beside = shop.with_columns(image="images/" + pl.col("image"))
    beside.write_csv(tmp_path / "beside.csv")
    source = open_source(tmp_path / "beside.csv")
    products = read_products(source, Recipe(), None)[1]
    assert open_pictures(source, products, "") is not None


def test_columns_of_a_table_stand_beside_the_products(toys):
    priced = toys.with_columns(price=pl.Series(range(90)), weight=pl.lit("3 kg"))
    recipe = Recipe(table=TableRecipe(columns=["price", "weight", "gone"]))
    lesson, _ = read(priced, recipe)

    assert lesson.dense == ("table",)
    assert lesson.products["table.price"].to_list() == [str(row) for row in range(90)]
    assert lesson.products["table.weight"].unique().to_list() == ["3 kg"]
    assert lesson.products["table.gone"].null_count() == 90
