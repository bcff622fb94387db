"""The unit of work: a shard of rows in, a shard of answers out.

`work` is a pure function of the model, the options and the rows: whoever calls it, however often and where,
writes the same shard. Beside each finished one lies a small JSON that says what it was made from: digests of
the rows, the model, the options and the program, the rows, and the digest of what was written. That is all
there is to going on after a kill, and to being called by another engine.
"""

from __future__ import annotations

import json
import os
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, ModelError
from shelfwise.explain import Witnesses
from shelfwise.predictions import PredictOptions, Thresholds
from shelfwise.reading import Reader, Reading
from shelfwise.scale.digests import (
    check_program,
    digest_model,
    digest_of,
    digest_program,
    digest_values,
    pack,
    unpack,
)
from shelfwise.scale.engine import Failed, Shard, failing, unseen
from shelfwise.scale.place import open_place
from shelfwise.writing import parquet_bytes

PLACE = "__place__"
"""Column of a row's place in the whole input, beside raw rows and answers on their way."""


@dataclass(frozen=True)
class Job:
    """What all shards of a run have in common; plain values, that pass to other processes and machines.

    model: its folder. model_digest: see `digests`. work: place of the shards. parts: place of finished
    Parquet files, "" where there are none. threads: of one worker; results do not depend on them.
    gpu: whether the model's encoders run on a GPU where there is one.
    """

    model: str
    model_digest: str
    reading: Reading
    options: PredictOptions
    work: str
    parts: str = ""
    threads: int = 1
    gpu: bool = False
    program: str = field(default_factory=digest_program)

    def do(self, task: Task) -> Done | Failed:
        """Do a shard, see `work`."""
        return work(self, task)

    @cached_property
    def options_digest(self) -> str:
        """SHA-256 of how rows are read and what is asked of the model."""
        return digest_values({"reading": self.reading.to_dict(), "options": asdict(self.options)})

    @cached_property
    def made_from(self) -> dict[str, str]:
        """What every shard is made from, besides its rows."""
        parts = "parquet" if self.parts else ""
        return {
            "model": self.model_digest, "options": self.options_digest, "program": self.program, "form": parts
        }  # fmt: skip


@dataclass(frozen=True)
class Task(Shard):
    """A shard to be done: its number, and digests of what it is made from and of the files it lies in.

    rows: of the rows, of their pictures beside the catalogue and of answers that are known already. sent: of
    the files. known: such answers lie beside the other rows, in a file of their own.
    """

    rows: str
    sent: str = ""
    known: bool = False


@dataclass(frozen=True)
class Done:
    """A finished shard: answers by status, accepted ones (None without a promise) and its digests.

    part: digest of the finished Parquet file, "" where there is none. fresh: whether this run has done it.
    """

    number: int
    height: int
    by_status: dict[str, int]
    accepted: int | None
    answers: str
    part: str = ""
    fresh: bool = True


def file_of(number: int, ending: str) -> str:
    """The name of a shard's file: "in", "known", "out" or "json"."""
    return f"{number:06d}.{ending}"


def part_of(number: int) -> str:
    """The name of a finished Parquet file."""
    return f"part-{number:06d}.parquet"


def work(job: Job, task: Task) -> Done | Failed:
    """Do a shard: read its rows, predict them, write the answers and then what they were made from."""
    return failing(task, lambda: _work(job, task))


def _work(job: Job, task: Task) -> Done:
    place = open_place(job.work)
    raw = place.read(file_of(task.number, "in"))
    if raw is None:
        raise CatalogueError(unseen("the shards", job.work))
    known = place.read(file_of(task.number, "known")) if task.known else None
    if digest_of(raw, known or b"") != task.sent:
        raise CatalogueError(f"{job.work} was changed while it was worked on: does another run use it?")
    table = _answer(opened(job), unpack(raw), None if known is None else unpack(known))
    content = pack(table)
    place.write(file_of(task.number, "out"), content)
    part = ""
    if job.parts:
        finished = parquet_bytes(table.drop(PLACE), job.options.form)
        open_place(job.parts).write(part_of(task.number), finished)
        part = digest_of(finished)
    statuses: dict[str, int] = dict(table["status"].value_counts().iter_rows())
    promised = table["accepted"].is_not_null().any()
    accepted = int(table["accepted"].sum() or 0) if promised else None
    done = Done(task.number, table.height, dict(sorted(statuses.items())), accepted, digest_of(content), part)
    told = {**asdict(done), **job.made_from, "rows": task.rows}
    place.write(file_of(task.number, "json"), json.dumps(told, sort_keys=True).encode())
    return done


def finished(job: Job, task: Task) -> Done | None:
    """The shard, if an earlier run has finished it from the same rows, model, options and program."""
    place = open_place(job.work)
    content = place.read(file_of(task.number, "json"))
    if content is None:
        return None
    try:
        told: dict[str, Any] = json.loads(content)
        made_from = {name: told.pop(name) for name in (*job.made_from, "rows")}
        done = Done(**{**told, "fresh": False})
    except (ValueError, KeyError, TypeError):
        return None  # torn, or of another version
    if made_from != {**job.made_from, "rows": task.rows} or done.number != task.number:
        return None
    if digest_of(place.read(file_of(task.number, "out")) or b"") != done.answers:
        return None
    if job.parts and digest_of(open_place(job.parts).read(part_of(task.number)) or b"") != done.part:
        return None
    return done


def read_answers(job: Job, done: Done) -> pl.DataFrame:
    """The answers of a finished shard, with their `PLACE`; CatalogueError if they are not the ones it has."""
    content = open_place(job.work).read(file_of(done.number, "out"))
    if content is None or digest_of(content) != done.answers:
        raise CatalogueError(
            f"{job.work}: shard {done.number} is not as it was written. Does another run use that folder?"
        )
    return unpack(content)


# -- the model ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A model at work for a job."""

    model: Categorizer
    reader: Reader
    options: PredictOptions
    thresholds: Thresholds | None
    asked: Witnesses


_kept: dict[str, Opened] = {}
"""The model that this process worked with last: it is loaded once for all shards."""


def opened(job: Job) -> Opened:
    """The model of a job, loaded when it is first needed; ModelError if it is another one by now."""
    key = digest_values([job.model, job.made_from, job.threads])
    if key not in _kept:
        if not os.path.isdir(job.model):
            raise ModelError(unseen("the model", job.model))
        check_program(job.program)
        keep(job, Categorizer.load(job.model, mapped=True), Reader(job.reading))
    return _kept[key]


def keep(job: Job, model: Categorizer, reader: Reader) -> None:
    """Have a loaded model at hand for `work` in this process."""
    if digest_model(job.model) != job.model_digest:
        raise ModelError(f"{job.model} was changed during the run; run it again")
    model = copy(model)  # the caller's stays as it is
    model.recipe = replace(model.recipe, threads=job.threads)
    thresholds = model.thresholds(job.options.promise)
    _kept.clear()
    key = digest_values([job.model, job.made_from, job.threads])
    _kept[key] = Opened(model, reader, job.options, thresholds, model.witnesses())


def _answer(opened: Opened, raw: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    """The answers of raw rows, and those that are known, in the order of their places."""
    products = opened.reader.attach(opened.reader.choose(raw.drop(PLACE), raw[PLACE]))
    table = opened.model.predict_products(products, opened.options, opened.thresholds, opened.asked)
    table = table.insert_column(0, products["row"].alias(PLACE))
    return table if known is None else pl.concat([table, known.select(table.columns)]).sort(PLACE)
