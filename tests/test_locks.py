"""`locks`: one process at a time, until it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shelfwise.locks import take

HOLDS = "import sys; from pathlib import Path; from shelfwise.locks import take; "
HOLDS += "take(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_what_one_has_nobody_else_gets_until_it_is_given_back(tmp_path):
    handle = take(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        take(tmp_path / "lock")

    os.close(handle)

    os.close(take(tmp_path / "lock"))


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            take(tmp_path / "lock")
        other.kill()
        other.wait()

    os.close(take(tmp_path / "lock"))


def test_only_what_is_there_is_locked_where_nothing_is_to_be_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        take(tmp_path / "lock", make=False)
    assert not list(tmp_path.iterdir())
    os.close(take(tmp_path, make=False))
