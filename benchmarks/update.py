"""Updating a model with a new dump beside training anew: processor time, F1, and how many answers differ.

    python benchmarks/update.py
    python benchmarks/update.py --only instacart

A model of an earlier dump is made from the rows marked `train` without some of them; then the whole dump is
learned anew, and from that model. Both are scored on the rows marked `test`, which neither has seen. Every
number is of a whole process, start-up, reading and the update's own comparison with the model before
included. Training anew with another seed tells how much of a difference is chance. Results go to
`benchmarks/results/update.json` and `update.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import accuracy_score, f1_score

from measure import measured
from peers import labelled
from record import DATA, circumstances, in_words, store, table

SHELFWISE = Path(sys.executable).with_name("shelfwise")
NAMES = ("instacart", "fashion")
LABEL = "category_path"
SPLIT = ("--split", "split")
DUMPS = {
    "10 % new": (0.10, 0),
    "10 % and five categories new": (0.10, 5),
}
"""By name, the share of rows that the earlier dump lacks, and how many categories it lacks whole."""


def earlier(products: pl.DataFrame, share: float, categories: int, seed: int = 0) -> pl.DataFrame:
    """The earlier dump: rows marked train without a share of them, and without some categories."""
    train = products.filter(pl.col("split") == "train")
    rng = np.random.default_rng(seed)
    kept = rng.permutation(train.height) >= round(share * train.height)
    sizes = train[LABEL].value_counts().filter(pl.col("count").is_between(20, 400)).sort(LABEL)
    gone = rng.permutation(sizes[LABEL].to_numpy())[:categories].tolist()
    return train.filter(pl.Series(kept) & ~pl.col(LABEL).is_in(gone))


def trained(catalogue: Path, model: Path, *more: str | Path) -> dict[str, Any]:
    """Train a model in a process of its own: what that cost, and what it told."""
    done = measured(SHELFWISE, "train", catalogue, "--model", model, "--label", LABEL, "--json", *more)
    told = json.loads(done.stdout)
    kept = ("timings", "update", "out_of_fold", "promises")
    return {"cpu": done.cpu_seconds, "seconds": done.seconds, **{name: told[name] for name in kept}}


def answers(catalogue: Path, model: Path, box: Path) -> list[str]:
    """What a model answers for the rows marked test."""
    output = box / "answers.parquet"
    measured(SHELFWISE, "predict", model, catalogue, *SPLIT, "--output", output)
    return pl.read_parquet(output)["category"].fill_null("").to_list()


def scores(truth: list[str], said: list[str]) -> dict[str, float]:
    """Scores in per cent."""
    f1 = {kind: f1_score(truth, said, average=kind, zero_division=0.0) for kind in ("weighted", "macro")}
    return {
        "weighted_f1": round(100 * f1["weighted"], 2),
        "macro_f1": round(100 * f1["macro"], 2),
        "accuracy": round(100 * accuracy_score(truth, said), 2),
    }


def differing(one: list[str], other: list[str]) -> float:
    """Share of answers that differ, in per cent."""
    return round(100 * float(np.mean(np.array(one) != np.array(other))), 2)


class Bench:
    """The runs on one catalogue, one after the other; what they came to is in `result`."""

    def __init__(self, name: str, box: Path, repeats: int) -> None:
        self.box, self.repeats = box, repeats
        self.products = pl.read_parquet(DATA / name / "products.parquet")
        self.whole = box / "whole.parquet"
        self.products.write_parquet(self.whole)
        tested = self.products.filter(pl.col("split") == "test")
        self.truth = tested.select(pl.when(labelled(LABEL)).then(LABEL)).to_series().to_list()
        self.best: list[str] = []
        self.result: dict[str, Any] = {"catalogue": name, "rows": self.products.height, "dumps": {}}

    def anew(self) -> None:
        """The whole dump, learned from nothing."""
        runs = [trained(self.whole, self.box / "anew", *SPLIT) for _ in range(self.repeats)]
        self.best = answers(self.whole, self.box / "anew", self.box)
        cpu = statistics.median(run["cpu"] for run in runs)
        self.result["anew"] = {"cpu": cpu, "runs": runs, **self.scores(self.best)}

    def update(self, kind: str) -> None:
        """The whole dump, learned from the model of an earlier one."""
        before = earlier(self.products, *DUMPS[kind])
        before.write_parquet(self.box / "before.parquet")
        trained(self.box / "before.parquet", self.box / "old")
        more = (*SPLIT, "--from", self.box / "old")
        runs = [trained(self.whole, self.box / "new", *more) for _ in range(self.repeats)]
        said = answers(self.whole, self.box / "new", self.box)
        self.result["dumps"][kind] = {
            "before_rows": before.height,
            "cpu": statistics.median(run["cpu"] for run in runs),
            "runs": runs,
            **self.scores(said),
            "differing": differing(self.best, said),
        }

    def seed(self) -> None:
        """The whole dump, learned from nothing with another seed."""
        trained(self.whole, self.box / "seed", *SPLIT, "--seed", "1")
        said = answers(self.whole, self.box / "seed", self.box)
        self.result["seed"] = {**self.scores(said), "differing": differing(self.best, said)}

    def scores(self, said: list[str]) -> dict[str, float]:
        """Scores on the rows that have a category, in per cent."""
        told = [(truth, answer) for truth, answer in zip(self.truth, said, strict=True) if truth is not None]
        return scores([truth for truth, _ in told], [answer for _, answer in told])


def page(runs: list[dict[str, Any]], where: dict[str, Any], repeats: int) -> str:
    """The tables for people."""
    rows = []
    for r in runs:
        anew = r["anew"]
        own = (f"{anew['cpu']:.1f}", *(f"{anew[k]:.2f}" for k in ("weighted_f1", "macro_f1")))
        rows.append((r["catalogue"], "trained anew", *own, "", ""))
        for kind, u in r["dumps"].items():
            saved = f"{u['cpu']:.1f} ({100 * u['cpu'] / anew['cpu']:.0f} %)"
            told = (f"{u[k]:.2f}" for k in ("weighted_f1", "macro_f1"))
            before = u["runs"][0]["update"]["change"]["scores"]
            moved = f"{100 * before['old']['weighted_f1']:.2f}, {100 * before['new']['weighted_f1']:.2f}"
            rows.append((r["catalogue"], f"updated, {kind}", saved, *told, f"{u['differing']:.2f}", moved))
        if "seed" in r:
            chance = (f"{r['seed'][k]:.2f}" for k in ("weighted_f1", "macro_f1"))
            differs = f"{r['seed']['differing']:.2f}"
            rows.append((r["catalogue"], "trained anew, another seed", "", *chance, differs, ""))
    head = (
        "catalogue", "model", "CPU s", "weighted F1", "macro F1", "% of answers other than anew",
        "weighted F1 before and after, as the update tells it",
    )  # fmt: skip
    note = (
        "CPU seconds are user and system time of the whole process, the median of "
        f"{repeats}; in brackets, in per cent of training anew. An update also asks both models about 5,000 "
        "products and tells what changed (last column); training anew does not. On one core."
    )
    return "\n\n".join([table(head, rows), note, in_words(where)])


def main() -> None:
    """Run and keep the results: first what matters most, kept after each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=NAMES, help="One catalogue; nothing is kept.")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    first, *others = DUMPS
    with tempfile.TemporaryDirectory() as folder:
        benches = []
        for name in [asked.only] if asked.only else NAMES:
            (Path(folder) / name).mkdir()
            benches.append(Bench(name, Path(folder) / name, asked.repeats))
        steps = [(b, step) for b in benches for step in (b.anew, lambda b=b: b.update(first))]
        steps += [(b, b.seed) for b in benches]
        steps += [(b, lambda b=b, kind=kind: b.update(kind)) for kind in others for b in benches]
        for bench, step in steps:
            step()
            print(bench.result["catalogue"], flush=True)
            runs = [b.result for b in benches if b.result["dumps"]]
            where = circumstances()
            if len(runs) == len(benches) and asked.only is None:
                kept = {"runs": runs, "repeats": asked.repeats, "circumstances": where}
                store("update", kept, page(runs, where, asked.repeats))
    print(page(runs, where, asked.repeats))


if __name__ == "__main__":
    main()
