"""How fast the parts are: hashing text, starting up, the first answer, predicting from file to file.

    python benchmarks/kernels.py                  trains a model of cdiscount first
    python benchmarks/kernels.py --model DIR      takes one that is there

Every number is the median of five runs. Start-up times are those of whole processes, with the compiled code
in its cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from measure import measured
from record import DATA, circumstances, in_words, store, table
from text import SHELFWISE

TIMES = 5
FIRST_PRODUCT = """
import sys, polars, shelfwise
model = shelfwise.load(sys.argv[1])
answer = model.predict(polars.DataFrame({"product_id": ["1"], "title": ["Rallonge 25 m"]}))
assert len(answer) == 1
"""


def median_seconds(work: Callable[[], object]) -> float:
    """The median of five timings of `work`, after one that warms up."""
    work()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def hashing(products: Path) -> list[tuple[str, str, str]]:
    """Characters of text a second, on one thread: hashing alone, and all the way to a weighted matrix."""
    from shelfwise.features.ngrams import FieldGrams, HashedNgrams

    fields = ("title", "description", "brand")
    frame = pl.read_parquet(products, columns=list(fields))
    texts = [frame[name].fill_null("").to_list() for name in fields]
    characters = sum(len(text) for field in texts for text in field)
    grams = HashedNgrams([FieldGrams(name) for name in fields], threads=1)
    grams.fit_transform(texts)
    hashed = median_seconds(lambda: grams.hash(texts))
    whole = median_seconds(lambda: grams.transform(texts))
    target = "10 M characters/s and core"
    return [
        ("hashing n-grams (one thread)", f"{characters / hashed / 1e6:,.1f} M characters/s", ""),
        ("text to weighted matrix (one thread)", f"{characters / whole / 1e6:,.1f} M characters/s", target),
    ]


def process_seconds(*command: str | Path) -> float:
    """The median wall time of a whole process, after one that fills the caches."""
    measured(*command)
    return statistics.median(measured(*command).seconds for _ in range(TIMES))


def starting(model: Path) -> list[tuple[str, str, str]]:
    """Start-up times of whole processes; an empty Python process stands beside them."""
    python = sys.executable
    cases = [
        ("an empty Python process", [python, "-c", "pass"], ""),
        ("import shelfwise", [python, "-c", "import shelfwise"], "0.1 s, Python's own start aside"),
        ("shelfwise --help", [SHELFWISE, "--help"], "0.3 s"),
        ("load a model, answer the first product", [python, "-c", FIRST_PRODUCT, model], "2 s"),
    ]
    return [(name, f"{process_seconds(*command):.3f} s", target) for name, command, target in cases]


def compiling(products: Path, box: Path) -> list[tuple[str, str, str]]:
    """Training the smallest catalogue when the code has to be compiled, and when it is in the cache."""
    train = [
        SHELFWISE,
        "train",
        products,
        "--model",
        box / "small",
        "--label",
        "category_l1",
        "--split",
        "split",
    ]
    cold = measured("env", f"NUMBA_CACHE_DIR={box / 'cache'}", *train).seconds
    return [
        ("train flipkart, first run after installation (one run)", f"{cold:.2f} s", ""),
        ("train flipkart, any later run", f"{process_seconds(*train):.2f} s", ""),
    ]


def predicting(products: Path, model: Path, box: Path) -> list[tuple[str, str, str]]:
    """Products a second from file to file, start-up and loading included."""
    rows = pl.scan_parquet(products).select(pl.len()).collect().item()
    seconds = process_seconds(SHELFWISE, "predict", model, products, "--output", box / "predictions.parquet")
    name = f"predict, file to file ({rows:,} products of cdiscount)"
    return [(name, f"{rows / seconds:,.0f} products/s", "10,000 products/s")]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--model", type=Path, help="a model of cdiscount, instead of training one")
    asked = parser.parse_args()
    products = asked.data / "cdiscount" / "products.parquet"
    with tempfile.TemporaryDirectory() as box:
        model = asked.model or Path(box) / "model"
        if not asked.model:
            split = ["--label", "category_path", "--split", "split"]
            measured(SHELFWISE, "train", products, "--model", model, *split)
        rows = [*hashing(products), *starting(model)]
        rows += compiling(asked.data / "flipkart" / "products.parquet", Path(box))
        rows += predicting(products, model, Path(box))
    where = circumstances()
    text = table(["what", "median of five", "aim"], rows) + "\n\n" + in_words(where)
    store("kernels", {"runs": [list(row) for row in rows], "circumstances": where}, text)
    print(text)


if __name__ == "__main__":
    main()
