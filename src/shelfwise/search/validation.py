"""The rows of a search: which to learn from and which to judge settings on, and never those for testing."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.splits import hold_out, sample
from shelfwise.errors import LabelError, RecipeError
from shelfwise.lesson import read_products, sides
from shelfwise.recipe import TEXT_FIELDS, Recipe

VALIDATION = 0.2


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How long, on what and where to search.

    `minutes`: no trial begins that would probably end later; the first one always runs. `trials`: at most
    that many in all, the given recipe included; 0 = as many as the time allows. `rows`: at most about that
    many rows are used, classes keeping their shares; 0 = all. `folder`: of the study; None keeps nothing.
    `split`: a column that marks rows; those marked test are left alone.
    """

    minutes: float = 10.0
    trials: int = 0
    rows: int = 0
    folder: Path | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes < math.inf:
            raise RecipeError(f"search: minutes must be a positive number, not {self.minutes}")
        if self.trials < 0 or self.rows < 0:
            raise RecipeError("search: trials and rows must be 0 or a positive number")


@dataclass(frozen=True)
class Validation:
    """Two parts of a catalogue, as its raw rows: to learn from and to judge on.

    `label`: the column with the categories. `fields`: text fields that say more than one thing. `about`: what
    tells this data and split from others.
    """

    learned: Source
    judged: Source
    label: str
    fields: tuple[str, ...]
    about: dict[str, Any]
    notes: tuple[str, ...]

    @classmethod
    def prepare(cls, catalogue: object, recipe: Recipe, options: SearchOptions) -> Validation:
        """Read a catalogue and deal its rows; LabelError where that leaves none to judge on."""
        source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
        roles, products = read_products(source, recipe, options.split)
        usable = (products["status"] == "ok").to_numpy() & products["label"].is_not_null().to_numpy()
        if options.split is not None:
            usable &= sides(products, options.split)[0]
        rows = np.flatnonzero(usable)
        chosen = products.filter(pl.Series(usable))
        del products
        y = np.unique(chosen["label"].to_numpy(), return_inverse=True)[1]
        groups = group_near_duplicates(chosen, quick=True)
        notes: list[str] = []
        if 0 < options.rows < len(rows):
            part = sample(y, groups, options.rows / len(rows), recipe.seed)
            notes.append(f"{len(part):,} of {len(rows):,} rows were used.")
            rows, y, groups, chosen = rows[part], y[part], groups[part], chosen[part.tolist()]
        train, test = hold_out(y, groups, VALIDATION, recipe.seed) if len(rows) else (rows, rows)
        if len(test) == 0:
            raise LabelError(
                f"{len(rows):,} rows with a category leave none to judge settings on: each category is one "
                "group of near-duplicates. More labelled products that differ are needed."
            )
        fields = tuple(name for name in TEXT_FIELDS if chosen[name].n_unique() > 1)
        about = {"rows": [len(train), len(test)], "data": _fingerprint(chosen, fields)}
        frame = source.frame()
        learned, judged = (_part(source, frame[rows[part].tolist()]) for part in (train, test))
        return cls(learned, judged, str(roles.label), fields, about, tuple(notes))


def _part(source: Source, rows: pl.DataFrame) -> Source:
    """Some rows of a source as a source; it knows the files still, for pictures that lie beside them."""
    part = open_source(rows)
    part.files, part.format, part.folder = source.files, source.format, source.folder
    return part


def _fingerprint(products: pl.DataFrame, fields: tuple[str, ...]) -> str:
    """SHA-256 of ids, text and labels, in order."""
    digest = hashlib.sha256()
    for name in ("product_id", *fields, "label"):
        digest.update(name.encode() + b"\x1e")
        digest.update("\x1f".join(products[name].to_list()).encode("utf-8", "replace"))
    return digest.hexdigest()
