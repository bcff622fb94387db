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
from record import DATA, circumstances, in_words, store, table

SHELFWISE = Path(sys.executable).with_name("shelfwise")
NAMES = ("instacart", "fashion")
LABEL = "category_path"
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
    measured(SHELFWISE, "predict", model, catalogue, "--split", "split", "--output", output)
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


def run(name: str, box: Path, repeats: int) -> dict[str, Any]:
    """All dumps of one catalogue."""
    products = pl.read_parquet(DATA / name / "products.parquet")
    whole = box / "whole.parquet"
    products.write_parquet(whole)
    truth = products.filter(pl.col("split") == "test")[LABEL].to_list()
    split = ("--split", "split")
    anew = [trained(whole, box / "anew", *split) for _ in range(repeats)]
    best = answers(whole, box / "anew", box)
    trained(whole, box / "seed", *split, "--seed", "1")
    chance = answers(whole, box / "seed", box)
    result: dict[str, Any] = {
        "catalogue": name,
        "rows": products.height,
        "anew": {"cpu": statistics.median(r["cpu"] for r in anew), "runs": anew, **scores(truth, best)},
        "seed": {**scores(truth, chance), "differing": differing(best, chance)},
        "dumps": {},
    }
    for kind, (share, categories) in DUMPS.items():
        before = earlier(products, share, categories)
        before.write_parquet(box / "before.parquet")
        trained(box / "before.parquet", box / "old")
        updates = [trained(whole, box / "new", *split, "--from", box / "old") for _ in range(repeats)]
        said = answers(whole, box / "new", box)
        result["dumps"][kind] = {
            "before_rows": before.height,
            "cpu": statistics.median(r["cpu"] for r in updates),
            "runs": updates,
            **scores(truth, said),
            "old": scores(truth, answers(whole, box / "old", box)),
            "differing": differing(best, said),
        }
        print(json.dumps({name: {kind: {k: v for k, v in result["dumps"][kind].items() if k != "runs"}}}))
    return result


def page(runs: list[dict[str, Any]], where: dict[str, Any], repeats: int) -> str:
    """The tables for people."""
    rows = []
    for r in runs:
        anew = r["anew"]
        own = (f"{anew['cpu']:.1f}", *(f"{anew[k]:.2f}" for k in ("weighted_f1", "macro_f1")))
        rows.append((r["catalogue"], "all, trained anew", *own, "", ""))
        seed = r["seed"]
        chance = (f"{seed[k]:.2f}" for k in ("weighted_f1", "macro_f1"))
        rows.append((r["catalogue"], "all, anew, another seed", "", *chance, f"{seed['differing']:.2f}", ""))
        for kind, u in r["dumps"].items():
            saved = f"{u['cpu']:.1f} ({100 * u['cpu'] / anew['cpu']:.0f} %)"
            told = (f"{u[k]:.2f}" for k in ("weighted_f1", "macro_f1"))
            before = f"{u['old']['weighted_f1']:.2f}"
            rows.append((r["catalogue"], f"updated, {kind}", saved, *told, f"{u['differing']:.2f}", before))
    head = (
        "catalogue", "model", "CPU s", "weighted F1", "macro F1", "% of answers other than anew",
        "weighted F1 of the model before",
    )  # fmt: skip
    note = (
        "CPU seconds are user and system time of the whole process, the median of "
        f"{repeats}; in brackets, in per cent of training anew. An update also asks both models about 5,000 "
        "products and tells what changed; training anew does not."
    )
    return "\n\n".join([table(head, rows), note, in_words(where)])


def main() -> None:
    """Run and keep the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=NAMES, help="One catalogue; nothing is kept.")
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    runs = []
    for name in [asked.only] if asked.only else NAMES:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(run(name, Path(folder), asked.repeats))
    where = circumstances()
    text = page(runs, where, asked.repeats)
    print(text)
    if asked.only is None:
        store("update", {"runs": runs, "repeats": asked.repeats, "circumstances": where}, text)


if __name__ == "__main__":
    main()
