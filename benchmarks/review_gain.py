"""What reviewing the first twentieth of the doubts is worth after retraining, beside clean labels and chance.

    python benchmarks/review_gain.py [--only fashion;instacart;pricerunner] [--rates 0.05,0.1]
        [--kinds uniform,sibling,confusion]

Wrong labels are planted among the training rows (see `audit.py`); `shelfwise audit` ranks them; an oracle in
place of the person gives the first 5 % of all training rows their true category, and the model is trained
anew: with all rows, and without those that are still doubted by half or more (`train --doubts`). The share is
what that gained in weighted and macro F1 of the test rows, of what training on the clean labels gains. Beside
it the doubts left out and nobody asked, the same number of rows drawn at random, and the first 5 % by
cleanlab's normalised margin on the same probabilities. Labels that were wrong before stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

import audit as planting
from record import DATA, circumstances, in_words, store, stored, table
from shelfwise import Categorizer

LABEL = planting.LABEL
NAMES = ("pricerunner", "fashion", "instacart")
REVIEWED = 0.05
WAYS = ("audit", "audit, rest left out", "left out, nobody asked", "cleanlab", "random")
HALF = 0.5  # doubt from which on a row is left out


def read(name: str) -> tuple[planting.Task, pl.DataFrame]:
    """The training rows as a task for the audit, and the test rows."""
    task = planting.prepare(name, "")
    rows = pl.read_parquet(DATA / name / "products.parquet", columns=["product_id", "split"])
    test = task.products.join(rows.filter(pl.col("split") == "test"), on="product_id", how="semi")
    train = task.products.join(rows.filter(pl.col("split") == "train"), on="product_id", how="semi")
    return replace(task, products=train), test


def scored(task: planting.Task, train: pl.DataFrame, test: pl.DataFrame) -> tuple[float, float]:
    """Weighted and macro F1 of a model that learned from these labels."""
    from sklearn.metrics import f1_score

    found = Categorizer(task.recipe).fit(train).predict(test)["category"].fill_null("").to_list()
    truth = test[LABEL].to_list()
    weighted, macro = (f1_score(truth, found, average=way, zero_division=0) for way in ("weighted", "macro"))
    return float(weighted), float(macro)


def orders(task: planting.Task, dirty: pl.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Rows of the training data, the most doubtful first, by each way of choosing; and which to leave out."""
    from cleanlab.rank import get_label_quality_scores

    evidence, doubt, p, _ = planting.audited(task, dirty)
    rows = evidence.lesson.products["row"].to_numpy()
    theirs = get_label_quality_scores(evidence.lesson.y, p, method="normalized_margin")
    doubted = np.zeros(dirty.height, bool)
    doubted[rows[doubt.doubt >= HALF]] = True
    by_way = {
        "audit": rows[np.argsort(-doubt.doubt, kind="stable")],
        "cleanlab": rows[np.argsort(theirs, kind="stable")],
        "random": np.random.default_rng([23, dirty.height]).permutation(dirty.height),
    }
    return by_way, doubted


def run(
    task: planting.Task, test: pl.DataFrame, planted: tuple[pl.DataFrame, np.ndarray], clean: Sequence[float]
) -> dict[str, Any]:
    """One planting: audited, reviewed by the oracle, trained anew."""
    dirty, wrong = planted
    before = scored(task, dirty, test)
    told: dict[str, Any] = {
        "rows": dirty.height,
        "planted": int(wrong.sum()),
        "clean": clean,
        "dirty": before,
    }
    by_way, doubted = orders(task, dirty)
    nobody = np.zeros(dirty.height, bool)
    for way in WAYS:
        looked, out = nobody.copy(), nobody
        if way != "left out, nobody asked":
            looked[by_way[way.partition(",")[0]][: round(REVIEWED * dirty.height)]] = True
        if "left out" in way:
            out = doubted & ~looked
        true = pl.when(pl.Series(looked)).then(task.products[LABEL]).otherwise(pl.col(LABEL)).alias(LABEL)
        after = scored(task, dirty.with_columns(true).filter(pl.Series(~out)), test)
        shares = [round((a - b) / (c - b), 3) for a, b, c in zip(after, before, clean, strict=True)]
        counts = {"repaired": int((looked & wrong).sum()), "left_out": int(out.sum())}
        told[way] = {**counts, "left_out_wrong": int((out & wrong).sum()), "scores": after, "shares": shares}
    return told


def main() -> None:
    """Run what was asked for, and keep the results after each line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=";".join(NAMES), help="catalogues, with ; between")
    parser.add_argument("--rates", default="0.05,0.1")
    parser.add_argument("--kinds", default=",".join(planting.KINDS))
    asked = parser.parse_args()
    for name in asked.only.split(";"):
        task, test = read(name)
        clean = scored(task, task.products, test)
        confusions = planting.chances_of(task) if "confusion" in asked.kinds else None
        for kind in asked.kinds.split(","):
            for rate in map(float, asked.rates.split(",")):
                planted = planting.plant(task.products, kind, rate, confusions)
                same = (name, kind, rate)
                found = {"catalogue": name, "kind": kind, "rate": rate} | run(task, test, planted, clean)
                print(found, flush=True)
                old = [
                    r for r in stored("review_gain")["runs"] if (r["catalogue"], r["kind"], r["rate"]) != same
                ]
                results = {"runs": sorted([*old, found], key=_order), "circumstances": circumstances()}
                store("review_gain", results, written(results))


def _order(r: dict[str, Any]) -> tuple[int, int, float]:
    return NAMES.index(r["catalogue"]), planting.KINDS.index(r["kind"]), r["rate"]


def written(results: dict[str, Any]) -> str:
    """The results as a table."""
    head = ["catalogue", "planted", "share", "weighted / macro F1 with them", "clean", "reviewed"]
    head += [
        "of the gain", "and other doubts left out", "left out, nobody asked", "cleanlab's margin", "chance",
    ]  # fmt: skip
    rows = []
    for r in results["runs"]:
        pairs = [" / ".join(f"{100 * value:.2f}" for value in r[key]) for key in ("dirty", "clean")]
        reviewed = " / ".join(f"{100 * value:.2f}" for value in r["audit"]["scores"])
        gains = [" / ".join(f"{100 * share:.0f} %" for share in r[way]["shares"]) for way in WAYS]
        rows.append((r["catalogue"], r["kind"], f"{100 * r['rate']:.0f} %", *pairs, reviewed, *gains))
    return f"{table(head, rows)}\n\n{in_words(results['circumstances'])}"


if __name__ == "__main__":
    main()
