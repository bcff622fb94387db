"""`folding`: what people corrected in a model, over what a catalogue still says."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise.categorizer import Categorizer
from shelfwise.corrections.folding import Folding


@pytest.fixture
def corrected(toys):
    model = Categorizer().fit(toys)
    model.rename_shelf("Watches", "Jewellery > Watches")
    model.correct(toys[:2], ["Shoes > Sandals", "Jewellery > Watches"])
    return model


def test_renamed_shelves_and_corrected_products_are_taken_up(corrected):
    folding = Folding.of(corrected.corrections_, Folding())

    assert folding.names == {"Watches": "Jewellery > Watches"}
    assert folding.products == {"P000": "Shoes > Sandals", "P001": "Jewellery > Watches"}
    assert folding.paths["Jewellery > Watches"] == "Jewellery > Watches"


def test_what_was_folded_before_is_followed(corrected):
    before = Folding({"Clocks": "Watches"}, {}, {"P007": "Watches", "P000": "Watches"})
    folding = Folding.of(corrected.corrections_, before)

    assert folding.names == {"Clocks": "Jewellery > Watches", "Watches": "Jewellery > Watches"}
    assert folding.products["P007"] == "Jewellery > Watches"
    assert folding.products["P000"] == "Shoes > Sandals"  # the later correction stands
    assert Folding.from_dict(folding.to_dict()) == folding


def test_shelves_without_products_are_no_products(toys):
    model = Categorizer().fit(toys)
    model.add_shelf("Hats", words="felt brim")

    assert not Folding.of(model.corrections_, Folding())


def products(**columns):
    given = {"product_id": ["a", "b", "c"], "label": ["x", None, "z"], "label_path": ["X", None, "Z"]}
    kinds = dict.fromkeys(("product_id", "label", "label_path", "status"), pl.String)
    return pl.DataFrame(given | {"status": ["ok", "ok", "unreadable"]} | columns, schema=kinds)


def test_products_get_the_category_of_people_and_its_path():
    told, count = Folding(paths={"y": "Y"}, products={"a": "y", "b": "y", "c": "y"}).correct(products())

    assert count == 2
    assert told["label"].to_list() == ["y", "y", "z"]
    assert told["label_path"].to_list() == ["Y", "Y", "Z"]


def test_products_that_stand_there_already_are_not_counted():
    told, count = Folding(products={"a": "x"}).correct(products())

    assert count == 0
    assert told["label"].to_list() == ["x", None, "z"]


def test_categories_are_renamed_and_moved():
    label, path = pl.Series("label", ["x", "y", "z"]), pl.Series("label_path", ["X", "Y", "Z"])
    now, paths, count = Folding({"x": "w"}, {"y": "Elsewhere > Y"}).rename(label, path)

    assert now.to_list() == ["w", "y", "z"]
    assert paths.to_list() == [None, "Elsewhere > Y", "Z"]
    assert count == 1


def test_nothing_to_fold_changes_nothing():
    frame = products()
    assert Folding().correct(frame) == (frame, 0)
    label, path, count = Folding().rename(frame["label"], frame["label_path"])
    assert (label.equals(frame["label"]), path.equals(frame["label_path"]), count) == (True, True, 0)
