"""One encoding under way: what is known is looked up, the rest runs in batches and is kept as it goes."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.cache import VectorCache, Vectors, as_keys, rounded
from shelfwise.features.encoders import ImageEncoder, TextEncoder, fingerprint_of

_KEEP_ROWS, _KEEP_SECONDS = 65_536, 30.0  # what is lost at most when a run is stopped
_SAY_SECONDS = 1.0
_BATCH = 32  # for encoders that bring no batch size of their own


@dataclass(frozen=True)
class Encoded:
    """What came of encoding.

    Attributes
    ----------
    vectors: float32 [rows, width]; zeros where not known.
    known: bool [rows].
    reasons: why a row has no vector, None where it has one.
    encoded: how many different contents were encoded now.
    cached: how many were in the cache.
    notes: what the user should know, such as damage to the cache.

    """

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]
    reasons: tuple[str | None, ...]
    encoded: int = 0
    cached: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """Stands for a row that cannot be encoded."""

    reason: str


class _Plain(BatchedEncoder[Any, Any]):
    """Any encoder as a batched one, for objects of the user's own."""

    def __init__(self, encoder: TextEncoder | ImageEncoder) -> None:
        self.name, self.width, self.batch = encoder.name, encoder.width, _BATCH
        self._encode: Callable[[Sequence[Any]], NDArray[np.float32]] = encoder.encode

    def prepare(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def run(self, items: Sequence[Any]) -> NDArray[np.float32]:
        return self._encode(items)


def batched(encoder: TextEncoder | ImageEncoder) -> BatchedEncoder[Any, Any]:
    """An encoder as a batched one."""
    return encoder if isinstance(encoder, BatchedEncoder) else _Plain(encoder)


@dataclass
class Encoding:
    """One encoding under way."""

    encoder: TextEncoder | ImageEncoder
    runner: BatchedEncoder[Any, Any]
    noun: str
    cache: VectorCache | None
    notify: Callable[[str], None] | None
    threads: int = 1
    notes: list[str] = field(default_factory=list)

    def done(
        self,
        keys: Sequence[bytes | None],
        reasons: list[str | None],
        chunks: Callable[[list[int]], Iterable[list[int]]],
        prepare: Callable[[Sequence[int]], list[Any]],
    ) -> Encoded:
        """Encode the rows that have a key and hand out the results to all rows with the same key."""
        rows = np.array([row for row, key in enumerate(keys) if key is not None], np.int64)
        unique, first, back = np.unique(
            as_keys(key for key in keys if key is not None), return_index=True, return_inverse=True
        )
        stored = self._stored()
        if stored is not None:
            vectors, found = stored.find(unique)
        else:
            vectors = np.zeros((len(unique), self.encoder.width), np.float32)
            found = np.zeros(len(unique), np.bool_)
        slot = {int(rows[first[at]]): int(at) for at in np.flatnonzero(~found)}
        cached, why = int(found.sum()), dict[int, str]()
        keeper = _Keeper(stored, unique, vectors)
        progress = _Progress(self.noun, len(slot), cached, self.notify)
        try:
            for part, results, failures in self._results(chunks(list(slot)), prepare):
                at = [slot[row] for row in part]
                vectors[at] = results
                good = [place for place, reason in zip(at, failures, strict=True) if reason is None]
                why |= {place: reason for place, reason in zip(at, failures, strict=True) if reason}
                found[good] = True
                keeper.add(good)
                progress.add(len(part))
        finally:
            keeper.close()
        self.notes += stored.notes if stored is not None else []
        out = np.zeros((len(keys), self.encoder.width), np.float32)
        known = np.zeros(len(keys), np.bool_)
        out[rows], known[rows] = vectors[back], found[back]
        for row, place in zip(rows.tolist(), back.tolist(), strict=True):
            reasons[row] = why.get(place)
        return Encoded(
            out, known, tuple(reasons), int(found.sum()) - cached, cached, tuple(dict.fromkeys(self.notes))
        )

    def _stored(self) -> Vectors | None:
        if self.cache is None:
            return None
        fingerprint = fingerprint_of(self.encoder)
        if fingerprint is None:
            self.notes.append(f"the encoder {self.encoder.name} has no fingerprint: its vectors are not kept")
            return None
        return self.cache.of(fingerprint, self.encoder.width)

    def _results(
        self, chunks: Iterable[list[int]], prepare: Callable[[Sequence[int]], list[Any]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32], list[str | None]]]:
        """Rows of each batch with their vectors and reasons; the next ones are prepared while one runs."""
        preparing = ThreadPoolExecutor(self.threads, "shelfwise-prepare")
        running = ThreadPoolExecutor(self.runner.concurrency, "shelfwise-encode")
        waiting: deque[tuple[list[int], Future[tuple[NDArray[np.float32], list[str | None]]]]] = deque()
        try:
            for rows, items in self._batches(chunks, prepare, preparing):
                waiting.append((rows, running.submit(self._run, items)))
                if len(waiting) > self.runner.concurrency + 1:
                    part, result = waiting.popleft()
                    yield part, *result.result()
            while waiting:
                part, result = waiting.popleft()
                yield part, *result.result()
        finally:
            running.shutdown(wait=True, cancel_futures=True)
            preparing.shutdown(wait=True, cancel_futures=True)

    def _batches(
        self,
        chunks: Iterable[list[int]],
        prepare: Callable[[Sequence[int]], list[Any]],
        pool: ThreadPoolExecutor,
    ) -> Iterator[tuple[list[int], list[Any]]]:
        """Rows that go together, prepared."""
        for chunk, prepared in _ahead(pool, prepare, chunks, self.threads + 1):
            failed = [at for at, item in enumerate(prepared) if isinstance(item, Failed)]
            good = [at for at, item in enumerate(prepared) if not isinstance(item, Failed)]
            if failed:
                yield [chunk[at] for at in failed], [prepared[at] for at in failed]
            for together in self.runner.batches([prepared[at] for at in good]):
                yield [chunk[good[at]] for at in together], [prepared[good[at]] for at in together]

    def _run(self, items: list[Any]) -> tuple[NDArray[np.float32], list[str | None]]:
        vectors = np.zeros((len(items), self.encoder.width), np.float32)
        reasons = [item.reason if isinstance(item, Failed) else None for item in items]
        if not any(reasons):
            self._run_batch(list(range(len(items))), items, vectors, reasons)
        return vectors, reasons

    def _run_batch(
        self,
        rows: list[int],
        prepared: list[Any],
        vectors: NDArray[np.float32],
        reasons: list[str | None],
    ) -> None:
        """Run one batch, halved for as long as memory does not suffice."""
        whole = len(rows) == len(prepared)
        run = self.runner.run_filled if whole else self.runner.run
        try:
            found = np.asarray(run([prepared[row] for row in rows]))
        except Exception as error:
            if not is_out_of_memory(error):
                raise EncoderError(f"the encoder {self.encoder.name} failed: {error}") from error
            found = None
        if found is None and len(rows) == 1:
            reasons[rows[0]] = "the encoder ran out of memory at this row alone"
        elif found is None:
            _free_memory()
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                self._run_batch(half, prepared, vectors, reasons)
        else:
            self._take(rows, found, vectors, reasons)

    def _take(
        self,
        rows: list[int],
        found: NDArray[Any],
        vectors: NDArray[np.float32],
        reasons: list[str | None],
    ) -> None:
        if found.shape != (len(rows), self.encoder.width):
            raise EncoderError(
                f"the encoder {self.encoder.name} gave an array {list(found.shape)} for {len(rows)} rows of "
                f"width {self.encoder.width}"
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf and is reported
            found = found.astype(np.float32, copy=False)
        finite = np.isfinite(found).all(axis=1)
        vectors[rows] = rounded(np.where(finite[:, None], found, 0))
        for at in np.flatnonzero(~finite):
            reasons[rows[at]] = "the encoder gave a vector with numbers that are not finite"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a processor or on a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    words = (
        "out of memory",
        "bad_alloc",
        "bad allocation",
        "not enough memory",
        "failed to allocate memory",
        "alloc_failed",
    )
    return isinstance(error, RuntimeError | OSError) and any(word in said for word in words)


def _free_memory() -> None:
    """Give back what torch holds on a GPU, if torch is in use at all."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass
class _Keeper:
    """Keeps results in the cache now and then, and what is left at the end."""

    stored: Vectors | None
    keys: NDArray[np.bytes_]
    vectors: NDArray[np.float32]
    waiting: list[int] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def add(self, places: list[int]) -> None:
        self.waiting += places
        if len(self.waiting) >= _KEEP_ROWS or time.monotonic() - self.since >= _KEEP_SECONDS:
            self.close()

    def close(self) -> None:
        waiting, self.waiting, self.since = self.waiting, [], time.monotonic()
        if self.stored is not None and waiting:
            self.stored.keep(self.keys[waiting], self.vectors[waiting])


@dataclass
class _Progress:
    """Says how far it is."""

    noun: str
    total: int
    cached: int
    notify: Callable[[str], None] | None
    count: int = 0
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def add(self, count: int) -> None:
        self.count += count
        now = time.monotonic()
        last = self.count == self.total
        if self.notify is None or (now - self.said < _SAY_SECONDS and not last):
            return
        self.said = now
        rate = self.count / max(now - self.began, 1e-9)
        left = "" if last else f", about {(self.total - self.count) / rate:,.0f} s left"
        cached = f"; {self.cached:,} were in the cache" if self.cached else ""
        self.notify(
            f"encode {self.noun}: {self.count:,} of {self.total:,} ({rate:,.0f} a second{left}{cached})"
        )


def _ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Sequence[int]], list[Any]],
    chunks: Iterable[list[int]],
    most: int,
) -> Iterator[tuple[list[int], list[Any]]]:
    """Each chunk with what came of it, in order; never more than `most` are under way."""
    coming = iter(chunks)
    under_way = deque((chunk, pool.submit(work, chunk)) for chunk in islice(coming, most))
    while under_way:
        chunk, result = under_way.popleft()
        done = result.result()
        under_way.extend((chunk, pool.submit(work, chunk)) for chunk in islice(coming, 1))
        yield chunk, done
