"""Decoding a stranger's pictures in processes that may die of them.

A picture that breaks its decoder, never comes to an end or fills the memory costs that picture and a new
process, about half a second; never the process that asks. The pixels are those of `decoding.decode`: it is
what the processes run.

What a process answers is read as carefully as the pictures: whoever took it over says nothing but pixels of
a size that was allowed, or a code that is known.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from shelfwise.catalogue.decoder_process import ASK, NAME, PATIENCE, PIXELS, READY, REFUSED, TOLD
from shelfwise.catalogue.decoding import LIMITS, Limits
from shelfwise.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

CODES = frozenset(
    ["empty", "too_large", "not_a_picture", "format", "too_many_pixels", "truncated", "unreadable",
     "decoder_memory"]
)  # fmt: skip
"""What a process may say of a picture; that it was late or died is said of the process (`_failure`)."""

CLOCKS = {int(getattr(signal, name)) for name in ("SIGPROF", "SIGALRM") if hasattr(signal, name)}
"""Signals that end a process whose picture takes too long."""
_MODULE = "shelfwise.catalogue.decoder_process"
_ENDING = "no more pictures are decoded: whoever decodes them ends"
_STARTING = 60.0  # seconds; on a machine that is busy with other things
_PIPE = 2**20  # bytes: pixels pass in few pieces
_MESSAGE = 4096  # bytes that a reason has at most
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR")  # of the environment
_FIXED, _EACH = 320 * 2**20, 32  # bytes: of the interpreter with its decoders, and of a pixel (WebP: 28)


def memory_for(pixels: int) -> int:
    """Bytes of address space in which any sound picture of so many pixels can be decoded."""
    return _FIXED + _EACH * pixels


@dataclass(frozen=True)
class DecoderOptions:
    """How pictures are decoded.

    workers: processes, each about 40 MB while it has little to do. seconds: of work for one picture, four
    times as many by the clock. memory: bytes of address space of one process. pictures: after which a
    process is replaced, whatever it kept.
    """

    workers: int = 2
    seconds: float = 10.0
    memory: int = memory_for(LIMITS.pixels)
    pictures: int = 2000


class Decoders:
    """Processes that decode pictures; may be asked from any number of threads.

    Processes are started when they are first needed, or by `warm`. They end with `close`, with the block of
    `with`, and with this process, however it dies.

    Parameters
    ----------
    options: see `DecoderOptions`.

    """

    def __init__(self, options: DecoderOptions | None = None) -> None:
        self.options = options or DecoderOptions()
        self.replaced = 0
        """Processes that a picture has cost."""
        self._slots: queue.LifoQueue[_Process | None] = queue.LifoQueue()  # the one that worked last is warm
        for _ in range(self.options.workers):
            self._slots.put(None)
        self._running: set[_Process] = set()
        self._closed = False
        # Linux ends a child with the thread that started it: all are started by one that stays.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="shelfwise-decoders")
        self._end = weakref.finalize(self, _end, self._running, self._starter)

    def decode(
        self, data: bytes, name: str = "", limits: Limits = LIMITS, size_hint: int | None = None
    ) -> Image:
        """Decode a picture as `decoding.decode` does, in another process; waits until one is free.

        Raises
        ------
        PictureError
            As there, or with the code "decoder_memory" (more than a process may have), "decoder_time" (too
            slow), "decoder_died" (the decoder broke down) or "decoder_missing" (no process can be started).

        """
        shown = name or "the picture"
        worker = self._slots.get()
        try:
            if worker is None or not worker.alive:
                worker = self._start()
            return worker.decode(data, shown, limits, size_hint)
        finally:
            if worker is not None and worker.spent:
                self.replaced += worker.broken
                worker.end()
                self._running.discard(worker)
                worker = None
            self._slots.put(worker)

    def warm(self) -> None:
        """Start all processes that do not run yet, without waiting for them."""
        for _ in range(self.options.workers):
            with contextlib.suppress(queue.Empty, RuntimeError):
                worker = self._slots.get_nowait()
                if worker is not None:
                    self._slots.put(worker)
                    continue
                self._starter.submit(self._fill)

    def close(self) -> None:
        """End all processes; a picture that is being decoded fails."""
        self._closed = True
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def _fill(self) -> None:
        """Fill a slot that was taken empty; the next picture says what is wrong if it stays so."""
        worker = None
        try:
            worker = self._make()
        except PictureError:
            pass
        finally:
            self._slots.put(worker)

    def _start(self) -> _Process:
        try:
            return self._starter.submit(self._make).result()
        except RuntimeError as error:
            raise PictureError("decoder_missing", _ENDING) from error

    def _make(self) -> _Process:
        worker = _Process(self.options)
        self._running.add(worker)
        try:
            if self._closed:  # meanwhile
                worker.end()
                raise PictureError("decoder_missing", _ENDING)
            worker.wait_until_ready()
        except PictureError:
            self._running.discard(worker)
            raise
        return worker


def _end(running: set[_Process], starter: ThreadPoolExecutor) -> None:
    starter.shutdown(wait=False, cancel_futures=True)
    while running:
        running.pop().end()


class _Process:
    """One process; one thread at a time may ask it."""

    def __init__(self, options: DecoderOptions) -> None:
        self._options = options
        self._left = options.pictures
        self._late = False
        self.broken = False
        """Whether a picture was too much for it."""
        command = [sys.executable, "-P", "-W", "ignore", "-m", _MODULE]
        command += [str(options.memory), str(options.seconds), str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=child_environment(),
            )  # fmt: skip
        except OSError as error:
            raise PictureError("decoder_missing", f"no process for decoding starts: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        _widen(self._in, self._out)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def spent(self) -> bool:
        """Whether it takes no more pictures."""
        return self.broken or self._left <= 0

    def wait_until_ready(self) -> None:
        """Wait until it has loaded its decoders."""
        with self._within(_STARTING):
            try:
                said = self._out.read(len(READY))
            except ValueError:  # closed meanwhile
                said = b""
        if said != READY:
            self.end()
            told = f"the process for decoding ended before it began (exit code {self._process.returncode})"
            raise PictureError("decoder_missing", told)

    def decode(self, data: bytes, shown: str, limits: Limits, size_hint: int | None) -> Image:
        """Decode one picture; after any trouble but a refusal it is `broken`."""
        self._left -= 1
        self.broken = True  # until the answer is whole
        with self._within(PATIENCE * self._options.seconds):
            found = self._ask(data, limits, size_hint)
        if found is None:
            raise self._failure(shown)
        if isinstance(found, PictureError):
            self.broken = found.code == "decoder_memory"  # what is left of its memory is in pieces
            told = str(found).replace(NAME, shown) or f"{shown} needs too much memory to be decoded"
            raise PictureError(found.code, told)
        self.broken = False
        return found

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._in.close()
        with contextlib.suppress(OSError, ValueError):
            self._out.close()
        self._process.wait()

    def _ask(self, data: bytes, limits: Limits, size_hint: int | None) -> Image | PictureError | None:
        """What it answers; None where that is no answer."""
        from PIL import Image as pillow

        hint = -1 if size_hint is None else size_hint
        try:
            self._in.write(ASK.pack(limits.pixels, limits.size, hint, len(data)))
            self._in.write(data)
            self._in.flush()
            head = self._out.read(TOLD.size)
            if len(head) < TOLD.size:
                return None
            kind, width, height, length = TOLD.unpack(head)
            if kind == REFUSED and length <= _MESSAGE:
                return _refusal(self._out.read(length))
            if kind != PIXELS or not 0 < width * height <= limits.pixels or length != 3 * width * height:
                return None
            body = self._out.read(length)
        except (OSError, ValueError):  # it is gone
            return None
        return None if len(body) < length else pillow.frombytes("RGB", (width, height), body)

    def _failure(self, shown: str) -> PictureError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # it may be on its way
        code = self._process.returncode
        if self._late or (code is not None and -code in CLOCKS):
            told = f"{shown} takes longer than {self._options.seconds:g} s to decode. Save it anew"
            return PictureError("decoder_time", told)
        how = "" if code is None else f" (signal {-code})" if code < 0 else f" (exit code {code})"
        return PictureError("decoder_died", f"{shown} breaks its decoder{how}. Save it anew")

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kill the process after so many seconds, so that waiting for it ends."""
        clock = threading.Timer(seconds, self._give_up)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()


def _refusal(body: bytes) -> PictureError | None:
    try:
        code, message = json.loads(body)
    except (ValueError, TypeError):
        return None
    if code not in CODES or not isinstance(message, str):
        return None
    return PictureError(code, "".join(sign for sign in message if sign.isprintable() or sign == NAME))


def child_environment() -> dict[str, str]:
    """What the process has to know, and no secret."""
    paths = [str(Path(entry).absolute()) for entry in sys.path if entry]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | threads | {"PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "1"}


def _widen(*pipes: IO[bytes]) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):  # Linux alone has it, and bounds it
        import fcntl

        for pipe in pipes:
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
