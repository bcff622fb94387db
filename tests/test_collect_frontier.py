"""The frontier: nothing is lost, nothing is done twice, and endless things end."""

import time

import pytest

from shelfwise.collect.frontier import DRY, DRY_FILTERED, MOST_TRIES, SITEMAP, End, Frontier, New

HOST = "https://a.example"


@pytest.fixture
def frontier(tmp_path):
    opened = Frontier(tmp_path / "x.crawl")
    yield opened
    opened.close()


def everyone(_):
    return True


def test_an_address_is_added_and_claimed_once(frontier):
    assert frontier.add([New(f"{HOST}/p/1"), New(f"{HOST}/p/1"), New(f"{HOST}/p/2")]) == 2

    claimed = [frontier.claim(everyone), frontier.claim(everyone)]

    assert {row.url for row in claimed} == {f"{HOST}/p/1", f"{HOST}/p/2"}
    assert frontier.claim(everyone) is None
    assert frontier.unfinished()


def test_seeds_and_sitemaps_come_first_and_filters_last(frontier):
    frontier.add([New(f"{HOST}/c/?colour=red"), New(f"{HOST}/p/1"), New(f"{HOST}/map.xml", SITEMAP)])

    order = [frontier.claim(everyone).url for _ in range(3)]

    assert order == [f"{HOST}/map.xml", f"{HOST}/p/1", f"{HOST}/c/?colour=red"]


def test_hosts_that_are_not_free_are_left_alone(frontier):
    frontier.add([New(f"{HOST}/1"), New("https://b.example/1")])

    assert frontier.claim(lambda host: host == "b.example").url == "https://b.example/1"
    assert frontier.claim(lambda host: host == "b.example") is None


def test_what_was_being_asked_for_waits_again_after_a_kill(tmp_path):
    first = Frontier(tmp_path / "x.crawl")
    first.add([New(f"{HOST}/1"), New(f"{HOST}/2")])
    row = first.claim(everyone)
    first.finish(row, End("done"))
    first.claim(everyone)
    first.close()

    again = Frontier(tmp_path / "x.crawl")
    row = again.claim(everyone)

    assert row.url == f"{HOST}/2"
    assert row.attempts == 2
    assert again.claim(everyone) is None
    again.close()


def test_a_block_is_kept_whole_or_not_at_all(frontier):
    frontier.add([New(f"{HOST}/1")])
    row = frontier.claim(everyone)

    def half():
        with frontier.transaction():
            frontier.finish(row, End("done"))
            frontier.add([New(f"{HOST}/2")], row)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert frontier.counts() == {"working": {"": 1}}


def test_failures_are_tried_again_later_and_not_for_ever(frontier):
    frontier.add([New(f"{HOST}/1")])
    row = frontier.claim(everyone)
    assert frontier.try_again(row, time.time() + 60, "http_503", 503)
    assert frontier.claim(everyone) is None
    assert frontier.next_due() > time.time()

    tries = 1
    while frontier.try_again(row, 0.0, "http_503"):
        row = frontier.claim(everyone)
        tries += 1

    assert tries == MOST_TRIES
    assert frontier.counts() == {"failed": {"http_503": 1}}
    assert not frontier.unfinished()


@pytest.mark.parametrize(("path", "most"), [("/calendar?month={}", DRY_FILTERED), ("/deep/{}", DRY)])
def test_a_shape_that_brings_nothing_is_closed(frontier, path, most):
    frontier.add([New(HOST + path.format(0))])
    asked = 0
    while (row := frontier.claim(everyone)) is not None:
        frontier.finish(row, End("done", "no_product"))
        asked += 1
        frontier.add([New(HOST + path.format(2 * asked)), New(HOST + path.format(2 * asked + 1))], row)

    assert asked == most
    assert frontier.counts()["skipped"]["endless"] > 0


def test_what_leads_to_products_stays_open(frontier):
    parent = None
    for number in range(2 * DRY):
        frontier.add([New(f"{HOST}/c/{number}")], parent)
        parent = frontier.claim(everyone)
        frontier.finish(parent, End("done", "list"))
        frontier.add([New(f"{HOST}/p/{number}")], parent)
        frontier.finish(frontier.claim(everyone), End("done", fruitful=True))

    assert frontier.counts() == {"done": {"list": 2 * DRY, "": 2 * DRY}}


def test_a_later_crawl_asks_for_all_again_that_brought_something(frontier):
    frontier.add([New(f"{HOST}/{number}") for number in range(4)])
    ends = [
        End("done", etag='"1"'),
        End("skipped", "robots"),
        End("failed", "http_500"),
        End("done", "redirect"),
    ]
    for end in ends:
        frontier.finish(frontier.claim(everyone), end)

    frontier.begin_again()
    rows = [frontier.claim(everyone), frontier.claim(everyone)]

    assert frontier.run == 2
    assert [(row.url, row.etag) for row in rows] == [(f"{HOST}/0", '"1"'), (f"{HOST}/2", None)]
    assert frontier.claim(everyone) is None


def test_pages_wait_for_a_browser_without_their_tags(frontier):
    frontier.add([New(f"{HOST}/1")])
    frontier.open_in_browser(frontier.claim(everyone))

    row = frontier.claim(everyone)
    frontier.opened(row, helped=True)

    assert row.browser
    assert frontier.of_shape(row) == {"fetched": 0, "products": 0, "tried": 1, "helped": 1}


def test_a_host_that_asked_to_wait_is_remembered(tmp_path):
    until = time.time() + 100
    first = Frontier(tmp_path / "x.crawl")
    first.hold("a.example", until)
    first.hold("a.example", until - 50)
    first.close()

    again = Frontier(tmp_path / "x.crawl")

    assert again.held() == {"a.example": until}
    again.close()


def test_addresses_of_a_change_that_failed_are_added_again(frontier):
    def fail():
        with frontier.transaction():
            frontier.add([New(f"{HOST}/p/1"), New(f"{HOST}/p/1")])  # seen twice, so it is remembered
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert frontier.is_empty()
    assert frontier.add([New(f"{HOST}/p/1")]) == 1
    assert frontier.claim(everyone).url == f"{HOST}/p/1"


def test_nothing_that_is_asked_for_each_page_looks_at_all_pages(frontier):
    frontier.add([New(f"{HOST}/p/{number}") for number in range(50)])
    asked = []
    frontier._db.set_trace_callback(asked.append)
    row = frontier.claim(everyone)
    frontier.unfinished()
    frontier.next_due()
    frontier.add([New(f"{HOST}/c/x")], row)
    frontier.finish(row, End("done", fruitful=True))
    frontier._db.set_trace_callback(None)
    plans = [
        plan[3]
        for query in asked
        if query.startswith(("SELECT", "UPDATE", "INSERT"))
        for plan in frontier._db.execute(f"EXPLAIN QUERY PLAN {query}")
    ]

    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN pages") and "INDEX" not in plan]


def test_what_is_remembered_of_addresses_is_bounded(frontier, monkeypatch):
    monkeypatch.setattr("shelfwise.collect.frontier.KNOWN", 3)
    links = [New(f"{HOST}/p/{number}") for number in range(10)]

    assert frontier.add(links) == 10
    assert frontier.add(links) == frontier.add(links) == 0
    assert len(frontier._known) <= 3
