"""A run against a server that lies: each address once, stored or coded; the same bytes after any kill."""

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from chaos_shop.process import running
from chaos_shop.settings import PictureSettings
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.errors import CatalogueError
from shelfwise.images.asking import AskingOptions
from shelfwise.images.lanes import LaneOptions
from shelfwise.images.outcome import CHECKED, INDEX
from shelfwise.images.run import ImageOptions, download
from shelfwise.images.store import STATE, Store

CODES = {
    "404": "status_404", "410": "status_410", "403": "status_403", "unknown-host": "unknown_host",
    "refused": "connection_refused", "reset": "broken", "timeout": "timeout", "page": "not_a_picture",
    "empty": "empty", "truncated": "truncated", "endless": "address_too_large", "loop": "address_redirects",
    "noai": "opted_out", "ok": None,
}  # fmt: skip
ASKING = AskingOptions(private=True, seconds=1.0, most=2**20)
LANES = LaneOptions(rate=400.0, tries=4, backoff=0.05)
COUNT = 160


def options(**more):
    return ImageOptions(**{"asking": ASKING, "lanes": LANES, "workers": 1} | more)


@pytest.fixture(scope="module")
def shop():
    # the longest patience is not what is tested here: rarer dead addresses, quick waits
    with running(PictureSettings(pictures=COUNT, side=64, bases=4, retry_after=1, dead=0.3)) as server:
        yield server


@pytest.fixture(scope="module")
def catalogue(shop, tmp_path_factory):
    path = tmp_path_factory.mktemp("catalogue") / "products.parquet"
    truth = shop.truth()
    pl.DataFrame(
        {
            "product_id": [f"p{number}" for number in range(COUNT)],
            "title": [f"Product {number}" for number in range(COUNT)],
            "category": [("Shoes", "Bags")[number % 2] for number in range(COUNT)],
            "image": truth["url"],
        }
    ).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def fetched(catalogue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fetched") / "pictures"
    return folder, download(catalogue, folder, options())


def contents(folder):
    """Bytes of all files, by their paths, but for the ledger."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and STATE not in path.parts
    }


def test_each_address_ends_as_it_is_meant(fetched, shop):
    folder, report = fetched
    index = pl.read_parquet(folder / INDEX).join(shop.truth().rename({"sha256": "meant"}), on="url")

    assert index.height == COUNT
    assert index["code"].to_list() == [CODES[fate] for fate in index["fate"]]
    stored = index.filter(pl.col("state") == "stored")
    assert stored["sha256"].to_list() == stored["meant"].to_list()
    assert stored["width"].unique().to_list() == [64]
    assert report.stored == stored.height
    assert report.failed == COUNT - stored.height
    assert sum(report.codes.values()) == report.failed


def test_a_content_is_stored_once_and_nothing_else_is_there(fetched):
    folder, report = fetched
    shas = pl.read_parquet(folder / INDEX)["sha256"].drop_nulls()
    files = [path for path in (folder / "pictures").rglob("*") if path.is_file()]

    assert shas.len() > shas.n_unique() == len(files) == report.contents
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in files)
    assert {path.name for path in folder.iterdir()} == {
        "pictures", INDEX, "report.json", "dead-links.csv", STATE
    }  # fmt: skip


def test_products_find_their_pictures_by_the_whole_address(fetched, catalogue):
    folder, _ = fetched
    products = pl.read_parquet(catalogue)
    index = pl.read_parquet(folder / INDEX)
    found = PictureFolder(folder, catalogue).find(products)

    for picture, file in zip(found, index["file"], strict=True):
        assert (picture.path == folder / file) if file else picture.problem[0] == "missing"


def test_a_second_run_asks_only_what_may_have_changed(catalogue, shop, tmp_path):
    download(catalogue, tmp_path / "out", options())
    before = contents(tmp_path / "out")
    shop.clear()
    report = download(catalogue, tmp_path / "out", options())
    answers = shop.stats()["answers"]

    assert contents(tmp_path / "out") == before
    assert set(answers) <= {"reset", "timeout", "429", "503"}
    assert report.asked < COUNT / 3


def test_a_refresh_asks_with_the_tag_and_fetches_nothing_that_is_the_same(catalogue, shop, tmp_path):
    download(catalogue, tmp_path / "out", options())
    before = contents(tmp_path / "out")
    shop.clear()
    download(catalogue, tmp_path / "out", options(refresh=True))
    answers = shop.stats()["answers"]

    assert contents(tmp_path / "out") == before
    assert answers["304"] > 60
    assert "picture" not in answers


def test_a_file_that_was_lost_is_fetched_again_and_a_strange_one_goes(catalogue, tmp_path):
    small = tmp_path / "few.parquet"
    pl.read_parquet(catalogue).head(40).write_parquet(small)
    folder = tmp_path / "out"
    download(small, folder, options())
    before = contents(folder)
    first, second, *_ = sorted((folder / "pictures").rglob("*.jpeg")) or sorted(
        path for path in (folder / "pictures").rglob("*") if path.is_file()
    )
    first.unlink()
    second.write_bytes(b"half")
    (second.parent / "strange.jpg").write_bytes(b"whose?")
    download(small, folder, options())

    assert contents(folder) == before


def test_checking_stores_nothing(catalogue, shop, tmp_path):
    report = download(catalogue, tmp_path / "out", options(check=True))
    table = pl.read_parquet(tmp_path / "out" / CHECKED).join(shop.truth(), on="url")
    meant = {**CODES, "ok": "ok", "endless": "ok", "truncated": "ok"}  # the start of them is a picture

    assert table["code"].to_list() == [meant[fate] for fate in table["fate"]]
    assert report.stored + report.failed == COUNT
    assert not (tmp_path / "out" / "pictures").exists()


def test_a_check_that_was_cut_off_goes_on_and_one_that_ended_begins_anew(catalogue, shop, tmp_path):
    few, folder = tmp_path / "few.parquet", tmp_path / "out"
    pl.read_parquet(catalogue).head(30).write_parquet(few)
    download(few, folder, options(check=True))
    shop.clear()
    download(few, folder, options(check=True))
    again = sum(shop.hits().values())
    (folder / STATE / CHECKED).touch()  # as a kill leaves it
    shop.clear()
    download(few, folder, options(check=True))

    assert again >= 20
    assert sum(shop.hits().values()) < again / 2


@pytest.mark.parametrize("fault", [OSError(28, "No space left"), sqlite3.OperationalError("full")])
def test_a_full_disk_ends_the_run_in_words(catalogue, tmp_path, monkeypatch, fault):
    def full(*about):
        raise fault

    monkeypatch.setattr(Store, "put", full)
    with pytest.raises(CatalogueError, match=r"No space left. Make room and|Is the disk full"):
        download(catalogue, tmp_path / "out", options())
    monkeypatch.undo()
    small = pl.read_parquet(catalogue).head(10)
    assert download(small, tmp_path / "out", options()).links == 10


def test_pictures_become_smaller_and_the_size_stays_that_of_the_folder(catalogue, tmp_path):
    download(catalogue, tmp_path / "out", options(size=32))
    index = pl.read_parquet(tmp_path / "out" / INDEX).filter(pl.col("state") == "stored")

    assert index["width"].unique().to_list() == [32]
    assert index["format"].unique().to_list() == ["JPEG"]
    with pytest.raises(CatalogueError, match="--size 32"):
        download(catalogue, tmp_path / "out", options(size=64))


def test_private_addresses_are_refused_without_leave(catalogue, shop, tmp_path):
    shop.clear()
    report = download(catalogue, tmp_path / "out", options(asking=AskingOptions(seconds=1.0)))

    assert report.stored == 0
    assert set(report.codes) == {"address_refused", "unknown_host"}
    assert shop.hits() == {}


def test_a_folder_of_somebody_else_is_left_alone(catalogue, tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    with pytest.raises(CatalogueError, match="choose another folder"):
        download(catalogue, tmp_path, options())


def test_a_catalogue_without_pictures_says_which_option_helps(tmp_path):
    frame = pl.DataFrame({"title": ["Boots", "Bag"] * 5, "category": ["Shoes", "Bags"] * 5})
    with pytest.raises(CatalogueError, match="--role image=COL"):
        download(frame, tmp_path / "out", options())


def test_files_in_the_column_are_told_and_not_fetched(tmp_path):
    images = ["images/a.jpg", "", "http://127.0.0.1:9/a.jpg"]
    frame = pl.DataFrame({"product_id": ["1", "2", "3"], "title": ["a", "b", "c"], "image": images})
    report = download(frame, tmp_path / "out", options(roles={"image": "image"}))
    index = pl.read_parquet(tmp_path / "out" / INDEX)

    assert (report.local, report.without, report.links) == (1, 1, 1)
    assert index["code"].to_list() == ["local", "connection_refused"]


def test_killed_at_any_moment_the_same_bytes_come_of_it(catalogue, fetched, tmp_path):
    chance, folder = random.Random(3), tmp_path / "out"
    script = (
        "from test_images_run import options; from shelfwise.images.run import download; "
        f"download({str(catalogue)!r}, {str(folder)!r}, options())"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    command, kills = [sys.executable, "-c", script], 0
    for _ in range(4):
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}) as process:
            end = time.monotonic() + 30
            while not (folder / "pictures").exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 1.0))
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
    download(catalogue, folder, options())

    assert kills >= 2
    assert contents(folder) == contents(fetched[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
