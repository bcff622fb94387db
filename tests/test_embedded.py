from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from shelfwise.catalogue.embedded import is_embedded, open_embedded, share_of_pictures
from shelfwise.catalogue.inspect import inspect
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import COLUMNS, clean
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import Roles, find_roles

JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 60
STRUCT = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def column(shape: str, values: list[bytes | None]) -> pl.Series:
    """Pictures as different writers put them into Parquet."""
    structs = [{"bytes": value, "path": "same.jpg" if value else None} for value in values]
    return {
        "binary": pl.Series("photo", values, dtype=pl.Binary),
        "struct": pl.Series("photo", structs, dtype=STRUCT),
        "list": pl.Series("photo", [[one] for one in structs], dtype=pl.List(STRUCT)),
        "binaries": pl.Series("photo", [[one, one] for one in values], dtype=pl.List(pl.Binary)),
    }[shape]


SHAPES = ["binary", "struct", "list", "binaries"]


def shop(shape: str, rows: int = 40) -> pl.DataFrame:
    data = [None if row % 10 == 9 else JPEG + bytes([row % 250]) for row in range(rows)]
    return pl.DataFrame(
        {
            "sku": [f"S{row}" for row in range(rows)],
            "title": [f"red mug number {row}" if row % 7 else None for row in range(rows)],
            "category": ["Mugs" if row % 2 else "Cups" for row in range(rows)],
        }
    ).with_columns(column(shape, data))


@pytest.mark.parametrize("shape", SHAPES)
def test_from_a_parquet_file_to_pictures(tmp_path: Path, shape: str):
    frame = shop(shape, 4000)
    frame.write_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    sample = source.sample(1000)
    assert (sample.height, sample.columns) == (1000, frame.columns)
    assert sample["photo"].null_count() == 980
    roles = find_roles(sample)
    assert (roles.image, roles.title, roles.label, roles.attributes) == ("photo", "title", "category", ())
    batches = [clean(batch, roles) for batch in source.batches()]
    assert max(batch.height for batch in batches) == 500
    products = pl.concat(batches)
    assert products.columns == [*COLUMNS, "picture"]
    found = PictureFolder(None).find(products)
    assert [each and each.data for each in found] == products["picture"].to_list()
    assert found[3].data == JPEG + b"\x03"
    assert found[9] is None
    assert products["image"].unique().to_list() == [""]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_alone_is_something_to_go_by(shape: str):
    products = clean(shop(shape), find_roles(shop(shape)))
    nothing = [row for row in range(40) if row % 7 == 0 and row % 10 == 9]
    assert [row for row, status in enumerate(products["status"]) if status == "empty"] == nothing
    lone = pl.DataFrame({"title": ["", ""], "photo": [JPEG, None]})
    assert clean(lone, Roles(title="title", image="photo"))["status"].to_list() == ["ok", "empty"]


def test_a_path_is_taken_where_there_are_no_bytes():
    values = [
        {"bytes": JPEG, "path": "a.jpg"},
        {"bytes": None, "path": "b.jpg"},
        None,
        {"bytes": b"", "path": None},
    ]
    data, path = open_embedded(pl.Series(values, dtype=STRUCT))
    assert data.to_list() == [JPEG, None, None, None]
    assert path.to_list() == [None, "b.jpg", None, None]


def test_text_that_is_stored_as_bytes_is_text():
    values = [b"images/a.jpg", JPEG, "Größe.png".encode(), b"\x01\x02", b"\xff\xfe", None]
    data, path = open_embedded(pl.Series(values))
    assert path.to_list() == ["images/a.jpg", None, "Größe.png", None, None, None]
    assert data.to_list() == [None, JPEG, None, b"\x01\x02", b"\xff\xfe", None]
    frame = pl.DataFrame({"sku": ["1", "2"], "title": [b"blue bowl", b"green dish"], "cat": ["a", "b"]})
    assert find_roles(frame).image is None
    assert clean(frame, Roles(title="title", label="cat"))["title"].to_list() == ["blue bowl", "green dish"]


@pytest.mark.parametrize("shape", SHAPES)
def test_as_text_a_picture_is_its_size(shape: str):
    series = column(shape, [JPEG, None])
    text = as_text(series)
    assert text.name == "photo"
    assert "64 bytes" in text[0]
    assert "\x00" not in text[0]
    assert share_of_pictures(series) == 1.0


def test_what_is_not_embedded():
    for dtype in (pl.String(), pl.Int64(), pl.List(pl.String), pl.Struct({"a": pl.String})):
        assert not is_embedded(dtype)
    assert share_of_pictures(pl.Series(["a.jpg"])) == 0.0
    assert share_of_pictures(pl.Series([b"words", JPEG])) == 0.5
    assert share_of_pictures(pl.Series([None], dtype=pl.Binary)) == 0.0


def test_further_pictures_are_no_attributes():
    frame = shop("binary").with_columns(pl.col("photo").alias("zoomed"))
    roles = find_roles(frame)
    assert (roles.image, roles.ignored["zoomed"]) == ("photo", "further pictures")


def test_inspect_looks_into_the_catalogue_s_own_pictures():
    frame = shop("struct")
    found = inspect(open_source(frame), find_roles(frame))
    assert found.pictures is not None
    assert (found.pictures.report.found, found.pictures.report.without) == (36, 4)
    assert found.pictures.unreadable == (("truncated", 36),)
