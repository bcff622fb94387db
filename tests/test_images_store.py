"""Files by content: each once, whole, and none but those that the ledger knows."""

import hashlib

import pytest

from shelfwise.images.ledger import STORED, Ledger, Result, Want
from shelfwise.images.store import STATE, Store, file_of


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    opened.open()
    return opened


def ledger_of(tmp_path, *contents):
    ledger = Ledger(tmp_path / STATE / "ledger.sqlite")
    urls = [f"http://a/{number}" for number in range(len(contents))]
    ledger.want(Want(row, 0, "p", url, url, "a") for row, url in enumerate(urls))
    ledger.put(
        Result(link.id, STORED, sha=hashlib.sha256(data).hexdigest(), form="PNG", bytes=len(data))
        for link, data in zip(ledger.page("a", 0, -1, 100), contents, strict=True)
    )
    return ledger


def test_a_content_lies_under_its_digest_once(store, tmp_path):
    sha = store.put(b"one", "PNG")
    assert store.put(b"one", "PNG") == sha == hashlib.sha256(b"one").hexdigest()
    assert (tmp_path / file_of(sha, "PNG")).read_bytes() == b"one" == store.read(sha, "PNG")
    assert file_of(sha, "PNG") == f"pictures/{sha[:2]}/{sha}.png"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_half_a_file_is_replaced(store, tmp_path):
    sha = store.put(b"whole", "PNG")
    (tmp_path / file_of(sha, "PNG")).write_bytes(b"wh")
    store.put(b"whole", "PNG")
    assert store.read(sha, "PNG") == b"whole"


def test_missing_and_strange_files_are_found(store, tmp_path):
    for data in (b"a", b"b", b"c", b"strange"):
        store.put(data, "PNG")
    gone = hashlib.sha256(b"b").hexdigest()
    (tmp_path / file_of(gone, "PNG")).unlink()
    with ledger_of(tmp_path, b"a", b"b", b"c") as ledger:
        assert list(store.missing(ledger)) == [gone]
        assert store.prune(ledger) == 1
        assert store.prune(ledger) == 0
    assert not (tmp_path / file_of(hashlib.sha256(b"strange").hexdigest(), "PNG")).exists()


def test_nothing_half_written_stays(store, tmp_path):
    (tmp_path / STATE / "building" / "7").write_bytes(b"half")
    store.put(b"a", "PNG")
    store.close()
    left = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"pictures"}
    assert len(list((tmp_path / "pictures").iterdir())) == 1
