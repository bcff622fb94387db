"""Decoding in other processes: the same pixels, and a picture never costs more than a process."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_pictures import KINDS, bases, mutated, photo, pixel_bomb, saved, scan_bomb
from shelfwise.catalogue import decoders as module
from shelfwise.catalogue.decoders import DecoderOptions, Decoders, memory_for
from shelfwise.catalogue.decoding import Limits, decode
from shelfwise.errors import PictureError

SOUND = bases(np.random.default_rng(0))
ENDLESS = scan_bomb(2000, 2000)


@pytest.fixture(scope="module")
def decoders():
    with Decoders() as started:
        yield started


def outcome(work, *arguments):
    """Pixels and size, or code and message."""
    try:
        image = work(*arguments)
    except PictureError as error:
        return error.code, str(error)
    return image.mode, image.size, image.tobytes()


def pids(decoders):
    return [worker._process.pid for worker in decoders._running]


def gone(pid):
    """Whether a process has ended, or ends within a while."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("size", [None, 20])
def test_the_pixels_are_those_of_the_library(decoders, name, size):
    wanted = outcome(decode, SOUND[name], name, Limits(), size)

    assert outcome(decoders.decode, SOUND[name], name, Limits(), size) == wanted
    assert wanted[0] in ("RGB", "truncated")


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(KINDS), st.integers(0, 2**32))
def test_what_is_damaged_ends_as_in_the_library(decoders, kind, seed):
    data = mutated(SOUND[kind], np.random.default_rng(seed))
    limits = Limits(pixels=1_000_000)

    assert outcome(decoders.decode, data, "7.jpg", limits) == outcome(decode, data, "7.jpg", limits)


def test_a_picture_without_end_costs_itself_and_a_process():
    with Decoders(DecoderOptions(workers=1, seconds=0.5)) as decoders:
        assert outcome(decoders.decode, ENDLESS, "7.jpg")[0] == "decoder_time"
        assert outcome(decoders.decode, SOUND["JPEG"]) == outcome(decode, SOUND["JPEG"])
        assert decoders.replaced == 1


def test_a_picture_that_fills_the_memory_costs_itself_and_a_process():
    data = pixel_bomb(6000, colour=0)
    with Decoders(DecoderOptions(workers=1, memory=memory_for(100_000))) as decoders:
        code, said = outcome(decoders.decode, data, "7.png")
        assert (code, "7.png" in said) == ("decoder_memory", True)
        assert outcome(decoders.decode, SOUND["PNG"]) == outcome(decode, SOUND["PNG"])
        assert decoders.replaced == 1


def test_the_largest_picture_fits_into_its_memory():
    limits = Limits(pixels=6000 * 6000)
    with Decoders(DecoderOptions(workers=1, seconds=60, memory=memory_for(limits.pixels))) as decoders:
        assert decoders.decode(pixel_bomb(6000, colour=6), "", limits).size == (6000, 6000)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_breaks_down_costs_its_picture(number):
    with Decoders(DecoderOptions(workers=1)) as decoders, ThreadPoolExecutor(1) as pool:
        decoders.decode(SOUND["JPEG"])
        (pid,) = pids(decoders)
        asked = pool.submit(outcome, decoders.decode, ENDLESS, "7.jpg")
        time.sleep(0.2)  # it is at work on what has no end
        os.kill(pid, number)
        code, said = asked.result()
        assert code == "decoder_died"
        assert f"signal {int(number)}" in said
        assert outcome(decoders.decode, SOUND["JPEG"]) == outcome(decode, SOUND["JPEG"])


def test_a_process_that_died_while_idle_costs_nothing():
    with Decoders(DecoderOptions(workers=1)) as decoders:
        decoders.decode(SOUND["JPEG"])
        (pid,) = pids(decoders)
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert outcome(decoders.decode, SOUND["JPEG"]) == outcome(decode, SOUND["JPEG"])
        assert decoders.replaced == 0


def test_processes_are_replaced_after_so_many_pictures():
    with Decoders(DecoderOptions(workers=1, pictures=3)) as decoders:
        seen = set()
        for _ in range(7):
            seen.update(pids(decoders))
            decoders.decode(SOUND["GIF"])
        assert len(seen) == 2
        assert all(gone(pid) for pid in seen)


def test_many_threads_share_few_processes():
    images = [saved(photo(np.random.default_rng(i)), "PNG") for i in range(40)]
    with Decoders(DecoderOptions(workers=2)) as decoders, ThreadPoolExecutor(8) as pool:
        decoders.warm()
        found = list(pool.map(lambda data: outcome(decoders.decode, data), images))
        assert len(pids(decoders)) <= 2
    assert found == [outcome(decode, data) for data in images]


def test_closing_ends_what_is_under_way():
    decoders = Decoders(DecoderOptions(workers=1))
    decoders.decode(SOUND["JPEG"])
    (pid,) = pids(decoders)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(outcome, decoders.decode, ENDLESS)
        time.sleep(0.2)
        decoders.close()
        assert asked.result()[0] == "decoder_died"
    assert gone(pid)
    assert outcome(decoders.decode, SOUND["JPEG"])[0] == "decoder_missing"


ORPHANS = """
import sys, threading, time
sys.path.insert(0, {tests!r})
from hostile_pictures import bases, scan_bomb
from shelfwise.catalogue.decoders import DecoderOptions, Decoders
decoders = Decoders(DecoderOptions(workers=2, seconds=600))
data = scan_bomb(2000, 2000)
for _ in range({busy}):
    threading.Thread(target=decoders.decode, args=(data,), daemon=True).start()
decoders.warm()
while len(decoders._running) < 2 or decoders._slots.qsize() != 2 - {busy}:
    time.sleep(0.05)
time.sleep(0.3)
print(*[worker._process.pid for worker in decoders._running], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("busy", [0, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_started_it(busy, how):
    script = ORPHANS.format(tests=str(Path(__file__).parent), busy=busy)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        os.kill(parent.pid, how)
    assert all(gone(pid) for pid in workers)


def test_no_secret_reaches_a_process(monkeypatch):
    monkeypatch.setenv("SHELFWISE_TOKEN", "the word")
    with Decoders(DecoderOptions(workers=1)) as decoders:
        decoders.decode(SOUND["BMP"])
        (pid,) = pids(decoders)
        assert b"the word" not in Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
    told = {line[:25].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert told["Max address space"] == str(DecoderOptions().memory)
    assert (told["Max file size"], told["Max core file size"]) == ("0", "0")


@pytest.mark.parametrize(
    "answer",
    [
        "b'nonsense' * 9",
        "TOLD.pack(PIXELS, 9999, 9999, 12) + bytes(12)",
        "TOLD.pack(PIXELS, 2**32 - 1, 2**32 - 1, 2**64 - 1)",
        "TOLD.pack(PIXELS, 2, 2, 2**40)",
        "TOLD.pack(PIXELS, 0, 0, 0)",
        "TOLD.pack(REFUSED, 0, 0, 2**50)",
        "TOLD.pack(REFUSED, 0, 0, 2) + b'{}'",
        "TOLD.pack(REFUSED, 0, 0, 13) + b'[\"own code\",1]'",
        "TOLD.pack(7, 1, 1, 3) + bytes(3)",
    ],
)
def test_a_process_that_was_taken_over_can_say_nothing_of_its_own(answer, tmp_path, monkeypatch):
    lines = ("import sys", "from shelfwise.catalogue.decoder_process import *", "out = sys.stdout.buffer",
             "out.write(READY); out.flush(); sys.stdin.buffer.read(40)", f"out.write({answer}); out.flush()",
             "import time; time.sleep(60)")  # fmt: skip
    (tmp_path / "taken_over.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "_MODULE", "taken_over")
    with Decoders(DecoderOptions(workers=1, seconds=2)) as decoders:
        code, _ = outcome(decoders.decode, SOUND["PNG"], "7.png", Limits(pixels=10_000))
    assert code in ("decoder_died", "decoder_time")


def test_where_no_process_starts_the_picture_is_told(monkeypatch):
    monkeypatch.setattr(module, "_MODULE", "no_such_module_at_all")
    with Decoders() as decoders:
        assert outcome(decoders.decode, SOUND["PNG"])[0] == "decoder_missing"
        decoders.warm()
        assert outcome(decoders.decode, SOUND["PNG"])[0] == "decoder_missing"
    assert threading.active_count() < 50
