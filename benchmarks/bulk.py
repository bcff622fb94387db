"""Bulk prediction, Parquet to Parquet: rows a second, memory of every process, the same bytes, kills.

    python benchmarks/bulk.py                        ten million rows, with one process and with two
    python benchmarks/bulk.py --rows 200000          a taste of it
    python benchmarks/bulk.py --rows 400000 --kills 20    killed at random, again and again, until it is done

The rows are made of the words of cdiscount (see scale.py), half a million different ones; beyond that they
come again with other numbers in their titles. Each process has one thread, so that two processes are twice
the processors of one. Memory is the resident set, sampled four times a second: its peak for each process, and
the highest of the first and of the last third of the run, which tell whether it grows with the rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

import scale
from record import DATA, circumstances, in_words, store, stored, table
from text import SHELFWISE

FILE = 500_000  # rows of a file of the catalogue, and different rows
SHARD = 20_000  # rows that the product predicts at a time
PAUSE = 0.25  # seconds between two looks at the memory


def write_rows(found: list, beside: list[int], folder: Path, asked: argparse.Namespace) -> int:
    """Write the catalogue as Parquet files of half a million rows; its size in bytes."""
    step = min(scale.BATCH, asked.rows)
    base = [
        scale.batch_of(found, beside, first, min(step, min(FILE, asked.rows) - first), asked.seed + 1)
        for first in range(0, min(FILE, asked.rows), step)
    ]
    rows = pl.concat(base).drop("category_path")
    scale.write_again_and_again(rows, asked.rows, folder)
    return sum(path.stat().st_size for path in folder.iterdir())


def command(model: Path, catalogue: Path, output: Path, workers: int) -> tuple[list[str], dict[str, str]]:
    """The command of a run, and its environment: one thread for each process."""
    words = [str(SHELFWISE), "predict", str(model), str(catalogue), "--output", str(output), "--json"]
    words += ["--workers", str(workers), "--threads", str(workers)]
    return words, {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


def family(pid: int) -> dict[int, int]:
    """Resident bytes of a process and of those that it has started."""
    found, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        found[int(stat.parent.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return {each: size for each, size in found.items() if each == pid or parents.get(each) == pid}


def run(model: Path, catalogue: Path, output: Path, workers: int) -> dict[str, object]:
    """One whole run: time by the clock and of the processors, memory of its processes."""
    words, environment = command(model, catalogue, output, workers)
    samples: list[tuple[float, dict[int, int]]] = []
    started, before = time.perf_counter(), os.times()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, env=environment, stdout=said)
        while process.poll() is None:
            samples.append((time.perf_counter() - started, family(process.pid)))
            time.sleep(PAUSE)
        said.seek(0)
        told = json.loads(said.read())
    seconds, after = time.perf_counter() - started, os.times()
    if process.returncode:
        sys.exit(f"exit {process.returncode} from {' '.join(words)}")
    peaks: dict[int, int] = {}
    for _, sizes in samples:
        for pid, size in sizes.items():
            peaks[pid] = max(peaks.get(pid, 0), size)
    thirds = [
        max((max(s.values()) for at, s in samples if low * seconds < at <= high * seconds and s), default=0)
        for low, high in ((1 / 6, 1 / 2), (1 / 2, 5 / 6))
    ]
    return {
        "workers": workers,
        "rows": told["rows"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(after[2:4]) - sum(before[2:4]), 1),
        "rows_per_second": round(told["rows"] / seconds),
        "rows_per_cpu_second": round(told["rows"] / max(1e-9, sum(after[2:4]) - sum(before[2:4]))),
        "peak_mb": sorted((round(size / 2**20) for size in peaks.values()), reverse=True)[: workers + 1],
        "middle_mb": [round(size / 2**20) for size in thirds],
        "sha256": digest(output),
    }


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            whole.update(block)
    return whole.hexdigest()


def kill_again_and_again(
    model: Path, catalogue: Path, box: Path, straight: dict[str, object], asked: argparse.Namespace
) -> dict[str, object]:
    """Kill runs after random times, the last one is let through; what was lost each time, and the bytes."""
    chance = random.Random(asked.seed)
    output = box / "killed.parquet"
    work = box / ".killed.parquet.shards"
    words, environment = command(model, catalogue, output, 2)
    killed, redone, resumed = 0, [], 0
    for _ in range(asked.kills):
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.2, float(str(straight["seconds"])) / 3))
        except subprocess.TimeoutExpired:
            victims = list(family(process.pid))
            victim = chance.choice([process.pid, *victims])  # the run itself, or one of its processes
            started = {path.stem for path in work.glob("*.in")}
            os.kill(victim, 9)
            killed += 1
            if victim != process.pid:
                process.wait()  # a worker that dies is replaced, and the run ends well
            else:
                process.wait()
                time.sleep(1)  # its workers notice that it is gone
                redone.append(len(started - {path.stem for path in work.glob("*.json")}))
        if output.exists():
            if digest(output) != straight["sha256"]:
                sys.exit("a run with kills has written other bytes")
            output.unlink()
    last = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
    resumed = json.loads(last.stdout)["resumed"]
    same = digest(output) == straight["sha256"]
    if not same:
        sys.exit("a run with kills has written other bytes")
    return {"kills": killed, "unfinished_at_kill": redone, "resumed_in_the_last": resumed, "same_bytes": same}


def in_markdown(results: dict[str, object]) -> str:
    """One row for each run."""
    head = ["rows", "processes", "seconds", "CPU s", "rows/s", "peak MB of each", "MB, 2nd and 3rd quarter"]
    rows = [
        [
            f"{entry['rows']:,}", entry["workers"], f"{entry['seconds']:,}", f"{entry['cpu_seconds']:,}",
            f"{entry['rows_per_second']:,}", ", ".join(map(str, entry["peak_mb"])),
            ", ".join(map(str, entry["middle_mb"])),
        ]
        for run in results["runs"] for entry in run["measured"]
    ]  # fmt: skip
    latest = results["runs"][-1]
    told = [table(head, rows), f"Model: {latest['categories']:,} categories. All outputs of a run are equal."]
    if latest.get("kills"):
        told.append(f"Killed {latest['kills']['kills']} times at random: the same bytes in the end.")
    return "\n\n".join([*told, in_words(latest["circumstances"])])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--products", type=int, default=100_000, help="rows to learn from")
    parser.add_argument("--categories", type=int, default=1_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--scratch", type=Path, help="where all files are put meanwhile")
    parser.add_argument("--dry", action="store_true", help="print the results and keep none")
    asked = parser.parse_args()
    if shutil.which(SHELFWISE) is None:
        sys.exit(f"no {SHELFWISE.name} beside this Python: run make test first")
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        box = Path(name)
        source = asked.data / "cdiscount" / "products.parquet"
        scale.generate(source, box / "learn.parquet", asked)
        learn = [
            SHELFWISE,
            "train",
            box / "learn.parquet",
            "--model",
            box / "model",
            "--label",
            "category_path",
        ]
        subprocess.run([*learn, "--split", "split", "--json"], check=True, stdout=subprocess.DEVNULL)
        columns = ["title", "description", "brand", "category_path"]
        found = scale.sources(pl.read_parquet(source, columns=columns), asked.categories)
        size = write_rows(found, scale.siblings(found), box / "rows", asked)
        print(f"trained; wrote {asked.rows:,} rows, {size / 1e6:,.0f} MB", flush=True)
        measured = []
        for workers in asked.workers:
            measured.append(run(box / "model", box / "rows", box / f"out-{workers}.parquet", workers))
            print(json.dumps(measured[-1]), flush=True)
        if len({entry["sha256"] for entry in measured}) != 1:
            sys.exit("runs with different numbers of workers have written different bytes")
        entry = {"rows": asked.rows, "categories": asked.categories, "catalogue_mb": round(size / 1e6)}
        entry |= {"measured": measured, "circumstances": circumstances()}
        if asked.kills:
            entry["kills"] = kill_again_and_again(box / "model", box / "rows", box, measured[-1], asked)
            print(json.dumps(entry["kills"]), flush=True)
    results = stored("bulk")
    results["runs"] = [old for old in results["runs"] if old["rows"] != asked.rows] + [entry]
    print(in_markdown(results))
    if not asked.dry:
        store("bulk", results, in_markdown(results))


if __name__ == "__main__":
    main()
