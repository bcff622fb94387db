"""Predicting a large file: `shelfwise predict` beside fastText's file prediction and AutoGluon, in one run.

    python benchmarks/bulk_peers.py --autogluon PYTHON [--catalogue fashion] [--rows 300000] [--minutes 10]

All three learn from the rows of a catalogue that are marked `train`, and are asked for those marked `test`,
which come again with other numbers in their titles until there are `--rows`. Each is a process of its own,
start and reading included: products a second by the clock and of the processors, the largest resident set of
one process, and the size of the model. Scores are those of the test rows.

- Shelfwise: Parquet to Parquet, with five candidates, confidence and the promise's yes or no for each.
- fastText: `fasttext predict` (Debian's package `fasttext`) on a text file that is there already, its
  answers as lines of text; learned as `peers.py` says. On one core: it has no other way.
- AutoGluon: `TabularPredictor` with `--minutes` to learn in, its text features, what `medium_quality` trains
  and the best ensemble of it; Parquet to Parquet. PYTHON is that of an environment with
  `autogluon.tabular[lightgbm]`: its pins and ours don't go together. Without the option it is left out, and
  the result not kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.metrics import accuracy_score, f1_score

from measure import Measured, measured
from peers import joined_text, labelled
from record import DATA, HERE, circumstances, in_words, store, table
from text import SHELFWISE, filled_fields, folder_mb

LABEL = "category_path"
TITLES = {
    "shelfwise": "Shelfwise, one process",
    "shelfwise-2": "Shelfwise, two processes",
    "fasttext": "fastText, its own file prediction",
    "autogluon": "AutoGluon, TabularPredictor",
}


class Files:
    """What all tools learn from and are asked for, in a folder."""

    def __init__(self, box: Path, asked: argparse.Namespace) -> None:
        source = asked.data / asked.catalogue / "products.parquet"
        self.box, self.fields = box, list(filled_fields(source))
        frame = pl.read_parquet(source).filter(labelled(LABEL))
        self.learn, self.ask = (
            frame.filter(pl.col("split") != "test"),
            frame.filter(pl.col("split") == "test"),
        )
        self.categories = self.learn[LABEL].n_unique()
        parts = [
            self.ask if not number else self.ask.with_columns(
                product_id=pl.format("{}-{}", "product_id", pl.lit(number)),
                title=pl.format("{} {}", "title", pl.lit(number)),
            )
            for number in range(-(-asked.rows // self.ask.height))
        ]  # fmt: skip
        many = pl.concat(parts).head(asked.rows)
        self.rows = many.height
        self.learn.write_parquet(box / "learn.parquet")
        many.drop(LABEL, "split").write_parquet(box / "ask.parquet")
        flat = {"learn": self.learn.with_columns(category=pl.col(LABEL)), "ask": many}
        for name, rows in flat.items():
            joined = pl.DataFrame({"product_id": rows["product_id"], "text": joined_text(rows, self.fields)})
            if name == "learn":
                joined = joined.with_columns(category=rows["category"])
            joined.write_parquet(box / f"{name}.joined.parquet")
        (box / "ask.txt").write_text(
            "".join(f"{text}\n" for text in pl.read_parquet(box / "ask.joined.parquet")["text"]),
            encoding="utf-8",
        )

    def scores(self, answers: list[str | None]) -> dict[str, float]:
        """Of the answers to the test rows, which come first."""
        given, said = self.ask[LABEL].to_list(), [one or "" for one in answers[: self.ask.height]]
        return {
            "weighted_f1": round(100 * f1_score(given, said, average="weighted", zero_division=0.0), 2),
            "accuracy": round(100 * accuracy_score(given, said), 2),
        }


def shelfwise(files: Files, workers: int) -> tuple[Measured, Measured, Path, list[str | None]]:
    """Train and predict with Shelfwise."""
    model, output = files.box / "model", files.box / f"sorted-{workers}.parquet"
    trained = measured(SHELFWISE, "train", files.box / "learn.parquet", "--model", model, "--label", LABEL)
    more = ["--workers", str(workers), "--threads", str(workers)]
    predicted = measured(SHELFWISE, "predict", model, files.box / "ask.parquet", "--output", output, *more)
    return trained, predicted, model, pl.read_parquet(output)["category"].to_list()


def fasttext(files: Files) -> tuple[Measured, Measured, Path, list[str | None]]:
    """Train with the Python package as the other benchmarks do, predict with the program."""
    program = shutil.which("fasttext")
    if program is None:
        sys.exit("no program `fasttext` here: it comes with Debian's package of that name")
    model = files.box / "fasttext"
    trained = measured(
        *(sys.executable, HERE / "peers.py", "train", "fasttext", files.box / "learn.parquet"),
        *("--model", model, "--label", LABEL, "--fields", ",".join(files.fields)),
    )
    predicted = measured(program, "predict", model / "model.bin", files.box / "ask.txt")
    names = json.loads((model / "labels.json").read_text(encoding="utf-8"))
    said = [
        names[int(line.removeprefix("__label__"))] if line else None for line in predicted.stdout.splitlines()
    ]
    (model / "labels.json").unlink()
    return trained, predicted, model, said


def autogluon(files: Files, asked: argparse.Namespace) -> tuple[Measured, Measured, Path, list[str | None]]:
    """Train and predict in the other environment."""
    script, model, output = HERE / "peer_autogluon.py", files.box / "autogluon", files.box / "ag.parquet"
    learn, ask = (files.box / f"{name}.joined.parquet" for name in ("learn", "ask"))
    trained = measured(asked.autogluon, script, "train", model, learn, str(60 * asked.minutes))
    predicted = measured(asked.autogluon, script, "predict", model, ask, output)
    return trained, predicted, model, pl.read_parquet(output)["category"].to_list()


def run(tool: str, files: Files, asked: argparse.Namespace) -> dict[str, Any]:
    """One tool, from learning to scores."""
    if tool == "fasttext":
        trained, predicted, model, said = fasttext(files)
    elif tool == "autogluon":
        trained, predicted, model, said = autogluon(files, asked)
    else:
        trained, predicted, model, said = shelfwise(files, 2 if tool.endswith("-2") else 1)
    if len(said) != files.rows:
        sys.exit(f"{tool} has answered {len(said):,} of {files.rows:,} rows")
    return {
        "tool": tool,
        "train_seconds": trained.seconds,
        "train_cpu_seconds": trained.cpu_seconds,
        "train_peak_mb": trained.peak_mb,
        "seconds": predicted.seconds,
        "cpu_seconds": predicted.cpu_seconds,
        "peak_mb": predicted.peak_mb,
        "model_mb": folder_mb(model),
        **files.scores(said),
    }


def in_markdown(result: dict[str, Any]) -> str:
    """One row for each tool."""
    head = ["tool", "products/s", "per processor second", "peak MB", "model MB", "weighted F1", "train CPU s"]
    rows = [
        [
            TITLES[one["tool"]],
            f"{result['rows'] / one['seconds']:,.0f}", f"{result['rows'] / one['cpu_seconds']:,.0f}",
            f"{one['peak_mb']:,.0f}", f"{one['model_mb']:,.1f}",
            f"{one['weighted_f1']:.2f}", f"{one['train_cpu_seconds']:,.0f}",
        ]
        for one in result["measured"]
    ]  # fmt: skip
    said = (
        f"{result['rows']:,} products of {result['catalogue']}, {result['categories']:,} categories; each a "
        f"process of its own from start to end. Shelfwise gives five candidates with calibrated confidence "
        f"for each product, the others a category. AutoGluon had {result['minutes']:g} minutes to learn in."
    )
    return "\n\n".join([table(head, rows), said, in_words(result["circumstances"])])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--autogluon", help="Python of an environment with AutoGluon")
    parser.add_argument("--catalogue", default="fashion")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--scratch", type=Path, help="where all files are put meanwhile")
    asked = parser.parse_args()
    tools = [tool for tool in TITLES if tool != "autogluon" or asked.autogluon]
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        files = Files(Path(name), asked)
        found = []
        for tool in tools:
            found.append(run(tool, files, asked))
            print(found[-1], flush=True)
        result = {
            "rows": files.rows, "catalogue": asked.catalogue, "categories": files.categories,
            "minutes": asked.minutes, "measured": found, "circumstances": circumstances(),
        }  # fmt: skip
    if asked.autogluon:
        store("bulk_peers", result, in_markdown(result))
    print(in_markdown(result))


if __name__ == "__main__":
    main()
