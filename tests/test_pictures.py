from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from shelfwise.catalogue.picture_report import PictureTally
from shelfwise.catalogue.pictures import Limits, Picture, PictureFolder
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import find_roles
from shelfwise.errors import CatalogueError, PictureError


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shop's data: ``images`` with some files, each of which holds its own path, beside the catalogue."""
    for path in (
        "images/train/a1.jpg",
        "images/train/b2.PNG",
        "images/test/c3.webp",
        "images/d4",
        "thumbs/e5.jpg",
    ):
        put(tmp_path / path)
    put(tmp_path / "secret.jpg")
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
    return path


def products(ids: list[str], images: list[str] | None = None, **columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"product_id": ids, "image": images or [""] * len(ids), **columns})


def read(found: Picture | None) -> str | None:
    """The content of a picture, the code of its problem, or None."""
    try:
        return None if found is None else found.read().decode()
    except PictureError as error:
        return error.code


def one(folder: PictureFolder, image: str, product_id: str = "?") -> str | None:
    return read(folder.find(products([product_id], [image]))[0])


def test_by_product_id_with_any_ending_at_any_depth(shelf: Path):
    found = PictureFolder(shelf / "images").find(products(["a1", "b2", "c3", "d4", "e5", "a"]))
    assert [read(each) for each in found] == ["a1.jpg", "b2.PNG", "c3.webp", "d4", None, None]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("train/a1.jpg", "a1.jpg"),
        ("./train//a1.jpg", "a1.jpg"),
        ("train/../test/c3.webp", "c3.webp"),
        ("a1.jpg", "a1.jpg"),
        ("a1", "a1.jpg"),
        ("images/train/a1.jpg", "a1.jpg"),
        ("data/2024/images/train/a1.jpg", "a1.jpg"),
        ("train\\b2.PNG", "b2.PNG"),
        ("C:\\shop\\pictures\\b2.PNG", "b2.PNG"),
        ("/home/someone/else/train/a1.jpg", "a1.jpg"),
        ("https://shop.example/media/train/a1.jpg?w=300#top", "a1.jpg"),
        ("//cdn.example/x/c3.webp", "c3.webp"),
        ("https://cdn.example/x/c3.jpeg", "c3.webp"),
        ("https://cdn.example/%64%34", "d4"),
        ("thumbs/e5.jpg", "e5.jpg"),
        ("https://[bad/a1.jpg", "a1.jpg"),
        ("z.jpg", "missing"),
        ("https://shop.example/z.jpg", "missing"),
        ("../thumbs/e5.jpg", "unreadable"),
        ("", None),
        ("  ", None),
    ],
)
def test_by_a_path_or_an_address(shelf: Path, image: str, wanted: str | None):
    assert one(PictureFolder(shelf / "images", shelf), image) == wanted


def test_a_path_is_surer_than_an_id_and_an_id_surer_than_an_address(tmp_path: Path):
    for name in ("1.jpg", "2.jpg"):
        put(tmp_path / name)
    folder = PictureFolder(tmp_path)
    assert one(folder, "2.jpg", "1") == "2.jpg"
    assert one(folder, "https://shop.example/big/2.jpg", "1") == "1.jpg"
    assert one(folder, "https://shop.example/big/2.jpg", "7") == "2.jpg"
    assert one(folder, "gone.jpg", "1") == "1.jpg"


@pytest.mark.parametrize(
    "image",
    [
        "../secret.jpg",
        "../../etc/passwd",
        "train/../../secret.jpg",
        "/etc/passwd",
        "/etc/../etc/passwd",
        "..",
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_path_that_leaves_the_folder_is_refused(shelf: Path, image: str, beside: bool):
    folder = PictureFolder(shelf / "images", shelf / "images" if beside else None)
    assert one(folder, image) == "unreadable"
    with pytest.raises(PictureError, match="leads out of"):
        folder.find(products(["?"], [image]))[0].read()


def test_a_climbing_path_is_refused_even_where_the_id_has_a_picture(shelf: Path):
    assert one(PictureFolder(shelf / "images"), "../secret.jpg", "a1") == "unreadable"


def test_absolute_paths_inside_are_taken(shelf: Path):
    folder = PictureFolder(shelf / "images", shelf)
    assert one(folder, str(shelf / "images/train/a1.jpg")) == "a1.jpg"
    assert one(folder, str(shelf / "thumbs/e5.jpg")) == "e5.jpg"


def test_a_path_may_climb_from_the_catalogue_into_the_folder(shelf: Path):
    (shelf / "tables").mkdir()
    folder = PictureFolder(shelf / "images", shelf / "tables")
    assert one(folder, "../images/train/a1.jpg") == "a1.jpg"
    assert one(folder, "../thumbs/e5.jpg") == "unreadable"


def test_beside_the_catalogue_without_a_folder(shelf: Path):
    catalogue = put(shelf / "products.csv")
    folder = PictureFolder(None, catalogue)
    assert one(folder, "images/train/a1.jpg") == "a1.jpg"
    assert one(folder, str(shelf / "thumbs/e5.jpg")) == "e5.jpg"
    assert one(folder, "images/none.jpg") == "missing"
    assert one(folder, "../anything.jpg") == "unreadable"
    assert one(folder, "/etc/passwd") == "unreadable"
    assert one(folder, "images") == "missing"
    assert one(folder, "a\x00b.jpg") == "missing"
    assert one(folder, "https://shop.example/a1.jpg", "a1") is None
    assert one(PictureFolder(None), "images/train/a1.jpg") is None


def test_links_are_followed_inside_only(shelf: Path, tmp_path_factory: pytest.TempPathFactory):
    elsewhere = put(tmp_path_factory.mktemp("elsewhere") / "x.jpg").parent
    images = shelf / "images"
    (images / "in.jpg").symlink_to(images / "train/a1.jpg")
    (images / "out.jpg").symlink_to(shelf / "secret.jpg")
    (images / "gone.jpg").symlink_to(images / "nothing.jpg")
    (images / "other").symlink_to(elsewhere)
    (images / "loop").symlink_to(images)
    (shelf / "thumbs/out.jpg").symlink_to(elsewhere / "x.jpg")
    folder = PictureFolder(images, shelf)
    assert [one(folder, name) for name in ("in.jpg", "out.jpg", "gone.jpg")] == [
        "a1.jpg",
        "unreadable",
        "missing",
    ]
    assert one(folder, "", "out") == "unreadable"
    assert one(folder, "other/x.jpg") == "missing"
    assert one(PictureFolder(None, shelf), "images/other/x.jpg") == "unreadable"
    assert one(PictureFolder(None, shelf), "thumbs/out.jpg") == "unreadable"
    assert folder.index is not None
    assert folder.index.notes == ["2 links to folders among the pictures were not followed"]
    (shelf / "link").symlink_to(images)
    assert one(PictureFolder(shelf / "link"), str(shelf / "link/train/a1.jpg")) == "a1.jpg"


def test_odd_ids(tmp_path: Path):
    names = [
        "a b.jpg",
        "a.b.c.jpg",
        "X_12.jpg",
        "50%25.jpg",
        "größe.jpg",
        "gro\u0308be.jpg",
        "'; drop--.png",
        "[1]*.png",
    ]
    for name in names:
        put(tmp_path / name)
    ids = ["a b", "a.b.c", "X/12", "50%", "größe", "gröbe", "'; drop--", "[1]*", "", "../a b", "a b.jpg", "."]
    found = PictureFolder(tmp_path).find(products(ids))
    assert [read(each) for each in found] == [*names, None, None, "a b.jpg", None]


def test_of_several_files_the_first_and_they_are_counted(tmp_path: Path):
    for path in ("b/7.png", "a/7.jpg", "a/7.dat", "0/7.bin", "7.json", ".7.jpg", ".hidden/7.jpg"):
        put(tmp_path / path)
    folder = PictureFolder(tmp_path)
    found = folder.find(products(["7"]))[0]
    assert found is not None
    assert (found.name, found.shared) == ("a/7.jpg", 4)
    tally = PictureTally(folder)
    tally.add(products(["7"]))
    assert (tally.report().several, tally.report().files) == (1, 4)


def test_a_row_depends_on_itself_alone(shelf: Path):
    folder = PictureFolder(shelf / "images", shelf)
    frame = products(["a1", "q", "c3", "z"], ["", "thumbs/e5.jpg", "../no", "https://x.example/d4"])
    together = folder.find(frame)
    assert together == [folder.find(frame[row])[0] for row in range(4)]
    assert together == list(reversed(folder.find(frame.reverse())))


def test_a_row_number_is_no_id(tmp_path: Path):
    put(tmp_path / "0.jpg")
    frame = products(["0"], reason=["no product id: the row number stands in"])
    assert PictureFolder(tmp_path).find(frame) == [None]
    assert read(PictureFolder(tmp_path).find(products(["0"]))[0]) == "0.jpg"


def test_bytes_in_the_catalogue_come_first(shelf: Path):
    frame = products(["a1", "b2"], picture=[b"inside", None])
    found = PictureFolder(shelf / "images").find(frame)
    assert [read(each) for each in found] == ["inside", "b2.PNG"]
    assert found[0] is not None
    assert "inside" not in repr(found[0])


def test_how_products_and_pictures_come_together(shelf: Path):
    tally = PictureTally(PictureFolder(shelf / "images"))
    tally.add(products(["a1", "b2"]))
    tally.add(products(["n1", "n2", "n3"], ["gone.jpg", "../../x", ""]))
    told = tally.report()
    assert (told.products, told.found, told.missing, told.refused, told.without) == (5, 2, 1, 1, 1)
    assert (told.first_missing, told.first_refused, told.first_without) == (("n1",), ("n2",), ("n3",))
    assert (told.files, told.unused, set(told.first_unused)) == (4, 2, {"test/c3.webp", "d4"})


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(CatalogueError, match="pics: there is no such folder"):
        PictureFolder(tmp_path / "pics")
    with pytest.raises(CatalogueError, match="is a file"):
        PictureFolder(put(tmp_path / "a.jpg"))
    assert PictureFolder(tmp_path).find(products([])) == []
    (tmp_path / "none").mkdir()
    assert PictureFolder(tmp_path / "none").find(products(["a"])) == [None]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_sub_folder_that_cannot_be_listed_costs_itself(shelf: Path):
    (shelf / "images/test").chmod(0)
    folder = PictureFolder(shelf / "images")
    (shelf / "images/test").chmod(0o700)
    assert one(folder, "train/a1.jpg") == "a1.jpg"
    assert folder.index is not None
    assert "cannot be listed" in folder.index.notes[0]


def test_reading(tmp_path: Path):
    path = put(tmp_path / "a.jpg")
    assert Picture("a", path).digest() == Picture("b", data=b"a.jpg").digest()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").touch()
    cases = {
        "missing": Picture("x", tmp_path / "x.jpg"),
        "unreadable": Picture("x", tmp_path / "pipe.jpg"),
        "empty": Picture("x", tmp_path / "zero.jpg"),
    }
    assert {code: read(picture) for code, picture in cases.items()} == {code: code for code in cases}
    assert read(Picture("x", tmp_path)) == "unreadable"
    assert (read(Picture("x")), read(Picture("x", data=b""))) == ("missing", "empty")
    for picture in (Picture("a", path), Picture("a", data=b"a.jpg")):
        with pytest.raises(PictureError, match="5 bytes; up to 4") as caught:
            picture.read(Limits(size=4))
        assert caught.value.code == "too_large"


def test_a_folder_of_pictures_is_a_catalogue_with_its_own_pictures(tmp_path: Path):
    for path in ("Shoes/Boots/1.jpg", "Shoes/Boots/2.jpg", "Hats/1.jpg"):
        put(tmp_path / path).write_text(path)
    source = open_source(tmp_path)
    roles = find_roles(source.frame(), {"image": "image", "label": "category"})
    cleaned = clean(source.frame(), roles)
    found = PictureFolder.of(source).find(cleaned)
    assert [read(each) for each in found] == cleaned["image"].to_list()
    assert set(cleaned["status"]) == {"ok"}


def test_the_pictures_of_a_source(shelf: Path):
    frame = products(["a1", "q"], ["", "thumbs/e5.jpg"])
    frame.write_csv(shelf / "products.csv")
    source = open_source(shelf / "products.csv")
    assert [read(each) for each in PictureFolder.of(source, shelf / "images").find(frame)] == [
        "a1.jpg",
        "e5.jpg",
    ]
    assert [read(each) for each in PictureFolder.of(source).find(frame)] == [None, "e5.jpg"]
    assert PictureFolder.of(open_source(frame)).find(frame) == [None, None]


def test_an_index_of_somebody_else_changes_nothing(tmp_path):
    (tmp_path / "7.jpg").write_bytes(b"x")
    pl.DataFrame({"image": ["http://a/1.jpg"], "file": ["7.jpg"]}).write_parquet(tmp_path / "index.parquet")
    products = pl.DataFrame({"product_id": ["1"], "image": ["http://a/1.jpg"]})

    assert PictureFolder(tmp_path).find(products)[0].problem[0] == "missing"


def test_a_damaged_index_says_what_to_do(tmp_path):
    (tmp_path / "index.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CatalogueError, match="Run shelfwise images again"):
        PictureFolder(tmp_path)
