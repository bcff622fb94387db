"""How small a model may become: learned weights dropped from some size on, and what that costs.

    python benchmarks/size.py --models FOLDER        takes models that are there, FOLDER/<catalogue>
    python benchmarks/size.py                        trains them first

Of each trained model the weights below some size are dropped (what `text.smallest_weight` does while
training), the model is saved, loaded and asked for the test rows: megabytes, seconds to load, rows a second
of processor time, and F1. Nothing is learned anew, so the differences are those of the weights alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import f1_score

from peers import labelled
from record import DATA, circumstances, in_words, store, stored, table
from shelfwise.categorizer import Categorizer, load
from shelfwise.learners.kept_weights import ClassWeights, KeptWeights
from text import folder_mb

CATALOGUES = ("instacart", "fashion", "pricerunner", "cdiscount")
SMALLEST = (0.03, 0.04, 0.05, 0.06, 0.08, 0.1)
LABEL = "category_path"


def pruned(kept: KeptWeights, smallest: float) -> KeptWeights:
    """The same weights without those below a size."""
    classes, width = len(kept.bias), len(kept.scales)
    listed = np.repeat(np.arange(width), np.diff(kept.posts))
    dense = (kept.tiles.astype(np.int16) - 128).transpose(1, 0, 2).reshape(len(kept.heavy_features), -1)
    rows, columns = np.nonzero(dense[:, :classes])
    features = np.concatenate([listed, kept.heavy_features[rows]]).astype(np.int32)
    owners = np.concatenate([kept.classes.astype(np.int64), columns])
    weights = np.concatenate([kept.weights, dense[rows, columns]]) * kept.scales[features]
    chosen = np.flatnonzero(np.abs(weights) >= smallest)
    order = chosen[np.lexsort((features[chosen], owners[chosen]))]
    sizes = np.bincount(owners[order], minlength=classes).astype(np.int64)
    return KeptWeights.of(
        ClassWeights(features[order], weights[order].astype(np.float32), sizes, kept.bias, width)
    )


def measure(model: Categorizer, products: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Save, load and ask a model."""
    model.save(folder)
    began = time.process_time()
    loaded = load(folder)
    load_seconds = time.process_time() - began
    loaded.recipe = replace(loaded.recipe, threads=1)
    loaded.predict(products.head(300))
    began = time.process_time()
    answers = loaded.predict(products)
    seconds = time.process_time() - began
    known = products.select(labelled(LABEL)).to_series()
    truth, said = (
        frame.filter(known)[name].to_list() for frame, name in ((products, LABEL), (answers, "category"))
    )
    said = [one or "" for one in said]
    f1 = {kind: f1_score(truth, said, average=kind, zero_division=0.0) for kind in ("weighted", "macro")}
    return {
        "model_mb": folder_mb(folder),
        "load_seconds": round(load_seconds, 3),
        "rows_per_cpu_second": round(products.height / seconds),
        "weighted_f1": round(100 * f1["weighted"], 2),
        "macro_f1": round(100 * f1["macro"], 2),
    }


def sizes_of(name: str, asked: argparse.Namespace, box: Path) -> list[dict[str, Any]]:
    """A catalogue's model at all sizes."""
    catalogue = asked.data / name / "products.parquet"
    products = pl.read_parquet(catalogue).filter(pl.col("split") == "test")
    if asked.models:
        folder = asked.models / name
    else:
        folder = box / name
        model = Categorizer()
        model.recipe = replace(model.recipe, catalogue=replace(model.recipe.catalogue, label=LABEL))
        model.fit(catalogue, split="split").save(folder)
    found = []
    for smallest in SMALLEST:
        model = load(folder)
        for learner in model.views_.text.linear.values():
            learner.kept_ = pruned(learner.kept_, smallest)
        found.append({"smallest": smallest, **measure(model, products, box / "pruned")})
        print(name, found[-1], flush=True)
    return found


def in_markdown(results: dict[str, Any]) -> str:
    """One row for each catalogue and size."""
    head = ["catalogue", "weights from", "model MB", "load s", "rows/CPU s", "weighted F1", "macro F1"]
    rows = [
        [run["catalogue"], *(f"{entry[key]:,}" for key in ("smallest", *list(entry)[1:]))]
        for run in results["runs"]
        for entry in run["sizes"]
    ]
    return table(head, rows) + "\n\n" + in_words(results["runs"][-1]["circumstances"])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CATALOGUES), help="catalogues, with commas between")
    parser.add_argument("--models", type=Path, help="folder of trained models, one a catalogue")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    asked = parser.parse_args()
    for name in asked.only.split(","):
        with tempfile.TemporaryDirectory() as box:
            run = {
                "catalogue": name,
                "sizes": sizes_of(name, asked, Path(box)),
                "circumstances": circumstances(),
            }
        results = stored("size")
        results["runs"] = [old for old in results["runs"] if old["catalogue"] != name] + [run]
        store("size", results, in_markdown(results))
    print(in_markdown(stored("size")))


if __name__ == "__main__":
    main()
