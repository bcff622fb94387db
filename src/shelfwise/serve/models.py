"""The models of a server by name: where each is, loaded and warmed before it is asked, swapped while it is.

A model that is replaced stays whole for the requests that it was asked by; the next ones get the new one.
Loading happens in a thread of its own, beside the model that answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import hashlib
import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from shelfwise.artifact import MANIFEST
from shelfwise.catalogue.decoders import DecoderOptions, Decoders, memory_for
from shelfwise.categorizer import Categorizer
from shelfwise.corrections.state import Corrections
from shelfwise.errors import LabelError, ModelError, PromiseError, ShelfwiseError
from shelfwise.predictions import Thresholds
from shelfwise.serve.answerer import Answerer, Asked, Wish
from shelfwise.serve.corrections import Correction, Journal
from shelfwise.serve.drift import Usual
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import ModelAbout, ModelName
from shelfwise.serve.refusal import RefusedError, invalid
from shelfwise.track.model import resolve_model

_LOG = logging.getLogger("shelfwise.serve")
_VERSION = 16  # signs of the fingerprint


@dataclass(eq=False)
class Loaded:
    """A model that can be asked. fingerprint: of its folder."""

    name: str
    where: str
    folder: Path
    fingerprint: str
    answerer: Answerer
    stamp: tuple[int, ...]
    loaded_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _promises: dict[float, Thresholds | PromiseError] = field(default_factory=dict)

    usual: Usual = field(default_factory=Usual)

    @property
    def named(self) -> ModelName:
        """Name and version of what answers now."""
        return self.named_after(self.answerer.corrections_made)

    def named_after(self, corrected: int) -> ModelName:
        """Name and version with so many corrections; each makes another version."""
        return ModelName(self.name, self.fingerprint + (f"+{corrected}" if corrected else ""))

    def thresholds(self, promise: float | None) -> Thresholds | None:
        """Confidences that keep a promise.

        Raises
        ------
        RefusedError
            The model cannot keep it.

        """
        if promise is None:
            return None
        asked = round(promise, 4)
        if abs(asked - promise) > 1e-12:
            raise invalid("promise", f"a promise has up to four digits, such as 0.975; got {promise!r}")
        if asked not in self._promises:  # at most 9,999 of them
            try:
                found = self.answerer.model.thresholds(asked)
            except PromiseError as error:
                self._promises[asked] = error
            else:
                assert found is not None
                self._promises[asked] = found
        known = self._promises[asked]
        if isinstance(known, PromiseError):
            raise invalid("promise", str(known))
        return known

    def about(self) -> ModelAbout:
        """What there is to know of it."""
        model, corrections = self.answerer.model, self.answerer.model.corrections_
        return ModelAbout(
            self.name, self.named.version, self.where, self.loaded_at, len(model.taxonomy_.labels),
            list(model.views_.fields), list(model.decision_.fusion.views), list(self.answerer.intake.columns),
            self.answerer.pictures, len(corrections.log), dict(model.training_.out_of_fold),
        )  # fmt: skip


class Models:
    """The models that are served; the first is asked where none is named.

    Parameters
    ----------
    places: name -> model folder or mlflow:RUN_ID.
    limits: see `Answerer`.
    journal: corrections that were made at run time, None where none may be.
    threads: that one model uses; 0: one a core.

    """

    def __init__(
        self, places: Mapping[str, str], limits: Limits, journal: Journal | None = None, threads: int = 0
    ) -> None:
        self._places = dict(places)
        self._limits, self.journal, self._threads = limits, journal, threads
        memory = memory_for(limits.pixels)
        self._decoders = Decoders(DecoderOptions(limits.picture_workers, limits.picture_time, memory))
        self._loaded: dict[str, Loaded] = {}
        self._tried: dict[str, tuple[int, ...]] = {}
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="shelfwise-loader")
        self.told: Callable[[str, bool], None] = lambda name, done: None
        """Told of each reload: name, and whether it succeeded."""

    def load_all(self) -> None:
        """Load every model; ModelError or EncoderError for the first that cannot be."""
        for name in self._places:
            self._loaded[name] = self._load(name)

    @property
    def all(self) -> list[Loaded]:
        """The models, the default first."""
        return [self._loaded[name] for name in self._places]

    def get(self, name: str | None) -> Loaded:
        """Return a model by name; RefusedError where there is none of that name."""
        if name is None:
            return next(iter(self._loaded.values()))
        found = self._loaded.get(name)
        if found is None:
            raise RefusedError(
                "unknown",
                "unknown_model",
                f"no model is called {name[:60]!r}; there is {', '.join(self._places)}",
            )
        return found

    async def reload(self, name: str | None = None) -> list[ModelName]:
        """Load models anew beside those that answer, then swap; all of them where none is named.

        Raises
        ------
        RefusedError
            A model cannot be loaded; the one that answers goes on.

        """
        if name is not None:
            self.get(name)
        loop = asyncio.get_running_loop()
        names = list(self._places) if name is None else [name]
        return [(await loop.run_in_executor(self._loader, self._reload, one)).named for one in names]

    async def watch(self, seconds: float) -> None:
        """Reload models whose folder has changed, looking every so many seconds; never returns."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(seconds)
            for name in self._places:
                try:
                    if await loop.run_in_executor(self._loader, self._changed, name):
                        await self.reload(name)
                except (RefusedError, OSError) as error:
                    _LOG.warning("the changed model %s was not taken: %s", name, error)

    def close(self) -> None:
        """End the thread that loads, and the processes that decode."""
        self._decoders.close()
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _changed(self, name: str) -> bool:
        stamp = _stamp(self._loaded[name].folder)
        if stamp is None or stamp in (self._loaded[name].stamp, self._tried.get(name)):
            return False
        self._tried[name] = stamp  # a folder that cannot be loaded is tried once, until it changes again
        return True

    def _reload(self, name: str) -> Loaded:
        try:
            new = self._load(name)
        except (ShelfwiseError, OSError) as error:
            self.told(name, False)
            _LOG.error("the model %s was not reloaded: %s", name, error)
            raise RefusedError(
                "unavailable", "reload", f"the model {name} stays as it was: {error}"
            ) from error
        with self._lock:
            self._replay(new)  # corrections that came in while it was being loaded
            self._loaded[name] = new
        self.told(name, True)
        _LOG.info("the model %s is now version %s", name, new.named.version)
        _give_back()
        return new

    # -- correcting ------------------------------------------------------------------------------------------

    def correct(self, name: str | None, wanted: Sequence[Correction]) -> Loaded:
        """Remember products with their right categories: they count from the next prediction on.

        Raises
        ------
        RefusedError
            Corrections are not switched on, or one of them cannot be used; then none is.

        """
        if self.journal is None:
            raise RefusedError(
                "forbidden", "corrections_off", "this server takes no corrections (--corrections FILE)"
            )
        loaded = self.get(name)
        with self._lock, self.journal.alone():
            self._replay(loaded)  # what other processes took
            corrections = _corrected(loaded, wanted)
            try:
                self.journal.append(wanted)
            except OSError as error:
                told = f"the corrections could not be kept: {error.strerror or error}"
                raise RefusedError("unavailable", "disk", told, 5.0) from error
            loaded.answerer.take(corrections, loaded.answerer.corrections_made + len(wanted))
        return loaded

    def catch_up(self) -> None:
        """Make the corrections that other processes took; called in the thread of the model."""
        if self.journal is None:
            return
        with self._lock:
            self.journal.read_on()
            for loaded in self._loaded.values():
                self._replay(loaded)

    def _replay(self, loaded: Loaded) -> None:
        """Make the corrections of the journal that the model does not have yet."""
        done = loaded.answerer.corrections_made
        missing = self.journal.of(loaded.name)[done:] if self.journal is not None else []
        if missing:
            loaded.answerer.take(_corrected(loaded, missing), done + len(missing))

    # -- loading ---------------------------------------------------------------------------------------------

    def _load(self, name: str) -> Loaded:
        where = self._places[name]
        folder = resolve_model(where)
        stamp = _stamp(folder)
        model = Categorizer.load(folder)
        for note in model.views_.notes_:
            _LOG.warning("the model %s: %s", name, note)
        if stamp is None or _stamp(folder) != stamp:
            raise ModelError(f"{where} changed while it was being read")
        fingerprint = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:_VERSION]
        model.recipe = replace(model.recipe, threads=self._threads)
        answerer = Answerer(model, self._limits, self._decoders.decode)
        if answerer.pictures:
            self._decoders.warm()
        loaded = Loaded(name, where, folder, fingerprint, answerer, stamp)
        self._replay(loaded)
        _warm(loaded.answerer, self._limits.batch)
        loaded.usual = Usual.of(model)
        return loaded


def _corrected(loaded: Loaded, wanted: Sequence[Correction]) -> Corrections:
    """The corrections of a model with more of them; RefusedError where one cannot be used."""
    ignored: set[str] = set()
    offers = [loaded.answerer.intake.read(one.product, ignored) for one in wanted]
    for place, offer in enumerate(offers):
        if offer.problem is not None:
            raise invalid(offer.problem[0], f"products[{place}]: {offer.problem[1]}")
    corrections, start = loaded.answerer.model.corrections_, 0
    try:
        for new_shelf, group in itertools.groupby(wanted, lambda one: one.new_shelf):
            categories = [one.category for one in group]  # in their order: shelves that one made others name
            chosen = offers[start : start + len(categories)]
            corrections = loaded.answerer.corrected(corrections, chosen, categories, new_shelf)
            start += len(categories)
    except LabelError as error:
        raise invalid("category", str(error)) from error
    return corrections


def _warm(answerer: Answerer, batch: int) -> None:
    """Ask once what will be asked: compiled code, caches and encoders are there before anyone waits."""
    column = next((name for name in ("title", "description") if name in answerer.intake.known), None)
    product = {column: "a <b>b</b>"} if column else {}
    for count in (1, batch):
        offers = [
            answerer.intake.read(product if i % 2 else {column or "title": "warm"}, set())
            for i in range(count)
        ]
        answerer.answer([Asked([offer], Wish()) for offer in offers])
    answerer.answer([Asked([answerer.intake.read(product, set())], Wish(explain=True))])


def _give_back() -> None:
    """Return what the old model took to the system; the allocator would keep it for later."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def _stamp(folder: Path) -> tuple[int, ...] | None:
    """What changes when a model folder is written anew; None where there is none at the moment."""
    try:
        about = (folder / MANIFEST).stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
