"""Sends a catalogue with its pictures through a running server and says how often the server is right.

    shelfwise serve shelf
    python examples/serve_catalogue.py http://localhost:8000 shop/catalogue.parquet --label category \
        --images shop/images --split split

The server may be asked over HTTP or gRPC (grpc://localhost:8001): the answers are the same to the last digit.
Every column but the label is sent, in batches, and the picture of a product as the bytes of its file; it is
found by the column `image` or by the product's id. The server tells which columns its model does not know.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from shelfwise.client import connect

READERS = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}


def main() -> None:
    """Read, ask, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("server", help="http://HOST:PORT or grpc://HOST:PORT")
    parser.add_argument("catalogue", type=Path, help="Parquet, CSV or JSON lines")
    parser.add_argument("--label", default="category", help="column with the right category")
    parser.add_argument("--images", type=Path, help="folder of pictures")
    parser.add_argument("--split", help="column whose rows 'test' are sent")
    parser.add_argument("--limit", type=int, help="send so many rows, drawn at random")
    parser.add_argument("--batch", type=int, default=32, help="products a request")
    parser.add_argument("--shown", type=int, default=12, help="categories in the confusion matrix")
    asked = parser.parse_args()
    rows = read(asked)
    began = time.perf_counter()
    with connect(asked.server) as client:
        answers = list(client.predict_all(products(rows, asked), batch=asked.batch))
    seconds = time.perf_counter() - began
    print(f"{rows.height:,} products in {seconds:.1f} s ({rows.height / seconds:,.0f} a second)")
    unanswered = sum(answer.category is None for answer in answers)
    if unanswered:
        print(f"{unanswered:,} could not be answered; they count as wrong")
    pairs = pl.DataFrame(
        {"given": rows[asked.label], "said": [answer.category or "(none)" for answer in answers]}
    )
    print(scores(pairs))
    print(confusion(pairs, asked.shown))


def read(asked: argparse.Namespace) -> pl.DataFrame:
    """The rows with a label that are to be sent."""
    rows = READERS[asked.catalogue.suffix](asked.catalogue).drop_nulls(asked.label)
    if asked.split is not None:
        rows = rows.filter(pl.col(asked.split) == "test")
    if asked.limit is not None and asked.limit < rows.height:
        rows = rows.sample(asked.limit, seed=0)
    return rows


def products(rows: pl.DataFrame, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The rows as the server takes them: columns by name without empty ones, and the picture."""
    hidden = [name for name in (asked.label, asked.split) if name is not None]
    for row in rows.drop(hidden).iter_rows(named=True):
        product = {name: value for name, value in row.items() if value is not None}
        if asked.images is not None and (file := picture(asked.images, row)) is not None:
            product["picture"] = file.read_bytes()
        yield product


def picture(folder: Path, row: dict[str, Any]) -> Path | None:
    """The file of a product's picture."""
    named = [folder / str(row[name]) for name in ("image",) if row.get(name)]
    named += [folder / f"{row.get('product_id')}{ending}" for ending in (".jpg", ".png", ".webp")]
    return next((file for file in named if file.is_file()), None)


def by_category(pairs: pl.DataFrame) -> pl.DataFrame:
    """Products, answers and right answers of every category that is given or said, with their scores."""
    given = pairs.group_by(category="given").agg(products=pl.len())
    said = pairs.group_by(category="said").agg(answers=pl.len())
    right = pairs.filter(pl.col("given") == pl.col("said")).group_by(category="given").agg(right=pl.len())
    table = given.join(said, on="category", how="full", coalesce=True)
    table = table.join(right, on="category", how="left").fill_null(0)
    share = [
        (pl.col("right") / pl.max_horizontal(name, 1)).alias(score)
        for name, score in (("answers", "precision"), ("products", "recall"))
    ]
    both = pl.col("products") + pl.col("answers")
    return table.with_columns(*share, f1=2 * pl.col("right") / both).sort("category")


def scores(pairs: pl.DataFrame) -> str:
    """Accuracy, and precision, recall and F1 as means over products (weighted) and categories (macro)."""
    table = by_category(pairs)
    weight = pl.col("products") / pairs.height
    accuracy = (pairs["given"] == pairs["said"]).mean()
    lines = [f"accuracy  {accuracy:.4f}", "", f"{'':10}{'weighted':>9}{'macro':>9}"]
    for name in ("precision", "recall", "f1"):
        means = table.select(
            (pl.col(name) * weight).sum().alias("weighted"), pl.col(name).mean().alias("macro")
        )
        lines.append(f"{name:10}" + "".join(f"{mean:9.4f}" for mean in means.row(0)))
    return "\n".join(lines)


def counts(pairs: pl.DataFrame, shown: int) -> tuple[list[str], list[list[int]]]:
    """How often each category (rows) was taken for which (columns): the largest, then all others together."""
    sizes = by_category(pairs).sort(["products", "category"], descending=[True, False])
    names = sorted(sizes["category"].head(shown))
    places = {name: place for place, name in enumerate(names)}
    rest = len(names)
    table = [[0] * (rest + 1) for _ in range(rest + 1)]
    for given, said in pairs.iter_rows():
        table[places.get(given, rest)][places.get(said, rest)] += 1
    if sizes.height > rest:
        return [*names, f"({sizes.height - rest} others)"], table
    return names, [row[:rest] for row in table[:rest]]


def confusion(pairs: pl.DataFrame, shown: int) -> str:
    """The confusion matrix as a table."""
    names, table = counts(pairs, shown)
    wide = min(max(len(name) for name in names), 40)
    head = " " * (wide + 4) + "".join(f"{place + 1:6}" for place in range(len(names)))
    lines = ["", "confusion: rows are given, columns said", head]
    for place, (name, row) in enumerate(zip(names, table, strict=True)):
        short = name if len(name) <= wide else "…" + name[1 - wide :]
        lines.append(f"{place + 1:3} {short:{wide}}" + "".join(f"{count or '·':>6}" for count in row))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
