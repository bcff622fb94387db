"""Reading: how the rows of a catalogue become a model's products; what holds for all rows is decided once.

A `Reading` is plain values, so that another process or machine can read a part of the same catalogue in the
same way. A `Reader` is a reading at work, with its pictures and encoders open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.errors import CatalogueError
from shelfwise.features.cache import VectorCache
from shelfwise.features.vectors import EncoderMark, ProductEncoders
from shelfwise.intake import asked_fields, clean_batches
from shelfwise.lesson import clean_rows, open_pictures, read_columns, sides
from shelfwise.recipe import Recipe

BATCH = 20_000
"""Rows that are read and answered at a time."""


@dataclass(frozen=True)
class Listens:
    """What a model listens to: its text fields, the names of its vectors, and the marks of their encoders."""

    fields: tuple[str, ...]
    dense: tuple[str, ...]
    marks: Mapping[str, EncoderMark]


@dataclass(frozen=True)
class PicturePlaces:
    """Where pictures are: the folder as it was given (as messages name it) and in full, the catalogue's."""

    given: str | None
    folder: str | None
    catalogue: str | None

    @classmethod
    def of(cls, pictures: PictureFolder, source: Source) -> Self:
        """The places of opened pictures."""
        given, own = _text(pictures.folder), _text(source.folder)
        return cls(given, given and os.path.abspath(given), own and os.path.abspath(own))

    def open(self) -> PictureFolder:
        """The pictures, from any working directory."""
        pictures = PictureFolder(self.folder, self.catalogue)
        if self.given is not None:
            pictures.folder = Path(self.given)
        return pictures


@dataclass(frozen=True)
class Reading:
    """How the rows of one catalogue are read; plain values.

    columns: what is read, by name with its type. split: rows marked test in this column are chosen, and those
    that cannot be read. pictures: where they are; None: none are looked for.
    """

    roles: Roles
    recipe: Recipe
    listens: Listens
    columns: dict[str, str]
    split: str | None = None
    pictures: PicturePlaces | None = None

    def to_dict(self) -> dict[str, Any]:
        """What a row's answer depends on besides the model, the row and its picture.

        Where pictures lie is a part of it, because reasons name the place; the number of threads is none.
        """
        recipe = self.recipe.to_dict()
        recipe = {**recipe, "threads": 0, "pictures": {**recipe["pictures"], "folder": ""}}
        return {
            "roles": self.roles.to_dict(),
            "recipe": recipe,
            "columns": self.columns,
            "split": self.split,
            "pictures": self.pictures and (self.pictures.given or self.pictures.catalogue),
        }


class Reader:
    """A reading at work.

    Parameters
    ----------
    reading: see there.
    pictures: the opened pictures, where they are at hand; opened by what the reading says otherwise.

    """

    def __init__(self, reading: Reading, pictures: PictureFolder | None = None) -> None:
        self.reading = reading
        if pictures is None and reading.pictures is not None:
            pictures = reading.pictures.open()
        self.pictures = pictures
        self._encoders: ProductEncoders | None = None

    @classmethod
    def of(
        cls, source: Source, roles: Roles, recipe: Recipe, listens: Listens, split: str | None = None
    ) -> Self:
        """Decide how a catalogue is read; pictures that are not there need no encoder.

        Raises
        ------
        CatalogueError
            The catalogue has no column `split`, or none that the roles name.

        """
        if split is not None:
            if split not in source.columns:
                listed = ", ".join(source.columns)
                raise CatalogueError(f"there is no column {split!r} to split by; columns are: {listed}")
            roles = replace(roles, split=split)
        columns = read_columns(source, roles, recipe)
        looks = not {"pictures", "pixels"}.isdisjoint(listens.dense)
        for name, used in (("encoder", "encoder" in listens.dense), ("pictures", looks)):
            if not used:
                recipe = replace(recipe, **{name: replace(getattr(recipe, name), encoder="none")})
        pictures = None
        if looks:
            first = next(source.batches(BATCH, columns), None)
            raw = source.frame(columns) if first is None else first
            pictures = open_pictures(source, clean_rows(raw, roles, recipe), recipe.pictures.folder)
        places = None if pictures is None else PicturePlaces.of(pictures, source)
        types = {name: str(source.columns[name]) for name in columns}
        return cls(Reading(roles, recipe, listens, types, split, places), pictures)

    @classmethod
    def for_training(cls, source: Source, recipe: Recipe) -> Self:
        """How training, and an audit, will read the texts and pictures of a catalogue; labels are no must."""
        given: dict[str, Any] = dict(recipe.catalogue.roles)
        if recipe.catalogue.label:
            given["label"] = recipe.catalogue.label
        roles = replace(find_roles(source.sample(), given), split=None)
        fields = asked_fields(_telling(source, roles, recipe), recipe)
        asked = {"encoder": recipe.encoder.encoder, "pictures": recipe.pictures.encoder}
        dense = tuple(name for name, spec in asked.items() if spec not in ("", "none"))
        return cls.of(source, roles, recipe, Listens(fields, dense, {}))

    def batches(self, source: Source, rows: int = BATCH) -> Iterator[tuple[int, pl.DataFrame]]:
        """Raw rows with the place of the first of them; one empty piece if there is no row at all."""
        place = 0
        columns = list(self.reading.columns)
        for raw in source.batches(rows, columns):
            yield place, raw
            place += raw.height
        if place == 0:
            yield 0, source.frame(columns)

    def choose(self, raw: pl.DataFrame, first_row: int | pl.Series = 0) -> pl.DataFrame:
        """The products that are to be answered, without vectors; `first_row`: see `products.clean`."""
        reading = self.reading
        products = clean_rows(raw, reading.roles, reading.recipe, first_row)
        if reading.split is None:
            return products
        unreadable = (products["status"] == "unreadable").to_numpy()
        return products.filter(sides(products, reading.split)[1] | unreadable)

    def attach(self, products: pl.DataFrame) -> pl.DataFrame:
        """The products with the vectors that the model listens to.

        Raises
        ------
        EncoderError
            An encoder cannot be opened, or is not the one that the model was trained with.

        """
        if self._encoders is None:
            listens = self.reading.listens
            opened = ProductEncoders(self.reading.recipe, listens.fields, self.pictures, VectorCache())
            opened.check(listens.marks)
            self._encoders = opened
        return self._encoders.attach(products)


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def _telling(source: Source, roles: Roles, recipe: Recipe) -> list[str]:
    """The text fields that say more than one thing, among the products to learn from where there are such.

    Reads no further than until that is known.
    """
    said: dict[str, set[str]] = {name: set() for name in TEXT_FIELDS}
    for products in clean_batches(source, roles, recipe, BATCH):
        chosen = products.filter(pl.col("status") != "unreadable")
        if not recipe.pictures.folder:  # as `intake` has it
            chosen = chosen.filter(pl.col("status") != "empty")
        if roles.label is not None:
            chosen = chosen.drop_nulls("label")
        for name, kinds in said.items():
            if len(kinds) < 2:
                kinds.update(chosen[name].unique(maintain_order=True).head(2).to_list())
        silent = [name for name, kinds in said.items() if len(kinds) < 2]
        if not any(roles.nested or getattr(roles, name) for name in silent):
            break
    return [name for name, kinds in said.items() if len(kinds) > 1]
