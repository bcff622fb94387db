"""What people corrected in a model, as changes to the rows of a catalogue that still says otherwise.

A model that is updated learns what it was told: shelves that were renamed, moved or merged, and the
categories of products. They are kept with the updated model: the next dump may say the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from shelfwise.corrections.memory import NAMED
from shelfwise.corrections.state import Corrections


@dataclass(frozen=True)
class Folding:
    """Changes to categories and products.

    names: category in the catalogue -> what it is called now. paths: category of now -> its readable path.
    products: product id -> its category.
    """

    names: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(corrections: Corrections, before: Folding) -> Folding:
        """What was corrected, on top of what was folded into the model when it was trained."""
        shelves, learned = corrections.shelves, corrections.learned
        tree, separator = learned.taxonomy, learned.taxonomy.separator or ""
        own = dict(zip(tree.labels, tree.paths, strict=True))
        names = {old: shelves.names.get(name, name) for old, name in before.names.items()}
        names |= {old: now for old, now in shelves.names.items() if old != now}
        products = {id_: shelves.names.get(name, name) for id_, name in before.products.items()}
        if learned.by_id:
            table = corrections.memory.table.filter((pl.col("kind") != NAMED) & (pl.col("product_id") != ""))
            products |= dict(zip(table["product_id"].to_list(), table["label"].to_list(), strict=True))
        touched = {now for old, now in shelves.names.items() if own[old] != shelves.paths[now]}
        touched |= {shelves.names.get(label, label) for label in before.paths} | set(products.values())
        paths = {label: path for label, path in before.paths.items() if label not in shelves.names}
        paths |= {label: separator.join(shelves.paths[label]) for label in touched if label in shelves.paths}
        return Folding({old: now for old, now in names.items() if old not in shelves.paths}, paths, products)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Folding:
        """Take what `to_dict` gave, or nothing."""
        return Folding(**{str(part): dict(told) for part, told in values.items()})

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Plain values, for JSON."""
        return asdict(self)

    def __bool__(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.names or self.paths or self.products)

    def correct(self, products: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Products with the categories that people gave them, and how many had another one, or none."""
        if not self.products:
            return products, 0
        told = products["product_id"].replace_strict(
            list(self.products), list(self.products.values()), default=None, return_dtype=pl.String
        )
        said = told.is_not_null() & (products["status"] != "unreadable")
        other = said & told.ne_missing(products["label"])
        label = products["label"].set(said, None).fill_null(told)
        path = products["label_path"].set(said, None).fill_null(self._paths(told))
        return products.with_columns(label.alias("label"), path.alias("label_path")), int(other.sum())

    def rename(self, label: pl.Series, path: pl.Series) -> tuple[pl.Series, pl.Series, int]:
        """Categories and their readable paths as people named them, and how many rows that changed."""
        if not self.names and not self.paths:
            return label, path, 0
        now = label.replace(list(self.names), list(self.names.values())) if self.names else label
        found = self._paths(now)
        renamed = now.ne_missing(label)
        own = path.set(renamed, None)  # of a new name that is its own path
        return now, found.fill_null(own).alias(path.name), int(renamed.sum())

    def _paths(self, label: pl.Series) -> pl.Series:
        return label.replace_strict(
            list(self.paths), list(self.paths.values()), default=None, return_dtype=pl.String
        )
