"""Files and folders appear whole or not at all; what a killed run left goes, what another builds stays."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

import shelfwise.unfinished as unfinished
from shelfwise.unfinished import whole_file, whole_folder, write_whole

HOLDS = """
import sys, time
from pathlib import Path
from shelfwise.unfinished import {kind}
with {kind}(Path(sys.argv[1])) as building:
    print(building, flush=True)
    time.sleep(60)
"""


def hidden(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("."))


@pytest.fixture
def busy(tmp_path):
    """Starts processes that build something and go on building it."""
    running = []

    def start(kind: str, name: str) -> tuple[subprocess.Popen[str], Path]:
        command = [sys.executable, "-c", HOLDS.format(kind=kind), str(tmp_path / name)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_file_appears_whole_and_with_usual_rights(tmp_path):
    write_whole(tmp_path / "deep" / "file.txt", b"all of it")

    assert (tmp_path / "deep" / "file.txt").read_bytes() == b"all of it"
    assert (tmp_path / "deep" / "file.txt").stat().st_mode & 0o777 == 0o644
    assert hidden(tmp_path / "deep") == []


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as building:
            building.write_text("half")
            raise failure

    with pytest.raises(type(failure)):
        fail()

    assert path.read_text() == "old"
    assert hidden(tmp_path) == []


def test_a_disk_that_polars_finds_full_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No space left") as told, whole_file(tmp_path / "table.parquet"):
        pl.DataFrame({"x": ["y" * 10_000] * 100}).lazy().sink_parquet("/dev/full")

    assert told.value.errno == errno.ENOSPC


def test_other_errors_of_polars_stay_what_they_are(tmp_path):
    with pytest.raises(pl.exceptions.ColumnNotFoundError), whole_file(tmp_path / "table.parquet"):
        pl.DataFrame({"x": [1]}).select("y")


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_a_killed_process_left_is_swept_away_by_the_next(tmp_path, busy, kind):
    process, begun = busy(kind, "result")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert begun.exists()

    with getattr(unfinished, kind)(tmp_path / "result") as building:
        assert not begun.exists()
        assert hidden(tmp_path) == [building.name]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_another_process_builds_is_left_alone(tmp_path, busy, kind):
    _, begun = busy(kind, "result")
    with getattr(unfinished, kind)(tmp_path / "result"):
        pass

    assert begun.exists()


def test_hidden_files_of_others_are_left_alone(tmp_path):
    names = [".result-mine", ".result-12345678.txt", ".other-abcdefgh", ".result-ABCDEFGH"]
    for name in names:
        (tmp_path / name).write_text("kept")
    write_whole(tmp_path / "result", b"")

    assert hidden(tmp_path) == sorted(names)


def test_a_folder_replaces_another_and_is_never_missing(tmp_path):
    target = tmp_path / "folder"
    with whole_folder(target) as building:
        (building / "version").write_text("0")
    missing, stop = [], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                (target / "version").read_text()
            except FileNotFoundError:
                missing.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(1, 30):
        with whole_folder(target) as building:
            (building / "version").write_text(str(number))
    stop.set()
    watcher.join()

    assert (target / "version").read_text() == "29"
    assert hidden(tmp_path) == []
    if sys.platform.startswith("linux"):
        assert not missing


def test_where_folders_cannot_be_exchanged_the_old_one_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_exchanged", lambda building, path: False)
    for number in range(2):
        with whole_folder(tmp_path / "folder") as building:
            (building / "version").write_text(str(number))

    assert (tmp_path / "folder" / "version").read_text() == "1"
    assert hidden(tmp_path) == []


def test_the_old_folder_comes_back_where_the_new_one_cannot_be_moved(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    with whole_folder(target) as building:
        (building / "version").write_text("old")
    monkeypatch.setattr(unfinished, "_exchanged", lambda building, path: False)
    rename = Path.rename

    def fails(self: Path, to: str | os.PathLike[str]) -> Path:
        if Path(to) == target and self.name != "folder":
            raise OSError(errno.EIO, "input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="input/output"), whole_folder(target) as building:
        (building / "version").write_text("new")

    assert (target / "version").read_text() == "old"
    assert hidden(tmp_path) == []
