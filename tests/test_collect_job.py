"""What is done with each answer, without any engine."""

import asyncio
import time

import pytest

from shelfwise.addresses import Rules
from shelfwise.collect.frontier import Frontier, New
from shelfwise.collect.job import MOST_HOPS, Job, Settings, hash_of
from shelfwise.collect.polite import Pace
from shelfwise.collect.web import Answer, Web

HOST = "https://a.example"
LD = (
    '<script type="application/ld+json">{{"@type": "Product", "name": "Lamp {0}", "sku": "{0}", '
    '"description": "It shines.", "offers": {{"price": "9.90", "priceCurrency": "EUR"}}}}</script><h1>Lamp {0}</h1>'
)


@pytest.fixture
def job(tmp_path):
    frontier = Frontier(tmp_path / "x.crawl")
    told = []
    web = Web(Rules(), Pace(0.0), "shelfwise/1")
    made = Job(Settings((f"{HOST}/",), delay=0.0), frontier, web, "shelfwise", tell=told.append)
    made.told = told
    yield made
    asyncio.run(web.close())
    frontier.close()


def page(body, status=200, **headers):
    listed = (
        ("Content-Type", "text/html"),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    )
    return Answer(status, listed, body.encode())


def crawl(job, pages, most=1000):
    """Answer all that is asked for from a dict; the addresses in order."""
    asked = []
    while len(asked) < most and (row := job.claim(8)) is not None:
        asked.append(row.url.removeprefix(HOST))
        found = pages(asked[-1]) if callable(pages) else pages.get(asked[-1])
        job.answered(
            row, page("", 404) if found is None else page(found) if isinstance(found, str) else found
        )
    return asked


def links(*paths):
    return "<h1>Shelf</h1>" + "".join(f'<a href="{path}">{path}</a>' for path in paths)


def test_copies_of_a_product_are_one_and_lead_nowhere(job):
    canonical = '<link rel="canonical" href="/p/1">'
    copy = canonical + LD.format(1)
    pages = {"/": links("/s/0a1b2c3d/p/1", "/p/1", "/x/p/1"), "/p/1": copy, "/x/p/1": copy + links("/y/p/1")}
    pages["/s/0a1b2c3d/p/1"] = copy + links("/s/1a1b2c3d/p/1")
    job.frontier.add([New(f"{HOST}/", seed=True)])

    asked = crawl(job, pages)

    assert job.frontier.products.count() == 1
    assert job.frontier.products.first(1)[0]["url"] == f"{HOST}/p/1"
    assert asked == ["/", "/s/0a1b2c3d/p/1", "/x/p/1"]  # the canonical one needs no request any more


@pytest.mark.parametrize("beyond", ["repeats", "empty"])
def test_paging_ends_where_it_brings_nothing_new(job, beyond):
    def pages(path):
        if path.startswith("/p"):
            return LD.format(path)
        number = int(path.partition("page=")[2] or 1)
        shown = min(number, 3) if beyond == "repeats" else number
        items = [f"/p/{shown}-{place}" for place in range(4)] if shown <= 3 else []
        return links(*items) + f'<a rel="next" href="/?page={number + 1}">next</a>'

    job.frontier.add([New(f"{HOST}/", seed=True)])
    asked = crawl(job, pages)

    assert job.frontier.products.count() == 12
    assert len([path for path in asked if "page=" in path]) <= 5


def test_redirects_are_followed_within_the_shop_and_not_for_ever(job):
    def pages(path):
        if path.startswith("/chain/"):
            return page("", 302, Location=f"/chain/{int(path.rpartition('/')[2]) + 1}")
        return {
            "/": links("/chain/1", "/a", "/out", "/self"),
            "/a": page("", 301, Location="/b"),
            "/b": page("", 301, Location="/a"),
            "/out": page("", 302, Location="http://169.254.169.254/"),
            "/self": page("", 302, Location="/self"),
        }.get(path)

    job.frontier.add([New(f"{HOST}/", seed=True)])
    asked = crawl(job, pages)

    assert sum(path.startswith("/chain/") for path in asked) == MOST_HOPS + 1
    assert job.frontier.counts()["failed"] == {
        "redirect_chain": 1,
        "redirect_elsewhere": 1,
        "redirect_loop": 1,
    }


def test_failures_come_back_and_what_is_gone_does_not(job):
    job.frontier.add([New(f"{HOST}/1"), New(f"{HOST}/2")])
    first, second = job.claim(8), job.claim(8)
    job.answered(first, page("", 503))
    job.failed(second, "robots")

    assert job.claim(8) is None
    assert job.frontier.counts() == {"later": {"http_503": 1}, "failed": {"robots": 1}}


def test_a_retry_after_is_remembered_by_the_frontier(job):
    job.frontier.add([New(f"{HOST}/1"), New(f"{HOST}/2")])
    row = job.claim(8)
    job.web.mind(row.host, 429, "5000", 0.1)
    job.answered(row, page("", 429, Retry_After="5000"))

    assert job.frontier.held()["a.example"] > time.time() + 4000
    assert job.claim(8) is None
    assert job.stopped == "asked_to_wait"


def test_the_limit_ends_a_crawl_and_gives_back_what_is_under_way(job):
    job.settings = Settings((f"{HOST}/",), limit=1, delay=0.0)
    job.frontier.add([New(f"{HOST}/p/1"), New(f"{HOST}/p/2")])
    first, second = job.claim(8), job.claim(8)
    job.answered(first, page(LD.format(1)))
    job.answered(second, page(LD.format(2)))

    assert job.stopped == "limit"
    assert job.frontier.products.count() == 1
    assert job.frontier.counts()["waiting"] == {"": 1}


def test_opting_out_later_takes_a_product_out(job):
    job.frontier.add([New(f"{HOST}/p/1")])
    crawl(job, {"/p/1": LD.format(1)})
    job.frontier.begin_again()
    crawl(job, {"/p/1": page(LD.format(1), X_Robots_Tag="noindex")})

    assert job.frontier.products.tally(2)["gone"] == 1


def test_the_first_look_is_told_once(job):
    job.frontier.add([New(f"{HOST}/p/{number}") for number in range(25)])
    crawl(job, lambda path: LD.format(path))

    assert len(job.told) == 1
    assert "title 10, price 10, brand 0" in job.told[0]
    assert "Mostly missing: brand" in job.told[0]


HOLLOW = '<link rel="canonical" href="{}"><div id="root"></div><script>go()</script>'


def test_a_page_that_needs_a_browser_is_opened_under_its_own_address_alone(job):
    job.chromium = "/usr/bin/chromium"
    job.frontier.add([New(f"{HOST}/s/0a1b2c3d/p/lamp"), New(f"{HOST}/p/lamp"), New(f"{HOST}/P/lamp/")])
    opened = []
    while (row := job.claim(8)) is not None:
        if row.browser:
            opened.append(row.url)
        job.answered(row, page(LD.format(1) if row.browser else HOLLOW.format("/p/lamp")), row.browser)

    assert opened == [f"{HOST}/p/lamp"]
    assert job.frontier.products.count() == 1
    assert job.frontier.counts() == {"done": {"duplicate": 2, "": 1}}


def test_an_application_that_names_its_front_door_on_every_page_is_not_believed(job):
    job.chromium = "/usr/bin/chromium"
    job.frontier.add([New(f"{HOST}/p/{number}") for number in range(3)])
    opened = []
    while (row := job.claim(8)) is not None:
        opened += [row.url] * row.browser
        job.answered(row, page(LD.format(row.id) if row.browser else HOLLOW.format("/app")), row.browser)

    assert len(opened) == 3
    assert job.frontier.products.count() == 3


def test_sets_of_addresses_have_numbers():
    assert hash_of(["a", "b"]) == hash_of(["a", "b"]) != hash_of(["a"])
