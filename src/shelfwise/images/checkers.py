"""Looking at strangers' pictures in processes that may die of them, many pictures a message.

A list of pictures on which a process dies or does not come to an end is looked at again one by one, so that
it is one picture that gets the code for it. What a process answers is believed in nothing that matters: the
bytes that are stored are those that came, or a JPEG within bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass

import msgspec

from shelfwise.catalogue.decoder_process import PATIENCE, READY
from shelfwise.catalogue.decoders import CLOCKS, CODES, child_environment, memory_for
from shelfwise.catalogue.decoding import FORMATS, LIMITS, picture_format
from shelfwise.errors import PictureError
from shelfwise.images.checking_process import LENGTH, Found, Settings

_MODULE = "shelfwise.images.checking_process"
_STARTING = 60.0  # seconds; on a machine that is busy with other things
_MANY, _BYTES = 16, 4 * 2**20  # pictures and bytes of a message
_LIVES = 20_000  # pictures after which a process is replaced, whatever it kept
_DEAD, _LATE = "decoder_died", "decoder_time"

_Asked = tuple[bytes, "asyncio.Future[Found]"]


@dataclass(frozen=True)
class CheckingOptions:
    """How pictures are looked at.

    size: longest side, 0 leaves them as they are. workers: processes. seconds: of work for a picture, four
    times as many by the clock. pixels, most: the largest picture, and its bytes.
    """

    size: int = 0
    workers: int = 2
    seconds: float = 10.0
    pixels: int = LIMITS.pixels
    most: int = LIMITS.size


class Checkers:
    """Processes that look at pictures; to be used within an event loop, in a block of `async with`.

    Parameters
    ----------
    options: see `CheckingOptions`.

    Attributes
    ----------
    replaced: processes that pictures have cost.

    """

    def __init__(self, options: CheckingOptions) -> None:
        self._options = options
        self._queue: asyncio.Queue[_Asked] = asyncio.Queue()
        self.replaced = 0

    async def __aenter__(self) -> Checkers:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._options.workers)]
        return self

    async def __aexit__(self, *about: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def check(self, data: bytes) -> Found:
        """Return what a picture is.

        Raises
        ------
        PictureError
            It is none, or cannot be decoded.

        """
        if not data:
            raise PictureError("empty", "the picture is empty (0 bytes)")
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((data, answer))
        found = await answer
        if found.code:
            raise PictureError(found.code, found.message)
        return found

    async def _work(self) -> None:
        process: _Process | None = None
        try:
            while True:
                asked = await self._take()
                process = await self._answer(asked, process)
        finally:
            if process is not None:
                await process.end()

    async def _take(self) -> list[_Asked]:
        """What waits, up to a message full."""
        asked = [await self._queue.get()]
        size = len(asked[0][0])
        while len(asked) < _MANY and size < _BYTES and not self._queue.empty():
            asked.append(self._queue.get_nowait())
            size += len(asked[-1][0])
        return asked

    async def _answer(self, asked: list[_Asked], process: _Process | None) -> _Process | None:
        """Answer a list with a process, a new one if need be; returns the one to go on with."""
        try:
            if process is None:
                process = await _Process.start(self._options)
            found = await process.ask([data for data, _ in asked])
        except PictureError as error:  # none can be started
            found = [Found(error.code, str(error)) for _ in asked]
        if process is not None and (found is None or process.left <= 0):
            self.replaced += found is None
            code = await process.end()
            process = None
            if found is None and len(asked) > 1:
                for one in asked:
                    process = await self._answer([one], process)
                return process
            found = found or [Found(code)]
        for (_, answer), told in zip(asked, found or [], strict=True):
            if not answer.done():
                answer.set_result(told)
        return process


class _Process:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process, options: CheckingOptions) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self._options = options
        self._late = False
        self.left = _LIVES

    @classmethod
    async def start(cls, options: CheckingOptions) -> _Process:
        settings = msgspec.json.encode(Settings(options.size, options.pixels, options.most)).decode()
        command = [sys.executable, "-P", "-W", "ignore", "-m", _MODULE, settings]
        command += [str(memory_for(options.pixels) + 4 * _BYTES), str(options.seconds), str(os.getpid())]
        try:
            started = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, env=child_environment(), limit=2**20,
            )  # fmt: skip
        except OSError as error:
            raise PictureError("decoder_missing", f"no process for decoding starts: {error}") from error
        process = cls(started, options)
        said = b""
        with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_STARTING):
                said = await process._out.readexactly(len(READY))
        if said != READY:
            await process.end()
            raise PictureError("decoder_missing", "the process for decoding ended before it began")
        return process

    async def ask(self, pictures: list[bytes]) -> list[Found] | None:
        """What it answers; None where that is no answer."""
        self.left -= len(pictures)
        body = msgspec.msgpack.encode(pictures)
        try:
            async with asyncio.timeout(PATIENCE * self._options.seconds):
                self._in.write(len(body).to_bytes(LENGTH, "little") + body)
                await self._in.drain()
                length = int.from_bytes(await self._out.readexactly(LENGTH), "little")
                if length > 2 * len(pictures) * (self._options.most + 4096):
                    return None
                found = msgspec.msgpack.decode(await self._out.readexactly(length), type=list[Found])
        except TimeoutError:
            self._late = True
            return None
        except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError):
            return None
        sound = len(found) == len(pictures) and all(map(self._is_sound, found))
        return found if sound else None

    def _is_sound(self, found: Found) -> bool:
        if found.code:
            return found.code in CODES and len(found.message) <= 4096
        if found.form not in FORMATS or not 0 < found.width * found.height <= self._options.pixels:
            return False
        return found.data is None or (len(found.data) <= self._options.most and _is_jpeg(found.data))

    async def end(self) -> str:
        """Kill it, and wait until it is gone; returns the code of what it died of."""
        with contextlib.suppress(TimeoutError):  # it may be on its way
            async with asyncio.timeout(0 if self._late else 0.5):
                await self._process.wait()
        died = self._process.returncode
        if died is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._in.close()
        await self._process.wait()
        return _LATE if self._late or (died is not None and -died in CLOCKS) else _DEAD


def _is_jpeg(data: bytes) -> bool:
    return picture_format(data) == "JPEG"
