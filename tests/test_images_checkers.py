"""Processes that look at pictures: one that kills its process costs itself, and none costs the run."""

import asyncio
import os
import signal

import pytest

from hostile_pictures import hostile, photo, saved, scan_bomb
from shelfwise.errors import PictureError
from shelfwise.images import checkers as module
from shelfwise.images.checkers import Checkers, CheckingOptions


@pytest.fixture(scope="module")
def sound():
    import numpy as np

    return saved(photo(np.random.default_rng(0)), "JPEG")


def outcomes(pictures, options=None, before=None):
    """Codes in the order of the pictures ("" = sound), and the processes that they cost."""

    async def one(checkers, data):
        try:
            found = await checkers.check(data)
        except PictureError as error:
            return error.code
        return found.code

    async def every():
        async with Checkers(options or CheckingOptions(workers=1)) as checkers:
            if before is not None:
                await before(checkers)
            return await asyncio.gather(*(one(checkers, data) for data in pictures)), checkers.replaced

    return asyncio.run(every())


def test_sound_pictures_are_sound_however_many(sound):
    assert outcomes([sound] * 40) == ([""] * 40, 0)


def test_hostile_pictures_get_codes_and_the_sound_ones_between_them_do_not(sound):
    pictures = [data for _, data in hostile(60)]
    mixed = [one for data in pictures for one in (data, sound)]
    codes, _ = outcomes(mixed, CheckingOptions(workers=1, seconds=1.0))

    assert set(codes[1::2]) == {""}
    assert len(set(codes[::2])) >= 4


def test_a_picture_that_takes_too_long_is_the_one_that_gets_the_code(sound):
    slow = scan_bomb(4000, 300)
    options = CheckingOptions(workers=1, seconds=0.2)
    codes, replaced = outcomes([sound, sound, slow, sound], options)

    assert codes == ["", "", "decoder_time", ""]
    assert replaced >= 1


def test_a_process_that_is_killed_is_replaced(sound, monkeypatch):
    seen = []
    ask = module._Process.ask

    async def killed_first(self, pictures):
        if not seen:
            os.kill(self._process.pid, signal.SIGKILL)
        seen.append(len(pictures))
        return await ask(self, pictures)

    monkeypatch.setattr(module._Process, "ask", killed_first)
    assert outcomes([sound] * 5) == ([""] * 5, 1)


@pytest.mark.parametrize(
    "answer",
    [
        [module.Found("", "", "JPEG", 10**6, 10**6)], [module.Found("made_up")], [],
        [module.Found("", "", "ELF", 1, 1)], [module.Found("", "", "JPEG", 5, 5, b"no jpeg")],
    ],
)  # fmt: skip
def test_what_a_process_says_is_believed_only_within_bounds(sound, answer, monkeypatch):
    monkeypatch.setattr(module.msgspec.msgpack, "decode", lambda *_, **__: answer)
    codes, replaced = outcomes([sound])

    assert codes == ["decoder_died"]
    assert replaced == 1


def test_no_process_is_a_code(sound, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    assert outcomes([sound])[0] == ["decoder_missing"]


def test_nothing_is_empty():
    assert outcomes([b""])[0] == ["empty"]
