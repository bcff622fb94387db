"""Lanes: the pace of each host, what it asks for, tries, and hosts that are dead."""

import asyncio
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from shelfwise.images.lanes import LaneOptions, Lanes, Told
from shelfwise.images.ledger import FAILED, STORED, Ledger, Result, Want


class Hosts:
    """Answers as `says` tells for an address and the number of its question; keeps when it was asked."""

    def __init__(self, says):
        self.says, self.times, self.count = says, defaultdict(list), Counter()

    async def __call__(self, link):
        host = link.url.split("/")[2]
        self.times[host].append(time.monotonic())
        self.count[link.url] += 1
        code, wait = self.says(link.url, self.count[link.url])
        state = FAILED if code else STORED
        about = {} if code else {"sha": "f" * 64, "form": "JPEG", "bytes": 1}
        return Told(Result(link.id, state, code, **about), wait=wait)


def run(tmp_path, urls, says, **options):
    """Ask addresses; returns the hosts, states with codes by address, and the counts of the lanes."""
    hosts = Hosts(says)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.want(Want(row, 0, "p", url, url, url.split("/")[2]) for row, url in enumerate(urls))

        async def ask():
            lanes = Lanes(ledger, hosts, LaneOptions(**{"rate": 1e6, "backoff": 0.01} | options))
            await lanes.run()
            return lanes.stored, lanes.failed

        counts = asyncio.run(ask())
        ends = {url: (state, code) for url, state, code in ledger.rows("SELECT url, state, code FROM links")}
    return hosts, ends, counts


URLS = [f"http://{host}/{number}" for number in range(12) for host in ("a", "b")]


def test_every_address_is_asked_once_and_ends_once(tmp_path):
    hosts, ends, counts = run(tmp_path, URLS, lambda url, n: ("status_404" if "/a/" in url else "", None))

    assert set(hosts.count.values()) == {1}
    assert counts == (12, 12)
    assert Counter(ends.values()) == {(STORED, ""): 12, (FAILED, "status_404"): 12}


def test_a_host_is_asked_no_faster_than_its_rate(tmp_path):
    hosts, _, _ = run(tmp_path, URLS, lambda url, n: ("", None), rate=20.0)

    for times in hosts.times.values():
        assert times[-1] - times[0] >= 11 / 20.0 - 0.06
    first_a, first_b = hosts.times["a"], hosts.times["b"]
    assert first_b[0] < first_a[-1]  # and the hosts beside each other


def test_what_may_pass_is_tried_again_after_all_others(tmp_path):
    hosts, ends, _ = run(tmp_path, URLS, lambda url, n: ("timeout" if url == URLS[0] and n < 3 else "", None))

    assert hosts.count[URLS[0]] == 3
    assert ends[URLS[0]] == (STORED, "")


def test_tries_come_to_an_end_and_what_is_meant_is_not_tried_again(tmp_path):
    hosts, ends, _ = run(
        tmp_path, URLS[:2], lambda url, n: ("status_503" if "/a/" in url else "status_404", None), tries=4
    )
    assert [hosts.count[url] for url in URLS[:2]] == [4, 1]
    assert [ends[url][1] for url in URLS[:2]] == ["status_503", "status_404"]


def test_a_wait_that_a_host_asks_for_holds_for_all_its_addresses_and_for_no_other_host(tmp_path):
    def says(url, count):
        return ("status_429", 1.0) if url == URLS[0] and count == 1 else ("", None)

    hosts, ends, _ = run(tmp_path, URLS, says, rate=100.0)
    times = hosts.times["a"]
    pause = max(later - earlier for earlier, later in pairwise(times))

    assert pause >= 0.9
    assert hosts.times["b"][-1] - hosts.times["b"][0] < 0.9
    assert set(ends.values()) == {(STORED, "")}


def test_a_host_that_asks_to_wait_for_long_is_left_for_another_run(tmp_path):
    def says(url, count):
        return ("status_503", 9999.0) if "//a/" in url else ("", None)

    hosts, ends, _ = run(tmp_path, URLS, says, rate=20.0)

    assert len(hosts.times["a"]) < 12
    assert {code for url, (_, code) in ends.items() if "//a/" in url} == {"asked_to_wait"}


def test_a_dead_host_is_not_asked_for_ever(tmp_path):
    urls = [f"http://dead/{number}" for number in range(2000)]
    hosts, ends, counts = run(tmp_path, urls, lambda url, n: ("connection_refused", None), rate=1000.0)

    assert sum(hosts.count.values()) < 400
    assert set(ends.values()) == {(FAILED, "connection_refused")}
    assert counts[0] == 0


@pytest.mark.parametrize("say", ["", "status_404"])
def test_a_host_that_answers_at_times_is_not_dead(tmp_path, say):
    urls = [f"http://odd/{number}" for number in range(200)]

    def says(url, count):
        return ("connection_refused" if int(url.rsplit("/", 1)[1]) % 4 else say), None

    hosts, _, _ = run(tmp_path, urls, says, tries=1)
    assert set(hosts.count.values()) == {1}
    assert len(hosts.count) == 200


def test_no_more_is_under_way_than_there_are_places(tmp_path, monkeypatch):
    monkeypatch.setattr("shelfwise.images.lanes._PLACES", 5)
    most = 0

    async def ask(link):
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        return Told(Result(link.id, FAILED, "status_404", 404))

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        urls = [f"https://h{number % 4}.example/{number}" for number in range(200)]
        ledger.want(Want(row, 0, "p", url, url, url.split("/")[2]) for row, url in enumerate(urls))
        asyncio.run(Lanes(ledger, ask, LaneOptions(rate=1e6)).run())
        assert ledger.count() == {FAILED: 200}

    assert most <= 5 + 4 + 2  # and a lane for each host, the clock, and all of it
