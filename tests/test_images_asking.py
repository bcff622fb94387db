"""One question over HTTP: what hosts do becomes a code, what they ask for is heard."""

import asyncio
import email.utils
import time

import pytest

from hostile_addresses import forms
from picture_answers import answering
from picture_hosts import Canary, picture_host
from serve_shop import png
from shelfwise.errors import RecipeError
from shelfwise.images.asking import Asker, AskingOptions, check_contact

PICTURE = png()
PRIVATE = AskingOptions(private=True, seconds=0.5, most=100_000)


def ask(url, options=PRIVATE, **known):
    async def one():
        async with Asker(options) as asker:
            answer = await asker.ask(url, **known)
            await answer.held.aclose()
            return answer

    return asyncio.run(one())


@pytest.fixture(scope="module")
def host():
    with picture_host(PICTURE) as running:
        yield running


@pytest.mark.parametrize("path", ["picture/a.png", "gzip/a.png", "to//picture/a.png"])
def test_a_picture_comes_as_it_lies_there(host, path):
    answer = ask(f"{host.url}/{path}")
    assert (answer.code, answer.http, answer.body) == ("", 200, PICTURE)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("status/404", "status_404"), ("status/503", "status_503"), ("status/204", "status_204"),
        ("loop/", "address_redirects"), ("large", "address_too_large"), ("endless", "address_too_large"),
        ("bomb", "address_too_large"), ("packed", "address_encoding"), ("damaged", "address_encoding"),
        ("short", "broken"), ("headers", "broken"), ("drip", "timeout"),
        ("to/file:///etc/passwd", "address_refused"), ("to/gopher://127.0.0.1/", "address_refused"),
    ],
)  # fmt: skip
def test_a_bad_answer_has_its_code(host, path, code):
    assert ask(f"{host.url}/{path}").code == code


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://nobody.invalid/a.png", "unknown_host"),
        ("http://127.0.0.1:1/a.png", "connection_refused"),
        ("ftp://shop.example/a.png", "address_refused"),
        ("http://169.254.169.254/latest/meta-data", "address_refused"),
        ("http://[/", "address_refused"),
    ],
)
def test_an_address_that_leads_nowhere_has_its_code(url, code):
    assert ask(url).code == code


def test_nothing_private_is_connected_to_in_any_spelling():
    with Canary() as canary:
        found = {ask(url, AskingOptions(seconds=0.5)).code for url in forms(canary.port)}
        assert canary.count == 0
    assert found <= {"address_refused", "unknown_host"}


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("noai", "opted_out"), ("noimageai, nofollow", "opted_out"), ("noindex", "opted_out"),
        ("NoAI", "opted_out"),
        ("shelfwise: none", "opted_out"), ("otherbot: noindex", ""), ("all", ""), ("nofollow", ""),
        ("noindex, unavailable_after: 25 Jun 2030", "opted_out"),
    ],
)  # fmt: skip
def test_a_host_that_does_not_want_it_is_heard(tag, code):
    with answering(lambda path, headers: (200, {"X-Robots-Tag": tag}, PICTURE)) as server:
        answer = ask(f"{server.url}/a.png")
    assert answer.code == code
    assert answer.body == (b"" if code else PICTURE)


def test_tags_and_dates_are_shown_again_and_what_is_the_same_does_not_come_again():
    def answer(path, headers):
        same = headers.get("If-None-Match") == '"a"'
        return (304, {"ETag": '"a"'}, b"") if same else (200, {"ETag": '"a"'}, PICTURE)

    with answering(answer) as server:
        first = ask(f"{server.url}/a.png")
        second = ask(f"{server.url}/a.png", etag=first.etag, modified=first.modified)
        ask(f"{server.url}/a.png", modified="Thu, 01 Oct 2026 00:00:00 GMT")

    assert (first.kept, second.kept, second.body) == (False, True, b"")
    assert server.asked[2][1]["If-Modified-Since"] == "Thu, 01 Oct 2026 00:00:00 GMT"


@pytest.mark.parametrize(("said", "least", "most"), [("7", 7, 7), ("date", 25, 31), ("soon", None, None)])
def test_how_long_a_host_asks_to_wait_is_read(said, least, most):
    value = email.utils.formatdate(time.time() + 30, usegmt=True) if said == "date" else said
    with answering(lambda path, headers: (429, {"Retry-After": value}, b"")) as server:
        answer = ask(f"{server.url}/a.png")

    assert answer.code == "status_429"
    assert answer.wait is None if least is None else least <= answer.wait <= most


def test_who_asks_says_so_and_brings_no_cookies():
    headers = {"Set-Cookie": "a=b"}

    async def twice(url):
        async with Asker(AskingOptions(private=True, contact="shop@example.com")) as asker:
            await asker.ask(url)
            await asker.ask(url)

    with answering(lambda path, asked: (200, headers, PICTURE)) as server:
        asyncio.run(twice(f"{server.url}/a.png"))

    sent = server.asked[1][1]
    assert sent["User-Agent"].startswith("shelfwise/")
    assert "shop@example.com" in sent["User-Agent"]
    assert "Cookie" not in sent
    assert sent["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "ü@example.com", "a" * 201])
def test_a_contact_that_no_header_holds_is_refused(contact):
    with pytest.raises(RecipeError, match="ASCII"):
        check_contact(contact)


@pytest.mark.parametrize(
    ("body", "code"),
    [(PICTURE, ""), (b"", "empty"), (b"<html>", "not_a_picture"), (PICTURE + bytes(10**6), "")],
)
def test_a_check_looks_at_the_first_bytes(body, code):
    options = AskingOptions(private=True, only_look=True)
    with answering(lambda path, headers: (200, {}, body)) as server:
        answer = ask(f"{server.url}/a.png", options)
    assert (answer.code, answer.body) == (code, b"")
