"""Are promises kept? Accepted precision on the test rows of every catalogue, for promises of 95 % and 98 %.

    python benchmarks/promises.py
    python benchmarks/promises.py --only fashion --promises 0.9,0.99

Reads nothing but the predictions file: of the rows that Shelfwise accepts, how many are right (with the exact
binomial interval of Clopper and Pearson 1934, 95 %), and of all rows, how many are accepted. A promise counts
as broken when the whole interval lies below it. `shelf` is the same for the deepest shelf that Shelfwise
names instead where it is unsure.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import polars as pl
from scipy.stats import beta

from measure import BenchmarkError, measured
from peers import labelled
from record import DATA, circumstances, in_words, store, table
from text import SHELFWISE, TASKS, Task


def interval(right: int, rows: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact (Clopper-Pearson) bounds of a share of which `right` of `rows` were seen."""
    if rows == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, right, rows - right + 1)) if right else 0.0
    high = float(beta.ppf(1 - tail, right + 1, rows - right)) if right < rows else 1.0
    return low, high


def outcome(task: Task, promise: float, products: Path, predictions: Path) -> dict[str, object]:
    """What became of one promise on the labelled test rows."""
    truth = pl.read_parquet(products, columns=["product_id", "split", task.label])
    truth = truth.filter((pl.col("split") == "test") & labelled(task.label))
    found = pl.read_parquet(predictions).with_columns(pl.col("product_id").cast(pl.String))
    both = truth.join(found, on="product_id", how="left")
    accepted = both.filter(pl.col("accepted"))
    right = int((accepted["category"] == accepted[task.label]).sum())
    low, high = interval(right, accepted.height)
    shelf, given = pl.col("shelf").fill_null(""), pl.col(task.label)
    kept = (given == shelf) | given.str.starts_with(shelf + pl.lit(" > "))
    named = both.filter(shelf != "")
    return {
        "catalogue": task.title,
        "asked": promise,
        "rows": both.height,
        "accepted": accepted.height,
        "coverage": accepted.height / both.height,
        "kept": right / accepted.height if accepted.height else None,
        "interval": [low, high],
        "holds": high >= promise,
        "shelf_coverage": named.height / both.height,
        "shelf_kept": named.select(kept.mean()).item() if named.height else None,
    }


def promises_of(task: Task, asked: argparse.Namespace, box: Path) -> list[dict[str, object]]:
    """Train once, predict under every promise; a promise that is refused is an outcome, too."""
    products, model, output = task.products(asked.data), box / "model", box / "predictions.parquet"
    split = ["--split", "split"]
    measured(SHELFWISE, "train", products, "--model", model, "--label", task.label, *split)
    outcomes = []
    for promise in [float(text) for text in asked.promises.split(",")]:
        try:
            measured(
                SHELFWISE, "predict", model, products, *split, "--output", output, "--promise", str(promise)
            )
        except BenchmarkError as refused:
            reason = str(refused).strip().splitlines()[-1]
            outcomes.append({"catalogue": task.title, "asked": promise, "refused": reason})
            continue
        outcomes.append(outcome(task, promise, products, output))
    return outcomes


def row_of(entry: dict[str, object]) -> list[str]:
    """One line of the table."""
    start = [str(entry["catalogue"]), f"{100 * entry['asked']:g} %"]
    if "refused" in entry:
        return [*start, "refused", "", "", "", "", ""]
    low, high = entry["interval"]
    return [
        *start,
        "-" if entry["kept"] is None else f"{100 * entry['kept']:.2f} %",
        f"{100 * low:.2f}-{100 * high:.2f} %",
        f"{100 * entry['coverage']:.1f} %",
        "yes" if entry["holds"] else "NO",
        "-" if entry["shelf_kept"] is None else f"{100 * entry['shelf_kept']:.2f} %",
        f"{100 * entry['shelf_coverage']:.1f} %",
    ]


def in_markdown(outcomes: list[dict[str, object]], where: dict[str, object]) -> str:
    """The table and where it was measured."""
    head = ["catalogue", "promise", "kept", "interval", "coverage", "holds", "shelf right", "shelf named"]
    return table(head, [row_of(entry) for entry in outcomes]) + "\n\n" + in_words(where)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="catalogues, with commas between")
    parser.add_argument("--promises", default="0.95,0.98")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    asked = parser.parse_args()
    outcomes: list[dict[str, object]] = []
    for task in TASKS:
        if asked.only and task.name not in asked.only.split(","):
            continue
        with tempfile.TemporaryDirectory() as box:
            found = promises_of(task, asked, Path(box))
        outcomes += found
        for entry in found:
            print(" | ".join(row_of(entry)), flush=True)
    where = circumstances()
    if not asked.only:
        store("promises", {"runs": outcomes, "circumstances": where}, in_markdown(outcomes, where))


if __name__ == "__main__":
    main()
