"""A million products in 3,000 categories: time, memory, model size and speed of train, evaluate and predict.

    python benchmarks/scale.py                     the whole million (disk: about 1 GB under --scratch)
    python benchmarks/scale.py --products 50000    a taste of it

The catalogue is generated from cdiscount: its categories with their shares, the largest ones cut in two until
there are 3,000; titles and descriptions are put together anew from pieces of what the category and its
siblings say, so that no two rows are alike. It measures scale only: its texts are easier than real ones, and
so its scores mean little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from measure import measured
from record import DATA, circumstances, in_words, store, stored, table
from text import SHELFWISE, folder_mb

BATCH = 50_000
TEST_SHARE = 0.02  # on top of the products to learn from
OWN_SHARE = 0.85  # of the pieces of a text; the others come from a sibling category
PIECE = 3  # words


@dataclass(frozen=True)
class Source:
    """What one category of the source says: its own words, and those of the categories beside it.

    Attributes:
        label: The category path.
        rows: How many source rows it has: its share of the catalogue.
        titles: Words of its titles, one after another.
        descriptions: Words of its descriptions.
        brands: One per source row, "" where there is none.
        lengths: Words of each source row's title and description, [rows, 2].

    """

    label: str
    rows: int
    titles: list[str]
    descriptions: list[str]
    brands: list[str]
    lengths: np.ndarray


def sources(products: pl.DataFrame, categories: int) -> list[Source]:
    """The categories of the source, the largest cut in two until there are enough."""
    groups = [
        (path, group.sort("title"))
        for (path,), group in products.group_by("category_path", maintain_order=True)
    ]
    while len(groups) < categories:
        groups.sort(key=lambda entry: (-entry[1].height, entry[0]))
        path, group = groups.pop(0)
        if group.height < 2:
            raise ValueError(f"{len(groups) + 1} categories are all that {products.height} products can give")
        half = group.height // 2
        groups += [(f"{path} A", group[:half]), (f"{path} B", group[half:])]
    return [_source(path, group) for path, group in sorted(groups, key=lambda entry: entry[0])]


def _source(path: str, group: pl.DataFrame) -> Source:
    titles = [text.split() for text in group["title"]]
    descriptions = [text.split() for text in group["description"]]
    lengths = np.array([[len(title), len(text)] for title, text in zip(titles, descriptions, strict=True)])
    return Source(
        path,
        group.height,
        list(chain.from_iterable(titles)),
        list(chain.from_iterable(descriptions)),
        group["brand"].to_list(),
        lengths,
    )


def siblings(found: list[Source]) -> list[int]:
    """For each category the index of the next one under the same parent (itself when it is alone)."""
    under: dict[str, list[int]] = {}
    for index, source in enumerate(found):
        under.setdefault(source.label.rpartition(" > ")[0], []).append(index)
    beside = list(range(len(found)))
    for indices in under.values():
        for index, neighbour in zip(indices, indices[1:] + indices[:1], strict=True):
            beside[index] = neighbour
    return beside


def text_of(own: list[str], other: list[str], length: int, chance: np.random.Generator) -> str:
    """`length` words in pieces of three, most from the category itself."""
    words: list[str] = []
    pieces = -(-length // PIECE)
    strange = chance.random(pieces) > OWN_SHARE
    starts = chance.random(pieces)
    for from_other, start in zip(strange.tolist(), starts.tolist(), strict=True):
        pool = other if from_other and other else own
        first = int(start * max(1, len(pool) - PIECE + 1))
        words += pool[first : first + PIECE]
    return " ".join(words[:length])


def batch_of(found: list[Source], beside: list[int], first: int, count: int, seed: int) -> pl.DataFrame:
    """Rows `first` to `first + count`; each batch has its own stream of chance, so any can be made alone."""
    chance = np.random.default_rng([seed, first])
    shares = np.array([source.rows for source in found], dtype=float)
    chosen = chance.choice(len(found), size=count, p=shares / shares.sum())
    columns: dict[str, list[str]] = {name: [] for name in ("title", "description", "brand", "category_path")}
    for index, place in zip(chosen.tolist(), chance.random(count).tolist(), strict=True):
        source, other = found[index], found[beside[index]]
        row = int(place * source.rows)
        title_length, description_length = source.lengths[row].tolist()
        columns["title"].append(text_of(source.titles, other.titles, title_length, chance))
        columns["description"].append(
            text_of(source.descriptions, other.descriptions, description_length, chance)
        )
        columns["brand"].append(source.brands[row])
        columns["category_path"].append(source.label)
    identifiers = [f"g{number:08d}" for number in range(first, first + count)]
    return pl.DataFrame({"product_id": identifiers, **columns})


def write_again_and_again(base: pl.DataFrame, rows: int, folder: Path) -> None:
    """Write so many rows as files of a catalogue; beyond `base` its rows come again, with other titles."""
    folder.mkdir()
    for number, first in enumerate(range(0, rows, base.height)):
        part = base.head(rows - first)
        if number:
            part = part.with_columns(
                product_id=pl.format("r{}", pl.int_range(first, first + part.height)),
                title=pl.format("{} {}", "title", pl.lit(number)),
            )
        part.write_parquet(folder / f"{number:04d}.parquet", row_group_size=BATCH)


def generate(source: Path, target: Path, asked: argparse.Namespace) -> None:
    """Write the generated catalogue in row groups; every category is among the rows to learn from."""
    products = pl.read_parquet(source, columns=["title", "description", "brand", "category_path"])
    found = sources(products, asked.categories)
    beside = siblings(found)
    total = round(asked.products * (1 + TEST_SHARE))
    batches = [
        batch_of(found, beside, first, min(BATCH, total - first), asked.seed)
        for first in range(0, total, BATCH)
    ]
    frame = pl.concat(batches)
    split = pl.when(pl.int_range(pl.len()) < asked.products).then(pl.lit("train")).otherwise(pl.lit("test"))
    frame.with_columns(split=split).write_parquet(target, row_group_size=BATCH)


def run(catalogue: Path, box: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Train, evaluate and predict, each as its own process."""
    split = ["--split", "split"]
    model, output = box / "model", box / "predictions.parquet"
    trained = measured(
        SHELFWISE, "train", catalogue, "--model", model, "--label", "category_path", *split, "--json"
    )
    print(
        f"trained in {trained.seconds:,.0f} s, {trained.peak_mb:,.0f} MB, {folder_mb(model):,.0f} MB",
        flush=True,
    )
    evaluated = measured(SHELFWISE, "evaluate", model, catalogue, *split, "--json")
    predicted = measured(SHELFWISE, "predict", model, catalogue, "--output", output)
    rows = pl.scan_parquet(output).select(pl.len()).collect().item()
    scores = json.loads(evaluated.stdout)
    truth = pl.scan_parquet(catalogue).filter(pl.col("split") == "train").select("category_path").collect()
    return {
        "products": asked.products,
        "categories": truth["category_path"].n_unique(),
        "catalogue_mb": round(catalogue.stat().st_size / 1e6, 1),
        "timings": json.loads(trained.stdout).get("timings", {}),
        "train_seconds": trained.seconds,
        "train_cpu_seconds": trained.cpu_seconds,
        "train_peak_mb": trained.peak_mb,
        "model_mb": folder_mb(model),
        "evaluate_seconds": evaluated.seconds,
        "evaluate_peak_mb": evaluated.peak_mb,
        "predict_rows": rows,
        "predict_seconds": predicted.seconds,
        "predict_peak_mb": predicted.peak_mb,
        "predict_rows_per_second": round(rows / predicted.seconds),
        "weighted_f1": scores["weighted_f1"],
        "macro_f1": scores["macro_f1"],
        "circumstances": circumstances(),
    }


def in_markdown(results: dict[str, object]) -> str:
    """One row for each size that was run."""
    head = [
        "products",
        "categories",
        "train s",
        "peak MB",
        "model MB",
        "evaluate s",
        "predict rows/s",
        "peak MB",
    ]
    rows = [
        [
            f"{entry['products']:,}",
            f"{entry['categories']:,}",
            f"{entry['train_seconds']:,.0f}",
            f"{entry['train_peak_mb']:,.0f}",
            f"{entry['model_mb']:,.0f}",
            f"{entry['evaluate_seconds']:,.0f}",
            f"{entry['predict_rows_per_second']:,}",
            f"{entry['predict_peak_mb']:,.0f}",
        ]
        for entry in sorted(results["runs"], key=lambda entry: entry["products"])
    ]
    latest = max((entry["circumstances"] for entry in results["runs"]), key=lambda where: where["when"])
    return table(head, rows) + "\n\n" + in_words(latest)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=1_000_000, help="rows to learn from")
    parser.add_argument("--categories", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--scratch", type=Path, help="where catalogue and model are put meanwhile")
    parser.add_argument("--keep", type=Path, help="only generate, into this file")
    asked = parser.parse_args()
    source = asked.data / "cdiscount" / "products.parquet"
    if asked.keep:
        generate(source, asked.keep, asked)
        return
    if shutil.which(SHELFWISE) is None:
        sys.exit(f"no {SHELFWISE.name} beside this Python: run make test first")
    with tempfile.TemporaryDirectory(dir=asked.scratch) as box:
        catalogue = Path(box) / "generated.parquet"
        generate(source, catalogue, asked)
        print(f"generated {asked.products:,} products, {catalogue.stat().st_size / 1e6:,.0f} MB", flush=True)
        entry = run(catalogue, Path(box), asked)
    results = stored("scale")
    results["runs"] = [old for old in results["runs"] if old["products"] != asked.products] + [entry]
    store("scale", results, in_markdown(results))
    print(in_markdown(results))


if __name__ == "__main__":
    main()
