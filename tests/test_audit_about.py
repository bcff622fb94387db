"""`audit.about`: the page finds a catalogue again by what a file remembers of it."""

from __future__ import annotations

import json

import polars as pl

from shelfwise.audit.about import about_catalogue, named
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import find_roles


def opened(path=None):
    rows = pl.DataFrame(
        {"id": ["a", "b"], "title": ["Red boots", "Blue tent"], "category": ["A > B", "C > D"]}
    )
    if path is None:
        return open_source(rows)
    rows.write_parquet(path)
    return open_source(path)


def test_everything_about_the_catalogue_is_plain(tmp_path):
    path = tmp_path / "shop.parquet"
    source = opened(path)
    roles = find_roles(source.sample())

    about = about_catalogue(source, roles, " > ", "pictures")

    assert json.loads(json.dumps(about)) == about
    assert (about["files"], about["catalogue"]) == ([str(path)], str(path))
    assert (about["label"], about["separator"], about["images"], about["rows"]) == (
        "category", " > ", "pictures", 2,
    )  # fmt: skip
    assert about["roles"]["title"] == roles.to_dict()["title"]


def test_a_catalogue_without_a_column_of_categories_has_no_label():
    source = open_source(pl.DataFrame({"id": ["a", "b"], "title": ["Red boots", "Blue tent"]}))

    assert about_catalogue(source, find_roles(source.sample()), None, "")["label"] == ""


def test_a_frame_is_called_the_catalogue(tmp_path):
    assert named(opened()) == "the catalogue"
    assert named(opened(tmp_path / "shop.parquet")).endswith("shop.parquet")
