"""A catalogue to look at: where each product lies on the map, and what is nearest to it. Nothing is judged.

`explore` needs no category at all. Its table has the form of doubts, without suggestions and doubts, so that
the review page shows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.about import about_catalogue, named
from shelfwise.audit.claims import Floats
from shelfwise.audit.doubts import SCHEMA, check_doubts, neighbours_of, write_doubts
from shelfwise.audit.embedding import content_keys, embed
from shelfwise.audit.nearest import NEAREST, Nearest, nearest_on
from shelfwise.catalogue.products import PICTURE
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.errors import CatalogueError, MissingExtraError
from shelfwise.features.cache import VectorCache
from shelfwise.features.vectors import PREFIX, ProductEncoders
from shelfwise.lesson import clean_batches, open_pictures, telling_fields
from shelfwise.recipe import Recipe

_READ_ROWS = 100_000
_CELL = 1_000  # products that are compared with each other, about
_LOOKED = 4  # cells in which a product's nearest are looked for
_CELLS = 1 << 23


@dataclass(frozen=True)
class Exploration:
    """What there is to look at.

    table: with the columns of `doubts.SCHEMA`, in the order of the catalogue; rows, labelled, unlabelled,
    unreadable: what became of the rows; notes: what to know; about: what the file is told.
    """

    table: pl.DataFrame
    rows: int
    labelled: int
    unlabelled: int
    unreadable: int
    notes: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def write(self, output: str | os.PathLike[str]) -> None:
        """Write the file (.parquet), which `shelfwise review` opens to look at."""
        write_doubts(self.table, check_doubts(output), self.about)

    def to_dict(self) -> dict[str, Any]:
        """How many of what, for programs."""
        return {name: getattr(self, name) for name in ("rows", "labelled", "unlabelled", "unreadable")}


def explore(
    catalogue: object,
    recipe: Recipe | None = None,
    layout: bool = True,
    notify: Callable[[str], None] | None = None,
) -> Exploration:
    """Lay out a catalogue by what its products are, labelled or not.

    Args:
        catalogue: a path (file, folder, glob), a `Source`, or any frame that speaks Arrow.
        recipe: encoders, pictures, roles and seed; the defaults if there is none.
        layout: whether products get a place on the map (needs the extra `map`).
        notify: called with the name of each step as it begins.

    Raises:
        CatalogueError: the catalogue cannot be read, or has no product.
        MissingExtraError: a map is wanted, and its extra is not installed.

    """
    if layout and find_spec("openTSNE") is None:  # said before the work, not after it
        raise MissingExtraError("the map", "map")
    recipe, say = recipe or Recipe(), notify or _silent
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    threads = recipe.threads or os.cpu_count() or 1
    say("reading")
    roles, products, fields, dense, notes = _read(source, recipe, notify)
    say("vectors")
    vectors = embed(products, fields, dense, recipe.seed)
    keys = content_keys(products, fields, dense)
    places = np.full((products.height, 2), np.nan, np.float32)
    if layout:
        from shelfwise.audit.layout import lay_out

        say("map")
        places = lay_out(vectors, recipe.seed, keys=keys, threads=threads)
    say("neighbours")
    table = _tabulate(products, _nearest(vectors, keys), places)
    labelled = int(table["given"].is_not_null().sum())
    return Exploration(
        table, source.rows, labelled, table.height - labelled, source.rows - table.height, notes,
        about_catalogue(source, roles, roles.separator, recipe.pictures.folder) | {"judged": False},
    )  # fmt: skip


def _silent(step: str) -> None:
    """Tell nobody."""


_Read = tuple[Roles, pl.DataFrame, tuple[str, ...], list[str], list[str]]


def _read(source: Source, recipe: Recipe, notify: Callable[[str], None] | None) -> _Read:
    """Roles, the products that could be read with their vectors, text fields, names of vectors, and notes."""
    given: dict[str, Any] = dict(recipe.catalogue.roles)
    if recipe.catalogue.label:
        given["label"] = recipe.catalogue.label
    roles = replace(find_roles(source.sample(), given), split=None)
    products = pl.concat(clean_batches(source, roles, recipe, _READ_ROWS))
    products = products.filter(pl.col("status") != "unreadable")
    if not products.height:
        raise CatalogueError(f"{named(source)}: there is no product in it that could be read")
    fields = telling_fields(products, recipe)
    pictures = open_pictures(source, products, recipe.pictures.folder)
    encoders = ProductEncoders(recipe, fields, pictures, VectorCache())
    products = encoders.attach(products, notify).drop(PICTURE, strict=False)
    dense = [name for name in encoders.marks if _any(products, PREFIX + name)]
    return roles, products, fields, dense, list(encoders.notes)


def _any(products: pl.DataFrame, column: str) -> bool:
    return column in products.columns and bool(products[column].is_not_null().any())


def _nearest(vectors: Floats, keys: NDArray[np.uint64]) -> Nearest:
    """The most similar products of each; where there are many, among those of the likest cells."""
    cells = _cells(vectors, keys)
    found = [nearest_on(cell, vectors, cells[0]) for cell in cells]
    rows = np.concatenate([part.rows for part in found], axis=1)
    cosine = np.concatenate([part.cosine for part in found], axis=1)
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :NEAREST]
    return Nearest(np.take_along_axis(rows, best, axis=1), np.take_along_axis(cosine, best, axis=1))


def _cells(vectors: Floats, keys: NDArray[np.uint64]) -> list[NDArray[np.int32]]:
    """The cell of each product, and the next likest ones: those around some products chosen by content."""
    count = -(-len(vectors) // _CELL)
    middles = vectors[np.unique(keys, return_index=True)[1][:count]]
    looked = min(_LOOKED, len(middles))
    cells = np.empty((len(vectors), looked), np.int32)
    for start in range(0, len(vectors), step := max(_CELLS // len(middles), 1)):
        alike = vectors[start : start + step] @ middles.T
        cells[start : start + step] = np.argsort(-alike, axis=1, kind="stable")[:, :looked]
    return list(cells.T)


def _tabulate(products: pl.DataFrame, near: Nearest, places: Floats) -> pl.DataFrame:
    labels = products["label"].drop_nulls().unique().sort()
    numbers = np.arange(len(labels), dtype=np.int32)
    y = products["label"].replace_strict(labels, numbers, default=-1, return_dtype=pl.Int32).to_numpy()
    nobody = Nearest(near.rows[:, :0], near.cosine[:, :0])
    kind = pl.when(pl.col("label").is_null()).then(pl.lit("unlabelled")).otherwise(pl.lit("labelled"))
    table = products.select(
        "product_id",
        "row",
        pl.col("label").alias("given"),
        kind.alias("kind"),
        neighbours_of(products, labels, y, (near, nobody)).alias("neighbours"),
        pl.Series("x", places[:, 0]),
        pl.Series("y", places[:, 1]),
    )
    lists = ("reasons", "candidates")  # which are empty; all else that was not judged is null
    lacking = {name: kind for name, kind in SCHEMA.items() if name not in table.columns}
    table = table.with_columns(
        pl.lit([] if name in lists else None, dtype=kind).alias(name) for name, kind in lacking.items()
    )
    return table.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
