"""Planted wrong labels: how well the audit ranks them, beside cleanlab on the very same probabilities.

    python benchmarks/audit.py [--only clothing] [--rates 0.05,0.2] [--kinds sibling] [--most 12000]

Wrong labels of three kinds are planted: "uniform" (any other category), "sibling" (another one under the
same parent; any other where there is one level), and "confusion" (drawn from what a model that never saw the
product finds likely, the true one aside). The audit then runs as `shelfwise audit` does, on all labelled
rows. cleanlab gets the out-of-fold probabilities that the audit itself gathered, and the best of its three
label quality scores counts. Labels that were wrong before anything was planted count as right, for everybody.
Results go to `benchmarks/results/audit.json` and `.md`; a run replaces the lines of the same catalogue, kind
and rate.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from record import DATA, circumstances, in_words, store, stored, table

KINDS = ("uniform", "sibling", "confusion")
CATALOGUES = (
    "pricerunner",
    "fashion",
    "instacart",
    "cdiscount",
    "clothing",
    "fashion, pictures",
    "fashion, both",
)
NOT_GARMENTS = ("Not sure", "Other", "Skip")
LABEL = "category_path"
NO_TEXT = dict.fromkeys(("title", "description", "attributes", "brand", "shop", "url"), "none")


@dataclass(frozen=True)
class Task:
    """A catalogue with its labels as they are, and the recipe to audit it with."""

    name: str
    products: pl.DataFrame
    recipe: Any


def prepare(name: str, encoders: str) -> Task:
    """Read a catalogue; what is no category or would give the answer away is left out."""
    from shelfwise.recipe import Recipe

    folder = DATA / name.partition(",")[0]
    frame = pl.read_parquet(folder / "products.parquet").drop_nulls(LABEL).drop("split")
    frame = frame.drop([column for column in ("cluster_id", "cluster_label") if column in frame.columns])
    unwanted = {"instacart": ("missing > missing",), "clothing": NOT_GARMENTS}.get(name, ())
    frame = frame.filter(~pl.col(LABEL).is_in(unwanted))
    recipe = Recipe()
    roles = NO_TEXT if name in ("clothing", "fashion, pictures") else {}
    recipe = replace(recipe, catalogue=replace(recipe.catalogue, label=LABEL, roles=roles))
    wanted = name in ("clothing", "fashion, pictures", "fashion, both")
    images = str(folder / "images") if wanted else ""
    encoder = (encoders or "pixels") if wanted else "none"
    return Task(
        name, frame, replace(recipe, pictures=replace(recipe.pictures, folder=images, encoder=encoder))
    )


class Probabilities:
    """Keeps what held-out models say, float32 [labelled products, categories]."""

    def __init__(self) -> None:
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, rows: np.ndarray, p: np.ndarray) -> None:
        """Take a block."""
        self.parts.append((rows, p.astype(np.float32)))

    def joined(self) -> np.ndarray:
        """All blocks, by row."""
        p = np.empty((sum(len(rows) for rows, _ in self.parts), self.parts[0][1].shape[1]), np.float32)
        for rows, part in self.parts:
            p[rows] = part
        return p


def audited(task: Task, products: pl.DataFrame) -> tuple[Any, Any, np.ndarray, float]:
    """Evidence, doubts, the probabilities behind them, and the seconds it took."""
    from shelfwise.audit.doubt import find_doubts
    from shelfwise.audit.evidence import Answering, gather
    from shelfwise.catalogue.read import open_source

    heard, started = Probabilities(), time.perf_counter()
    evidence = gather(open_source(products), task.recipe, os.cpu_count() or 1, None, Answering(None, heard))
    doubt = find_doubts(evidence)
    return evidence, doubt, heard.joined(), time.perf_counter() - started


def plant(products: pl.DataFrame, kind: str, rate: float, confusions: Any) -> tuple[pl.DataFrame, np.ndarray]:
    """The products with some labels made wrong, and which they are."""
    rng = np.random.default_rng([17, KINDS.index(kind)])
    labels = sorted(products[LABEL].unique())
    code = {label: number for number, label in enumerate(labels)}
    y = np.array([code[label] for label in products[LABEL]])
    parents = [label.rpartition(" > ")[0] for label in labels]
    family = {parent: [i for i, other in enumerate(parents) if other == parent] for parent in set(parents)}
    planted, wrong = y.copy(), np.zeros(len(y), bool)
    for row in rng.permutation(len(y))[: round(rate * len(y))].tolist():
        others = [c for c in family[parents[y[row]]] if c != y[row]] if kind == "sibling" else []
        chances = confusions(row) if kind == "confusion" else None
        if chances is not None and chances.sum() > 1e-9:
            planted[row] = rng.choice(len(labels), p=chances / chances.sum())
        elif others:
            planted[row] = others[rng.integers(len(others))]
        elif kind != "sibling":
            planted[row] = (y[row] + 1 + rng.integers(len(labels) - 1)) % len(labels)
        wrong[row] = planted[row] != y[row]
    return products.with_columns(pl.Series(LABEL, [labels[c] for c in planted])), wrong


def chances_of(task: Task) -> Any:
    """What a model that never saw a product finds likely beside its category, by row of the catalogue."""
    evidence, _, p, _ = audited(task, task.products)
    place = np.full(task.products.height, -1)
    place[evidence.lesson.products["row"].to_numpy()] = np.arange(len(p))
    known = {label: number for number, label in enumerate(evidence.lesson.taxonomy.labels)}
    order = np.array([known.get(label, -1) for label in sorted(task.products[LABEL].unique())])
    own = evidence.lesson.y

    def chances(row: int) -> np.ndarray:
        if place[row] < 0:
            return np.zeros(len(order))
        found = p[place[row]].astype(np.float64)
        found[own[place[row]]] = 0
        return np.where(order >= 0, found[order], 0)

    return chances


def ranked(scores: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Average precision of a ranking, its precision at the number of wrong ones and of the first 100."""
    from sklearn.metrics import average_precision_score

    order = np.argsort(-scores, kind="stable")
    return {
        "average_precision": round(float(average_precision_score(wrong, scores)), 4),
        "at_planted": round(float(wrong[order[: wrong.sum()]].mean()), 4),
        "first_100": round(float(wrong[order[:100]].mean()), 2),
    }


def cleanlab(y: np.ndarray, p: np.ndarray, wrong: np.ndarray) -> Iterator[tuple[str, dict[str, float]]]:
    """Cleanlab's rankings of the same products by the same probabilities."""
    from cleanlab.rank import get_label_quality_scores

    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        yield method, ranked(1 - get_label_quality_scores(y, p, method=method), wrong)


def run(task: Task, kind: str, rate: float, confusions: Any) -> dict[str, Any]:
    """One planting, both tools."""
    products, wrong = plant(task.products, kind, rate, confusions)
    evidence, doubt, p, seconds = audited(task, products)
    told = wrong[evidence.lesson.products["row"].to_numpy()]
    theirs = dict(cleanlab(evidence.lesson.y, p, told))
    best = max(theirs, key=lambda method: theirs[method]["average_precision"])
    ours = ranked(doubt.doubt, told)
    missing = 1 - (1 - ours["average_precision"]) / (1 - theirs[best]["average_precision"])
    print(task.name, kind, rate, ours, best, theirs[best], f"missing part {missing:+.1%}", flush=True)
    return {
        "catalogue": task.name, "kind": kind, "rate": rate, "products": len(told), "planted": int(told.sum()),
        "seconds": round(seconds, 1), "shelfwise": ours, "cleanlab": theirs, "cleanlab_best": best,
        "missing_part_smaller": round(missing, 4), "shares": doubt.shares,
        "expected_wrong": round(float(doubt.doubt.sum()), 1),
    }  # fmt: skip


def main() -> None:
    """Run what was asked for, and keep the results after each line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=";".join(CATALOGUES), help="catalogues, with ; between")
    parser.add_argument("--rates", default="0.05,0.1,0.2")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--encoders", default="", help="picture encoder SPEC; the built-in one otherwise")
    parser.add_argument("--most", type=int, default=0, help="products of a catalogue, drawn; 0: all")
    asked = parser.parse_args()
    kinds, rates = asked.kinds.split(","), [float(rate) for rate in asked.rates.split(",")]
    for name in asked.only.split(";"):
        task = prepare(name.strip(), asked.encoders)
        if 0 < asked.most < task.products.height:
            drawn = np.sort(np.random.default_rng(18).permutation(task.products.height)[: asked.most])
            task = replace(task, products=task.products[drawn])
        confusions = chances_of(task) if "confusion" in kinds else None
        for kind in kinds:
            for rate in rates:
                found = run(task, kind, rate, confusions)
                same = (found["catalogue"], kind, rate)
                runs = [r for r in stored("audit")["runs"] if (r["catalogue"], r["kind"], r["rate"]) != same]
                results = {"runs": sorted([*runs, found], key=_order), "circumstances": circumstances()}
                store("audit", results, written(results))


def _order(r: dict[str, Any]) -> tuple[int, int, float]:
    return CATALOGUES.index(r["catalogue"]), KINDS.index(r["kind"]), r["rate"]


def written(results: dict[str, Any]) -> str:
    """The results as a table."""
    head = [
        "catalogue", "products", "planted", "share", "average precision", "cleanlab's best",
        "missing part smaller by", "right at the number planted", "cleanlab", "of the first 100", "cleanlab",
    ]  # fmt: skip
    rows = []
    for r in results["runs"]:
        ours, theirs = r["shelfwise"], r["cleanlab"][r["cleanlab_best"]]
        rows.append((
            r["catalogue"], f"{r['products']:,}", r["kind"], f"{r['rate']:.0%}",
            f"{ours['average_precision']:.3f}", f"{theirs['average_precision']:.3f}",
            f"{r['missing_part_smaller']:.0%}", f"{ours['at_planted']:.1%}",
            f"{theirs['at_planted']:.1%}", f"{ours['first_100']:.0%}", f"{theirs['first_100']:.0%}",
        ))  # fmt: skip
    mean = np.mean([r["missing_part_smaller"] for r in results["runs"]])
    text = (
        f"The missing part (1 - average precision) is smaller by {mean:.0%} on the mean of {len(rows)} runs."
    )
    return f"{table(head, rows)}\n\n{text} {in_words(results['circumstances'])}"


if __name__ == "__main__":
    main()
