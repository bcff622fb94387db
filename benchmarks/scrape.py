"""What `shelfwise scrape` finds in a hostile shop, what it asks for, how fast and how large it is.

    python benchmarks/scrape.py [--products 10000] [--pages 1000] [--addresses 1000000]
                                [--only chaos,javascript,speed,memory]

Four measurements: a chaos shop with 30 % of answers failing and all traps; a shop in which a tenth of the
pages need JavaScript; pages a second from a local shop that nothing is wrong with (it runs on the same
machine); the memory of a process with a frontier of many addresses.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chaos_shop.process import running
from chaos_shop.settings import ShopSettings
from shelfwise.collect.frontier import End, Frontier, New
from shelfwise.demo.site.sheet import COLUMNS

FIELDS = [name for name in COLUMNS if name not in ("url", "attributes", "images")]


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--addresses", type=int, default=1_000_000)
    parser.add_argument("--only", default="chaos,javascript,speed,memory")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    results: dict[str, dict[str, Any]] = {}
    if "chaos" in wanted:
        results["chaos"] = crawled(ShopSettings(products=asked.products), "never")
    if "javascript" in wanted:
        calm = ShopSettings(products=asked.pages, faults=0.0, traps=False, javascript=0.1)
        results["javascript"] = crawled(calm, "auto")
    if "speed" in wanted:
        results["speed"] = crawled(ShopSettings(products=asked.pages, faults=0.0, traps=False), "never")
    if "memory" in wanted:
        results["memory"] = remembered(asked.addresses)
    where = record.circumstances("scrapy", "scrapy-playwright", "playwright", "aiohttp", "lxml")
    rows = [(name, *shown(one)) for name, one in results.items()]
    text = record.table(
        ("", "found", "of", "wrong", "fields right", "requests", "pages/s", "browser", "MB"), rows
    )
    text += f"\n\n{record.in_words(where)}"
    record.store("scrape", {"result": results, "where": where}, text)
    print(text)


def crawled(settings: ShopSettings, browser: str) -> dict[str, Any]:
    """Scrape a shop in a process of its own, and compare with what is true."""
    with tempfile.TemporaryDirectory() as folder, running(settings) as shop:
        output = Path(folder) / "shop.parquet"
        words = [sys.executable, "-m", "shelfwise", "scrape", f"{shop.address}/", "--output", str(output)]
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*words, "--delay", "0", "--allow-private", "--browser", browser, "--json"],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        told, books, truth = json.loads(done.stdout), shop.stats(), shop.truth("shelfwise")
        found = pl.read_parquet(output)
    expected = truth.filter("expected")
    both = expected.join(found, on="url", suffix="_found")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "found": both.height,
        "expected": expected.height,
        "wrong": found.height - both.height,
        "fields": {
            name: float(both[name].eq_missing(both[f"{name}_found"]).mean() or 0.0) for name in FIELDS
        },
        "requests": books["requests"],
        "seconds": seconds,
        "processor": processor,
        "per_second": books["requests"] / told["seconds"],
        "per_processor_second": books["requests"] / processor,
        "browser": told["browser_pages"],
        "scripts": truth.filter(pl.col("form") == "script", "allowed").height,
        "forbidden": sum(books["forbidden"].values()),
        "retry_after": books["retry_after"],
        "megabytes": after.ru_maxrss / 1024,
    }


def remembered(count: int) -> dict[str, Any]:
    """Fill a frontier and work on it: how much memory this process takes more than before."""
    before = memory()
    with tempfile.TemporaryDirectory() as folder:
        frontier = Frontier(Path(folder) / "x.crawl")
        began = time.perf_counter()
        for start in range(0, count, 10_000):
            frontier.add(
                [New(f"https://shop.example/p/product-{number}") for number in range(start, start + 10_000)]
            )
        for _ in range(2000):
            row = frontier.claim(lambda _: True)
            assert row is not None
            frontier.finish(row, End("done", fruitful=True))
        seconds, size = time.perf_counter() - began, frontier.path.stat().st_size
        grown = memory() - before
        frontier.close()
    return {"expected": count, "seconds": seconds, "megabytes": grown, "file": size / 1e6}


def memory() -> float:
    """Megabytes that this process has in memory."""
    words = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def shown(one: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    if "found" not in one:
        return ("", f"{one['expected']:,} addresses", "", "", "", "", "", f"{one['megabytes']:.0f} more")
    right = sum(one["fields"].values()) / len(one["fields"])
    return (
        f"{one['found']:,}", f"{one['expected']:,}", str(one["wrong"]), f"{right:.2%}",
        f"{one['requests']:,}", f"{one['per_second']:.0f}", f"{one['browser']} for {one['scripts']}",
        f"{one['megabytes']:.0f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
