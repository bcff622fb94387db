"""The ledger: what is wanted, what is to ask, what came of it; one process at a time."""

import subprocess
import sys

import pytest

from shelfwise.errors import CatalogueError
from shelfwise.images.ledger import FAILED, STORED, TODO, Ledger, Result, Want


def wants(*urls):
    return [Want(row, 0, f"p{row}", url, url, url.split("/")[2]) for row, url in enumerate(urls)]


URLS = ("http://a/1", "http://b/1", "http://a/2", "http://a/1")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        opened.forget_wants()
        opened.want(wants(*URLS))
        yield opened


def left(ledger, host="a", tries=0):
    return [link.url for link in ledger.page(host, tries, -1, 10)]


def test_an_address_is_asked_once_however_many_want_it(ledger):
    assert left(ledger) == ["http://a/1", "http://a/2"]
    assert ledger.count() == {TODO: 3}
    assert [ledger.next_host(""), ledger.next_host("a"), ledger.next_host("b")] == ["a", "b", None]


def test_pages_go_on_after_a_number(ledger):
    first = ledger.page("a", 0, -1, 1)
    assert [link.url for link in ledger.page("a", 0, first[0].id, 5)] == ["http://a/2"]


def test_results_are_kept_and_passing_failures_open_again(ledger):
    one, two = ledger.page("a", 0, -1, 2)
    ledger.put([Result(one.id, FAILED, "timeout"), Result(two.id, FAILED, "status_404", 404)])
    assert ledger.next_round("a") is None
    ledger.open_again(refresh=False)
    assert left(ledger) == ["http://a/1"]
    ledger.open_again(refresh=True)
    assert left(ledger) == ["http://a/1", "http://a/2"]


def test_what_is_asked_again_comes_after_all_others_and_keeps_what_is_known(ledger):
    one = ledger.page("a", 0, -1, 1)[0]
    ledger.put([Result(one.id, STORED, sha="f" * 64, form="JPEG", bytes=1, etag="x")])
    ledger.open_again(refresh=True)
    ledger.postpone([Result(one.id, TODO, "status_503", 503, 1, 0.0)])
    assert left(ledger) == ["http://a/2"]
    again = ledger.page("a", 1, -1, 5)[0]
    assert (again.url, again.etag, again.stored, again.tries) == ("http://a/1", "x", 1, 1)


def test_a_host_that_is_given_up_fails_but_for_what_is_stored(ledger):
    one = ledger.page("a", 0, -1, 1)[0]
    ledger.put([Result(one.id, STORED, sha="f" * 64, form="JPEG", bytes=1)])
    ledger.open_again(refresh=True)
    assert ledger.fail_host("a", "connection_refused") == 2
    assert ledger.count() == {TODO: 1, STORED: 1, FAILED: 1}


def test_what_is_no_longer_wanted_is_not_asked_and_not_counted(ledger):
    ledger.forget_wants()
    ledger.want(wants("http://b/1"))
    assert ledger.count() == {TODO: 1}
    assert ledger.next_host("") == "b"


def test_a_lost_file_is_asked_for_without_its_tag(ledger):
    one = ledger.page("a", 0, -1, 1)[0]
    ledger.put([Result(one.id, STORED, sha="f" * 64, form="JPEG", bytes=1, etag="x")])
    ledger.lose(["f" * 64])
    again = ledger.page("a", 0, -1, 1)[0]
    assert (again.etag, again.stored) == (None, 0)
    assert list(ledger.contents()) == []


def test_clocks_that_were_set_do_not_make_an_address_wait_for_ever(ledger):
    one = ledger.page("a", 0, -1, 1)[0]
    ledger.postpone([Result(one.id, TODO, "timeout", None, 1, 1e12)])
    assert ledger.page("a", 1, -1, 1)[0].due < 1e11


def test_another_process_is_told_that_one_is_at_work(ledger, tmp_path):
    path = str(tmp_path / "ledger.sqlite")
    code = f"import pathlib, shelfwise.images.ledger as one; one.Ledger(pathlib.Path({path!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another run is at work" in done.stderr


def test_a_damaged_ledger_says_what_to_do(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(CatalogueError, match="remove it to begin anew"):
        Ledger(tmp_path / "ledger.sqlite")
