"""robots.txt and reservations, and what it means that they cannot be had."""

import asyncio

import pytest

from shelfwise.collect.robots import LARGEST, Robots, Told, parse

TEXT = b"""User-agent: *
Disallow: /

User-agent: shelfwise
Disallow: /private/
Allow: /private/open/
Disallow: /*?*sort=
Crawl-delay: 2.5
Sitemap: https://a.example/map.xml
"""
RESERVED = (
    b'[{"location": "/reserved/*", "tdm-reservation": 1}, {"location": "/free/", "tdm-reservation": 0}]'
)


def read(answers, url="https://a.example/p"):
    asked = []

    async def ask(url):
        asked.append(url)
        return answers(url, len(asked))

    robots = Robots(ask, "shelfwise")

    async def run():
        return await asyncio.gather(robots.rules(url), robots.rules(url))

    first, second = asyncio.run(run())
    assert first is second
    return first, asked


def test_its_own_group_counts_and_the_longest_rule_wins():
    rules = parse(TEXT, RESERVED, "shelfwise")

    assert rules.forbids("https://a.example/p/1") is None
    assert rules.forbids("https://a.example/private/1") == "robots"
    assert rules.forbids("https://a.example/private/open/1") is None
    assert rules.forbids("https://a.example/c/?a=1&sort=2") == "robots"
    assert rules.forbids("https://a.example/reserved/1") == "tdm_reserved"
    assert rules.forbids("https://a.example/free/1") is None
    assert rules.delay == 2.5
    assert rules.sitemaps == ("https://a.example/map.xml",)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1, {}]", b'{"a": 1}', b'[{"location": 3, "tdm-reservation": 1}]', b"\xff"]
)
def test_reservations_that_cannot_be_read_reserve_nothing(data):
    assert parse(b"", data, "shelfwise").forbids("https://a.example/p") is None


def test_what_is_not_there_forbids_nothing():
    rules, asked = read(lambda url, _: Told(404))

    assert rules.forbids("https://a.example/p") is None
    assert asked == ["https://a.example/robots.txt", "https://a.example/.well-known/tdmrep.json"]


@pytest.mark.parametrize("status", [0, 500, 503, 429])
def test_a_server_that_fails_forbids_everything_after_some_tries(status):
    rules, asked = read(lambda url, _: Told(status))

    assert rules.forbids("https://a.example/p") == ("robots_unreachable" if status else "no_answer")
    assert len(asked) >= 4


def test_a_server_that_fails_once_is_asked_again_and_redirects_are_followed():
    def answers(url, number):
        if number == 1:
            return Told(503)
        if url == "https://a.example/robots.txt":
            return Told(301, location="https://www.a.example/robots.txt")
        return Told(200, TEXT) if url.endswith("robots.txt") else Told(404)

    rules, _ = read(answers)

    assert rules.forbids("https://a.example/private/1") == "robots"


def test_what_is_beyond_the_limit_is_not_read():
    text = b"User-agent: *\nDisallow: /a\n" + b"#" * LARGEST + b"\nUser-agent: *\nDisallow: /b\n"
    rules, _ = read(lambda url, _: Told(200, text) if url.endswith("robots.txt") else Told(404))

    assert rules.forbids("https://a.example/a") == "robots"
    assert rules.forbids("https://a.example/b") is None
