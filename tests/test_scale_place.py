"""A file in a place of shards is there whole or not at all, in a folder as in an object store."""

from __future__ import annotations

import uuid

import pytest

from shelfwise.errors import CatalogueError
from shelfwise.scale.place import Folder, locked, open_place


@pytest.fixture(params=["folder", "file", "memory"])
def place(request, tmp_path):
    names = {
        "folder": str(tmp_path / "shards"),
        "file": f"file://{tmp_path}/shards",
        "memory": f"memory://{uuid.uuid4().hex}/shards",
    }
    return open_place(names[request.param])


def test_files_are_written_read_listed_and_removed(place):
    assert place.read("000000.out") is None
    assert place.names() == []
    place.write("000001.out", b"one")
    place.write("000000.json", b"{}")
    place.write("000001.out", b"two")

    assert place.read("000001.out") == b"two"
    assert place.names() == ["000000.json", "000001.out"]
    place.delete("000001.out")
    place.delete("000001.out")
    assert place.names() == ["000000.json"]


def test_only_what_a_run_wrote_is_cleared(place):
    for name in ("000000.in", "1000000.known", "000000.out", "000000.json", "letters.txt"):
        place.write(name, b"x")
    place.clear()

    assert place.names() == ["letters.txt"]
    place.clear()


def test_folder_goes_when_it_is_empty_and_with_it_what_was_half_written(tmp_path):
    place = Folder(str(tmp_path / "shards"))
    place.write("000000.out", b"x")
    (tmp_path / "shards" / (".000001.out-" + "0" * 32)).write_bytes(b"half")

    assert place.names() == ["000000.out"]
    place.clear()
    assert list(tmp_path.iterdir()) == []
    place.clear()


def test_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "shards").write_text("a file")

    with pytest.raises(CatalogueError, match="cannot write"):
        Folder(str(tmp_path / "shards")).write("000000.out", b"x")


def test_place_is_for_one_run_at_a_time_and_what_nobody_can_use_goes(tmp_path):
    work = str(tmp_path / "work")
    with locked(work, "is at work", "take another place"):
        for name in ("000000.in", "000000.known", "000000.out"):
            open_place(work).write(name, b"rows")
        with (
            pytest.raises(CatalogueError, match=r"another run is at work .* or take another place"),
            locked(work, "is at work", "take another place"),
        ):
            pass

    assert open_place(work).names() == ["000000.out"]
    with locked(work, "is at work", "take another place"):
        open_place(work).clear()
    assert not (tmp_path / "work").exists()
