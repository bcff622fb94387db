"""A small shop of text for tests of the audit: words that name the shelf, planted errors, bare claims."""

from __future__ import annotations

import random
from collections.abc import Collection

import numpy as np
import polars as pl

from shelfwise.audit import Audit, AuditOptions, audit
from shelfwise.audit.claims import Claims
from shelfwise.recipe import CatalogueRecipe, Recipe

TREE = {
    "Shoes": ("boot", "sandal", "slipper"),
    "Kitchen": ("pan", "kettle", "knife"),
    "Garden": ("spade", "hose", "rake"),
}
SHELVES = tuple(f"{top} > {leaf.title()}s" for top, leaves in TREE.items() for leaf in leaves)
_FILLERS = ("alder", "birch", "cedar", "maple", "rowan", "sorrel", "thyme", "hazel", "larch", "aspen")
_ENDINGS = ("ola", "iro", "eta", "uma")


def shop(each: int = 24, seed: int = 1) -> pl.DataFrame:
    """So many products on each of nine shelves of three departments, all of them where they belong."""
    chance, rows = random.Random(seed), []
    for top, leaves in TREE.items():
        for leaf in leaves:
            for _ in range(each):
                own = [leaf, *(leaf[:3] + ending for ending in chance.sample(_ENDINGS, 2))]
                words = [*own, f"{top.lower()[:4]}ware", *chance.sample(_FILLERS, 3), f"no{len(rows)}"]
                rows.append((f"P{len(rows):04}", " ".join(words), f"{top} > {leaf.title()}s"))
    return pl.DataFrame(rows, schema=["product_id", "title", "category"], orient="row")


def plant(frame: pl.DataFrame, count: int, seed: int = 0) -> tuple[pl.DataFrame, dict[str, str]]:
    """Put `count` products on a sister shelf and as many in a wrong department; which, by product id."""
    chance, given, kinds = random.Random(seed), frame["category"].to_list(), {}
    for number, row in enumerate(chance.sample(range(len(given)), 2 * count)):
        top, nearby = given[row].split(" > ")[0], number < count
        others = [
            shelf for shelf in SHELVES if shelf != given[row] and (shelf.split(" > ")[0] == top) == nearby
        ]
        given[row] = chance.choice(others)
        kinds[frame["product_id"][row]] = "sister" if nearby else "department"
    return frame.with_columns(category=pl.Series(given)), kinds


def recipe(**settings: object) -> Recipe:
    """The defaults on one thread, for a column called category."""
    return Recipe(**{"threads": 1, "catalogue": CatalogueRecipe(label="category")} | settings)


def find(catalogue: object, /, **settings: object) -> Audit:
    """Audit a catalogue without a map."""
    return audit(catalogue, recipe(**settings), AuditOptions(layout=False))


def doubt_of(found: Audit, product_id: str) -> float:
    """The doubt of one product."""
    return float(found.doubts.filter(pl.col("product_id") == product_id)["doubt"].item())


def average_precision(ranked: list[str], wrong: Collection[str]) -> float:
    """Of a ranking of product ids, the most doubtful first."""
    hits = np.array([name in wrong for name in ranked])
    places = np.flatnonzero(hits)
    return float((np.arange(1, len(places) + 1) / (places + 1)).mean())


def bare_claims(code: list[int], **known: list[float] | np.ndarray) -> Claims:
    """Claims of the products 0, 1, ... of which only some things are known; all else is nothing."""
    m = len(code)
    none = np.zeros(m, np.float32)
    parts = {
        "row": np.arange(m), "code": np.array(code, np.int32), "p": none, "top": np.zeros(m, np.int32),
        "best_code": np.zeros(m, np.int32), "best": none, "entropy": none, "rank": none, "sisters": none,
        "known": none + 9, "levels": np.empty((m, 0), np.float32), "along": np.empty((m, 0), bool),
        "views": np.empty((m, 0), np.float32), "view_best": np.empty((m, 0), np.float32),
    }  # fmt: skip
    for name, values in known.items():
        parts[name] = np.asarray(values, parts[name].dtype)
    return Claims(**parts)
