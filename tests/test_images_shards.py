"""Shards: each content once, in the order of the catalogue, the same bytes, only what changed anew."""

import json
import tarfile

import polars as pl
import pytest

from fetched_shop import pictures, shop
from shelfwise.images.asking import AskingOptions
from shelfwise.images.lanes import LaneOptions
from shelfwise.images.ledger import Ledger
from shelfwise.images.run import ImageOptions, download
from shelfwise.images.shards import SHARDS, write_shards
from shelfwise.images.store import STATE, Store

OPTIONS = ImageOptions(asking=AskingOptions(private=True), lanes=LaneOptions(rate=1e4), workers=1)


@pytest.fixture
def folder(tmp_path):
    with shop(tmp_path) as catalogue:
        download(catalogue, tmp_path / "out", OPTIONS)
    return tmp_path / "out"


def pack(folder, kind, count=30):
    with Ledger(folder / STATE / "fetched.sqlite") as ledger:
        return write_shards(Store(folder), ledger, kind, count=count)


def test_parquet_shards_hold_the_bytes_in_order(folder):
    assert pack(folder, "parquet") == 3
    table = pl.concat([pl.read_parquet(path) for path in sorted((folder / SHARDS).iterdir())])

    assert table["image"].to_list() == list(dict.fromkeys(pictures()))
    assert table["product_id"][:3].to_list() == ["sku-0", "sku-1", "sku-2"]


def test_tar_shards_hold_a_picture_and_what_is_known_of_it(folder):
    assert pack(folder, "webdataset") == 3
    with tarfile.open(folder / SHARDS / "000000.tar") as archive:
        names = archive.getnames()
        first, about = (archive.extractfile(name).read() for name in names[:2])

    assert first == pictures()[0]
    assert names[0].rsplit(".", 1) == [json.loads(about)["sha256"], "jpg"]
    assert len(names) == 60
    assert json.loads(about)["product_id"] == "sku-0"


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
def test_the_same_bytes_come_again_and_what_is_whole_is_left_alone(folder, kind):
    pack(folder, kind)
    first, second, third = sorted((folder / SHARDS).iterdir())
    before = [path.read_bytes() for path in (first, second, third)]
    changed = first.stat().st_mtime_ns
    second.write_bytes(b"half")
    third.unlink()
    (folder / SHARDS / f".{first.name}-left").write_bytes(b"of a run that was killed")
    pack(folder, kind)

    assert [path.read_bytes() for path in sorted((folder / SHARDS).iterdir())] == before
    assert first.stat().st_mtime_ns == changed


def test_shards_that_are_too_many_go(folder):
    pack(folder, "parquet", count=5)
    assert pack(folder, "parquet", count=40) == 2
    assert len(list((folder / SHARDS).iterdir())) == 2
