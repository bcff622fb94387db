"""Encoding ahead: the vectors of a catalogue into the cache, by several processes or machines.

What `train`, `audit`, `explore` and `predict` then read has all its vectors there. One process reads the
catalogue and asks the cache what is missing; an engine encodes that, shard by shard; what comes back is kept
in the order of the catalogue. So workers need no cache, and its files are the same to the byte for any number
of workers and every engine.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.read import Source
from shelfwise.catalogue.remote import is_remote, local_path
from shelfwise.categorizer import Categorizer
from shelfwise.errors import PictureError, RecipeError
from shelfwise.features.cache import VectorCache, Vectors, as_keys, key_of
from shelfwise.features.encoders import EncoderOptions, takes_gpu
from shelfwise.features.vectors import check_marks, encoders_of, joined_texts
from shelfwise.reading import Reader
from shelfwise.recipe import Recipe
from shelfwise.scale import contents, engine
from shelfwise.scale.contents import Contents, EncodeJob, Floats, Made, MarkedEncoder
from shelfwise.scale.digests import digest_values
from shelfwise.scale.engine import EngineName, Failed, check_engine
from shelfwise.scale.place import locked, open_place

TEXTS, PICTURES = 4_096, 1_024
"""Rows of a shard, of which those are encoded that differ and have no vector yet; fewer with pictures."""
_KEEP_ROWS = 2_048  # what is lost at most of finished work when a run is stopped
_FEW = 2  # shards that one process does sooner than others have started
_EXAMPLES = 5

Notify = Callable[[int], None]


@dataclass(frozen=True)
class EncodeOptions:
    """How a catalogue is encoded.

    engine: who does the work. workers: processes of this machine, or shards under way at a time on a cluster;
    0: what suits. threads: in all on this machine, of each worker on a cluster; 0: what suits. work: place of
    the shards meanwhile; None: in the cache's folder. cache: its folder; None: the usual one.
    """

    engine: EngineName = "local"
    workers: int = 0
    threads: int = 0
    work: str | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        check_engine(self.engine)


@dataclass
class EncoderCount:
    """What came of one encoder.

    products: rows that have a text or a picture. contents: how many of those differ. cached, encoded: how
    many of these had their vector before, and got it now. failed: by code, how many got none.
    """

    vectors: str
    encoder: str
    width: int
    products: int = 0
    contents: int = 0
    cached: int = 0
    encoded: int = 0
    failed: dict[str, int] = field(default_factory=dict)


@dataclass
class EncodeReport:
    """What was done.

    fields: text fields that were encoded together. unread: pictures that could not be read, rows by code.
    examples: some reasons why there is no vector. cache: its folder.
    """

    rows: int
    fields: list[str]
    encoders: list[EncoderCount]
    unread: dict[str, int]
    examples: list[str]
    cache: str
    workers: int
    seconds: float
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def encode_catalogue(
    source: Source,
    asked: Recipe | Categorizer,
    options: EncodeOptions | None = None,
    notify_rows: Notify | None = None,
) -> EncodeReport:
    """Have the vectors of a catalogue in the cache.

    Parameters
    ----------
    source
        The catalogue; rows without a category count, too.
    asked
        A recipe: texts and pictures are encoded as `train` and `audit` will ask for them. A model: as its
        `predict` will.
    options, notify_rows
        See there; hears how many rows of the catalogue were done each time.

    Raises
    ------
    RecipeError
        No encoder is named, or the pictures for it are nowhere.
    EncoderError
        An encoder cannot be opened or has no fingerprint, or the cache cannot be written to.
    CatalogueError
        The catalogue cannot be read, or workers do not see what they need.

    """
    options, started = options or EncodeOptions(), time.monotonic()
    reader = asked.reader(source) if isinstance(asked, Categorizer) else Reader.for_training(source, asked)
    recipe = reader.reading.recipe
    options = replace(options, threads=options.threads or recipe.threads)
    named = encoders_of(recipe, reader.pictures is not None)
    if not named:
        raise RecipeError(_nothing(recipe, isinstance(asked, Categorizer)))
    workers = _workers(options, source, [one.spec for one in named], reader.pictures is not None)
    here = options.engine == "local" and workers <= 1
    opened = [one.open("auto" if here else "cpu") for one in named]  # a GPU is for those who encode
    by_name: dict[str, list[Any]] = {}
    for one, encoder in zip(named, opened, strict=True):
        by_name.setdefault(one.vectors, []).append(encoder)
    check_marks(by_name, reader.reading.listens.marks)
    marked = tuple(MarkedEncoder.of(one, encoder) for one, encoder in zip(named, opened, strict=True))
    cache = VectorCache(options.cache)
    job = EncodeJob(
        marked, _place(options, source, marked, cache), _threads(options, workers),
        any(takes_gpu(one.spec) for one in named),
    )  # fmt: skip
    if here:
        contents.keep(job, opened)
    del opened, by_name, encoder
    with locked(job.work, "is encoding this catalogue", "give another --work"):
        open_place(job.work).clear()  # of a run that was killed: what it had kept is in the cache
        run = _Run(job, source, reader, cache)
        try:
            outcomes: Generator[Made | _Read | Failed | Contents, None, None]
            outcomes = engine.run(options.engine, job, run.tasks(), workers)
            with closing(outcomes):
                run.finish(outcomes, notify_rows)
        finally:
            open_place(job.work).clear()
            contents.forget()
    report = run.report(workers, time.monotonic() - started)
    if reader.pictures is None and (wanted := recipe.pictures.encoder) not in ("", "none", "pixels"):
        report.notes.append(f"no pictures were found for {wanted}: say with --images where they are.")
    return report


@dataclass(frozen=True)
class _Sent:
    """A shard under way: for which encoder, and the keys of its contents."""

    encoder: int
    keys: NDArray[np.bytes_]


@dataclass(frozen=True)
class _Read:
    """Rows of the catalogue of which everything is handed out; passes through the engine in its order."""

    rows: int


class _Run:
    """One run: contents on their way to an engine, and vectors on their way into the cache."""

    def __init__(self, job: EncodeJob, source: Source, reader: Reader, cache: VectorCache) -> None:
        self._job, self._source, self._reader, self._cache = job, source, reader, cache
        recipe = reader.reading.recipe
        self._fields = tuple(recipe.encoder.fields or reader.reading.listens.fields)
        self._known = [cache.of(one.fingerprint, one.width) for one in job.encoders]
        self._keepers = [_Keeper(cache, one) for one in job.encoders]
        self._counts = [EncoderCount(one.named.vectors, one.name, one.width) for one in job.encoders]
        self._seen: dict[str, set[bytes]] = {"text": set(), "image": set()}
        self._sent: dict[int, _Sent] = {}
        self._unread: Counter[str] = Counter()
        self._examples: list[str] = []
        self._rows = self._number = 0

    # -- on the way out --------------------------------------------------------------------------------------

    def tasks(self) -> Iterator[Contents | Made | _Read]:
        """What is to be encoded, in the order of the catalogue."""
        size = TEXTS if self._reader.pictures is None else PICTURES
        with ThreadPoolExecutor(EncoderOptions().cores) as pool:
            for place, raw in self._reader.batches(self._source, size):
                products = self._reader.choose(raw, place)
                yield from self._texts(products)
                yield from self._pictures(products, pool)
                yield _Read(raw.height)

    def _texts(self, products: pl.DataFrame) -> Iterator[Contents]:
        """The texts of some products that differ and have no vector yet."""
        asked = self._asking("text")
        if not asked:
            return
        texts = joined_texts(products, self._fields, self._reader.reading.recipe.encoder.join)
        told = [text for text in texts if text.strip()]
        keys = [key_of(text.encode("utf-8", "surrogatepass")) for text in told]
        fresh = self._fresh("text", keys)
        for number in asked:
            missing = self._missing(number, len(told), [keys[at] for at in fresh])
            rows = [fresh[at] for at in missing]
            if rows:
                made = contents.send_texts(self._job, self._number, number, [told[at] for at in rows])
                yield self._handed(made, [keys[at] for at in rows])

    def _pictures(self, products: pl.DataFrame, pool: ThreadPoolExecutor) -> Iterator[Contents]:
        """The pictures of some products that differ and have no vector yet, not too many bytes at a time."""
        asked, folder = self._asking("image"), self._reader.pictures
        if not asked or folder is None:
            return
        named = [picture for picture in folder.find(products) if picture is not None]
        looked = list(pool.map(contents.look, named))  # reading and hashing both leave the interpreter
        bad = [found for found in looked if isinstance(found, PictureError)]
        self._unread.update(error.code for error in bad)
        self._show(map(str, bad))
        told = [(one, *found) for one, found in zip(named, looked, strict=True) if isinstance(found, tuple)]
        keys = [key for _, key, _ in told]
        fresh = self._fresh("image", keys)
        for number in asked:
            missing = self._missing(number, len(named), [keys[at] for at in fresh])
            for rows in contents.cut([fresh[at] for at in missing], [size for _, _, size in told]):
                wanted, sent = [told[at][0] for at in rows], [keys[at] for at in rows]
                made = contents.send_pictures(self._job, self._number, number, wanted, sent)
                yield self._handed(made, sent)

    def _asking(self, kind: str) -> list[int]:
        """Numbers of the encoders that take texts, or pictures."""
        return [number for number, one in enumerate(self._job.encoders) if one.named.kind == kind]

    def _fresh(self, kind: str, keys: Sequence[bytes]) -> list[int]:
        """Places of the contents that have not come before, each once."""
        seen, fresh = self._seen[kind], []
        for at, key in enumerate(keys):
            if key not in seen:
                seen.add(key)
                fresh.append(at)
        return fresh

    def _missing(self, number: int, products: int, keys: Sequence[bytes]) -> list[int]:
        """Places of the keys that the cache has no vector for; counts what was asked."""
        found = self._known[number].find(as_keys(keys))[1]
        count = self._counts[number]
        count.products += products
        count.contents += len(keys)
        count.cached += int(found.sum())
        return np.flatnonzero(~found).tolist()

    def _handed(self, made: Contents, keys: Sequence[bytes]) -> Contents:
        self._sent[made.number] = _Sent(made.encoder, as_keys(keys))
        self._number += 1
        return made

    # -- on the way back -------------------------------------------------------------------------------------

    def finish(
        self, outcomes: Iterable[Made | _Read | Failed | Contents], notify_rows: Notify | None
    ) -> None:
        """Keep vectors as they come; what is there is kept even where the run ends early."""
        try:
            for outcome in outcomes:
                if isinstance(outcome, Failed):
                    raise outcome.error()
                if isinstance(outcome, Made):
                    self._keep(outcome)
                elif isinstance(outcome, _Read):
                    self._rows += outcome.rows
                    if notify_rows is not None:
                        notify_rows(outcome.rows)
        finally:
            for keeper in self._keepers:
                keeper.close()

    def _keep(self, made: Made) -> None:
        vectors, known = contents.read_vectors(self._job, made)
        sent = self._sent.pop(made.number)
        self._keepers[sent.encoder].add(sent.keys[known], vectors[known])
        count = self._counts[sent.encoder]
        count.encoded += int(known.sum())
        count.failed = dict(sorted((Counter(count.failed) + Counter(made.failed)).items()))
        self._show(made.examples)

    def _show(self, reasons: Iterable[str]) -> None:
        """Remember some reasons, each once."""
        self._examples = list(dict.fromkeys([*self._examples, *reasons]))[:_EXAMPLES]

    def report(self, workers: int, seconds: float) -> EncodeReport:
        """What came of it."""
        said = [*(one.notes for one in self._known), *(one.notes for one in self._keepers)]
        notes = dict.fromkeys(note for notes in said for note in notes)
        takes_text = any(one.named.kind == "text" for one in self._job.encoders)
        return EncodeReport(
            self._rows, list(self._fields) if takes_text else [], self._counts,
            dict(sorted(self._unread.items())), self._examples, str(self._cache.folder), workers,
            round(seconds, 3), list(notes),
        )  # fmt: skip


class _Keeper:
    """Puts vectors of one encoder into the cache, many at a time."""

    def __init__(self, cache: VectorCache, encoder: MarkedEncoder) -> None:
        self._cache, self._encoder = cache, encoder
        self._stored: Vectors | None = None
        self._keys: list[NDArray[np.bytes_]] = []
        self._vectors: list[Floats] = []

    @property
    def notes(self) -> list[str]:
        """What the cache has to say."""
        return [] if self._stored is None else self._stored.notes

    def add(self, keys: NDArray[np.bytes_], vectors: Floats) -> None:
        """Keep vectors, sooner or later."""
        self._keys.append(keys)
        self._vectors.append(vectors)
        if sum(map(len, self._keys)) >= _KEEP_ROWS:  # never by the clock: the files are to be the same
            self.close()

    def close(self) -> None:
        """Keep what has not been kept yet."""
        keys, vectors = self._keys, self._vectors
        self._keys, self._vectors = [], []
        if not keys:
            return
        if self._stored is None:
            self._stored = self._cache.of(self._encoder.fingerprint, self._encoder.width)
        self._stored.keep(np.concatenate(keys), np.concatenate(vectors))


# -- what is asked for -------------------------------------------------------------------------------------


def _nothing(recipe: Recipe, model: bool) -> str:
    if model:
        return "this model listens to no encoder, or there are no pictures for it: predict needs no vectors"
    if recipe.pictures.encoder in ("", "none") and recipe.encoder.encoder in ("", "none"):
        return "no encoder is named, so there is nothing to encode: give --text-encoder or --image-encoder"
    return (
        "no text encoder is named, and no pictures are found for the encoder of pictures: give "
        "--text-encoder, or say with --images where the pictures are"
    )


def _workers(options: EncodeOptions, source: Source, specs: Sequence[str], pictures: bool) -> int:
    """How many workers; 0: whatever the cluster has."""
    if options.workers or options.engine != "local":
        return options.workers
    count = -(-source.rows // (PICTURES if pictures else TEXTS))
    if count <= _FEW or any(map(takes_gpu, specs)):
        return 1
    return min(EncoderOptions().cores, count)


def _threads(options: EncodeOptions, workers: int) -> int:
    """Threads of one worker."""
    if options.engine != "local":
        return options.threads or 1
    return max(1, (options.threads or EncoderOptions().cores) // max(workers, 1))


def _place(
    options: EncodeOptions, source: Source, encoders: Sequence[MarkedEncoder], cache: VectorCache
) -> str:
    """Where shards lie meanwhile: a folder of this catalogue and these encoders alone."""
    where = local_path(options.work).rstrip("/") if options.work else str(cache.folder.absolute())
    files = [str(file) if is_remote(str(file)) else os.path.abspath(file) for file in source.files]
    told = [files or [uuid.uuid4().hex], [one.fingerprint for one in encoders]]  # frames are alike to nobody
    place = f"{where}/.encode-{digest_values(told)[:12]}.shards"
    return place if is_remote(where) else str(open_place(place).name)
