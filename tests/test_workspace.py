"""`workspace`: what is too large for memory lies in files, which leave nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise import workspace
from shelfwise.errors import RecipeError, WorkspaceError
from shelfwise.workspace import OWN, Workspace, folder_beside, in_units, parse_size, usual_limit


def tight(folder) -> Workspace:
    """A workspace with no memory at all beside what the program takes."""
    return Workspace(OWN, folder)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 10**9), ("8 gb", 8 * 10**9), ("500MB", 5 * 10**8), ("2GiB", 2**31),
        ("1.5G", 1_500_000_000), ("64", 64), ("3T", 3 * 10**12), ("700k", 700_000), ("1mib", 2**20),
    ],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "8 apples", "-1GB", "0", "8iB", "1e9", "8GBs"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(RecipeError, match="8GB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "told"), [(7_500_000_000, "7.5 GB"), (320_000_000, "320 MB"), (4_000, "4 kB"), (12, "12 bytes")]
)
def test_sizes_are_told_in_units(size, told):
    assert in_units(size) == told


def test_arrays_that_fit_are_in_memory_and_others_are_files(tmp_path):
    space = Workspace(OWN + 1000, tmp_path)
    assert space.empty(100, np.int32, 0.5).nbytes == 400
    assert space.filed == 0

    array = space.empty(200, np.int32, 0.5)
    array[:] = np.arange(200)
    space.release()  # pages are given back, and fetched again
    assert array.tolist() == list(range(200))
    assert space.filed == 800
    assert list(tmp_path.iterdir()) == []  # files have no name


def test_an_empty_array_needs_no_file(tmp_path):
    assert tight(tmp_path).empty(0, np.float32, 0.1).tolist() == []


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_what_is_written_is_read_again(parts):
    space = Workspace()
    file = space.file()
    places = [file.write([part[:3], memoryview(part)[3:]]) for part in parts]
    assert [file.read(place).tobytes() for place in places] == parts
    assert space.filed == sum(map(len, parts))


def test_a_full_disk_is_told_with_what_to_do(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(workspace, "_reserve", full)
    with pytest.raises(WorkspaceError, match=r"no room in .*4 kB.*--work.*--memory"):
        tight(tmp_path).empty(1000, np.int32, 0.1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_told_when_bytes_are_written(tmp_path, monkeypatch):
    def full(dir):
        return open("/dev/full", "wb", buffering=0)

    monkeypatch.setattr(workspace.tempfile, "TemporaryFile", full)
    with pytest.raises(WorkspaceError, match="no room"):
        tight(tmp_path).file().write([b"x" * 100_000])


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WorkspaceError, match="--work"):
        tight(tmp_path / "none").file()


def test_work_files_lie_beside_the_model(tmp_path):
    assert folder_beside(tmp_path / "new" / "deep" / "model") == tmp_path
    assert folder_beside(tmp_path / "model") == tmp_path


def test_the_usual_limit_is_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(workspace, "_free", lambda: 20 * 10**9)
    assert usual_limit() == 10 * 10**9
    monkeypatch.setattr(workspace, "_free", lambda: 100)
    assert usual_limit() > OWN  # a small catalogue is learned all the same


def test_limits_of_control_groups_count(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert workspace._free(tmp_path) == 8000 * 1024

    own = tmp_path / "sys/fs/cgroup/shop/job"
    own.mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/shop/job\n")
    (own / "memory.max").write_text("max\n")
    (own / "memory.current").write_text("5\n")
    assert workspace._free(tmp_path) == 8000 * 1024
    (own.parent / "memory.max").write_text("1000000\n")  # a limit of a group above holds as well
    (own.parent / "memory.current").write_text("600000\n")
    assert workspace._free(tmp_path) == 400_000
    (own.parent / "memory.stat").write_text("anon 1\ninactive_file 50000\n")  # is given up when asked for
    assert workspace._free(tmp_path) == 450_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell the peak of memory")
def test_a_process_stays_within_its_room_and_one_that_is_killed_leaves_nothing(tmp_path):
    script = f"""
import os, signal, numpy as np
from shelfwise.workspace import OWN, Workspace
space = Workspace(OWN + 10**6, {str(tmp_path)!r})
base = int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1])
for _ in range(12):
    array = space.empty(8_000_000, np.float64, 0.5)
    for start in range(0, len(array), 500_000):
        array[start : start + 500_000] = start
        space.release()
    assert array[4_000_000] == 4_000_000
peak = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
print((peak - base) // 1024, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert int(done.stdout) < 40, done.stderr  # MB, of the 768 that were written
    assert list(tmp_path.iterdir()) == []
