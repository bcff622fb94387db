"""The pool: which rows can be asked about, what the model says of them, and what became of all others."""

from __future__ import annotations

import polars as pl
import pytest

from audit_shop import SHELVES
from queue_shop import BETWEEN, HIDDEN, STRANGE, catalogue, trained
from shelfwise.audit.pool import Counts, Pool, read_pool
from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, LabelError, ModelError

HARD = len(BETWEEN) + len(STRANGE)


def read(frame: pl.DataFrame, label: str | None = None) -> tuple[Pool, Counts]:
    counts = Counts()
    return read_pool(open_source(frame), trained(), label, counts), counts


def test_every_row_is_counted_and_only_those_without_a_category_are_asked_about():
    frame = catalogue()
    nothing = pl.DataFrame([{"product_id": "E1", "title": "", "category": None}], schema=frame.schema)
    pool, counts = read(pl.concat([frame, nothing]))

    assert (counts.rows, counts.unlabelled, counts.empty) == (frame.height + 1, HIDDEN + HARD, 1)
    assert counts.labelled == frame.height - HIDDEN - HARD
    assert counts.rows == counts.unlabelled + counts.labelled + counts.empty + counts.unreadable
    assert counts.notes == []
    assert len(pool) == counts.unlabelled
    assert pool.products["label"].gather(pool.open).null_count() == len(pool)
    assert (pool.y[pool.open] == -1).all()


def test_the_candidates_are_those_of_the_model():
    pool, _ = read(catalogue())
    frame = catalogue()[pool.open.tolist()]
    said = trained().predict(frame)

    labels = pl.Series(pool.taxonomy.labels).gather(pool.codes[:, 0])
    assert labels.to_list() == said["category"].to_list()
    assert pool.probabilities[:, 0].tolist() == said["confidence"].to_list()
    assert (pool.probabilities[:, :-1] >= pool.probabilities[:, 1:]).all()


def test_rows_that_cannot_be_read_are_counted(tmp_path):
    lines = [f'{{"product_id": "{n}", "title": "boot no{n}", "category": null}}' for n in range(20)]
    (tmp_path / "shop.jsonl").write_text("\n".join([*lines[:9], "{broken", *lines[9:]]))
    counts = Counts()
    read_pool(open_source(tmp_path / "shop.jsonl"), trained(), "category", counts)

    assert (counts.rows, counts.unlabelled, counts.unreadable) == (21, 20, 1)


def test_another_column_can_be_the_category():
    pool, counts = read(catalogue().rename({"category": "regal"}), "regal")

    assert pool.roles.label == "regal"
    assert counts.unlabelled == HIDDEN + HARD


def test_categories_that_the_model_does_not_know_are_counted():
    frame = catalogue().with_columns(category=pl.col("category").replace({SHELVES[0]: "Music > Strings"}))
    known = catalogue()["category"].value_counts().filter(pl.col("category") == SHELVES[0])["count"].item()
    _, counts = read(frame)

    assert counts.foreign == known
    assert f"{known} of {counts.labelled} labelled products" in counts.notes[0]


def test_a_renamed_category_is_known_by_its_old_name(tmp_path):
    trained().save(tmp_path / "model")
    model = Categorizer.load(tmp_path / "model")
    model.rename_shelf(SHELVES[0], "Music > Strings")
    counts = Counts()
    read_pool(open_source(catalogue()), model, None, counts)

    assert counts.foreign == 0


def test_a_catalogue_without_the_column_is_all_without_category():
    _, counts = read(catalogue().drop("category"))

    assert counts.unlabelled == catalogue().height
    assert "no column 'category'" in counts.notes[0]


@pytest.mark.parametrize(
    ("frame", "label", "error", "told"),
    [
        (catalogue().drop_nulls(), None, CatalogueError, "every one of its 96 products has a category"),
        (catalogue().rename({"category": "shelf_path"}), None, LabelError, "--label"),
        (catalogue(), "colour", CatalogueError, "no column 'colour'"),
        (catalogue().with_columns(category="X" + pl.col("category")), None, LabelError, "knows none of"),
        (catalogue().with_columns(title=pl.when(pl.col("category").is_null()).then(None).otherwise("title")),
         None, CatalogueError, "none of the 132 products"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(frame, label, error, told):
    with pytest.raises(error, match=told):
        read(frame, label)


def test_a_model_that_has_learned_nothing_is_told():
    with pytest.raises(ModelError, match="has not learned"):
        read_pool(open_source(catalogue()), Categorizer(), None, Counts())
