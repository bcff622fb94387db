"""The pool: products of a catalogue without a shelf, those that have one, and what a model says of them.

Of every answer only the most probable categories are kept, so memory grows with the products and not with
products times categories.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.about import named
from shelfwise.audit.claims import Codes, Floats
from shelfwise.audit.embedding import content_keys, embed
from shelfwise.audit.evidence import best_of
from shelfwise.catalogue.products import PICTURE
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, LabelError
from shelfwise.explain import Witnesses
from shelfwise.features.vectors import PREFIX
from shelfwise.scoring import map_blocks


@dataclass
class Counts:
    """What became of every row; they add up to `rows`.

    unlabelled: products without a category that can be asked about; of those the model has nothing to go by
    for `unheard`, such as words that it never met. labelled: products with one; of those
    `foreign` have one that the model does not know. empty: without a category, text and picture.
    unreadable: rows that could not be read.
    """

    rows: int = 0
    unlabelled: int = 0
    unheard: int = 0
    labelled: int = 0
    foreign: int = 0
    empty: int = 0
    unreadable: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pool:
    """Products and what is known of them.

    roles: of the columns. taxonomy: the model's. products: all that can be compared, with their vectors.
    vectors: float32 [products, width], made without any label. keys: uint64 [products], of their content. y:
    int32 [products], codes of their categories; -1: not known to the model, or none. open: int64 [m], the
    products without a category. codes, probabilities: [m, k], their most probable categories, best first;
    heard: bool [m], whether the model has anything to go by.
    known: int64 [categories], labelled products of each.
    """

    roles: Roles
    taxonomy: Taxonomy
    products: pl.DataFrame
    vectors: Floats
    keys: NDArray[np.uint64]
    y: Codes
    open: NDArray[np.int64]
    codes: Codes
    probabilities: Floats
    heard: NDArray[np.bool_]
    known: NDArray[np.int64]

    def __len__(self) -> int:
        """How many products have no category."""
        return len(self.open)


def read_pool(source: Source, model: Categorizer, label: str | None, counts: Counts) -> Pool:
    """Read a catalogue and ask a model about the products without a category; `counts` is told of each row.

    `label`: the column of the category; the model's own otherwise.

    Raises
    ------
    CatalogueError, LabelError
        The catalogue has no such column, its categories are others than the model's, or every product has
        one.

    """
    model.check_fitted()
    roles = _roles(source, model, label, counts)
    reader = copy.copy(model)
    reader.roles_ = roles
    products = reader.products(source).drop(PICTURE, strict=False)  # of which the vectors are left
    asked = Witnesses(model.decision_.fusion, model.corrections_)
    taxonomy = asked.corrections.taxonomy
    products, y = _sort_out(products, model, taxonomy, counts)
    _check(source, roles, counts)
    own = model.views_
    dense = [name for name in own.dense if name != "table"]
    told = _told(products, own.fields, dense)
    missing = products["label"].is_null().to_numpy()
    opened = np.flatnonzero(missing & told)
    counts.empty = int((missing & ~told).sum())
    counts.unlabelled = len(opened)
    if not len(opened):
        raise CatalogueError(
            f"{named(source)}: none of the {counts.empty:,} products without a category has text or picture"
        )

    def work(block: pl.DataFrame) -> tuple[Codes, Floats, NDArray[np.bool_]]:
        probabilities, heard = asked.ask(block)
        return *best_of(probabilities), heard

    parts = list(map_blocks(work, products[opened.tolist()], len(taxonomy.labels), model.threads))
    codes, probabilities, heard = (np.concatenate(part) for part in zip(*parts, strict=True))
    counts.unheard = int((~heard).sum())
    return Pool(
        roles, taxonomy, products,
        embed(products, own.fields, dense, model.recipe.seed), content_keys(products, own.fields, dense), y,
        opened, codes, probabilities, heard,
        np.maximum(model.counts_, np.bincount(y[y >= 0], minlength=len(taxonomy.labels))),
    )  # fmt: skip


def _told(products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str]) -> NDArray[np.bool_]:
    """Whether products have any text or vector that the model reads, bool [products]."""
    heard = [pl.col(name) != "" for name in fields]
    heard += [pl.col(PREFIX + name).is_not_null() for name in dense if PREFIX + name in products.columns]
    return products.select(pl.any_horizontal(heard)).to_series().to_numpy()


def _roles(source: Source, model: Categorizer, label: str | None, counts: Counts) -> Roles:
    """The model's roles, with the label column that was asked for, or a note that there is none."""
    roles = model.roles_
    listed = ", ".join(source.columns)
    if label is not None and label != roles.label:
        if label not in source.columns:
            raise CatalogueError(f"{named(source)}: there is no column {label!r}. Columns are: {listed}")
        found = find_roles(source.sample(), {"label": label})
        return replace(
            roles, label=label, label_name=found.label_name, levels=found.levels, separator=found.separator
        )
    if roles.label in source.columns or not {*roles.levels}.isdisjoint(source.columns) or roles.nested:
        return roles
    other = find_roles(source.sample()).label
    if other is not None:
        raise LabelError(
            f"{named(source)}: there is no column {roles.label!r}, which the model learned. Name the column "
            f"of the category with --label ({other!r} looks like it). Columns are: {listed}"
        )
    counts.notes.append(f"there is no column {roles.label!r}, so all products count as without category")
    return roles


def _sort_out(
    products: pl.DataFrame, model: Categorizer, taxonomy: Taxonomy, counts: Counts
) -> tuple[pl.DataFrame, Codes]:
    """The rows that could be read, and the codes of their categories; old names are followed."""
    counts.rows = products.height
    readable = products["status"] != "unreadable"
    counts.unreadable = products.height - int(readable.sum())
    products = products.filter(readable)
    old = {name: new for name, new in model.renamed_.items() if new is not None}
    y = taxonomy.codes(products["label"].replace(list(old), list(old.values())))
    labelled = products["label"].is_not_null().to_numpy()
    counts.labelled = int(labelled.sum())
    counts.foreign = int((labelled & (y < 0)).sum())
    return products, y


def _check(source: Source, roles: Roles, counts: Counts) -> None:
    column = f"the column {roles.label!r}"
    if counts.labelled and counts.foreign == counts.labelled:
        raise LabelError(
            f"{named(source)}: the model knows none of the categories in {column}: it learned others. Name "
            "the column with --label, or take the model of this catalogue."
        )
    if counts.labelled + counts.unreadable == counts.rows:
        raise CatalogueError(
            f"{named(source)}: every one of its {counts.labelled:,} products has a category in {column}, so "
            "there is none to ask for. Wrong ones are found by shelfwise audit."
        )
    if counts.foreign:
        counts.notes.append(
            f"{counts.foreign:,} of {counts.labelled:,} labelled products have a category that the model does"
            " not know"
        )
