"""What `shelfwise scrape` finds in a hostile shop, what it asks for, how fast and how large it is.

    python benchmarks/scrape.py [--products 10000] [--pages 1000] [--kills 50] [--addresses 10000000]
                                [--only chaos,javascript,speed,kills,memory]

- chaos: a shop with 30 % of answers failing and all traps.
- javascript: a shop in which a tenth of the pages need JavaScript; the browser is killed in the middle.
- speed: two shops that nothing is wrong with, one with pages of 3 kB, one with pages as heavy as those of
  real shops (100 kB, 1,400 elements, 290 links, gzip). The scraper has one core, the shop another one.
- kills: a small hostile shop whose crawl is killed at random moments and goes on.
- memory: a frontier of many addresses.

Every crawl is a process of its own. Parts that are not asked for keep the result of the run before; each
says when it was measured. `per_processor_second` is what a second of the scraper's own processor time gave,
start of the program included: it depends less on what else the machine does than pages a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chaos_shop.process import running
from chaos_shop.settings import ShopSettings
from shelfwise.demo.site.sheet import COLUMNS

FIELDS = [name for name in COLUMNS if name not in ("url", "attributes", "images")]
PARTS = ("chaos", "javascript", "speed", "kills", "memory")
MARKS = (100_000, 1_000_000, 3_000_000, 10_000_000)  # addresses at which the memory is told


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--addresses", type=int, default=10_000_000)
    parser.add_argument("--only", default=",".join(PARTS))
    asked = parser.parse_args()
    results = record.stored("scrape").get("parts", {})
    for part in asked.only.split(","):
        busy = round(os.getloadavg()[0], 1)
        for name, found in MEASURED[part](asked).items():
            where = record.circumstances("scrapy", "scrapy-playwright", "playwright", "aiohttp", "lxml")
            results[name] = {**found, "load_before": busy, "where": where}
        text = report(results)
        record.store("scrape", {"parts": results}, text)
    print(text)


def chaos(asked: argparse.Namespace) -> dict[str, Any]:
    """The hostile shop."""
    return {"chaos": crawled(ShopSettings(products=asked.products), "never")}


def javascript(asked: argparse.Namespace) -> dict[str, Any]:
    """A shop that needs a browser now and then; the browser is killed once."""
    settings = ShopSettings(products=asked.pages, faults=0.0, traps=False, javascript=0.1)
    return {"javascript": crawled(settings, "auto", kill_browser=True)}


def speed(asked: argparse.Namespace) -> dict[str, Any]:
    """Shops that nothing is wrong with."""
    plain = ShopSettings(products=asked.pages, faults=0.0, traps=False)
    heavy = ShopSettings(products=asked.pages, faults=0.0, traps=False, furniture=True)
    return {
        "speed, 3 kB": crawled(plain, "never", one_core=True),
        "speed, 100 kB": crawled(heavy, "never", one_core=True),
    }


def command(address: str, output: Path, browser: str) -> list[str]:
    """The command line."""
    words = ["--delay", "0", "--allow-private", "--browser", browser, "--json"]
    return [sys.executable, "-m", "shelfwise", "scrape", f"{address}/", "--output", str(output), *words]


def crawled(
    settings: ShopSettings, browser: str, one_core: bool = False, kill_browser: bool = False
) -> dict[str, Any]:
    """Scrape a shop in a process of its own, and compare with what is true."""
    with tempfile.TemporaryDirectory() as folder, running(settings) as shop:
        output, cores = Path(folder) / "shop.parquet", sorted(os.sched_getaffinity(0))
        if one_core:
            os.sched_setaffinity(shop.pid, cores[1:] or cores)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(command(shop.address, output, browser), stdout=subprocess.PIPE, text=True)
        if one_core:
            os.sched_setaffinity(process.pid, cores[:1])
        killed: list[int] = []
        if kill_browser:
            threading.Thread(target=kill_under, args=(process, shop, killed), daemon=True).start()
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"the scraper failed: {process.returncode}")
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        told, books, truth = json.loads(printed), shop.stats(), shop.truth("shelfwise")
        found = pl.read_parquet(output)
    expected = truth.filter("expected")
    both = expected.join(found, on="url", suffix="_found")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "found": both["url"].n_unique(),
        "expected": expected.height,
        "wrong": found.height - both.height,
        "twice": found.height - found["url"].n_unique(),
        "complete": told["complete"],
        "fields": {
            name: float(both[name].eq_missing(both[f"{name}_found"]).mean() or 0.0) for name in FIELDS
        },
        "requests": books["requests"],
        "answers": books["answers"],
        "seconds": round(seconds, 1),
        "processor": round(processor, 1),
        "per_second": books["requests"] / told["seconds"],
        "per_processor_second": books["requests"] / processor,
        "browser": told["browser_pages"],
        "browser_killed": len(killed),
        "scripts": truth.filter(pl.col("form") == "script", "allowed").height,
        "forbidden": sum(books["forbidden"].values()),
        "retry_after": books["retry_after"],
        "megabytes": round(after.ru_maxrss / 1024),
    }


def kill_under(process: subprocess.Popen[str], shop: Any, killed: list[int]) -> None:
    """Kill the browser of a scraper once it has opened some pages."""
    while process.poll() is None and not killed:
        if shop.stats()["answers"].get("api", 0) >= 20:
            for one in browsers_below(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
                    killed.append(one)
        time.sleep(0.1)


def browsers_below(process: int) -> list[int]:
    """Ids of the Chromium processes that a process started, directly or not."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            parents[int(entry.name)] = int(words[1])
    for one in parents:
        up = one
        while up in parents and up != process:
            up = parents[up]
        with contextlib.suppress(OSError):
            if up == process and "chrom" in Path(f"/proc/{one}/comm").read_text(encoding="utf-8"):
                found.append(one)
    return found


def kills(asked: argparse.Namespace) -> dict[str, Any]:
    """Kill crawls at random moments and let them go on: the rows of one that was left alone."""
    chance, killed, whole = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as place, running(ShopSettings(products=300, hang=3.0)) as shop:
        box, out = Path(place), Path(place) / "killed" / "shop.parquet"
        began = time.perf_counter()
        subprocess.run(command(shop.address, box / "whole.parquet", "never"), check=True, capture_output=True)
        length, meant, ours = time.perf_counter() - began, rows(box / "whole.parquet"), set(os.listdir(box))
        shop.clear()
        while killed < asked.kills:
            process = subprocess.Popen(
                command(shop.address, out, "never"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(chance.uniform(0.3, 0.8 * length))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
                if killed < asked.kills:
                    continue
                subprocess.run(command(shop.address, out, "never"), check=True, capture_output=True)
            whole += 1
            if not rows(out).equals(meant):
                raise SystemExit(f"after {killed} kills the catalogue is another one")
            strange = {name for name in os.listdir(out.parent) if not name.startswith("shop.parquet")}
            if strange or set(os.listdir(box)) - ours - {"killed"}:
                raise SystemExit(f"files that nobody asked for: {strange}")
            for path in out.parent.iterdir():
                path.unlink()
        books = shop.stats()
    waits = books["retry_after"]
    return {"kills": {"killed": killed, "crawls": whole, "rows": meant.height, "same": True,
                      "forbidden": sum(books["forbidden"].values()), "retry_after": waits}}  # fmt: skip


def rows(path: Path) -> pl.DataFrame:
    """A catalogue without the times of its answers."""
    return pl.read_parquet(path).drop("fetched_at").sort("url")


SIMULATION = """
import hashlib, json, sys, tempfile, time
from pathlib import Path
from shelfwise.collect.frontier import End, Frontier, New
count, marks = int(sys.argv[1]), json.loads(sys.argv[2])
def peak():  # of this process alone: what getrusage tells begins with what the one that started it had
    return round(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
def address(n):
    name = hashlib.blake2b(n.to_bytes(8, 'big'), digest_size=6).hexdigest()
    return f"https://shop.example/{n // 50_000}/{name}-{n}"
with tempfile.TemporaryDirectory() as folder:
    frontier, told, began = Frontier(Path(folder) / "x.crawl"), [], time.process_time()
    empty = peak()
    for start in range(0, count, 10_000):
        frontier.add([New(address(n)) for n in range(start, min(count, start + 10_000))])
        done = start + 10_000
        if done in marks or done >= count:
            added = time.process_time()
            for _ in range(2_000):
                row = frontier.claim(lambda _: True)
                with frontier.transaction():
                    frontier.finish(row, End("done", fruitful=True))
            assert frontier.unfinished()
            told.append({"addresses": min(done, count), "peak_mb": peak(), "processor": round(added - began),
                         "microseconds_a_page": round((time.process_time() - added) / 2_000 * 1e6),
                         "file_mb": round(frontier.path.stat().st_size / 1e6)})
            began += time.process_time() - added
    frontier.close()
print(json.dumps({"empty_mb": empty, "marks": told}))
"""


def memory(asked: argparse.Namespace) -> dict[str, Any]:
    """Fill a frontier block by block, as sitemaps of 50,000 names without order do, and work on it."""
    done = subprocess.run(
        [sys.executable, "-c", SIMULATION, str(asked.addresses), json.dumps(MARKS)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return {"memory": json.loads(done.stdout)}


MEASURED = {
    "chaos": chaos, "javascript": javascript, "speed": speed, "kills": kills, "memory": memory,
}  # fmt: skip


def report(results: dict[str, Any]) -> str:
    """All of it, as a table and in words."""
    crawls = [(name, one) for name, one in results.items() if "found" in one]
    head = ("", "found", "of", "wrong or twice", "fields right", "requests", "a second", "a processor second",
            "browser", "forbidden", "early", "MB")  # fmt: skip
    lines = [record.table(head, [(name, *shown(one)) for name, one in crawls]), ""]
    lines.append(
        "found: products, each once. forbidden: requests for addresses that robots.txt forbids. early: "
        "requests within a Retry-After. browser: pages opened in one, and how many need it."
    )
    for name, one in crawls:
        poor = [f"{field} {share:.2%}" for field, share in one["fields"].items() if share < 0.995]
        if poor:
            lines.append(f"{name}: fields below 99.5 %: {', '.join(poor)}.")
    if "kills" in results:
        one = results["kills"]
        lines.append(
            f"{one['killed']} kills at random moments of {one['crawls']} crawls of a hostile shop: each "
            f"ended in the same {one['rows']:,} rows; {one['forbidden']} requests for forbidden addresses, "
            f"{one['retry_after']['early_host']} within one of {one['retry_after']['sent']} Retry-After."
        )
    if "memory" in results:
        one = results["memory"]
        lines.append(f"A frontier (a process with an empty one: {one['empty_mb']} MB at most):")
        lines.append("")
        columns = (
            "addresses",
            "MB at most",
            "processor seconds to add them",
            "µs a page",
            "MB of disk",
        )
        cells = ("peak_mb", "processor", "microseconds_a_page", "file_mb")
        marks = [(f"{at['addresses']:,}", *(f"{at[cell]:,}" for cell in cells)) for at in one["marks"]]
        lines += [record.table(columns, marks), ""]
    return "\n".join([*lines, "", *circumstances(results)])


def circumstances(results: dict[str, Any]) -> list[str]:
    """When each part was measured, and how busy the machine was; versions once."""
    times = [
        f"{name} {one['where']['when']} (load {one['load_before']} before, {one['where']['stolen']} % stolen)"
        for name, one in results.items()
    ]
    newest = max((one["where"] for one in results.values()), key=lambda where: where["when"])
    return [f"Measured: {'; '.join(times)}.", "", record.in_words(newest)]


def shown(one: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    right = sum(one["fields"].values()) / len(one["fields"])
    waits = one["retry_after"]
    return (
        f"{one['found']:,}", f"{one['expected']:,}", f"{one['wrong']} / {one['twice']}", f"{right:.2%}",
        f"{one['requests']:,}", f"{one['per_second']:.0f}", f"{one['per_processor_second']:.0f}",
        f"{one['browser']} for {one['scripts']}", str(one["forbidden"]),
        f"{waits['early_host']} of {waits['sent']}", f"{one['megabytes']}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
