"""The process that decodes, spoken to directly: what it answers, and when it ends."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from hostile_pictures import photo, saved, scan_bomb
from shelfwise.catalogue.decoder_process import ASK, PIXELS, READY, REFUSED, TOLD
from shelfwise.catalogue.decoding import decode

DATA = saved(photo(np.random.default_rng(0)), "JPEG")


@pytest.fixture
def process():
    command = [sys.executable, "-m", "shelfwise.catalogue.decoder_process", str(2**31), "0.5"]
    with subprocess.Popen(
        [*command, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout.read(1) == READY
        yield started
        started.kill()


def ask(process, data, pixels=10**6, hint=-1):
    process.stdin.write(ASK.pack(pixels, 10**7, hint, len(data)) + data)
    process.stdin.flush()


def answer(process):
    kind, width, height, length = TOLD.unpack(process.stdout.read(TOLD.size))
    return kind, (width, height), process.stdout.read(length)


def test_pixels_and_reasons(process):
    for hint in (-1, 10):
        ask(process, DATA, hint=hint)
        wanted = decode(DATA, size_hint=None if hint < 0 else hint)
        assert answer(process) == (PIXELS, wanted.size, wanted.tobytes())
    ask(process, DATA, pixels=10)
    kind, size, body = answer(process)
    assert (kind, size, json.loads(body)[0]) == (REFUSED, (0, 0), "too_many_pixels")


@pytest.mark.parametrize("begun", [b"", b"\0" * 5, ASK.pack(1, 1, 1, 100) + b"half"])
def test_it_ends_with_its_input(process, begun):
    process.stdin.write(begun)
    process.stdin.close()
    assert process.wait(20) == 0
    assert process.stdout.read() == b""


def test_its_own_clock_ends_it_where_nobody_else_does(process):
    ask(process, scan_bomb(2000, 2000), pixels=10**7)
    assert process.wait(60) == -signal.SIGPROF


def test_it_outlives_the_signals_that_end_a_server(process):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    ask(process, DATA)
    assert answer(process)[0] == PIXELS


def test_it_does_not_begin_without_its_parent():
    command = [sys.executable, "-m", "shelfwise.catalogue.decoder_process", str(2**31), "1", "1"]
    done = subprocess.run(command, input=b"", capture_output=True, check=True)
    assert done.stdout == b""
