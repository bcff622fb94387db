"""The server of pictures: good addresses give whole pictures, the others are dead in the way that is told."""

import hashlib
import http.client
import io
import time
import urllib.error
import urllib.request
from collections import Counter
from urllib.parse import urlsplit

import polars as pl
import pytest

from chaos_shop.pictures import DEAD, FORMATS, Gallery
from chaos_shop.process import running
from chaos_shop.settings import PictureSettings
from chaos_shop.wire import Request

ADDRESS = "http://127.0.0.1:8998"
WANTED = PictureSettings(
    pictures=600, side=32, bases=4, faults=0.0, dead=0.4, twins=0.1, hang=0.5, endless=1, latency=0.0
)


@pytest.fixture(scope="module")
def gallery():
    """The pictures without sockets."""
    made = Gallery(WANTED, ADDRESS)
    yield made
    made.closed.close()


@pytest.fixture(scope="module")
def served():
    with running(WANTED) as one:
        yield one
        assert one.stats()["bugs"] == 0


@pytest.fixture(scope="module")
def known(served):
    return served.truth()


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer, answer.read()


def test_good_addresses_give_the_bytes_that_are_told(known):
    from PIL import Image

    for row in known.filter(fate="ok").head(80).iter_rows(named=True):
        answer, data = fetch(row["url"])
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert len(data) == row["bytes"]
        assert answer.headers["Content-Type"] == f"image/{row['format']}"
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            assert (picture.format.lower(), picture.size) == (row["format"], (32, 32))


def test_all_formats_and_ways_of_being_dead_are_there(known):
    good = known.filter(pl.col("fate").is_in(["ok", "noai"]))

    assert known.height == 600
    assert set(good["format"]) == set(FORMATS)
    assert set(known["fate"]) == {"ok", "noai", *DEAD}
    assert 0.3 < (known.height - good.height) / known.height < 0.5
    assert good["sha256"].null_count() == 0


def test_bytes_differ_but_for_twins(known, gallery):
    good = known.filter(pl.col("fate").is_in(["ok", "noai"]))
    twins = good.height - good["sha256"].n_unique()

    assert 10 <= twins <= 80
    number = next(one for one in range(600) if gallery.source(one) != one)
    assert gallery.data(number) == gallery.data(gallery.source(gallery.source(number)))


@pytest.mark.parametrize("fate", DEAD)
def test_dead_addresses_are_dead_in_the_way_that_is_told(known, fate):
    url = known.filter(fate=fate)["url"][0]
    began = time.monotonic()
    if fate in ("404", "410", "403"):
        with pytest.raises(urllib.error.HTTPError, match=fate):
            fetch(url)
    elif fate == "loop":
        with pytest.raises(urllib.error.HTTPError, match="redirect"):
            fetch(url)
    elif fate == "unknown-host":
        assert urlsplit(url).hostname.endswith(".invalid")  # RFC 6761: never a name
    elif fate == "refused":
        with pytest.raises(urllib.error.URLError, match="refused"):
            fetch(url)
    elif fate == "reset":
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            fetch(url)
    elif fate == "timeout":
        with pytest.raises(http.client.RemoteDisconnected):
            fetch(url)
        assert time.monotonic() - began > 0.4
    else:
        answer, data = fetch(url)
        assert answer.headers["Content-Type"].startswith("image/")
        _check_body(fate, data)


def _check_body(fate, data):
    from PIL import Image

    if fate == "page":
        assert data.startswith(b"<!doctype html>")
    elif fate == "empty":
        assert data == b""
    elif fate == "endless":
        assert len(data) > 1_000_000
    else:
        assert fate == "truncated"
        with pytest.raises((OSError, SyntaxError)), Image.open(io.BytesIO(data)) as picture:
            picture.load()


def test_reserved_pictures_say_so(known):
    answer, _ = fetch(known.filter(fate="noai")["url"][0])

    assert "noai" in answer.headers["X-Robots-Tag"]


def get(gallery, number, **headers):
    target = f"/pictures/{number}.{gallery.form(gallery.source(number))}"
    return gallery.answer(Request("GET", target, {"host": "x", **headers}))


def test_unchanged_pictures_are_not_sent_again(gallery):
    number = next(one for one in range(600) if gallery.fate(one) == "ok")
    tag = f'"0-{gallery.source(number)}"'

    assert tag.encode() in get(gallery, number).data
    assert get(gallery, number, **{"if-none-match": tag}).label == "304"


@pytest.mark.parametrize(
    "target", ["/", "/pictures/600.jpeg", "/pictures/0.exe", "/pictures/x.png", "/0.jpeg"]
)
def test_nothing_else_is_there(gallery, target):
    assert gallery.answer(Request("GET", target, {})).label == "404"


def test_some_answers_are_refused_and_say_when_to_come_back():
    busy = Gallery(
        PictureSettings(pictures=300, side=16, bases=1, faults=0.3, dead=0.0, retry_after_share=1.0), ADDRESS
    )
    labels = Counter(get(busy, number).label for number in range(300))
    busy.closed.close()

    assert set(labels) <= {"picture", "noai", "429-wait", "503-wait"}
    assert 60 <= labels["429-wait"] + labels["503-wait"] <= 120


def test_same_seed_same_pictures_other_seed_others(gallery):
    again = Gallery(WANTED, ADDRESS)
    other = Gallery(PictureSettings(pictures=600, side=32, bases=4, seed=1), ADDRESS)
    for one in (again, other):
        one.closed.close()

    assert [again.data(number) for number in range(40)] == [gallery.data(number) for number in range(40)]
    assert [again.fate(number) for number in range(600)] == [gallery.fate(number) for number in range(600)]
    assert [other.data(number) for number in range(40)] != [gallery.data(number) for number in range(40)]
