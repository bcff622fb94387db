"""A run over a catalogue of any size: cut into shards, predicted by an engine, put together in order.

What comes out is the same to the byte for any number of workers, every engine and after any kill: shards are
cut by the catalogue alone, each is a pure function of its rows, and they are put together in their order.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.pictures import Picture
from shelfwise.catalogue.products import NO_ID
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.remote import is_remote, local_path
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, PictureError
from shelfwise.features.encoders import takes_gpu
from shelfwise.lesson import clean_rows
from shelfwise.predictions import PredictOptions
from shelfwise.reading import BATCH, Reader
from shelfwise.scale import engine, shards
from shelfwise.scale.digests import digest_frame, digest_model, digest_of, digest_rows, pack
from shelfwise.scale.engine import EngineName, Failed, check_engine
from shelfwise.scale.known import Changes, Keeper, Known
from shelfwise.scale.outputs import Output
from shelfwise.scale.place import Place, locked, open_place
from shelfwise.scale.shards import PLACE, Done, Job, Task
from shelfwise.writing import Written

Notify = Callable[[int], None]
SHARD = BATCH
"""Rows of a shard, fewer where the catalogue holds pictures; the output does not depend on it."""
_ALONE = 2 * BATCH
"""Up to so many rows one process is quicker than several that have to be started."""


@dataclass(frozen=True)
class BulkOptions:
    """How a catalogue is predicted.

    predict: what the answers hold. split: predict the rows marked test in this column. engine: who does the
    work. workers: processes of this machine, or shards under way at a time on a cluster; 0: what suits.
    threads: in all on this machine, of each worker on a cluster; 0: what suits. work: place of the shards
    meanwhile; None: beside the output. state: folder of what was answered, so that the next run predicts only
    what is new or changed; None: nothing is kept.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    split: str | None = None
    engine: EngineName = "local"
    workers: int = 0
    threads: int = 0
    work: str | None = None
    state: str | None = None

    def __post_init__(self) -> None:
        check_engine(self.engine)


@dataclass(frozen=True)
class BulkReport:
    """What was done: answers by status, those that an earlier run had done, workers, changes of a state.

    resumed: answers of shards that a run that was killed has left. note: why a state was not used.
    """

    written: Written
    resumed: int
    workers: int
    changes: Changes | None = None
    note: str = ""


@dataclass
class Bulk:
    """A saved model that predicts catalogues of any size.

    Attributes
    ----------
    folder: of the model, which every worker loads.
    digest: of the model.
    model: the loaded model; what is changed in its recipe (pictures, encoders) holds for all workers.

    """

    folder: str
    digest: str
    model: Categorizer

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Load a model folder; ModelError when it is missing, damaged, foreign or newer."""
        place = os.path.abspath(folder)
        model = Categorizer.load(folder, mapped=True)
        return cls(place, digest_model(place), model)

    def predict(
        self,
        catalogue: object,
        output: str | os.PathLike[str],
        options: BulkOptions | None = None,
        notify_rows: Notify | None = None,
    ) -> BulkReport:
        """Predict a catalogue into a file, or with a / at its end into a folder of numbered Parquet files.

        Run again after a kill, it goes on with the shards that are missing. `notify_rows` hears how many rows
        were answered each time.

        Raises
        ------
        CatalogueError
            The catalogue cannot be read, or the output cannot be written.
        PromiseError
            The model cannot keep the promise.

        """
        options = options or BulkOptions()
        source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
        goal = Output.of(output)
        _check_apart(source, goal, options.state)
        self.model.thresholds(options.predict.promise)  # refused before anything is written
        reader = self.model.reader(source, options.split)
        workers = _workers(options, source, self.model)
        job = Job(
            self.folder, self.digest, reader.reading, options.predict, _work_place(goal, options),
            goal.parts if goal.folder else "", _threads(options, self.model, workers),
            _on_gpu(self.model),
        )  # fmt: skip
        shards.keep(job, self.model, reader)
        with locked(job.work, "is writing to this output", "give another --output"):
            run = _Run(job, source, reader, goal, options)
            with closing(engine.run(options.engine, job, run.tasks(), workers)) as outcomes:
                report = run.finish(outcomes, notify_rows)
            open_place(job.work).clear()
        return replace(report, workers=workers)


class _Run:
    """One run: tasks on their way to an engine, and outcomes on their way to the output."""

    def __init__(self, job: Job, source: Source, reader: Reader, goal: Output, options: BulkOptions) -> None:
        self._job, self._source, self._reader, self._goal = job, source, reader, goal
        self._place: Place = open_place(job.work)
        self._digests: dict[int, _Digests] = {}  # of shards under way
        self._done: list[Done] = []
        self._known: Known | None = None
        self._keeper: Keeper | None = None
        if options.state is not None:
            made_from = {name: value for name, value in job.made_from.items() if name != "form"}
            by_id = reader.reading.roles.product_id in reader.reading.columns
            self._known = Known(options.state, made_from, by_id)
            self._keeper = Keeper(options.state, made_from)

    # -- on the way out --------------------------------------------------------------------------------------

    def tasks(self) -> Iterator[Task | Done]:
        """The shards of the catalogue, in order; those that are finished are told so."""
        for number, (first, raw) in enumerate(self._reader.batches(self._source, SHARD)):
            places = pl.int_range(first, first + raw.height, dtype=pl.Int64, eager=True)
            pictures = _picture_digests(self._reader, raw, first)
            raw = raw.insert_column(0, places.alias(PLACE))
            copied = None
            content = [digest_frame(raw), *(pictures or [])]
            if self._known is not None:
                raw, copied = self._without_known(number, raw, pictures)
                content.append("" if copied is None else digest_frame(copied.select(PLACE)))
            task = Task(number, digest_of(*(part.encode() for part in content)), known=copied is not None)
            done = shards.finished(self._job, task)
            yield self._send(task, raw, copied) if done is None else done

    def _send(self, task: Task, raw: pl.DataFrame, copied: pl.DataFrame | None) -> Task:
        """Put the rows of a shard where a worker finds them."""
        rows = pack(raw)
        known = b"" if copied is None else pack(copied)
        self._place.write(shards.file_of(task.number, "in"), rows)
        if known:
            self._place.write(shards.file_of(task.number, "known"), known)
        return replace(task, sent=digest_of(rows, known))

    def _without_known(
        self, number: int, raw: pl.DataFrame, pictures: list[str] | None
    ) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """The rows that have to be predicted, and the answers of the others."""
        assert self._known is not None
        digests = digest_rows(raw.drop(PLACE), pictures)
        at = self._known.look_up(digests)
        self._digests[number] = _Digests(int(raw[PLACE][0]) if raw.height else 0, digests, at)
        copied = self._known.worth_copying(at)
        hits = np.flatnonzero(copied)
        if not len(hits):
            return raw, None
        answers = self._known.answers(at[hits])
        answers = answers.insert_column(0, raw[PLACE][hits.tolist()])
        # Where there is no id the row's number stands in, and rows may have moved.
        lacking = pl.col("reason").str.contains(NO_ID, literal=True).fill_null(False)
        moved = lacking | (pl.col("status") == "unreadable") | pl.lit(not self._known.by_id)
        number_as_id = pl.when(moved).then(pl.col(PLACE).cast(pl.String)).otherwise("product_id")
        answers = answers.with_columns(number_as_id.alias("product_id"))
        return raw.filter(pl.Series(~copied)), answers

    # -- on the way back -------------------------------------------------------------------------------------

    def finish(self, outcomes: Iterable[Done | Failed], notify_rows: Notify | None) -> BulkReport:
        """Take outcomes as they come, in order, and write what was asked for."""
        try:
            if self._goal.folder:
                written = self._into_folder(outcomes, notify_rows)
            else:
                tables = self._tables(outcomes)
                written = self._goal.write_file(tables, self._job.options.form, notify_rows)
        except BaseException:
            if self._keeper is not None:
                self._keeper.discard()
            raise
        if self._keeper is not None:
            self._keeper.finish()
        resumed = sum(done.height for done in self._done if not done.fresh)
        known = self._known
        changes, note = (None, "") if known is None else (known.counted(), known.note)
        return BulkReport(written, resumed, 0, changes, note)

    def _tables(self, outcomes: Iterable[Done | Failed]) -> Iterator[pl.DataFrame]:
        """The answers of one shard after the other; one piece at least."""
        empty = True
        for done in self._checked(outcomes):
            table = self._answers(done)
            if table.height or empty:
                yield table.drop(PLACE)
                empty = False

    def _into_folder(self, outcomes: Iterable[Done | Failed], notify_rows: Notify | None) -> Written:
        """The workers write the files of a folder; here they are counted, and told to a state."""
        started, statuses, accepted = time.perf_counter(), Counter[str](), list[int]()
        self._goal.begin_folder()
        for done in self._checked(outcomes):
            if self._keeper is not None:
                self._answers(done)
            statuses.update(done.by_status)
            accepted += [] if done.accepted is None else [done.accepted]
            if notify_rows is not None:
                notify_rows(done.height)
        self._goal.finish_folder(self._done, self._job.model_digest)
        return Written(
            statuses.total(), dict(sorted(statuses.items())), sum(accepted) if accepted else None,
            round(time.perf_counter() - started, 3),
        )  # fmt: skip

    def _checked(self, outcomes: Iterable[Done | Failed]) -> Iterator[Done]:
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                raise outcome.error()
            self._done.append(outcome)
            yield outcome
            for ending in ("in", "known"):
                self._place.delete(shards.file_of(outcome.number, ending))

    def _answers(self, done: Done) -> pl.DataFrame:
        """The answers of a shard; a state is told of them."""
        table = shards.read_answers(self._job, done)
        if self._keeper is not None and self._known is not None:
            digests = self._digests.pop(done.number)
            rows = table[PLACE].to_numpy() - digests.first
            self._known.count(table, digests.at[rows])
            self._keeper.add(table.drop(PLACE), digests.digests[rows])
        return table


@dataclass(frozen=True)
class _Digests:
    """Of a shard under way: its first row, digests uint64 [rows, 2], places of known answers int64 [rows]."""

    first: int
    digests: NDArray[np.uint64]
    at: NDArray[np.int64]


def _picture_digests(reader: Reader, raw: pl.DataFrame, first: int) -> list[str] | None:
    """Digests of the products' pictures that lie outside of the catalogue, "" for none; None: none do."""
    if reader.pictures is None:
        return None
    products = clean_rows(raw, reader.reading.roles, reader.reading.recipe, first)
    with ThreadPoolExecutor() as pool:  # reading and hashing both leave the interpreter
        return list(pool.map(_picture_digest, reader.pictures.find(products)))


def _picture_digest(picture: Picture | None) -> str:
    if picture is None or picture.data is not None:
        return ""
    try:
        return picture.digest()
    except PictureError as error:
        return f"{error.code} {error}"


def _check_apart(source: Source, goal: Output, state: str | None) -> None:
    """Nothing that is read may be written to."""
    if state is not None and is_remote(state):
        raise CatalogueError(f"a state is a folder of this machine, and {state} is none")
    if goal.remote:
        return
    target = Path(goal.where).resolve()
    if any(target == file.resolve() or target in file.resolve().parents for file in source.files):
        raise CatalogueError(
            f"{goal.where} is the catalogue itself; write the predictions to another file"
            if not goal.folder else f"{goal.where}/ holds the catalogue; write to another folder"
        )  # fmt: skip


def _work_place(goal: Output, options: BulkOptions) -> str:
    """Where the shards lie meanwhile: a folder of this run alone, beside the output or where it was asked."""
    where = local_path(options.work).rstrip("/") if options.work else goal.beside
    place = f"{where}/.{goal.name}.shards"
    return place if is_remote(place) else os.path.abspath(place)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers(options: BulkOptions, source: Source, model: Categorizer) -> int:
    """How many workers; 0: whatever the cluster has."""
    if options.workers or options.engine != "local":
        return options.workers
    if source.rows <= _ALONE or _on_gpu(model):
        return 1
    return min(_cores(), -(-source.rows // BATCH))


def _on_gpu(model: Categorizer) -> bool:
    """Whether its encoders take all processors, or the GPU, for themselves."""
    specs = (model.recipe.encoder.encoder, *model.recipe.pictures.encoder.split("+"))
    return bool(model.views_.dense) and any(map(takes_gpu, specs))


def _threads(options: BulkOptions, model: Categorizer, workers: int) -> int:
    """Threads of one worker."""
    if options.engine != "local":
        return options.threads or 1
    return max(1, (options.threads or model.recipe.threads or _cores()) // max(workers, 1))
