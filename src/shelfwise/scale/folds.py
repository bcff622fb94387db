"""An audit's folds as a unit of work: learned and answered by other processes or machines.

What all folds need lies in one file, which a worker reads once; what a fold came to comes back in another.
`FoldEngine` is what `audit` is given for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from shelfwise.audit.evidence import Dealt, Found
from shelfwise.catalogue.remote import is_remote, local_path
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide.fusion import Fusion
from shelfwise.errors import CatalogueError
from shelfwise.recipe import Recipe
from shelfwise.scale import engine
from shelfwise.scale.digests import check_program, digest_of, digest_program, pack, unpack
from shelfwise.scale.engine import EngineName, Failed, Shard, check_engine, failing, unseen
from shelfwise.scale.place import locked, open_place
from shelfwise.scale.shards import file_of

_ARRAYS = ("y", "fold", "swapped")
_OWN = "audit."  # before the names of arrays that lie beside the products
_PRODUCTS = 999_999
"""The number of the file that all folds read; there are never as many folds."""


@dataclass(frozen=True)
class FoldJob:
    """What all folds of an audit have in common; plain values, that pass to other processes and machines.

    sent: digest of the file with the products. fusion: how the views are weighed. threads: of one worker;
    what folds come to does not depend on them.
    """

    recipe: Recipe
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    taxonomy: dict[str, Any]
    fusion: Fusion
    sent: str
    work: str
    threads: int = 1
    gpu: bool = False
    program: str = field(default_factory=digest_program)

    def do(self, task: Shard) -> Answered | Failed:
        """Learn the views for a fold, have them answer it, and write what it came to."""
        return failing(task, lambda: _work(self, task))


@dataclass(frozen=True)
class Answered:
    """A fold that was answered, and the digest of the file."""

    number: int
    digest: str


@dataclass(frozen=True)
class FoldEngine:
    """Has an audit's folds answered by an engine; an `audit.evidence.Elsewhere`.

    engine: who does the work. workers: processes of this machine, or folds under way at a time on a cluster;
    0: what suits. threads: in all on this machine, of each worker on a cluster. work: place of the files
    meanwhile, of this audit alone.
    """

    engine: EngineName
    workers: int
    threads: int
    work: str

    def __post_init__(self) -> None:
        check_engine(self.engine)

    def __call__(self, dealt: Dealt, fusion: Fusion, numbers: Sequence[int]) -> Iterator[Found]:
        """What the folds came to, one after the other."""
        workers = self.workers
        if self.engine == "local":  # processors of more would stand idle
            workers = min(workers or 1, len(numbers))
        threads = max(1, self.threads // workers) if self.engine == "local" else max(1, self.threads)
        work = self.work if is_remote(self.work) else os.path.abspath(local_path(self.work))
        with locked(work, "keeps its folds here", "give another --work"):
            open_place(work).clear()  # of a run that was killed
            job = FoldJob(
                dealt.recipe, dealt.fields, dealt.dense, dealt.taxonomy.to_dict(), fusion,
                _send(dealt, work), work, threads,
            )  # fmt: skip
            try:
                with closing(engine.run(self.engine, job, map(Shard, numbers), workers)) as outcomes:
                    for outcome in outcomes:
                        if isinstance(outcome, Failed):
                            raise outcome.error()
                        yield _read(job, outcome)
            finally:
                open_place(work).clear()
                _kept.clear()


def _send(dealt: Dealt, work: str) -> str:
    """Put what all folds need where workers find it; its digest."""
    arrays = [pl.Series(_OWN + name, getattr(dealt, name)) for name in _ARRAYS]
    content = pack(dealt.products.with_columns(arrays))
    open_place(work).write(file_of(_PRODUCTS, "in"), content)
    return digest_of(content)


def _read(job: FoldJob, answered: Answered) -> Found:
    from safetensors.numpy import load

    content = open_place(job.work).read(file_of(answered.number, "out"))
    if content is None or digest_of(content) != answered.digest:
        raise CatalogueError(
            f"{job.work}: part {answered.number + 1} is not as it was written. Does another run use that "
            "folder?"
        )
    return Found.restored(load(content))


# -- at work -----------------------------------------------------------------------------------------------

_kept: dict[str, pl.DataFrame] = {}
"""The products that this process worked with last, by the digest of their file."""


def _work(job: FoldJob, task: Shard) -> Answered:
    import numpy as np
    from safetensors.numpy import save

    dealt = _dealt(job)
    views = dealt.learn(task.number, job.threads, job.fusion.views)
    found = dealt.answer(task.number, views, job.fusion, job.threads)
    content = save({name: np.ascontiguousarray(array) for name, array in found.tensors().items()})
    open_place(job.work).write(file_of(task.number, "out"), content)
    return Answered(task.number, digest_of(content))


def _dealt(job: FoldJob) -> Dealt:
    """What models of the folds are learned from and with."""
    if job.sent not in _kept:
        check_program(job.program)
        content = open_place(job.work).read(file_of(_PRODUCTS, "in"))
        if content is None:
            raise CatalogueError(unseen("the products", job.work))
        if digest_of(content) != job.sent:
            raise CatalogueError(f"{job.work} was changed while it was worked on: does another run use it?")
        _kept.clear()
        _kept[job.sent] = unpack(content)
    sent = _kept[job.sent]
    y, fold, swapped = (sent[_OWN + name].to_numpy(writable=True) for name in _ARRAYS)
    products = sent.drop([_OWN + name for name in _ARRAYS])
    taxonomy = Taxonomy.from_dict(job.taxonomy)
    return Dealt(job.recipe, products, y, job.fields, job.dense, taxonomy, fold, swapped)
