"""Fetching pictures: how fast, beside img2dataset; killed at random; hostile pictures; memory for many links.

    python benchmarks/images.py [--pictures 10000] [--kills 50] [--hostile 10000] [--addresses 10000000]
                                [--peer PYTHON] [--only speed,kills,hostile,links]

The server is the one of the tests (tests/chaos_shop): 256 pixels, 20 % of the addresses dead in twelve ways,
among them silence, bodies without end and redirects in circles. Both downloaders get the same list, the same
limit of 5 s of silence and one try; img2dataset runs from an environment of its own (--peer: its Python; left
out without it), with two processes of 64 threads. Every run is a process of its own, timed from start to end.
Parts that are not asked for keep the result of the run before; each says when it was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
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
SMALL = 300  # addresses of the runs that are killed
MARKS = (100_000, 1_000_000, 3_000_000)  # addresses whose books are measured on the way to all of them


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--hostile", type=int, default=10_000)
    parser.add_argument("--addresses", type=int, default=10_000_000)
    parser.add_argument("--only", default="speed,kills,hostile,links")
    parser.add_argument("--peer", help="Python of an environment with img2dataset")
    chosen = parser.parse_args()
    results = record.stored("images").get("parts", {})
    for part in chosen.only.split(","):
        busy = round(os.getloadavg()[0], 1)
        with tempfile.TemporaryDirectory() as place:
            found = MEASURED[part](Path(place), chosen)
        results[part] = {**found, "load_before": busy, "where": record.circumstances("aiohttp", "uvloop")}
        text = report(results)
        record.store("images", {"parts": results}, text)
    print(text)


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


def speed(box: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Both downloaders on the same list, one after the other."""
    with running(PictureSettings(pictures=chosen.pictures, faults=0.0)) as shop:
        table = catalogue(shop.truth(), box / "products.parquet")
        return {"pictures": chosen.pictures, "runs": both(shop.truth(), table, box, chosen.peer)}


def both(truth: pl.DataFrame, table: Path, box: Path, peer: str | None) -> dict[str, dict[str, Any]]:
    """Ours, and theirs where it is there."""
    found: dict[str, dict[str, Any]] = {}
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


def kills(box: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Kill runs at random moments, then let one end: the bytes of the run that was left alone."""
    whole, out, killed, ends = box / "whole", box / "killed", 0, 0
    with running(PictureSettings(pictures=SMALL, faults=0.0, hang=5.0, endless=16)) as shop:
        table = catalogue(shop.truth(), box / "small.parquet")
        started = time.perf_counter()
        subprocess.run(ours(table, whole), check=True, capture_output=True)
        length, chance = time.perf_counter() - started, random.Random(0)
        outside = {path.name for path in box.iterdir()} | {out.name}
        while killed < chosen.kills:
            process = subprocess.Popen(ours(table, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(chance.uniform(0.3, 0.8 * length))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
                check_whole(out)
            if process.returncode == 0 or killed % 3 == 0:  # what was fetched leaves nothing to kill
                subprocess.run(ours(table, out), check=True, capture_output=True)
                ends += 1
                if contents(out) != contents(whole):
                    raise SystemExit(f"after {killed} kills the files differ")
                shutil.rmtree(out)
    strange = {path.name for path in box.iterdir()} - outside
    if strange:
        raise SystemExit(f"files outside of the folder: {strange}")
    return {"pictures": SMALL, "killed": killed, "ends": ends, "same": True}


def check_whole(folder: Path) -> None:
    """No picture is there by half: its name is the digest of its bytes."""
    for path in (folder / "pictures").rglob("*"):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
            raise SystemExit(f"half a file: {path}")


def fetch_hostile(box: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Serve hostile pictures: codes, seconds and the most memory that the processes had."""
    data = [one[-1] if isinstance(one, tuple) else one for one in hostile(chosen.hostile)]

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "image/jpeg"}, data[int(path.strip("/"))]

    with answering(answer) as server:
        table = box / "hostile.parquet"
        urls = [f"{server.url}/{number}" for number in range(len(data))]
        catalogue(pl.DataFrame({"url": urls}), table)
        command = [sys.executable, __file__, "--measure-peak"]
        found = timed([*command, *ours(table, box / "hostile")[3:]])
    index = pl.read_parquet(box / "hostile" / INDEX)
    asking, decoding = map(int, (box / "hostile.parquet.peak").read_text().split())
    codes = dict(index["code"].fill_null("stored").value_counts(sort=True).iter_rows())
    return {**found, "count": len(data), "codes": codes, "peak_mb": asking, "decoder_mb": decoding}


def measure_peak() -> None:
    """Run the command line that follows in this process; write down the most MB it and its decoders had."""
    from shelfwise.cli import main as command

    words = sys.argv[2:]
    try:
        command(words, standalone_mode=False)
    finally:
        peaks = [
            resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        Path(f"{words[1]}.peak").write_text(" ".join(str(peak // 1024) for peak in peaks))


SIMULATION = """
import asyncio, hashlib, json, sys, time
from pathlib import Path
from shelfwise.images import lanes, outcome, wanted
from shelfwise.images.ledger import Ledger, Result, Want, STORED, FAILED
from shelfwise.images.run import _loop_factory
marks, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
def wants(start, end):
    for n in range(start, end):
        host = f"cdn{n % 500}.shop.example"
        yield Want(n, 0, f"p{n}", f"https://{host}/{n}.jpg", f"https://{host}/{n}.jpg", host)
async def ask(link):
    if link.id % 5 == 0:
        return lanes.Told(Result(link.id, FAILED, "status_404", 404))
    sha = hashlib.sha256(link.id.to_bytes(8, 'big')).hexdigest()
    return lanes.Told(Result(link.id, STORED, http=200, sha=sha, form="JPEG", width=256, height=256, bytes=9))
def peak():  # of this process alone: what getrusage tells begins with what the one that started it had
    return round(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
def disk(): return sum(path.stat().st_size for path in folder.iterdir()) // 2**20
spent, told, known = {"registered": 0.0, "asked": 0.0}, [], 0
with Ledger(folder / "ledger.sqlite") as ledger, asyncio.Runner(loop_factory=_loop_factory()) as runner:
    empty = peak()
    for count in marks:
        began = time.process_time()
        for start in range(known, count, 20000):
            ledger.want(wants(start, min(count, start + 20000)))
        registered, known = time.process_time(), count
        runner.run(lanes.Lanes(ledger, ask, lanes.LaneOptions(rate=1e9)).run())
        asked, at = time.process_time(), peak()
        assert sum(1 for _ in ledger.contents()) == count - count // 5  # as the store does to check its files
        outcome.write_outcome(folder, ledger, wanted.Counts(rows=count), False)
        written = time.process_time() - asked
        spent["registered"] += registered - began
        spent["asked"] += asked - registered
        assert ledger.count() == {STORED: count - count // 5, FAILED: count // 5}
        told.append({"count": count, **{name: round(seconds) for name, seconds in spent.items()},
                     "written": round(written), "asked_mb": at, "peak_mb": peak(), "disk_mb": disk()})
        print(json.dumps({"empty_mb": empty, "marks": told}), flush=True)
"""


def many_links(box: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Books about very many addresses whose hosts answer at once: processor seconds, memory, disk.

    One process: at each mark it has registered and asked so many, and writes the index of all of them.
    """
    marks = [mark for mark in MARKS if mark < chosen.addresses] + [chosen.addresses]
    done = subprocess.run(
        [sys.executable, "-c", SIMULATION, json.dumps(marks), str(box / "books")],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


MEASURED = {"speed": speed, "kills": kills, "hostile": fetch_hostile, "links": many_links}


def report(results: dict[str, Any]) -> str:
    """All of it, in words."""
    lines: list[str] = []
    if "speed" in results:
        lines += told_speed(results["speed"])
    if "kills" in results:
        one = results["kills"]
        lines.append(
            f"{one['killed']} runs over {one['pictures']} addresses killed at random moments, and "
            f"{one['ends']} that went on to the end: each time the same bytes, no half file, nothing outside "
            "of the folder."
        )
    if "hostile" in results:
        one = results["hostile"]
        codes = ", ".join(f"{name} {number:,}" for name, number in one["codes"].items())
        lines.append(
            f"\n{one['count']:,} hostile pictures: {one['seconds']} s ({one['processor']} s of processor), "
            f"at most {one['peak_mb']:,} MB in the process that asks and {one['decoder_mb']:,} MB in one "
            f"that decodes; {codes}."
        )
    if "links" in results:
        head = ("addresses that answer at once", "MB at most", "of it while asking", "MB of disk",
                "processor seconds to register", "to ask", "to write the index")  # fmt: skip
        names = ("peak_mb", "asked_mb", "disk_mb", "registered", "asked", "written")
        rows = [
            (f"{at['count']:,}", *(f"{at[name]:,}" for name in names)) for at in results["links"]["marks"]
        ]
        lines += [
            "",
            f"The downloader's books (a process with empty ones: {results['links']['empty_mb']} MB):",
            "",
        ]
        lines.append(record.table(head, rows))
    times = [
        f"{name} {one['where']['when']} (load {one.get('load_before', 'not noted')}, "
        f"{one['where']['stolen']} % stolen)"
        for name, one in results.items()
    ]
    newest = max((one["where"] for one in results.values()), key=lambda where: where["when"])
    return "\n".join([*lines, "", f"Measured: {'; '.join(times)}.", "", record.in_words(newest)])


def told_speed(part: dict[str, Any]) -> list[str]:
    """Both downloaders, as a table and in words."""
    rows = [
        (name, f"{one['per_second']:,}", f"{part['pictures'] / one['processor']:,.0f}", f"{one['seconds']:,}",
         f"{one['processor']:,}", f"{one['stored']:,}", f"{one['right']:,}")
        for name, one in part["runs"].items()
    ]  # fmt: skip
    head = ("", "addresses a second", "a processor second", "seconds", "processor seconds", "stored",
            "that should be")  # fmt: skip
    meant = part["runs"]["shelfwise"]["meant"]
    lines = [
        f"{part['pictures']:,} addresses of a server on the same machine, 256 pixels, 20 % dead in twelve "
        f"ways; {meant:,} have a picture that may be fetched:", "", record.table(head, rows), "",
    ]  # fmt: skip
    if wrong := part["runs"].get("img2dataset", {}).get("wrong"):
        listed = ", ".join(f"{count:,} {fate}" for fate, count in sorted(wrong.items()))
        lines.append(f"What img2dataset stored and should not have: {listed}.")
    return lines


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure-peak"]:
        measure_peak()
    else:
        main()
