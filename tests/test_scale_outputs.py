"""Outputs: a file or a folder, here or in an object store, whole or not at all."""

from __future__ import annotations

import json
import uuid

import polars as pl
import pytest

from scale_shop import dump, folder_sha256, sha256
from shelfwise.catalogue.remote import file_system
from shelfwise.errors import CatalogueError
from shelfwise.predictions import PredictOptions
from shelfwise.scale import Bulk, BulkOptions, bulk
from shelfwise.scale.outputs import MANIFEST, Output


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of fifty rows."""
    monkeypatch.setattr(bulk, "SHARD", 50)


@pytest.fixture
def store():
    """The address of an empty folder in an object store (of this process), and its file system."""
    where = f"memory://{uuid.uuid4().hex}"
    return where, file_system(where)[0]


def test_folder_has_numbered_files_and_says_what_is_in_them(saved_toy, toy_model, tmp_path):
    report = Bulk.load(saved_toy).predict(
        dump(120), f"{tmp_path}/out/", BulkOptions(PredictOptions(promise=0.9))
    )
    folder = tmp_path / "out"

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    names = ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
    assert sorted(folder_sha256(folder)) == [MANIFEST, *names]
    whole = toy_model.predict(dump(120), PredictOptions(promise=0.9))
    assert pl.read_parquet(folder / "*.parquet").equals(whole)
    told = json.loads((folder / MANIFEST).read_bytes())
    assert told["rows"] == report.written.rows == 120
    assert [(p["name"], p["rows"]) for p in told["parts"]] == list(zip(names, [50, 50, 20], strict=True))
    assert all(part["sha256"] != part["name"] for part in told["parts"])
    assert report.written.accepted == whole["accepted"].sum()


def test_folder_is_replaced_by_the_next_run(saved_toy, tmp_path):
    model = Bulk.load(saved_toy)
    model.predict(dump(220), f"{tmp_path}/out/")
    model.predict(dump(70), f"{tmp_path}/out/")
    model.predict(dump(70), f"{tmp_path}/same/")

    assert folder_sha256(tmp_path / "out") == folder_sha256(tmp_path / "same")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "same"]


@pytest.mark.parametrize("name", ["letter.txt", "part-000009.parquet"])
def test_folder_that_holds_something_else_is_left_alone(saved_toy, tmp_path, name):
    model = Bulk.load(saved_toy)
    model.predict(dump(20), f"{tmp_path}/out/")
    (tmp_path / "out" / name).write_text("dear")

    with pytest.raises(CatalogueError, match="something else"):
        model.predict(dump(20), f"{tmp_path}/out/")
    assert (tmp_path / "out" / name).read_text() == "dear"
    (tmp_path / "file").write_text("x")
    with pytest.raises(CatalogueError, match="something else"):
        Output.of(f"{tmp_path}/file/")


def test_file_goes_to_an_object_store_as_it_is_here(saved_toy, tmp_path, store):
    where, files = store
    model = Bulk.load(saved_toy)
    model.predict(dump(120), f"{where}/sorted.parquet")
    model.predict(dump(120), tmp_path / "sorted.parquet")

    assert files.cat(f"{where}/sorted.parquet") == (tmp_path / "sorted.parquet").read_bytes()
    assert [path.rpartition("/")[2] for path in files.find(where)] == ["sorted.parquet"]


def test_folder_goes_to_an_object_store_as_it_is_here(saved_toy, tmp_path, store):
    where, files = store
    model = Bulk.load(saved_toy)
    model.predict(dump(220), f"{where}/out/")
    model.predict(dump(120), f"{where}/out/")
    model.predict(dump(120), f"{tmp_path}/out/")

    there = {path.rpartition("/")[2]: files.cat(path) for path in files.find(where)}
    here = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert there == here


def test_addresses_of_this_machine_are_paths(saved_toy, tmp_path):
    Bulk.load(saved_toy).predict(dump(20), f"file://{tmp_path}/a.csv")
    Bulk.load(saved_toy).predict(dump(20), tmp_path / "b.csv")

    assert sha256(tmp_path / "a.csv") == sha256(tmp_path / "b.csv")


@pytest.mark.parametrize("where", ["out", "out.txt", "memory://x/out", "s3x://shop/out.parquet/a.xlsx"])
def test_unknown_ending_is_refused(where):
    with pytest.raises(CatalogueError, match="ending"):
        Output.of(where)


def test_store_that_nobody_knows_is_told(saved_toy):
    with pytest.raises(CatalogueError, match="nostore"):
        Bulk.load(saved_toy).predict(dump(20), "nostore://shop/a.csv")
