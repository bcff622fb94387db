"""A run: what a catalogue wants is asked, looked at, stored or coded, and told."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import find_roles
from shelfwise.errors import CatalogueError, MissingExtraError, PictureError
from shelfwise.images.asking import Asker, AskingOptions
from shelfwise.images.checkers import Checkers, CheckingOptions
from shelfwise.images.lanes import LaneOptions, Lanes, Told
from shelfwise.images.ledger import FAILED, STORED, TODO, Ledger, Link, Result
from shelfwise.images.outcome import CHECKED, Report, report_of, write_outcome
from shelfwise.images.publish import publish
from shelfwise.images.shards import write_shards
from shelfwise.images.store import STATE, Store
from shelfwise.images.wanted import check_wanted, register

Notify = Callable[[str, int, int], None]
"""Told of the step ("reading", "asking", "writing", "packing"), and of how much is done of how much."""

_LOST = 1000
_LOOKUPS = 32  # names of hosts that are looked up at a time: dead ones take seconds


@dataclass(frozen=True)
class ImageOptions:
    """How pictures are fetched.

    check: look only, and store nothing. pack: None, "parquet", "webdataset" or "imagefolder", beside the
    files. every: all pictures of a product and not the main one alone. size: longest side in pixels, 0 leaves
    pictures as they are. refresh: ask again what is stored or has failed for good. workers: processes that
    decode. roles: of columns that are not as they were found. asking, lanes: see there.
    """

    check: bool = False
    pack: str | None = None
    every: bool = False
    size: int = 0
    refresh: bool = False
    workers: int = 2
    roles: Mapping[str, str | Sequence[str] | None] = field(default_factory=dict)
    asking: AskingOptions = field(default_factory=AskingOptions)
    lanes: LaneOptions = field(default_factory=LaneOptions)


def download(
    catalogue: object, output: Path | str, options: ImageOptions, notify: Notify | None = None
) -> Report:
    """Fetch the pictures of a catalogue into a folder, or check their addresses; returns what came of it.

    What was fetched before is not fetched again. A run that was killed is simply started again: it ends in
    the same files.

    Parameters
    ----------
    catalogue
        As `open_source` takes it.
    output
        The folder: a new one, an empty one, or that of an earlier run.
    options
        See `ImageOptions`.
    notify
        Hears how far it is.

    Raises
    ------
    CatalogueError
        The catalogue cannot be read or has no pictures, or the folder cannot be used.

    """
    _check_extra()
    tell = notify or (lambda *_: None)
    source = open_source(catalogue)
    roles = find_roles(source.sample(), options.roles)
    check_wanted(source, roles)
    folder = _folder(Path(output), options)
    started = time.perf_counter()
    path = folder / STATE / ("checked.sqlite" if options.check else "fetched.sqlite")
    with _writable(folder), Ledger(path) as ledger:
        tell("reading", 0, source.rows)
        counts = register(source, roles, ledger, options.every)
        ledger.open_again(options.refresh or (options.check and _was_finished(folder)))
        asked = _ask_all(folder, ledger, options, tell)
        tell("writing", 0, 0)
        write_outcome(folder, ledger, counts, options.check)
        if options.check:
            (folder / STATE / CHECKED).unlink()
        if options.pack == "imagefolder":
            publish(folder, ledger, source, roles, lambda done: tell("packing", done, source.rows))
        elif options.pack is not None:
            total = ledger.count().get(STORED, 0)
            write_shards(Store(folder), ledger, options.pack, lambda done: tell("packing", done, total))
        return report_of(ledger, counts, asked, time.perf_counter() - started)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Tell what is wrong with the ledger's disk in words."""
    try:
        yield
    except sqlite3.Error as error:
        told = f"{folder}: the ledger cannot be written ({error}). Is the disk full? Then run it again"
        raise CatalogueError(told) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        told = (
            f"{folder}: {error.strerror}. Make room and run the same command again: it goes on where it was"
        )
        raise CatalogueError(told) from error


def _check_extra() -> None:
    try:
        import aiohttp  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("fetching pictures", "images") from error


def _folder(folder: Path, options: ImageOptions) -> Path:
    """The folder, or an error where it is somebody else's, or holds pictures of another size."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / STATE).is_dir())):
        raise CatalogueError(
            f"{folder} exists and was not written by shelfwise images; choose another folder"
        )
    (folder / STATE).mkdir(parents=True, exist_ok=True)
    mark = folder / STATE / "size"
    if not options.check:
        was = mark.read_text(encoding="ascii").strip() if mark.exists() else ""
        if was and was != str(options.size):
            told = f"--size {was}" if was != "0" else "no --size"
            raise CatalogueError(f"{folder} was written with {told}; go on so, or choose another folder")
        mark.write_text(str(options.size), encoding="ascii")
    return folder


def _was_finished(folder: Path) -> bool:
    """Whether a check has ended, so that another one begins anew; one that was killed is gone on with."""
    mark = folder / STATE / CHECKED
    finished = (folder / CHECKED).exists() and not mark.exists()
    mark.touch()  # until this one has ended
    return finished


def _ask_all(folder: Path, ledger: Ledger, options: ImageOptions, tell: Notify) -> Lanes:
    """Ask what is left to ask, in an event loop of its own."""
    store = None if options.check else Store(folder)
    if store is not None:
        store.open()
        _ask_again_what_is_gone(ledger, store)
    before = ledger.count()
    to_do = before.get(TODO, 0)
    tell("asking", 0, to_do)
    run = _Run(ledger, store, options, lambda done: tell("asking", done, to_do))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            lanes = runner.run(run.all())
    except BaseExceptionGroup as several:  # a disk that is full is told by each of its tasks
        raise _first(several) from None
    if store is not None:
        store.prune(ledger)
        store.close()
    return lanes


def _ask_again_what_is_gone(ledger: Ledger, store: Store) -> None:
    lost = list(store.missing(ledger))
    for start in range(0, len(lost), _LOST):
        ledger.lose(lost[start : start + _LOST])


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:  # Windows
        return None
    return uvloop.new_event_loop


class _Run:
    """Asking, looking and storing, address by address."""

    def __init__(
        self, ledger: Ledger, store: Store | None, options: ImageOptions, told: Callable[[int], None]
    ) -> None:
        self._ledger, self._store, self._options, self._told = ledger, store, options, told

    async def all(self) -> Lanes:
        """Ask everything."""
        options = self._options
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_LOOKUPS))
        asking = AskingOptions(**{**vars(options.asking), "only_look": options.check})
        checking = CheckingOptions(options.size, 0 if options.check else options.workers)
        async with Asker(asking) as self._asker, Checkers(checking) as self._checkers:
            lanes = Lanes(
                self._ledger, self._one, options.lanes, lambda stored, failed: self._told(stored + failed)
            )
            await lanes.run()
        return lanes

    async def _one(self, link: Link) -> Told:
        """Ask one address, and store what it gives."""
        answer = await self._asker.ask(link.url, link.etag, link.modified)
        try:
            if answer.kept:
                return Told(Result(link.id, STORED, http=answer.http), kept=True)
            if answer.code:
                wait = answer.wait
                return Told(Result(link.id, FAILED, answer.code, answer.http), wait=wait)
            if self._store is None:
                return Told(Result(link.id, STORED, http=answer.http, bytes=answer.length))
            try:
                found = await self._checkers.check(answer.body)
            except PictureError as error:
                return Told(Result(link.id, FAILED, error.code, answer.http))
            data = answer.body if found.data is None else found.data
            sha = self._store.put(data, found.form)
            kept = Result(
                link.id, STORED, http=answer.http, etag=answer.etag, modified=answer.modified, sha=sha,
                form=found.form, width=found.width, height=found.height, bytes=len(data),
            )  # fmt: skip
            return Told(kept)
        finally:
            await answer.held.aclose()
