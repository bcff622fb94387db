"""Pages that a script has to fill, in a real Chromium."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest

from chaos_shop.process import running
from chaos_shop.settings import ShopSettings
from scrape_shop import command, environment, product, scrape, scraped, shop
from shelfwise.collect.browser import find_chromium

needs_chromium = pytest.mark.skipif(not find_chromium(), reason="there is no Chromium")


def below(process):
    """Ids of the Chromium processes that a process started, directly or not."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "stat").read_text().rpartition(") ")[2].split()
            parents[int(entry.name)] = int(words[1])
    for one in parents:
        up = one
        while up in parents and up != process:
            up = parents[up]
        with contextlib.suppress(OSError):
            if up == process and "chrom" in (Path("/proc") / str(one) / "comm").read_text():
                found.append(one)
    return found


@needs_chromium
def test_pages_are_opened_in_a_browser_where_they_need_it_though_it_is_killed(tmp_path):
    output = tmp_path / "x.parquet"
    with running(ShopSettings(products=300, faults=0.0, traps=False, javascript=0.1)) as server:
        words = command(f"{server.address}/", output, "--delay", 0, "--allow-private", "--json")
        with subprocess.Popen(
            words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            killed, began = 0, time.monotonic()
            while not killed and process.poll() is None and time.monotonic() - began < 120:
                if server.stats()["answers"].get("api", 0) >= 5:
                    for one in below(process.pid):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(one, signal.SIGKILL)
                            killed += 1
                time.sleep(0.1)
            process.communicate(timeout=200)
        books, truth = server.stats(), server.truth("shelfwise")
    expected = truth.filter("expected")
    scripts = truth.filter(pl.col("form") == "script", "allowed")

    assert killed
    assert process.returncode == 0
    assert sorted(pl.read_parquet(output)["url"]) == sorted(expected["url"])
    assert books["answers"]["api"] <= 1.1 * scripts.height + 5  # and those under way when it was killed
    assert books["forbidden"] == {}


@needs_chromium
def test_what_a_page_asks_for_is_checked_as_all_else(tmp_path):
    def script(path, number):
        text = json.dumps(product(number, '<a href="/p/2">two</a>')).replace("</", "<\\/")
        return (
            f'<div id="root"></div><script>fetch("{path}").catch(() => 0).finally(() => '
            f"document.body.innerHTML = {text})</script>"
        )

    robots = (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /secret\n")
    with (
        shop({"/p/other": product(2)}) as inside,
        shop({"/": script("/secret/1", 1), "/robots.txt": robots}) as server,
    ):
        server.pages["/p/2"] = script(inside.address + "p/other", 2)
        told = scraped(server.address, tmp_path / "x.parquet")

    assert told["browser_pages"] == 2
    assert server.hits["/secret/1"] == 0
    assert sum(inside.hits.values()) == 0


def test_without_chromium_other_pages_are_scraped_and_it_is_told_how_to_get_one(tmp_path):
    empty = tmp_path / "bin"
    empty.mkdir()
    pages = {"/": product(1, '<a href="/p/2">two</a>'), "/p/2": '<div id="root"></div><script>go()</script>'}
    with shop(pages) as server:
        bare = {"PATH": str(empty), "PLAYWRIGHT_BROWSERS_PATH": str(empty)}
        done = scrape(server.address, tmp_path / "x.parquet", **bare)
        always = scrape(server.address, tmp_path / "y.parquet", "--browser", "always", **bare)

    assert done.returncode == 0, done.stderr
    assert "apt install chromium" in done.stderr
    assert pl.read_parquet(tmp_path / "x.parquet").height == 1
    assert always.returncode == 2
    assert "No Chromium was found" in always.stderr
