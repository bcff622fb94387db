"""The categories of a catalogue in numbers: how many, how deep, how large, how unequal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from shelfwise.catalogue.roles import Roles

_SHOWN = 10
_DEPARTMENTS = 40


@dataclass(frozen=True)
class Sizes:
    """Categories of like size: from `least` to `most` products each, how many, and the products on them."""

    least: int
    most: int
    categories: int
    products: int


@dataclass(frozen=True)
class Department:
    """A shelf of the top level: its name, the categories below it (itself, where it has none), products."""

    name: str
    categories: int
    products: int


@dataclass(frozen=True)
class Labels:
    """The categories: counts, the tree's levels, the largest and the smallest, and what is not labelled.

    `levels` is (depth, number of categories of that depth); `unlabelled` is (value in the source, rows).
    `sizes` are in powers of two, the smallest first; `departments` the largest of the top level, empty
    where there is one level.
    """

    categories: int
    levels: tuple[tuple[int, int], ...]
    singletons: int
    under_ten: int
    largest: tuple[tuple[str, int], ...]
    smallest: tuple[tuple[str, int], ...]
    labelled_rows: int
    unlabelled: tuple[tuple[str, int], ...]
    sizes: tuple[Sizes, ...] = ()
    departments: tuple[Department, ...] = ()


def count_labels(products: pl.DataFrame, roles: Roles, unlabelled: Mapping[str, int]) -> Labels:
    """Count the categories.

    `products`: with the columns `label` and `label_path` of clean products; `unlabelled`: rows by the value
    that stands in the source for no category.
    """
    named = products.select("label", "label_path").drop_nulls("label")
    counts = named.group_by("label").agg(pl.len().alias("n"), pl.col("label_path").first().alias("path"))
    counts = counts.sort(["n", "path"], descending=[True, False])
    separator = roles.separator
    depth = (
        counts["path"].str.split(separator).list.len()
        if separator
        else pl.Series([1]).new_from_index(0, counts.height)
    )
    levels = pl.DataFrame({"d": depth}).group_by("d").len().sort("d")
    shown = [(str(path), int(n)) for path, n in counts.select("path", "n").iter_rows()]
    ranked = sorted(unlabelled.items(), key=lambda pair: (-pair[1], pair[0]))
    return Labels(
        categories=counts.height,
        levels=tuple((int(d), int(n)) for d, n in levels.iter_rows()),
        singletons=int((counts["n"] == 1).sum()),
        under_ten=int((counts["n"] < 10).sum()),
        largest=tuple(shown[:_SHOWN]),
        smallest=tuple(reversed(shown[-_SHOWN:])),
        labelled_rows=named.height,
        unlabelled=tuple(ranked[:_SHOWN]),
        sizes=_sizes([n for _, n in shown]),
        departments=_departments(counts, separator) if separator else (),
    )


def _sizes(counts: list[int]) -> tuple[Sizes, ...]:
    grouped: dict[int, list[int]] = {}
    for n in counts:
        grouped.setdefault(n.bit_length() - 1, []).append(n)
    return tuple(
        Sizes(1 << power, (2 << power) - 1, len(grouped[power]), sum(grouped[power]))
        for power in sorted(grouped)
    )


def _departments(counts: pl.DataFrame, separator: str) -> tuple[Department, ...]:
    table = (
        counts.group_by(pl.col("path").str.split(separator).list.first().str.strip_chars().alias("name"))
        .agg(pl.len().alias("categories"), pl.col("n").sum())
        .sort(["n", "name"], descending=[True, False])
        .head(_DEPARTMENTS)
    )
    return tuple(Department(str(name), int(c), int(n)) for name, c, n in table.iter_rows())
