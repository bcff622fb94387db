"""What every command costs at ten thousand, a hundred thousand, a million and ten million products.

    python benchmarks/cost.py                                   all cells that are not known yet
    python benchmarks/cost.py --sizes 10000,100000 --again      these sizes, measured anew
    python benchmarks/cost.py --only inspect,predict --limit 3600

A cell is one command on one size, a process of its own: seconds by the clock, seconds of all processors, and
the largest resident set of any one process. Each is kept as soon as it is known, so a run that was stopped
goes on. A command that was not through after `--limit` seconds is ended, noted as such, and not tried on
larger sizes. The catalogue is generated from cdiscount as in `scale.py`, with its 2,682 categories (of which
a small catalogue has not all); beyond half a million, rows come again with other numbers in their titles, as
in `bulk.py`. One row in ten has no category: `queue` chooses among them. Pictures and pages have tables of
their own (`images.py`, `scrape.py`). The plot needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import scale
from measure import BenchmarkError
from record import DATA, RESULTS, circumstances, in_words, store, stored, table
from text import SHELFWISE

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
FILE = 500_000  # different rows, and rows of a file
REVIEWED = 0.01  # of the rows: how many decisions `correct` puts into the catalogue


@dataclass(frozen=True)
class Ground:
    """Where the catalogue of one size lies, and what commands make of it.

    Attributes:
        box: Folder of everything.
        rows: Products.

    """

    box: Path
    rows: int

    @property
    def catalogue(self) -> Path:
        """Folder of Parquet files."""
        return self.box / "products"

    @property
    def model(self) -> Path:
        """What `train` makes."""
        return self.box / "model"

    @property
    def decisions(self) -> Path:
        """As the review page exports them."""
        return self.box / "decisions.parquet"


COMMANDS: dict[str, Callable[[Ground], list[object]]] = {
    "inspect": lambda at: ["inspect", at.catalogue, "--json"],
    "train": lambda at: [
        *(
            "train",
            at.catalogue,
            "--model",
            at.model,
            "--label",
            "category_path",
            "--memory",
            "8GB",
            "--json",
        ),
    ],
    "evaluate": lambda at: ["evaluate", at.model, at.catalogue, "--json"],
    "predict": lambda at: [
        "predict",
        at.model,
        at.catalogue,
        "--output",
        at.box / "sorted.parquet",
        "--json",
    ],
    "queue": lambda at: [
        *("queue", at.catalogue, "--model", at.model, "--output", at.box / "queue.parquet", "--no-map"),
        "--json",
    ],
    "audit": lambda at: [
        *("audit", at.catalogue, "--output", at.box / "doubts.parquet", "--no-map", "--json"),
    ],
    "doctor": lambda at: ["doctor", at.catalogue, "--output", at.box / "findings.parquet", "--json"],
    "correct": lambda at: [
        *("correct", at.decisions, at.catalogue, "--output", at.box / "corrected.parquet", "--json"),
    ],
}
NEEDS_MODEL = ("evaluate", "predict", "queue")


def lay(at: Ground, asked: argparse.Namespace) -> None:
    """Write the catalogue of one size, and decisions on some of its products."""
    products = pl.read_parquet(
        asked.data / "cdiscount" / "products.parquet",
        columns=["title", "description", "brand", "category_path"],
    )
    found = scale.sources(products, asked.categories)
    beside = scale.siblings(found)
    base = pl.concat(
        scale.batch_of(
            found, beside, first, min(scale.BATCH, min(FILE, at.rows) - first), asked.seed + at.rows
        )
        for first in range(0, min(FILE, at.rows), scale.BATCH)
    )
    unlabelled = pl.int_range(pl.len()) % 10 == 9
    base = base.with_columns(
        category_path=pl.when(unlabelled).then(None).otherwise(pl.col("category_path")),
    )
    scale.write_again_and_again(base, at.rows, at.catalogue)
    step = round(1 / REVIEWED)
    decided = base.with_row_index("row").gather_every(step).filter(pl.col("category_path").is_not_null())
    decided.select(
        "product_id",
        "row",
        pl.col("category_path").alias("before"),
        pl.col("category_path").reverse().alias("category"),
        pl.lit("move").alias("action"),
    ).write_parquet(at.decisions)


def run(name: str, at: Ground, limit: float) -> dict[str, Any]:
    """One command as a group of processes of its own, ended after `limit` seconds."""
    answer = at.box / "measured.json"
    words = [str(SHELFWISE), *map(str, COMMANDS[name](at))]
    measure = Path(__file__).with_name("measure.py")
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-I", str(measure), str(answer), *words], start_new_session=True
    )
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return {"seconds": round(time.perf_counter() - began, 1), "ended": True}
    told = json.loads(answer.read_text(encoding="utf-8"))
    if told["code"]:
        raise BenchmarkError(f"exit {told['code']} from {' '.join(words)}\n{told['stderr'][-2000:]}")
    return {
        "seconds": told["seconds"],
        "cpu_seconds": told["cpu_seconds"],
        "peak_mb": told["peak_mb"],
        "ended": False,
    }


def keep(name: str, rows: int, found: dict[str, Any]) -> None:
    """Put a cell in the place of what was known of it, and draw the plot anew."""
    entry = {"command": name, "rows": rows, **found, "circumstances": circumstances()}
    runs = [old for old in stored("cost")["runs"] if (old["command"], old["rows"]) != (name, rows)]
    runs = sorted([*runs, entry], key=lambda one: (list(COMMANDS).index(one["command"]), one["rows"]))
    store("cost", {"runs": runs}, in_markdown(runs))
    draw(runs, RESULTS / "cost.svg")


def in_markdown(runs: list[dict[str, Any]]) -> str:
    """One row for each command, one column for each size."""
    sizes = sorted({one["rows"] for one in runs})
    cells = {(one["command"], one["rows"]): one for one in runs}
    head = ["command", *(f"{size:,}" for size in sizes)]
    rows = [
        [name, *(_told(cells.get((name, size))) for size in sizes)]
        for name in COMMANDS
        if any((name, size) in cells for size in sizes)
    ]
    latest = max((one["circumstances"] for one in runs), key=lambda where: where["when"])
    said = (
        "Seconds of processors (seconds by the clock) and the largest resident set of a process. Ended: the "
        "command was not through by then. A dash: not measured."
    )
    return "\n\n".join([table(head, rows), said, in_words(latest)])


def _told(one: dict[str, Any] | None) -> str:
    if one is None:
        return "-"
    if one["ended"]:
        return f"ended after {one['seconds']:,.0f} s"
    return f"{one['cpu_seconds']:,.0f} s ({one['seconds']:,.0f}), {one['peak_mb']:,.0f} MB"


def draw(runs: list[dict[str, Any]], target: Path) -> None:
    """How cost grows: processor seconds and memory over rows, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "cost"  # the same numbers give the same file
    from matplotlib import pyplot as plt

    figure, places = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for place, key, title in zip(
        places, ("cpu_seconds", "peak_mb"), ("seconds of processors", "peak memory, MB"), strict=True
    ):
        for name in COMMANDS:
            known = [one for one in runs if one["command"] == name and not one["ended"]]
            if known:
                place.plot(
                    [one["rows"] for one in known], [one[key] for one in known], marker="o", label=name
                )
        place.set(xscale="log", yscale="log", xlabel="products", title=title)
        place.grid(alpha=0.3)
    places[1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--only", default=",".join(COMMANDS), help="commands, with commas between")
    parser.add_argument("--limit", type=float, default=4 * 3600, help="seconds that a command may take")
    parser.add_argument("--categories", type=int, default=0, help="at least so many; cdiscount's otherwise")
    parser.add_argument("--again", action="store_true", help="measure anew what is known")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--scratch", type=Path, help="where all files are put meanwhile")
    asked = parser.parse_args()
    if shutil.which(SHELFWISE) is None:
        sys.exit(f"no {SHELFWISE.name} beside this Python: run make test first")
    wanted = [name for name in COMMANDS if name in asked.only.split(",")]
    for rows in sorted(int(size) for size in asked.sizes.split(",")):
        known = {(one["command"], one["rows"]) for one in stored("cost")["runs"]}
        late = {one["command"] for one in stored("cost")["runs"] if one["ended"] and one["rows"] < rows}
        todo = [name for name in wanted if (asked.again or (name, rows) not in known) and name not in late]
        if todo:
            measure_size(rows, todo, asked)
    print(in_markdown(stored("cost")["runs"]))


def measure_size(rows: int, todo: list[str], asked: argparse.Namespace) -> None:
    """All commands of one size; a model is trained for those that need one."""
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        at = Ground(Path(name), rows)
        lay(at, asked)
        if set(todo) & set(NEEDS_MODEL) and "train" not in todo:
            told = run("train", at, asked.limit)
            if told["ended"]:
                raise BenchmarkError(f"train on {rows:,} products was not through after {asked.limit:,.0f} s")
        for command in todo:
            if command in NEEDS_MODEL and not at.model.is_dir():
                print(f"{command}, {rows:,}: there is no model, training was ended", flush=True)
                continue
            found = run(command, at, asked.limit)
            print(command, f"{rows:,}", found, flush=True)
            keep(command, rows, found)


if __name__ == "__main__":
    main()
