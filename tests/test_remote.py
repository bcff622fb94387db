"""Catalogues by address are read as those on the disk are, their broken rows too."""

from __future__ import annotations

import uuid

import polars as pl
import pytest

from scale_shop import broken_csv, dump
from shelfwise.catalogue import remote
from shelfwise.catalogue.read import UNREADABLE, open_source
from shelfwise.catalogue.remote import file_system, is_remote, local_path
from shelfwise.errors import CatalogueError, MissingExtraError


@pytest.fixture(params=["room", "no room"])
def store(request, monkeypatch):
    """The address of a folder in an object store (of this process), and how it is written to."""
    if request.param == "no room":
        monkeypatch.setattr(remote, "_SHARE", -1.0)
    where = f"memory://{uuid.uuid4().hex}"
    files, _ = file_system(where)
    return where, lambda name, content: files.pipe(f"{where}/{name}", content)


def parquet(frame, path):
    frame.write_parquet(path)
    return path.read_bytes()


def test_folder_glob_and_file_are_read_in_the_order_of_their_names(store, tmp_path):
    where, put = store
    for number in (1, 0):
        put(
            f"dump/{number}.parquet",
            parquet(dump(40)[number * 20 : number * 20 + 20], tmp_path / "p.parquet"),
        )
    put("dump/_SUCCESS", b"")
    put("dump/.hidden.csv", b"a,b\n1,2\n")
    put("dump/settings.json", b"{}")

    for address in (f"{where}/dump", f"{where}/dump/", f"{where}/dump/*.parquet"):
        source = open_source(address)
        assert (source.rows, source.format) == (40, "parquet")
        assert source.frame().equals(dump(40))
        assert pl.concat(source.batches(7)).equals(dump(40))
    assert open_source(f"{where}/dump/1.parquet").frame().equals(dump(40)[20:])
    assert open_source(f"{where}/dump/1.parquet").place(3) == "1.parquet, row 4"


def test_broken_rows_keep_their_places_and_lines(store, tmp_path):
    where, put = store
    here = broken_csv(tmp_path / "dump.csv", 60)
    put("dump.csv", here.read_bytes())
    there, local = open_source(f"{where}/dump.csv"), open_source(here)

    assert there.frame().equals(local.frame())
    assert there.frame()[UNREADABLE].drop_nulls().len() == 3
    assert [(p.line, p.reason, p.file.name) for p in there.problems] == [
        (p.line, p.reason, p.file.name) for p in local.problems
    ]
    assert there.place(9) == local.place(9)


def test_empty_files_are_noted_and_nothing_else_refused(store):
    where, put = store
    put("dump/a.csv", b"id,title\n1,boot\n")
    put("dump/b.csv", b"")

    assert open_source(f"{where}/dump").notes == ["b.csv: empty file, left out"]
    for address, words in ((f"{where}/dump/b.csv", "empty"), (f"{where}/no.csv", "no such file")):
        with pytest.raises(CatalogueError, match=words):
            open_source(address)


def test_messages_name_the_address_and_not_the_copy(store):
    where, put = store
    put("dump/a.parquet", b"PAR1 and no more")

    with pytest.raises(CatalogueError, match=r"/dump/a\.parquet.*truncated or damaged") as told:
        open_source(f"{where}/dump/a.parquet")
    assert "/tmp/" not in str(told.value)


def test_what_speaks_an_address_may_be_missing(monkeypatch):
    with pytest.raises(CatalogueError, match="nostore"):
        open_source("nostore://shop/a.csv")
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[cloud\]"):
        file_system("s3://shop/a.csv")


def test_paths_are_no_addresses(tmp_path):
    assert not any(map(is_remote, ["a.csv", "/x/a.csv", "C:\\a.csv", "file:///x/a.csv", "a:b"]))
    assert is_remote("s3://shop/a.csv")
    assert local_path("file:///x/a%20b.csv") == "/x/a b.csv"
    assert local_path("file://localhost/x") == "/x"
    assert local_path("s3://shop") == "s3://shop"
    dump(5).write_csv(tmp_path / "a b.csv")
    assert open_source(f"file://{tmp_path}/a%20b.csv").rows == 5
