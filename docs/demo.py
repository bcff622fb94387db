"""What `make demo` does beside its commands.

`python docs/demo.py prepare FOLDER` makes three files of a scraped shop; `python docs/demo.py planted FOLDER`
looks up how many of the first doubts are wrong shelves that the demo shop planted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.splits import hold_out

ARRIVALS = 0.1  # of the products
TEST = 0.2  # of those that are left
SHOWN = 20  # doubts at the top of the list


def prepare(folder: Path) -> str:
    """Write `mapping.csv`, `learn.parquet` with a column `split`, and `new-arrivals.parquet`."""
    shop = pl.read_parquet(folder / "shop.parquet").filter(pl.col("category_path").is_not_null())
    same = same_shelves(shop)
    same.write_csv(folder / "mapping.csv")
    shop, arrivals = _aside(shop, same, ARRIVALS)
    arrivals.drop("category_path").write_parquet(folder / "new-arrivals.parquet")
    train, test = _aside(shop, same, TEST)
    learn = pl.concat([train.with_columns(split=pl.lit("train")), test.with_columns(split=pl.lit("test"))])
    learn.write_parquet(folder / "learn.parquet")
    return (
        f"{folder}/mapping.csv: {same.height} German shelves and what they are called in English.\n"
        f"{folder}/learn.parquet: {train.height} pages to learn from, {test.height} to test on.\n"
        f"{folder}/new-arrivals.parquet: {arrivals.height} pages. All pages of a product are on one side."
    )


def same_shelves(shop: pl.DataFrame) -> pl.DataFrame:
    """Which German shelf is which English one (`from`, `to`), as products sold in both languages tell."""
    sides = [
        shop.filter(language=language).select("product_id", path="category_path") for language in ("de", "en")
    ]
    pairs = sides[0].join(sides[1], on="product_id", suffix="_en").group_by("path", "path_en").len()
    most = pairs.sort("len", "path_en", descending=[True, False]).unique("path", keep="first")
    return most.sort("path").select(pl.col("path").alias("from"), pl.col("path_en").alias("to"))


def _aside(products: pl.DataFrame, same: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Products to keep and a share to put aside; shelves keep their shares, products stay whole."""
    english = dict(same.iter_rows())
    labels = products["category_path"].replace(english).rank("dense").to_numpy()
    one = products.with_columns(group=pl.col("product_id"))
    kept, aside = hold_out(labels, group_near_duplicates(one), share, seed=0)
    return products[kept], products[aside]


def planted(folder: Path, shown: int = SHOWN) -> str:
    """How many of the first doubts are wrong shelves that the shop planted; `truth.parquet` tells them."""
    truth = pl.read_parquet(folder / "truth.parquet", columns=["url", "category_path", "true_category_path"])
    wrong = set(truth.filter(pl.col("category_path") != pl.col("true_category_path"))["url"])
    shop = pl.read_parquet(folder / "shop.parquet")["url"]
    doubts = pl.read_parquet(folder / "doubts.parquet").sort("doubt", descending=True)
    first = [shop[row] in wrong for row in doubts["row"].head(shown)]
    there = sum(url in wrong for url in shop)
    return (
        f"On {there} of the {shop.len()} pages that were scraped is a product that was put on a wrong shelf\n"
        f"on purpose. {sum(first)} of the first {len(first)} doubts are such pages."
    )


if __name__ == "__main__":
    print({"prepare": prepare, "planted": planted}[sys.argv[1]](Path(sys.argv[2])))
