"""Shelfwise, TF-IDF + LinearSVC and fastText on the same rows: scores, time, memory, model size side by side.

    make bench                         every catalogue and tool (but LinearSVC on cdiscount: see --slow)
    python benchmarks/text.py --only fashion --tools shelfwise,svc

Every number is of a whole process of its own, start-up and reading included; "fit" is features and learner
alone, as each tool clocked it itself. All tools learn from the rows marked `train` and are scored here, by
one function, on the rows marked `test`. Results go to `benchmarks/results/text.json` and `text.md`, and into
the README.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.metrics import accuracy_score, f1_score

from measure import BenchmarkError, Measured, measured
from peers import labelled
from record import DATA, HERE, circumstances, in_words, store, stored, table

TOOLS = ("shelfwise", "svc", "svc-plain", "fasttext")
TITLES = {
    "shelfwise": "Shelfwise",
    "svc": "TF-IDF + LinearSVC",
    "svc-plain": "the same, characters across words, all features",
    "fasttext": "fastText",
}
PEER_FIELDS = ("title", "description", "brand", "attributes")
SLOW = {("cdiscount", "svc"), ("cdiscount", "svc-plain")}
SHELFWISE = Path(sys.executable).with_name("shelfwise")


@dataclass(frozen=True)
class Task:
    """One catalogue and the column that is learned and predicted."""

    name: str
    label: str = "category_path"

    @property
    def title(self) -> str:
        """What the tables call it."""
        return self.name if self.label == "category_path" else f"{self.name}, {self.label}"

    def products(self, data: Path) -> Path:
        """Where the catalogue lies."""
        return data / self.name / "products.parquet"


TASKS = (
    Task("flipkart", "category_l1"),
    Task("flipkart"),
    Task("descmerc"),
    Task("pricerunner"),
    Task("fashion"),
    Task("instacart"),
    Task("cdiscount"),
)


@dataclass(frozen=True)
class Attempt:
    """One tool on one task: where its input, model and predictions are."""

    task: Task
    tool: str
    products: Path
    box: Path
    fields: tuple[str, ...]

    @property
    def predictions(self) -> Path:
        """The file that `predict` writes."""
        return self.box / "predictions.parquet"

    def command(self, what: str) -> list[str | Path]:
        """The command line that trains or predicts."""
        common: list[str | Path] = [self.products, "--model", self.box / "model", "--label", self.task.label]
        if self.tool != "shelfwise":
            end = ["--output", self.predictions] if what == "predict" else []
            fields = ["--fields", ",".join(self.fields)]
            return [sys.executable, HERE / "peers.py", what, self.tool, *common, *fields, *end]
        if what == "train":
            return [SHELFWISE, "train", *common, "--split", "split", "--json"]
        where = [self.box / "model", self.products, "--split", "split"]
        return [SHELFWISE, "predict", *where, "--output", self.predictions]


def filled_fields(products: Path) -> tuple[str, ...]:
    """The text fields of a catalogue that hold anything: what the peers get, joined."""
    frame = pl.read_parquet(products, columns=list(PEER_FIELDS))
    return tuple(name for name in PEER_FIELDS if (frame[name].fill_null("") != "").any())


def scores(attempt: Attempt) -> dict[str, Any]:
    """Scores of the predictions on all labelled test rows; a row that got no answer counts as wrong."""
    truth = pl.read_parquet(attempt.products, columns=["product_id", "split", attempt.task.label])
    truth = truth.filter((pl.col("split") == "test") & labelled(attempt.task.label))
    found = pl.read_parquet(attempt.predictions, columns=["product_id", "category"])
    both = truth.join(found.with_columns(pl.col("product_id").cast(pl.String)), on="product_id", how="left")
    given, said = both[attempt.task.label].to_list(), both["category"].fill_null("").to_list()
    f1 = {kind: f1_score(given, said, average=kind, zero_division=0.0) for kind in ("weighted", "macro")}
    return {
        "test_rows": both.height,
        "unanswered": both["category"].null_count(),
        "weighted_f1": round(100 * f1["weighted"], 2),
        "macro_f1": round(100 * f1["macro"], 2),
        "accuracy": round(100 * accuracy_score(given, said), 2),
    }


def fit_seconds(timings: dict[str, float]) -> float:
    """Features and learner alone: `features` + `fit` of a peer, `features` + `linear` of Shelfwise."""
    return round(sum(timings.get(name, 0.0) for name in ("features", "fit", "linear")), 3)


def folder_mb(folder: Path) -> float:
    """Size of all files below a folder, in MB."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 2)


def once(attempt: Attempt) -> dict[str, Any]:
    """Train, predict and score one time."""
    shutil.rmtree(attempt.box / "model", ignore_errors=True)
    trained: Measured = measured(*attempt.command("train"))
    timings = json.loads(trained.stdout).get("timings", {})
    predicted = measured(*attempt.command("predict"))
    result = scores(attempt)
    return {
        **result,
        "train_seconds": trained.seconds,
        "train_cpu_seconds": trained.cpu_seconds,
        "train_peak_mb": trained.peak_mb,
        "fit_seconds": fit_seconds(timings),
        "timings": timings,
        "predict_seconds": predicted.seconds,
        "predict_peak_mb": predicted.peak_mb,
        "predict_rows_per_second": round(result["test_rows"] / predicted.seconds),
        "model_mb": folder_mb(attempt.box / "model"),
    }


def measure_tool(task: Task, tool: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The median of some runs of a tool on a task, with what is needed to read it later on its own."""
    products = task.products(asked.data)
    fields = asked.peer_fields.split(",") if asked.peer_fields else filled_fields(products)
    with tempfile.TemporaryDirectory(dir=asked.scratch) as box:
        attempt = Attempt(task, tool, products, Path(box), tuple(fields))
        runs = [once(attempt) for _ in range(asked.repeats)]
    middle = runs[0] | {
        name: statistics.median(run[name] for run in runs)
        for name, value in runs[0].items()
        if isinstance(value, int | float)
    }
    about = {"catalogue": task.name, "label": task.label, "tool": tool, "repeats": asked.repeats}
    return (
        about
        | {"fields": list(fields) if tool != "shelfwise" else None}
        | middle
        | {"circumstances": circumstances()}
    )


def ratio(mine: float | None, other: float | None) -> str:
    """How many times faster Shelfwise is: "12x" beside a peer's seconds."""
    return f" ({other / mine:.1f}x)" if mine and other and mine > 0 else ""


def row_of(run: dict[str, Any], ours: dict[str, Any] | None) -> list[str]:
    """One line of the table; a peer's times carry their ratio to ours."""
    mine = ours if ours and run["tool"] != "shelfwise" else {}
    task = Task(run["catalogue"], run["label"])
    times = [f"{run[key]:,.2f}{ratio(mine.get(key), run[key])}" for key in ("train_seconds", "fit_seconds")]
    return [
        task.title,
        TITLES[run["tool"]],
        f"{run['weighted_f1']:.2f}",
        f"{run['macro_f1']:.2f}",
        f"{run['accuracy']:.2f}",
        *times,
        f"{run['train_peak_mb']:,.0f}",
        f"{run['model_mb']:,.1f}",
        f"{run['predict_rows_per_second']:,}",
    ]


def in_markdown(results: dict[str, Any]) -> str:
    """The table, what its columns mean and where it was measured."""
    head = ["catalogue", "tool", "weighted F1", "macro F1", "accuracy", "train s", "of it fit s"]
    head += ["peak MB", "model MB", "predict rows/s"]
    order = {
        (task.name, task.label, tool): (i, j) for i, task in enumerate(TASKS) for j, tool in enumerate(TOOLS)
    }
    runs = sorted(results["runs"], key=lambda run: order[run["catalogue"], run["label"], run["tool"]])
    ours = {(run["catalogue"], run["label"]): run for run in runs if run["tool"] == "shelfwise"}
    rows = [row_of(run, ours.get((run["catalogue"], run["label"]))) for run in runs]
    latest = max((run["circumstances"] for run in runs), key=lambda where: where["when"])
    notes = [
        "Seconds are wall time of the whole process; in brackets, how many times as long as Shelfwise. "
        "*Fit* is features and learner alone; of Shelfwise the last fit, which starts from what the fit for "
        "held-out answers (in *train*) found. Rows per second include start-up and loading the model. "
        "Code that Shelfwise compiles on its first run ever was compiled before.",
        in_words(latest),
    ]
    for run in runs:
        if run["circumstances"]["when"][:10] != latest["when"][:10]:
            title = Task(run["catalogue"], run["label"]).title
            notes.append(f"{TITLES[run['tool']]} on {title}: {in_words(run['circumstances'])}")
    return table(head, rows) + "\n\n" + "\n\n".join(notes)


def warm_up(data: Path) -> None:
    """Let Shelfwise compile, as it does once after installation (`kernels.py` says how long that takes)."""
    with tempfile.TemporaryDirectory() as box:
        measured(*Attempt(TASKS[0], "shelfwise", TASKS[0].products(data), Path(box), ()).command("train"))


def keep(run: dict[str, Any], asked: argparse.Namespace) -> None:
    """Put a finished run in the place of an older one of the same kind and write both files."""
    key = (run["catalogue"], run["label"], run["tool"])
    results = stored(asked.results)
    others = [old for old in results["runs"] if (old["catalogue"], old["label"], old["tool"]) != key]
    results["runs"] = [*others, run]
    store(asked.results, results, in_markdown(results))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="catalogues, with commas between")
    parser.add_argument("--label", help="of these, only tasks with this label column")
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument(
        "--peer-fields", help="join these fields for the peers instead of all that are filled"
    )
    parser.add_argument("--repeats", type=int, default=1, help="runs of which the median is kept")
    parser.add_argument(
        "--slow", action="store_true", help="LinearSVC on cdiscount, too: hours and much memory"
    )
    parser.add_argument("--scratch", type=Path, help="where models are put meanwhile")
    parser.add_argument("--results", default="text", help="name of the results files")
    asked = parser.parse_args()
    chosen = asked.only.split(",") if asked.only else [task.name for task in TASKS]
    tasks = [task for task in TASKS if task.name in chosen and asked.label in (None, task.label)]
    if "shelfwise" in asked.tools.split(","):
        warm_up(asked.data)
    for task in tasks:
        for tool in asked.tools.split(","):
            if (task.name, tool) in SLOW and not asked.slow:
                print(f"{task.title}, {tool}: only with --slow; a stored result keeps its date", flush=True)
                continue
            try:
                run = measure_tool(task, tool, asked)
            except BenchmarkError as problem:
                print(f"{task.title}, {tool}: failed: {problem}", flush=True)
                continue
            keep(run, asked)
            print(" | ".join(row_of(run, None)), flush=True)


if __name__ == "__main__":
    main()
