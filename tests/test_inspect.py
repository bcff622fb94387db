from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from shelfwise.catalogue.inspect import inspect
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import Roles, find_roles


def look(frame: pl.DataFrame, roles: Roles | None = None):
    return inspect(open_source(frame), roles or find_roles(frame))


def test_counts_of_a_shop(shop: pl.DataFrame):
    found = look(shop)
    assert (found.rows, found.format) == (60, "frame")
    assert found.labels is not None
    assert (found.labels.categories, found.labels.levels) == (3, ((1, 1), (3, 2)))
    assert found.labels.largest[0] == ("Schuhe > Damen > Pumps", 20)
    assert found.html == 1.0
    assert found.scripts == (("Latin", 1.0),)
    assert found.warnings == ()
    roles = {c.name: (c.role, c.filled) for c in found.columns}
    assert roles["color"] == ("attributes", 1.0)
    assert roles["price"] == ("price", 1.0)
    assert [c.examples[:2] for c in found.columns if c.name == "brand"] == [("Acme", "Nork")]
    title = next(f for f in found.fields if f.name == "title")
    assert title.filled == 1.0
    assert (title.lengths[0], title.lengths[-1]) == (len("Uhr Modell 5 rot"), len("Stiefel Modell 10 blau"))


def test_what_is_wrong_is_said_with_what_to_do():
    frame = pl.DataFrame(
        {
            "id": ["1", "1", "2", None, "4", "5"],
            "title": ["Red mug", "red mug", "Lamp", "Шкаф", None, "Bag"],
            "cat": ["Mugs", "Cups", "Lamps", "missing", "Mugs", None],
        }
    )
    found = look(frame, Roles(product_id="id", title="title", label="cat"))
    assert found.labels is not None
    assert (found.labels.singletons, found.labels.labelled_rows) == (2, 4)
    assert found.labels.unlabelled == (("", 1), ("missing", 1))
    copies = found.duplicates
    assert (copies.repeated_ids, copies.repeated_id_rows, copies.missing_ids) == (1, 2, 1)
    assert (copies.repeated_titles, copies.repeated_title_rows, copies.conflicting_titles) == (1, 2, 1)
    assert dict(found.statuses) == {"ok": 5, "empty": 1}
    assert dict(found.scripts) == {"Latin": 4 / 6, "Cyrillic": 1 / 6}
    said = " ".join(found.warnings)
    for words in (
        "2 of 3 categories have one product",
        "2 products of 6 are not labelled",
        "1 product id repeat",
        "1 title",
    ):
        assert words in said


def test_unreadable_rows_have_their_places(tmp_path: Path):
    (tmp_path / "a.csv").write_text("title,category\nmug,Mugs\nlamp\nbag,Bags\n")
    source = open_source(tmp_path / "a.csv")
    found = inspect(source, Roles(title="title", label="category"))
    assert found.problems == ("a.csv, line 3: 1 fields where the header has 2",)
    assert dict(found.statuses) == {"ok": 2, "unreadable": 1}
    assert any("cannot be read" in warning for warning in found.warnings)


def test_no_category_and_one_category(shop: pl.DataFrame):
    assert any("--label COLUMN" in w for w in look(shop.drop("category_path")).warnings)
    one = shop.with_columns(category_path=pl.lit("Schuhe"))
    assert any("at least two" in w for w in look(one).warnings)


def test_it_is_plain_json_and_works_on_no_rows(shop: pl.DataFrame):
    plain = look(shop).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    nothing = inspect(open_source(shop.clear()), find_roles(shop))
    assert (nothing.rows, nothing.html) == (0, 0.0)


def test_pictures_are_looked_at(tmp_path: Path):
    from PIL import Image

    for row in range(12):
        Image.new("RGB", (30 + row, 20), (20 * row, 0, 0)).save(tmp_path / f"{row}.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes())
    (tmp_path / "4.png").write_bytes(b"<html>no such picture</html>")
    (tmp_path / "5.png").write_bytes((tmp_path / "5.png").read_bytes()[:50])
    frame = pl.DataFrame(
        {
            "id": [*map(str, range(9)), "g", "10", "x"],
            "title": [f"thing {row}" for row in range(12)],
            "picture": [None] * 9 + ["gone.png", "../../etc/passwd", None],
            "cat": ["a", "b"] * 6,
        }
    )
    roles = Roles(product_id="id", title="title", image="picture", label="cat")
    told = inspect(open_source(frame), roles, pictures=PictureFolder(tmp_path))
    seen = told.pictures
    assert seen is not None
    assert (seen.report.found, seen.report.missing, seen.report.refused, seen.report.without) == (9, 1, 1, 1)
    assert (seen.decoded, seen.formats, seen.unreadable) == (
        9,
        (("PNG", 7),),
        (("not_a_picture", 1), ("truncated", 1)),
    )
    assert (seen.widths, seen.heights) == ((30, 32, 32, 36, 38), (20,) * 5)
    assert (seen.compared, seen.repeated, seen.repeated_rows, seen.conflicting) == (9, 1, 2, 1)
    said = " ".join(told.warnings)
    for words in (
        "1 name a picture that is not there (first: g)",
        "outside the folder of pictures (first: 10)",
        "2 of 9 pictures",
        "4.png is a web page",
        "1 pictures are on products of more than one category",
    ):
        assert words in said
    assert json.loads(json.dumps(told.to_dict()))["pictures"]["report"]["found"] == 9


def test_the_wrong_folder_of_pictures_is_noticed(shop: pl.DataFrame, tmp_path: Path):
    (tmp_path / "other.jpg").touch()
    told = inspect(open_source(shop), find_roles(shop), pictures=PictureFolder(tmp_path))
    assert told.warnings[-1].startswith("No product has a picture")
    assert "other.jpg" in told.warnings[-1]
    assert look(shop).pictures is None
