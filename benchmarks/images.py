"""Fetching pictures: how fast, beside img2dataset; killed at random; hostile pictures; memory for many links.

    python benchmarks/images.py [--pictures 10000] [--kills 50] [--hostile 10000] [--links 10000000]
                                [--peer PYTHON]

The server is the one of the tests (tests/chaos_shop): 256 pixels, 20 % of the addresses dead in twelve ways,
among them silence, bodies without end and redirects in circles. Both downloaders get the same list, the same
limit of 5 s of silence and one try; img2dataset runs from an environment of its own (--peer: its Python; left
out without it), with two processes of 64 threads. Every run is a process of its own, timed from start to end.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import shutil
import signal
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
from chaos_shop.settings import PictureSettings
from hostile_pictures import hostile
from picture_answers import answering
from shelfwise.images.outcome import INDEX
from shelfwise.images.store import STATE

SILENCE = 5


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--hostile", type=int, default=10_000)
    parser.add_argument("--links", type=int, default=10_000_000)
    parser.add_argument("--peer", help="Python of an environment with img2dataset")
    chosen = parser.parse_args()
    found: dict[str, Any] = {"pictures": chosen.pictures}
    with tempfile.TemporaryDirectory() as place:
        box = Path(place)
        settings = PictureSettings(pictures=chosen.pictures, faults=0.0)
        with running(settings) as shop:
            table = catalogue(shop.truth(), box / "products.parquet")
            found["speed"] = speed(shop, box, chosen.peer)
            if chosen.kills:
                found["kills"] = kills(box, table, chosen.kills)
        if chosen.hostile:
            found["hostile"] = fetch_hostile(box, chosen.hostile)
        if chosen.links:
            found["links"] = many_links(box, chosen.links)
    results = {"where": record.circumstances("aiohttp", "uvloop"), **found}
    text = report(results)
    print(text)
    record.store("images", results, text)


def catalogue(truth: pl.DataFrame, path: Path) -> Path:
    """A catalogue of all addresses."""
    ids = pl.int_range(truth.height, eager=True)
    pl.DataFrame(
        {
            "product_id": "p" + ids.cast(pl.String),
            "title": "Product " + ids.cast(pl.String),
            "image": truth["url"],
        }
    ).write_parquet(path)
    return path


def ours(table: Path, folder: Path, *more: str) -> list[str]:
    """The command line of ours."""
    words = ["--rate", "100000", "--allow-private", "--time", str(SILENCE), "--tries", "1", "--json", *more]
    return [sys.executable, "-m", "shelfwise", "images", str(table), "--output", str(folder), *words]


def theirs(python: str, table: Path, folder: Path) -> list[str]:
    """The command line of img2dataset, which stores what came as it is."""
    words = {
        "url_list": table, "input_format": "parquet", "url_col": "image", "output_folder": folder,
        "output_format": "files", "processes_count": 2, "thread_count": 64, "resize_mode": "no",
        "skip_reencode": True, "timeout": SILENCE, "retries": 0, "number_sample_per_shard": 1000,
        "disallowed_header_directives": '["noai","noimageai","noindex","noimageindex"]',
    }  # fmt: skip
    return [str(Path(python).parent / "img2dataset"), *(f"--{name}={value}" for name, value in words.items())]


def timed(command: list[str]) -> dict[str, float]:
    """Run a command: seconds by the clock, and of processor time with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 1), "processor": round(processor, 1)}


def speed(shop: Any, box: Path, peer: str | None) -> dict[str, Any]:
    """Both downloaders on the same list, one after the other."""
    table, truth, found = box / "products.parquet", shop.truth(), {}
    out = box / "ours"
    found["shelfwise"] = timed(ours(table, out))
    index = pl.read_parquet(out / INDEX).join(truth.rename({"sha256": "meant"}), on="url")
    stored = index.filter(pl.col("state") == "stored")
    right = int((stored["sha256"] == stored["meant"]).sum())
    found["shelfwise"] |= {"stored": stored.height, "right": right, "meant": truth["fate"].eq("ok").sum()}
    if index.height != truth.height or not index["state"].is_in(["stored", "failed"]).all():
        raise SystemExit("an address ended as nothing")
    if peer:
        out = box / "theirs"
        found["img2dataset"] = timed(theirs(peer, table, out))
        table = pl.concat(
            [pl.read_parquet(path, columns=["url", "status"]) for path in out.glob("*.parquet")]
        )
        stored = table.filter(pl.col("status") == "success").join(truth, on="url")
        wrong = dict(stored.filter(pl.col("fate") != "ok")["fate"].value_counts().iter_rows())
        found["img2dataset"] |= {
            "stored": stored.height,
            "right": (stored["fate"] == "ok").sum(),
            "wrong": wrong,
        }
        shutil.rmtree(out)
    for numbers in found.values():
        numbers["per_second"] = round(truth.height / numbers["seconds"])
    return found


def contents(folder: Path) -> str:
    """A digest of all files but the ledger, with their paths."""
    every = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and STATE not in path.parts):
        every.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return every.hexdigest()


def kills(box: Path, table: Path, count: int) -> dict[str, Any]:
    """Kill runs at random moments, then let one end: the bytes of the run that was left alone."""
    small, whole, out = box / "small.parquet", box / "whole", box / "killed"
    pl.read_parquet(table).head(2000).write_parquet(small)
    started = time.perf_counter()
    subprocess.run(ours(small, whole), check=True, capture_output=True)
    length, chance, done = time.perf_counter() - started, random.Random(0), 0
    outside = {path.name for path in box.iterdir()} | {out.name}
    for round_ in range(count):
        if round_ % 3 == 0:  # what was fetched before leaves nothing to kill
            shutil.rmtree(out, ignore_errors=True)
        process = subprocess.Popen(ours(small, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.3, 0.8 * length))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
        if round_ % 3 == 2 or round_ == count - 1:
            subprocess.run(ours(small, out), check=True, capture_output=True)
            if contents(out) != contents(whole):
                raise SystemExit(f"after {done} kills the files differ")
    strange = {path.name for path in box.iterdir()} - outside
    if strange:
        raise SystemExit(f"files outside of the folder: {strange}")
    return {"rounds": count, "killed": done, "same": True}


def fetch_hostile(box: Path, count: int) -> dict[str, Any]:
    """Serve hostile pictures: codes, seconds and the most memory that the process had."""
    data = [one[-1] if isinstance(one, tuple) else one for one in hostile(count)]

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "image/jpeg"}, data[int(path.strip("/"))]

    with answering(answer) as server:
        table = box / "hostile.parquet"
        urls = [f"{server.url}/{number}" for number in range(len(data))]
        catalogue(pl.DataFrame({"url": urls}), table)
        command = [sys.executable, __file__, "--measure-peak"]
        found = timed([*command, *ours(table, box / "hostile")[3:]])
    index = pl.read_parquet(box / "hostile" / INDEX)
    peak = int((box / "hostile.parquet.peak").read_text())
    codes = dict(index["code"].fill_null("stored").value_counts(sort=True).iter_rows())
    return {**found, "count": len(data), "codes": codes, "peak_mb": peak // 1024}


def measure_peak() -> None:
    """Run the command line that follows in this process, and write down the most memory it had (in KB)."""
    from shelfwise.cli import main as command

    words = sys.argv[2:]
    try:
        command(words, standalone_mode=False)
    finally:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        Path(f"{words[1]}.peak").write_text(str(peak))


SIMULATION = """
import asyncio, resource, sys, time
from pathlib import Path
from shelfwise.catalogue.products import COLUMNS
from shelfwise.images import lanes, outcome, wanted
from shelfwise.images.ledger import Ledger, Result, Want, STORED, FAILED
count, folder = int(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
def wants(start, end):
    for n in range(start, end):
        host = f"cdn{n % 500}.shop.example"
        yield Want(n, 0, f"p{n}", f"https://{host}/{n}.jpg", f"https://{host}/{n}.jpg", host)
async def ask(link):
    if link.id % 5 == 0:
        return lanes.Told(Result(link.id, FAILED, "status_404", 404))
    sha = f"{link.id:064x}"
    return lanes.Told(Result(link.id, STORED, http=200, sha=sha, form="JPEG", width=256, height=256, bytes=9))
started = time.perf_counter()
with Ledger(folder / "ledger.sqlite") as ledger:
    for start in range(0, count, 20000):
        ledger.want(wants(start, min(count, start + 20000)))
    registered = time.perf_counter()
    asyncio.run(lanes.Lanes(ledger, ask, lanes.LaneOptions(rate=1e9)).run())
    asked = time.perf_counter()
    outcome.write_outcome(folder, ledger, wanted.Counts(rows=count), False)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
disk = sum(path.stat().st_size for path in folder.iterdir()) // 2**20
print(round(registered - started), round(asked - registered), round(time.perf_counter() - asked), peak, disk)
"""


def many_links(box: Path, count: int) -> dict[str, Any]:
    """Books about very many addresses whose hosts answer at once: seconds, memory, disk."""
    done = subprocess.run(
        [sys.executable, "-c", SIMULATION, str(count), str(box / "many")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    names = ("registered", "asked", "written", "peak_mb", "disk_mb")
    return {"count": count, **dict(zip(names, map(int, done.stdout.split()), strict=True))}


def report(results: dict[str, Any]) -> str:
    """All of it, in words."""
    rows = [
        (name, f"{one['per_second']:,}", f"{one['seconds']:,}", f"{one['processor']:,}", f"{one['stored']:,}",
         f"{one['right']:,}")
        for name, one in results["speed"].items()
    ]  # fmt: skip
    head = ("", "addresses a second", "seconds", "processor seconds", "stored", "that should be")
    meant = results["speed"]["shelfwise"]["meant"]
    lines = [
        f"{results['pictures']:,} addresses of a server on the same machine, 256 pixels, 20 % dead in twelve "
        f"ways; {meant:,} have a picture that may be fetched:", "", record.table(head, rows), "",
    ]  # fmt: skip
    if wrong := results["speed"].get("img2dataset", {}).get("wrong"):
        listed = ", ".join(f"{count:,} {fate}" for fate, count in sorted(wrong.items()))
        lines.append(f"What img2dataset stored and should not have: {listed}.")
    if "kills" in results:
        lines.append(
            f"{results['kills']['killed']} runs killed at random: the same bytes in the end, nothing outside."
        )
    if "hostile" in results:
        one = results["hostile"]
        codes = ", ".join(f"{name} {number:,}" for name, number in one["codes"].items())
        lines.append(
            f"{one['count']:,} hostile pictures: {one['seconds']} s, at most {one['peak_mb']:,} MB in the "
            f"process that asks; {codes}."
        )
    if "links" in results:
        one = results["links"]
        lines.append(
            f"{one['count']:,} addresses that answer at once: {one['peak_mb']:,} MB of memory, "
            f"{one['disk_mb']:,} MB of disk; {one['registered']:,} s to register, {one['asked']:,} s of "
            f"books, {one['written']:,} s for the index."
        )
    return "\n".join([*lines, "", record.in_words(results["where"])])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure-peak"]:
        measure_peak()
    else:
        main()
