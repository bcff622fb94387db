"""An imagefolder to publish: a file and a row for each product with a picture, and a card."""

import polars as pl

from fetched_shop import COUNT, pictures, shop
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.images.asking import AskingOptions
from shelfwise.images.lanes import LaneOptions
from shelfwise.images.publish import DATASET
from shelfwise.images.run import ImageOptions, download

OPTIONS = ImageOptions(
    pack="imagefolder", asking=AskingOptions(private=True), lanes=LaneOptions(rate=1e4), workers=1
)


def test_each_product_has_its_file_and_its_row(tmp_path):
    with shop(tmp_path) as catalogue:
        for _ in range(2):  # anew and whole each time
            download(catalogue, tmp_path / "out", OPTIONS)
        found = PictureFolder(tmp_path / "out", catalogue).find(pl.read_parquet(catalogue))
    folder = tmp_path / "out" / DATASET
    table = pl.read_parquet(folder / "metadata.parquet")

    assert [(folder / name).read_bytes() for name in table["file_name"]] == pictures()
    assert (
        table["file_name"].n_unique()
        == COUNT
        == len([p for p in (folder / "data").rglob("*") if p.is_file()])
    )
    assert table["category"].to_list() == [("blue", "red")[number % 2] for number in range(COUNT)]
    assert table["product_id"][5] == "sku-5"
    assert "80 pictures of 81 rows" in (folder / "README.md").read_text(encoding="utf-8")
    # the files of the dataset do not stand in for pictures that could not be fetched
    assert all("/pictures/" in str(one.path) for one in found[:COUNT])
    assert found[COUNT].problem[0] == "missing"
