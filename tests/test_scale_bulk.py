"""A run in shards writes what a run in one piece does, to the byte, however it was interrupted."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_shop import broken_csv, dump, folder_sha256, sha256
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, ModelError, PromiseError, RecipeError
from shelfwise.predictions import PredictOptions
from shelfwise.scale import Bulk, BulkOptions, bulk
from shelfwise.scale import shards as shard_work


@pytest.fixture
def small(monkeypatch):
    """Shards of fifty rows."""
    monkeypatch.setattr(bulk, "SHARD", 50)


class Stopped(Exception):
    """Stands for a kill: what was written stays, what was under way is lost."""


def stop_after(shards):
    """A listener that stops the run after so many of them."""
    heard = []

    def listen(rows):
        heard.append(rows)
        if len(heard) == shards:
            raise Stopped

    return listen


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("options", "split"),
    [
        (PredictOptions(), None),
        (PredictOptions(top=1, promise=0.9), "side"),
        (PredictOptions(explain=True), None),
        (PredictOptions(form="ids"), None),
    ],
    ids=["plain", "promise-split", "explain", "ids"],
)
def test_shards_make_the_bytes_of_one_piece(saved_toy, tmp_path, small, ending, options, split):
    catalogue = broken_csv(tmp_path / "dump.csv", 60 if options.explain else 330)
    model = Categorizer.load(saved_toy)
    whole = model.predict_to_file(catalogue, tmp_path / f"whole.{ending}", options, split=split)

    report = Bulk.load(saved_toy).predict(
        catalogue, tmp_path / f"shards.{ending}", BulkOptions(options, split=split)
    )

    assert sha256(tmp_path / f"shards.{ending}") == sha256(tmp_path / f"whole.{ending}")
    assert (report.written.rows, report.written.by_status, report.written.accepted) == (
        whole.rows, whole.by_status, whole.accepted,
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dump.csv", f"shards.{ending}", f"whole.{ending}",
    ]  # fmt: skip


@settings(max_examples=6)
@given(rows=st.integers(1, 120), shard=st.integers(1, 70))
def test_output_does_not_depend_on_how_shards_are_cut(saved_toy, toy_model, tmp_path_factory, rows, shard):
    box = tmp_path_factory.mktemp("cut")
    toy_model.predict_to_file(dump(rows), box / "whole.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "SHARD", shard)
        Bulk.load(saved_toy).predict(dump(rows), box / "shards.parquet")

    assert sha256(box / "shards.parquet") == sha256(box / "whole.parquet")


def test_empty_catalogue_has_an_empty_output(saved_toy, toy_model, tmp_path):
    toy_model.predict_to_file(dump(0), tmp_path / "whole.parquet")
    report = Bulk.load(saved_toy).predict(dump(0), tmp_path / "shards.parquet")

    assert report.written.rows == 0
    assert sha256(tmp_path / "shards.parquet") == sha256(tmp_path / "whole.parquet")


@pytest.mark.parametrize("output", ["out.parquet", "out/"])
def test_run_that_was_stopped_goes_on_where_it_was(saved_toy, tmp_path, small, output):
    model = Bulk.load(saved_toy)
    goal = f"{tmp_path}/{output}"
    model.predict(dump(420), f"{tmp_path}/straight-{output}")
    with pytest.raises(Stopped):
        model.predict(dump(420), goal, notify_rows=stop_after(3))
    assert not (tmp_path / output).exists()
    assert (tmp_path / f".{output.strip('/')}.shards").is_dir()

    report = model.predict(dump(420), goal)

    assert report.resumed == 150
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [output.strip("/"), f"straight-{output}".strip("/")]
    )
    if output.endswith("/"):
        assert folder_sha256(tmp_path / "out") == folder_sha256(tmp_path / "straight-out")
    else:
        assert sha256(tmp_path / output) == sha256(tmp_path / f"straight-{output}")


def other_model(saved_toy, toys, tmp_path):
    folder = tmp_path / "other"
    Categorizer().fit(toys.head(60)).save(folder)
    return Bulk.load(folder), dump(200), BulkOptions()


@pytest.mark.parametrize(
    "changed",
    [
        other_model,
        lambda saved, toys, box: (Bulk.load(saved), dump(200), BulkOptions(PredictOptions(top=2))),
        lambda saved, toys, box: (
            Bulk.load(saved), dump(200).with_columns(title=pl.col("title") + "x"), BulkOptions(),
        ),
    ],
    ids=["model", "options", "input"],
)  # fmt: skip
def test_shards_of_another_model_options_or_input_are_not_used(saved_toy, toys, tmp_path, small, changed):
    with pytest.raises(Stopped):
        Bulk.load(saved_toy).predict(dump(200), tmp_path / "a.csv", notify_rows=stop_after(3))
    model, catalogue, options = changed(saved_toy, toys, tmp_path)

    report = model.predict(catalogue, tmp_path / "a.csv", options)

    assert report.resumed == 0
    model.model.predict_to_file(catalogue, tmp_path / "whole.csv", options.predict)
    assert sha256(tmp_path / "a.csv") == sha256(tmp_path / "whole.csv")


@pytest.mark.parametrize("ending", ["out", "json"])
def test_shard_that_is_damaged_is_done_again(saved_toy, tmp_path, small, ending):
    model = Bulk.load(saved_toy)
    model.predict(dump(200), tmp_path / "straight.csv")
    with pytest.raises(Stopped):
        model.predict(dump(200), tmp_path / "a.csv", notify_rows=stop_after(3))
    shard = tmp_path / ".a.csv.shards" / f"000001.{ending}"
    shard.write_bytes(shard.read_bytes()[:-3])

    assert model.predict(dump(200), tmp_path / "a.csv").resumed == 100
    assert sha256(tmp_path / "a.csv") == sha256(tmp_path / "straight.csv")


def test_error_in_a_shard_is_told_as_it_is_and_leaves_nothing(saved_toy, tmp_path, small):
    odd = dump(120).with_columns(side=pl.when(pl.int_range(120) == 70).then(pl.lit("left")).otherwise("side"))

    with pytest.raises(CatalogueError, match=r'"side".*\'left\''):
        Bulk.load(saved_toy).predict(
            odd.head(20).vstack(odd[70:]), tmp_path / "a.csv", BulkOptions(split="side")
        )
    assert not (tmp_path / "a.csv").exists()
    assert not list(tmp_path.glob("*/*.in"))


def test_what_cannot_be_done_is_refused_before_any_work(saved_toy, tmp_path):
    model = Bulk.load(saved_toy)
    dump(30).write_parquet(tmp_path / "dump.parquet")
    refusals = [
        (tmp_path / "dump.parquet", BulkOptions(), "catalogue itself"),
        (f"{tmp_path}/", BulkOptions(), "something else"),
        (tmp_path / "a.xlsx", BulkOptions(), "ending"),
        (tmp_path / "a.csv", BulkOptions(state="s3://shop/state"), "folder of this machine"),
        (tmp_path / "a.csv", BulkOptions(split="no"), "no column 'no'"),
    ]
    for output, options, words in refusals:
        with pytest.raises(CatalogueError, match=words):
            model.predict(tmp_path / "dump.parquet", output, options)
    with pytest.raises(PromiseError):
        model.predict(
            tmp_path / "dump.parquet", tmp_path / "a.csv", BulkOptions(PredictOptions(promise=0.99999))
        )
    with pytest.raises(RecipeError, match="local, ray, spark"):
        BulkOptions(engine="dask")
    assert [path.name for path in tmp_path.iterdir()] == ["dump.parquet"]


def test_two_runs_to_one_output_do_not_meet(saved_toy, tmp_path, small):
    model = Bulk.load(saved_toy)

    def meanwhile(rows):
        with pytest.raises(CatalogueError, match="another run"):
            model.predict(dump(60), tmp_path / "a.csv")
        raise Stopped

    with pytest.raises(Stopped):
        model.predict(dump(60), tmp_path / "a.csv", notify_rows=meanwhile)
    assert model.predict(dump(60), tmp_path / "a.csv").written.rows == 60


def test_model_that_changes_under_the_run_is_told(toy_model, toys, tmp_path, small):
    toy_model.save(tmp_path / "model")
    model = Bulk.load(tmp_path / "model")
    Categorizer().fit(toys.head(60)).save(tmp_path / "model")

    with pytest.raises(ModelError, match="changed during the run"):
        model.predict(dump(20), tmp_path / "a.csv")


def test_shards_may_lie_elsewhere(saved_toy, tmp_path, small):
    seen = []

    def listen(rows):
        seen.append(sorted(path.name for path in (tmp_path / "work").rglob("*.json")))

    (tmp_path / "work").mkdir()
    Bulk.load(saved_toy).predict(
        dump(120), tmp_path / "a.csv", BulkOptions(work=str(tmp_path / "work")), notify_rows=listen
    )

    assert seen[0] == ["000000.json"]
    assert list((tmp_path / "work").iterdir()) == []


def test_sidecar_says_what_a_shard_was_made_from(saved_toy, tmp_path, small):
    with pytest.raises(Stopped):
        Bulk.load(saved_toy).predict(dump(120), tmp_path / "a.csv", notify_rows=stop_after(2))
    told = json.loads((tmp_path / ".a.csv.shards" / "000000.json").read_bytes())

    assert told["height"] == 50
    assert told["by_status"] == {"ok": 50}
    assert {"rows", "model", "options", "program", "answers"} <= set(told)
    assert told["answers"] == shard_work.digest_of((tmp_path / ".a.csv.shards" / "000000.out").read_bytes())


def test_pictures_count_by_their_content(saved_seeing, demo, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "SHARD", 20)
    model = Bulk.load(saved_seeing)
    images = tmp_path / "images"
    images.mkdir()
    rows = pl.read_parquet(demo.catalogue).head(60)
    for product_id in rows["product_id"]:
        for path in demo.images.rglob(f"{product_id}.*"):
            (images / path.name).write_bytes(path.read_bytes())
    model.model.use_pictures(images)
    whole = Categorizer.load(saved_seeing).use_pictures(images)
    whole.predict_to_file(rows, tmp_path / "whole.parquet")
    with pytest.raises(Stopped):
        model.predict(rows, tmp_path / "a.parquet", notify_rows=stop_after(3))
    first = next(iter(images.glob(f"{rows['product_id'][0]}.*")))
    first.write_bytes(next(iter(images.glob(f"{rows['product_id'][1]}.*"))).read_bytes())

    report = model.predict(rows, tmp_path / "a.parquet")

    assert report.resumed == 40  # the first shard has another picture
    whole.predict_to_file(rows, tmp_path / "whole.parquet")
    assert sha256(tmp_path / "a.parquet") == sha256(tmp_path / "whole.parquet")


def test_workers_suit_the_catalogue(saved_toy, tmp_path, monkeypatch):
    source = type("Source", (), {"rows": 10})()
    model = Bulk.load(saved_toy).model
    monkeypatch.setattr(bulk, "_cores", lambda: 8)

    assert bulk._workers(BulkOptions(), source, model) == 1
    source.rows = 1_000_000
    assert bulk._workers(BulkOptions(), source, model) == 8
    assert bulk._workers(BulkOptions(workers=3), source, model) == 3
    assert bulk._workers(BulkOptions(engine="ray"), source, model) == 0
    assert bulk._threads(BulkOptions(threads=6), model, 3) == 2
    assert replace(BulkOptions(), engine="ray").engine == "ray"
