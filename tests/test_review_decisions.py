"""Decisions are kept once and for good; a file that cannot take them says why, and loses nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest

from shelfwise.review import decisions as module
from shelfwise.review.decisions import APPLICATION, Decision, Decisions, DecisionsError


def new(number, action="accept", category="B"):
    choice = category if action in ("accept", "keep", "move") else None
    return Decision(number, f"P{number}", number, action, choice, "A", "B", 0.5)


@pytest.fixture
def store(tmp_path):
    opened = Decisions(tmp_path / "d.sqlite")
    yield opened
    opened.close()


def kept(store):
    return [(row.who, row.id, row.action, row.undoes) for row in store.since(0)]


def test_what_was_kept_is_there_when_the_file_is_opened_again(store, tmp_path):
    assert store.add("key-0001", "Ada", [new(1), new(2, "unsure")], "model") == 2
    store.close()
    again = Decisions(tmp_path / "d.sqlite")
    first, second = again.since(0)
    again.close()
    assert (first.id, first.product_id, first.category, first.before, first.model) == (
        1,
        "P1",
        "B",
        "A",
        "model",
    )
    assert (second.action, second.category) == ("unsure", None)
    assert first.at.endswith("Z")


def test_a_request_that_comes_twice_is_kept_once(store):
    assert store.add("key-0001", "Ada", [new(1)]) == store.add("key-0001", "Ada", [new(1)]) == 1
    assert len(store.since(0)) == 1


def test_a_key_of_another_request_is_refused(store):
    store.add("key-0001", "Ada", [new(1)])
    with pytest.raises(DecisionsError, match="another decision") as refused:
        store.add("key-0001", "Ada", [new(2)])
    assert refused.value.code == "key"
    assert len(store.since(0)) == 1


def test_all_rows_of_a_request_or_none(store):
    with pytest.raises(DecisionsError):
        store.add("key-0001", "Ada", [new(1), Decision(2, "P2", 2, "dance", None, "A", "B", 0.5)])
    assert store.since(0) == []


def test_undo_takes_back_whole_requests_of_one_reviewer_from_the_last_on(store):
    store.add("key-0001", "Ada", [new(1), new(2)])
    store.add("key-0002", "Bob", [new(3)])
    store.add("key-0003", "Ada", [new(4)])
    assert [row.id for row in store.undo("undo-001", "Ada")] == [4]
    assert [row.id for row in store.undo("undo-001", "Ada")] == [4]  # the same request once more
    assert [row.id for row in store.undo("undo-002", "Ada")] == [1, 2]
    assert store.undo("undo-003", "Ada") == []
    assert [row[3] for row in kept(store)] == [None, None, None, None, 4, 1, 2]


def test_rows_cannot_be_changed_or_deleted(store, tmp_path):
    store.add("key-0001", "Ada", [new(1)])
    with sqlite3.connect(tmp_path / "d.sqlite") as other:
        for statement in ("UPDATE decisions SET who = 'Eve'", "DELETE FROM decisions"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                other.execute(statement)
    other.close()
    assert kept(store) == [("Ada", 1, "accept", None)]


def test_every_commit_goes_to_the_disk(store):
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_processes_worth_of_writers_lose_nothing(tmp_path):
    stores = [Decisions(tmp_path / "d.sqlite") for _ in range(2)]

    def work(who):
        for number in range(50):
            stores[who].add(f"key-{who}-{number:03}", f"R{who}", [new(number)])

    threads = [threading.Thread(target=work, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0].since(0)) == 100
    assert [row.seq for row in stores[1].since(90)] == list(range(91, 101))
    for store in stores:
        store.close()


def test_a_locked_database_says_so_and_is_fine_again_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WAIT_MS", 50)
    store = Decisions(tmp_path / "d.sqlite")
    other = sqlite3.connect(tmp_path / "d.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DecisionsError, match="locked by another program") as refused:
        store.add("key-0001", "Ada", [new(1)])
    other.execute("ROLLBACK")
    other.close()
    assert refused.value.code == "locked"
    assert store.add("key-0001", "Ada", [new(1)]) == 1
    store.close()


FULL = """
    import resource, sys
    from shelfwise.review.decisions import Decision, Decisions, DecisionsError
    store = Decisions(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    acknowledged = 0
    try:
        for number in range(10_000):
            store.add(f"key-{number:06}", "Ada", [Decision(number, "P" * 500, 0, "keep", "A", "A", "B", 0.5)])
            acknowledged += 1
    except DecisionsError as error:
        print(error.code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.add("key-after", "Ada", [Decision(1, "P", 0, "keep", "A", "A", "B", 0.5)])
    print(acknowledged + 1)
"""


def test_a_full_disk_says_so_and_keeps_what_was_acknowledged(tmp_path):
    path = tmp_path / "d.sqlite"
    words = [sys.executable, "-c", textwrap.dedent(FULL), str(path)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == "disk_full"
    store = Decisions(path)
    assert len(store.since(0)) == int(told[1]) > 10
    store.close()


def other_database(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE x (a)")
    other.close()


def newer(path):
    Decisions(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()


def damaged(path):
    store = Decisions(path)
    for number in range(200):
        store.add(f"key-{number:06}", "Ada", [new(number)])
    store.close()
    data = bytearray(path.read_bytes())
    data[8192:20000] = b"\xff" * (20000 - 8192)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.write_text("product_id,category\n"), "foreign"),
        (other_database, "foreign"),
        (newer, "newer"),
        (damaged, "damaged"),
        (lambda path: path.mkdir(), "unreadable"),
    ],
)
def test_what_is_no_file_of_decisions_is_refused_and_left_as_it_is(tmp_path, make, code):
    path = tmp_path / "d.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DecisionsError) as refused:
        Decisions(path)
    assert refused.value.code == code
    assert str(path) in str(refused.value)
    assert before is None or path.read_bytes() == before


def test_reading_needs_a_file(tmp_path):
    with pytest.raises(DecisionsError, match="no such file"):
        Decisions(tmp_path / "d.sqlite", write=False)


def test_shelves_and_notes_are_remembered_once(store):
    store.add_shelf("New", "Ada")
    store.add_shelf("New", "Bob")
    store.tell("doubts", "a")
    store.tell("doubts", "b")
    assert store.shelves() == ["New"]
    assert store.told("doubts") == "b"
    assert store.told("nothing") is None


def test_the_file_knows_what_it_is(store):
    assert store._db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
