"""The unit of work: the same shard however often it is done, and errors as values."""

from __future__ import annotations

import pickle
from dataclasses import replace

import polars as pl
import pytest

import shelfwise
from scale_shop import dump
from shelfwise.errors import MissingExtraError, ModelError, PictureError, ShelfwiseError
from shelfwise.predictions import PredictOptions
from shelfwise.scale import shards
from shelfwise.scale.digests import digest_frame, digest_model, digest_of, pack, unpack
from shelfwise.scale.place import open_place
from shelfwise.scale.shards import PLACE, Done, Failed, Job, Task


@pytest.fixture
def job(toy_model, saved_toy, tmp_path):
    reading = toy_model.reader(shelfwise.open_source(dump(30))).reading
    return Job(str(saved_toy), digest_model(str(saved_toy)), reading, PredictOptions(), str(tmp_path / "w"))


def task_of(job, rows, number=0, known=b""):
    """A task with its rows in place."""
    raw = pack(rows.select("product_id", "title").with_row_index(PLACE).cast({PLACE: pl.Int64}))
    open_place(job.work).write(shards.file_of(number, "in"), raw)
    return Task(number, digest_frame(rows), digest_of(raw, known))


def test_shard_is_the_same_however_often_and_where_it_is_done(job, toy_model, tmp_path):
    task = task_of(job, dump(30))
    first = shards.work(job, task)
    other = replace(job, work=str(tmp_path / "other"), threads=2)
    again = shards.work(other, task_of(other, dump(30)))
    shards._kept.clear()

    assert isinstance(first, Done)
    assert first == again == shards.work(job, task)
    assert shards.finished(job, task) == replace(first, fresh=False)
    assert shards.read_answers(job, first).drop(PLACE).equals(toy_model.predict(dump(30)))


def test_known_answers_join_the_others_in_their_places(job, toy_model):
    whole = toy_model.predict(dump(30)).with_row_index(PLACE).cast({PLACE: pl.Int64})
    known = pack(whole[::3])
    rows = dump(30).select("product_id", "title").with_row_index(PLACE).cast({PLACE: pl.Int64})
    raw = pack(rows.filter(pl.col(PLACE) % 3 != 0))
    place = open_place(job.work)
    place.write(shards.file_of(0, "in"), raw)
    place.write(shards.file_of(0, "known"), known)

    done = shards.work(job, Task(0, "of these rows", digest_of(raw, known), known=True))

    assert shards.read_answers(job, done).equals(whole)


def test_parts_are_whole_parquet_files(job, toy_model, tmp_path):
    job = replace(job, parts=str(tmp_path / "parts"), options=PredictOptions(form="ids"))
    done = shards.work(job, task_of(job, dump(30), 7))
    part = (tmp_path / "parts" / "part-000007.parquet").read_bytes()

    assert done.part == digest_of(part)
    assert pl.read_parquet(part).columns == ["product_id", "predicted_category_id"]


def test_rows_that_are_not_there_or_others_by_now_are_told(job):
    told = shards.work(job, Task(3, "0" * 64, "0" * 64))
    assert "paths that all of them see" in told.message

    task = task_of(job, dump(30))
    task_of(job, dump(20))
    assert "does another run use it" in shards.work(job, task).message


def test_model_that_a_machine_does_not_see_or_that_changed_is_told(job, tmp_path):
    task = task_of(job, dump(30))

    told = shards.work(replace(job, model=str(tmp_path / "elsewhere")), task)
    assert told.kind == "ModelError"
    assert "paths that all of them see" in told.message
    assert "changed during the run" in shards.work(replace(job, model_digest="0"), task).message
    assert "another version" in shards.work(replace(job, program="0"), task).message


def test_errors_come_back_as_what_they_were():
    for error in (
        PictureError("missing", "no picture"),
        MissingExtraError("--engine ray", "ray"),
        ModelError("x"),
    ):
        back = Failed(type(error).__name__, str(error)).error()
        assert type(back) is type(error)
        assert str(back) == str(error)
    assert type(Failed("OddError", "x").error()) is ShelfwiseError


def test_job_and_task_pass_to_other_processes(job):
    task = task_of(job, dump(30))
    there, its = pickle.loads(pickle.dumps((job, task)))

    assert (there.made_from, its) == (job.made_from, task)


def test_digest_of_the_options_knows_what_matters(job):
    other = replace(job, options=PredictOptions(promise=0.9))
    assert other.options_digest != job.options_digest
    slower = replace(job, threads=8)
    assert slower.made_from == job.made_from
    recipe = replace(job.reading.recipe, threads=8)
    assert replace(job, reading=replace(job.reading, recipe=recipe)).options_digest == job.options_digest


def test_unfinished_and_torn_shards_are_not_finished(job):
    task = task_of(job, dump(30))
    assert shards.finished(job, task) is None
    shards.work(job, task)
    assert shards.finished(job, replace(task, rows="0")) is None
    place = open_place(job.work)
    for torn in (b"", b"{}", b'{"number": 0', b"[]"):
        place.write(shards.file_of(0, "json"), torn)
        assert shards.finished(job, task) is None


def test_answers_are_packed_with_their_places(job):
    done = shards.work(job, task_of(job, dump(5)))
    content = open_place(job.work).read(shards.file_of(0, "out"))

    assert unpack(content)[PLACE].to_list() == [0, 1, 2, 3, 4]
    open_place(job.work).write(shards.file_of(0, "out"), content[:-1])
    with pytest.raises(ShelfwiseError, match="not as it was written"):
        shards.read_answers(job, done)
