"""`shelfwise scrape` at the command line; whole crawls are in test_collect_crawl.py."""

import json

import pytest
from click.testing import CliRunner

from scrape_shop import product, scrape, scraped, shop
from shelfwise.cli import main
from shelfwise.collect.crawl import state_file
from shelfwise.collect.frontier import End, Frontier, New


@pytest.fixture
def crawl(tmp_path):
    """A crawl with an address in each of some states."""
    output = tmp_path / "x.parquet"
    frontier = Frontier(state_file(output))
    frontier.add([New(f"https://a.example/{number}") for number in range(4)])
    for end in (End("done"), End("skipped", "robots"), End("failed", "timeout")):
        frontier.finish(frontier.claim(lambda _: True), end)
    frontier.close()
    return output


def test_the_state_of_a_crawl_is_told(crawl):
    done = CliRunner().invoke(main, ["scrape", "https://a.example", "--output", str(crawl), "--status"])

    assert done.exit_code == 0
    assert "waiting: 1" in done.output
    assert "skipped: 1 (robots 1)" in done.output
    assert "failed timeout, 1 attempts: https://a.example/2" in done.output


def test_the_state_of_a_crawl_is_json_for_programs(crawl):
    words = ["scrape", "https://a.example", "--output", str(crawl), "--status", "--json"]
    told = json.loads(CliRunner().invoke(main, words).output)

    assert told["pages"]["failed"] == {"timeout": 1}
    assert told["failed"][0]["attempts"] == 1


def test_there_is_no_state_without_a_crawl(tmp_path):
    done = CliRunner().invoke(main, ["scrape", "x", "--output", str(tmp_path / "x.parquet"), "--status"])

    assert done.exit_code == 2
    assert "there is no crawl" in done.output


@pytest.mark.parametrize("words", [["--delay", "-1"], ["--browser", "perhaps"], ["--limit", "x"], []])
def test_options_are_checked(words, tmp_path):
    output = ["--output", str(tmp_path / "x.parquet")] if words else []

    assert CliRunner().invoke(main, ["scrape", "https://a.example", *output, *words]).exit_code == 2


def test_what_came_of_it_is_told_in_words_or_as_json(tmp_path):
    with shop({"/": product(1, '<a href="/no">x</a>')}) as server:
        words = scrape(server.address, tmp_path / "x.parquet")
        told = scraped(server.address, tmp_path / "y.parquet")

    assert "1 products in" in words.stdout
    assert "Pages skipped: http_404 1." in words.stdout
    assert (told["products"], told["complete"], told["stopped"]) == (1, True, "")


def test_the_shop_is_told_who_asks(tmp_path):
    with shop({"/": product(1)}) as server:
        scraped(server.address, tmp_path / "x.parquet", "--contact", "me@shop.example")

    agents = {headers["User-Agent"] for _, headers in server.headers}
    assert len(agents) == 1
    assert agents.pop().endswith("(+me@shop.example)")
