"""The file of a frontier: whose it is, who has it, and a full disk."""

import sqlite3

import pytest

from shelfwise.collect.frontier import Frontier
from shelfwise.collect.frontier_file import FrontierError, told


def test_one_process_has_a_crawl_and_others_may_look(tmp_path):
    path = tmp_path / "x.crawl"
    first = Frontier(path)

    with pytest.raises(FrontierError, match="another process"):
        Frontier(path)
    looking = Frontier(path, look=True)
    assert looking.counts() == {}
    with pytest.raises(FrontierError, match="readonly"):
        looking.note("a", "b")
    looking.close()
    first.close()
    Frontier(path).close()


def test_other_files_are_left_alone(tmp_path):
    path = tmp_path / "x.crawl"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()

    with pytest.raises(FrontierError, match="not the file of a crawl"):
        Frontier(path)

    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to look like something" * 20)
    with pytest.raises(FrontierError, match="cannot keep the state"):
        Frontier(path)


def test_a_full_disk_says_what_to_do_and_loses_nothing(tmp_path):
    from shelfwise.collect.frontier import New

    frontier = Frontier(tmp_path / "x.crawl")
    frontier.add([New("https://a.example/first")])
    frontier._db.execute("PRAGMA max_page_count = 40")  # what a full disk is to SQLite

    with pytest.raises(FrontierError, match=r"disk is full.*Make room"):
        frontier.add([New(f"https://a.example/{number:0500}") for number in range(1000)])
    frontier._db.execute("PRAGMA max_page_count = 100000")

    assert frontier.add([New("https://a.example/last")]) == 1
    frontier.close()


def test_errors_of_the_system_are_told(tmp_path):
    with pytest.raises(FrontierError, match="No such file"), told(tmp_path):
        (tmp_path / "none").read_bytes()
