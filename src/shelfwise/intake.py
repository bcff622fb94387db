"""Taking a catalogue in: which column is what, rows as products, and which of them may be learned from.

Rows are read piece by piece, and what becomes of each is counted. What has to be known of all of them at
once, their categories and what makes them near-duplicates, is kept as numbers; texts are put away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import find_by_keys, keys_of
from shelfwise.catalogue.paths import UNLABELLED
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.pieces import Pieces
from shelfwise.catalogue.products import PICTURE, TEXT_FIELDS, clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.splits import count_crossing, given_split
from shelfwise.corrections.doubted import read_doubted
from shelfwise.corrections.folding import Folding
from shelfwise.errors import CatalogueError, LabelError, RecipeError
from shelfwise.features.vectors import TABLE
from shelfwise.recipe import Recipe
from shelfwise.workspace import Workspace

_READ_ROWS = 100_000
_SAMPLE = 200


@dataclass
class Training:
    """What training read, learned and measured; `to_dict` gives plain values."""

    rows: int = 0
    learned: int = 0
    unlabelled: int = 0
    empty: int = 0
    unreadable: int = 0
    left_out: int = 0  # marked for testing
    left_out_by_sample: int = 0
    left_out_as_doubted: int = 0
    categories: int = 0
    singletons: int = 0
    depth: int = 0
    fields: list[str] = field(default_factory=list)
    pictures: int = 0  # products learned from whose picture could be used
    groups: int = 0
    out_of_fold: dict[str, Any] = field(default_factory=dict)
    view_weights: dict[str, float] = field(default_factory=dict)
    exponents: dict[str, dict[str, float]] = field(default_factory=dict)  # by who speaks; see `decide.fusion`
    promises: list[dict[str, Any]] = field(default_factory=list)
    mapping: list[dict[str, Any]] = field(default_factory=list)  # one a step: mapping, min_products
    notes: list[str] = field(default_factory=list)
    data_sha256: str = ""
    made_with: dict[str, str] = field(default_factory=dict)  # versions of what decides over a model's bits
    update: dict[str, Any] = field(default_factory=dict)  # of which model, and how far; see `update`
    timings: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Taken:
    """The rows of a catalogue that have a category and may be learned from.

    `label` and `label_path`: String [rows], as the catalogue has them. `keys`: of near-duplicates (see
    `duplicates.keys_of`). `known`: every category in the catalogue, those of other rows too, sorted.
    `telling`: text fields that say more than one thing.
    """

    roles: Roles
    pieces: Pieces
    label: pl.Series
    label_path: pl.Series
    keys: pl.DataFrame
    known: pl.Series
    telling: tuple[str, ...]


class Intake:
    """Reads a catalogue piece by piece; `report` is told what becomes of each row.

    Parameters
    ----------
    source, roles, recipe: what is read, and how.
    report: counts the rows.
    space: where products lie that are too many for memory.

    """

    def __init__(
        self, source: Source, roles: Roles, recipe: Recipe, report: Training, space: Workspace
    ) -> None:
        self.source, self.roles, self.recipe, self.report = source, roles, recipe, report
        self._pieces = Pieces(space)
        self._labels, self._paths = _Names(), _Names()
        self._keys: list[pl.DataFrame] = []
        self._known: list[pl.Series] = []
        self._said: dict[str, str] = {}
        self._telling: set[str] = set()
        self._crossing = _Crossing()
        self.corrected = 0
        """Rows that people had put elsewhere than the catalogue does, see `take`."""
        doubts = recipe.catalogue.doubts
        self._doubted = read_doubted(doubts, recipe.catalogue.least_doubt) if doubts else None

    def take(self, folding: Folding | None = None) -> Taken:
        """Read all rows; `folding`: what people corrected, over what the catalogue says."""
        for products in clean_batches(self.source, self.roles, self.recipe, _READ_ROWS):
            if folding is not None:
                products, corrected = folding.correct(products)
                self.corrected += corrected
            self._count(products)
            chosen = self._choose(products)
            if len(self._pieces.starts) == 1 or chosen.height:  # one piece at least, for its columns
                self._keep(chosen)
        self._note()
        return Taken(
            self.roles,
            self._pieces,
            self._labels.series("label"),
            self._paths.series("label_path"),
            pl.concat(self._keys),
            pl.concat(self._known).unique().sort(),
            tuple(name for name in TEXT_FIELDS if name in self._telling),
        )

    def _count(self, products: pl.DataFrame) -> None:
        self.report.rows += products.height
        self.report.unreadable += int((products["status"] == "unreadable").sum())
        self._known.append(products["label"].drop_nulls().unique())

    def _choose(self, products: pl.DataFrame) -> pl.DataFrame:
        """The rows that may be learned from, whose categories are known."""
        report, roles = self.report, self.roles
        chosen = products.filter(pl.col("status") != "unreadable")
        if roles.split is not None:
            train, test = sides(products, roles.split)
            chosen = products.filter(pl.Series(train))
            report.left_out += int(test.sum())
            self._crossing.add(keys_of(products), train, test)
        if (
            not self.recipe.pictures.folder
        ):  # in a folder, pictures are found by ids: "empty" is not known yet
            report.empty += int((chosen["status"] == "empty").sum())
            chosen = chosen.filter(pl.col("status") != "empty")
        if self._doubted is not None:
            kept = chosen.join(
                self._doubted, left_on=["product_id", "label"], right_on=["product_id", "given"], how="anti",
                maintain_order="left",
            )  # fmt: skip
            report.left_out_as_doubted += chosen.height - kept.height
            chosen = kept
        report.unlabelled += int(chosen["label"].is_null().sum())
        return chosen.drop_nulls("label")

    def _keep(self, chosen: pl.DataFrame) -> None:
        self._pieces.add(chosen)
        self._labels.add(chosen["label"])
        self._paths.add(chosen["label_path"])
        self._keys.append(keys_of(chosen))
        for name in TEXT_FIELDS:
            if chosen.height and name not in self._telling:
                first = self._said.setdefault(name, chosen[name][0])
                if (chosen[name] != first).any():
                    self._telling.add(name)

    def _note(self) -> None:
        report, catalogue = self.report, self.recipe.catalogue
        if self._doubted is not None and self._doubted.height and not report.left_out_as_doubted:
            report.notes.append(
                f"none of the {self._doubted.height:,} products that {catalogue.doubts} doubts stands here "
                "where it stood: is this the catalogue that was audited, with the same category column?"
            )
        if self.roles.split is not None and (told := self._crossing.note(self.roles.split)):
            report.notes.append(told)


class _Names:
    """A column of names that are often the same, as numbers."""

    def __init__(self) -> None:
        self._code_of: dict[str | None, int] = {}
        self._codes: list[NDArray[np.uint32]] = []

    def add(self, names: pl.Series) -> None:
        kinds = names.unique(maintain_order=True)
        codes = [self._code_of.setdefault(name, len(self._code_of)) for name in kinds.to_list()]
        found = names.replace_strict(kinds, pl.Series(codes, dtype=pl.UInt32), return_dtype=pl.UInt32)
        self._codes.append(found.to_numpy())

    def series(self, name: str) -> pl.Series:
        """The column; equal names share their letters."""
        codes = np.concatenate([np.empty(0, np.uint32), *self._codes])
        return pl.Series(name, list(self._code_of), dtype=pl.String).gather(pl.Series(codes, dtype=pl.UInt32))


class _Crossing:
    """Keys and sides of all rows of a catalogue that brings a split."""

    def __init__(self) -> None:
        self._keys: list[pl.DataFrame] = []
        self._sides: list[NDArray[np.bool_]] = []

    def add(self, keys: pl.DataFrame, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> None:
        self._keys.append(keys)
        self._sides.append(np.stack([train, test]))

    def note(self, column: str) -> str | None:
        """What to know where near-duplicates lie on both sides."""
        train, test = np.concatenate(self._sides, axis=1)
        crossing = count_crossing(find_by_keys(pl.concat(self._keys)).groups, train, test)
        if not crossing.groups:
            return None
        return (
            f"{crossing.groups:,} groups of near-duplicates lie on both sides of the column {column!r}: "
            f"{crossing.test_rows:,} test rows have a twin to learn from, and scores on them flatter."
        )


def choose_roles(source: Source, recipe: Recipe, split: str | None) -> Roles:
    """The roles of a catalogue's columns, as found and as the recipe has them.

    Raises
    ------
    LabelError
        No column is the category.

    """
    given: dict[str, Any] = dict(recipe.catalogue.roles)
    if recipe.catalogue.label:
        given["label"] = recipe.catalogue.label
    if split is not None:
        given["split"] = split
    roles = find_roles(source.sample(), given)
    if split is None:  # a column that happens to be called "split" decides nothing unless it is asked to
        roles = replace(roles, split=None)
    if roles.label is None:
        raise LabelError(
            f"{named_source(source)}: no column looks like the category. "
            f"Columns are: {', '.join(source.columns)}. Name it with --label."
        )
    return roles


def read_products(source: Source, recipe: Recipe, split: str | None) -> tuple[Roles, pl.DataFrame]:
    """Find the roles of the columns and read every row as a product (see `catalogue.products`)."""
    roles = choose_roles(source, recipe, split)
    return roles, pl.concat(clean_batches(source, roles, recipe, _READ_ROWS))


def open_pictures(source: Source, products: pl.DataFrame, folder: str) -> PictureFolder | None:
    """The pictures of a catalogue: in the folder, in the catalogue, or as files beside it; None: nowhere.

    Products whose pictures were never downloaded are no reason to complain about each of them.
    """
    if folder or source.format == "pictures" or PICTURE in products.columns:
        return PictureFolder.of(source, folder or None)
    beside = PictureFolder.of(source)
    sample = products.filter(pl.col("image") != "").head(_SAMPLE)
    found = any(picture is not None and picture.problem is None for picture in beside.find(sample))
    return beside if found else None


def clean_batches(source: Source, roles: Roles, recipe: Recipe, rows: int) -> Iterator[pl.DataFrame]:
    """Read a catalogue as products, `rows` at a time; one empty piece if there is no row at all.

    Raises
    ------
    CatalogueError
        The catalogue has none of the columns that the roles name.

    """
    columns = read_columns(source, roles, recipe)
    row = 0
    for batch in source.batches(rows, columns):
        yield clean_rows(batch, roles, recipe, row)
        row += batch.height
    if row == 0:
        yield clean_rows(source.frame(columns), roles, recipe)


def read_columns(source: Source, roles: Roles, recipe: Recipe) -> list[str]:
    """The columns of a catalogue that are read; CatalogueError where the roles name none of them."""
    columns = roles.used(source.columns)
    if not columns:
        raise CatalogueError(
            f"{named_source(source)}: none of the columns {', '.join(roles.used())} is there. Columns are: "
            f"{', '.join(source.columns) or 'none'}. Is this the catalogue that the model was made for?"
        )
    return [*columns, *(c for c in recipe.table.columns if c in source.columns and c not in columns)]


def clean_rows(
    raw: pl.DataFrame, roles: Roles, recipe: Recipe, first_row: int | pl.Series = 0
) -> pl.DataFrame:
    """Raw rows with their `read_columns` as products; `first_row`: see `products.clean`."""
    unlabelled = tuple(recipe.catalogue.unlabelled) or UNLABELLED
    return _with_table(clean(raw, roles, first_row, unlabelled), raw, recipe.table.columns)


def _with_table(products: pl.DataFrame, raw: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The products with raw columns beside them; one that is not there is empty."""
    none = pl.lit(None, dtype=pl.String)
    return products.with_columns(
        (raw[name].cast(pl.String, strict=False) if name in raw.columns else none).alias(TABLE + name)
        for name in names
    )


def sides(products: pl.DataFrame, column: str = "split") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows to learn from and rows to test on, two masks [products]; unreadable rows are on neither side.

    `column`: what the source calls the column that marks them, for messages.

    Raises
    ------
    CatalogueError
        A row that could be read is marked with something else.

    """
    readable = products["status"].to_numpy() != "unreadable"
    train, test = np.zeros(len(readable), bool), np.zeros(len(readable), bool)
    marks = products["split"].filter(pl.Series(readable))
    train[readable], test[readable] = given_split(marks.alias(column))
    return train, test


def telling_fields(products: pl.DataFrame, recipe: Recipe) -> tuple[str, ...]:
    """The text fields to learn from: those asked for, or all that say more than one thing."""
    telling = [name for name in TEXT_FIELDS if products.height and products[name].n_unique() > 1]
    return asked_fields(telling, recipe)


def asked_fields(telling: Sequence[str], recipe: Recipe) -> tuple[str, ...]:
    """Of the text fields that say more than one thing those that are asked for, or all."""
    unknown = [name for name in recipe.catalogue.fields if name not in TEXT_FIELDS]
    if unknown:
        raise RecipeError(f"there is no text field {unknown[0]!r}; fields are: {', '.join(TEXT_FIELDS)}")
    return tuple(
        name for name in TEXT_FIELDS if name in telling and name in (recipe.catalogue.fields or TEXT_FIELDS)
    )


def named_source(source: Source) -> str:
    """What a catalogue is called in messages."""
    return ", ".join(str(file) for file in source.files) or "the catalogue"
