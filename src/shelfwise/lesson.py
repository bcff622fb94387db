"""The lesson: the rows of a raw catalogue that can be learned from; every other row is counted by reason.

Columns get their roles, rows become products with the vectors of their texts and pictures, labels are mapped,
and near-duplicates are found, so that training only has to learn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import find_near_duplicates, group_near_duplicates
from shelfwise.catalogue.labels import LabelMapping, MappingReport, has_levels, reduce_rare
from shelfwise.catalogue.paths import UNLABELLED
from shelfwise.catalogue.picture_hashes import hash_pictures
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import PICTURE, TEXT_FIELDS, clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.splits import count_crossing, given_split, sample
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.doubted import read_doubted
from shelfwise.errors import CatalogueError, LabelError, RecipeError
from shelfwise.features.cache import VectorCache
from shelfwise.features.vectors import PREFIX, TABLE, EncoderMark, ProductEncoders
from shelfwise.recipe import Recipe

_READ_ROWS = 100_000
_SAMPLE = 200


@dataclass(frozen=True)
class Lesson:
    """The rows to learn from: products, their codes y int32 [rows], and int64 [rows] what belongs together.

    `groups`: what no split may part. `articles`: near-duplicates of one another, whatever group the catalogue
    gives. `fields`: text fields that tell products apart. `dense`: names of the vectors that products have.
    `marks`: what tells the encoders that made them from others. `renamed`: categories that a mapping changed;
    None = dropped.
    """

    roles: Roles
    products: pl.DataFrame
    y: NDArray[np.int32]
    groups: NDArray[np.int64]
    articles: NDArray[np.int64]
    taxonomy: Taxonomy
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    marks: dict[str, EncoderMark]
    renamed: dict[str, str | None]
    unseen: NDArray[np.bool_] | None = None
    """Products that no fine-tuned encoder was trained on, bool [rows]; None: no encoder was fine-tuned."""


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
    timings: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def read_lesson(
    source: Source,
    recipe: Recipe,
    split: str | None,
    report: Training,
    notify: Callable[[str], None] | None = None,
) -> Lesson:
    """Read a catalogue and keep what can be learned from; `report` is told what became of each row."""
    roles, products = read_products(source, recipe, split)
    chosen, renamed = _prepare(source, products, roles, recipe, report)
    fields = telling_fields(chosen, recipe)
    pictures = open_pictures(source, chosen, recipe.pictures.folder)
    encoders = ProductEncoders(recipe, fields, pictures, VectorCache())
    hashes = hash_pictures(pictures.find(chosen), recipe.threads) if pictures and encoders.pictures else None
    chosen, dense = _encode(chosen, encoders, report, notify)
    told = _tell_something(chosen, fields, dense)
    telling = chosen.filter(told)
    report.empty += chosen.height - telling.height
    taxonomy = _taxonomy(telling, source, roles, report)
    alike = hashes.take(told.to_numpy()) if hashes is not None else None
    near = find_near_duplicates(telling, quick=True, pictures=alike)
    report.learned = telling.height
    report.groups = len(np.unique(near.groups))
    report.fields = list(fields)
    report.data_sha256 = _fingerprint(telling, fields)
    _note_crossing(products, roles, report)
    y = taxonomy.codes(telling["label"])
    ids = encoders.unseen
    unseen = None if ids is None else telling["product_id"].is_in(list(ids)).to_numpy()
    together = near.groups, near.articles
    return Lesson(roles, telling, y, *together, taxonomy, fields, dense, encoders.marks, renamed, unseen)


def _tell_something(products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str]) -> pl.Series:
    """Which products have a text or a vector that tells them apart, bool [products]."""
    heard = [
        *(pl.col(name) != "" for name in fields),
        *(pl.col(PREFIX + name).is_not_null() for name in dense if name != "table"),
    ]
    if not heard:
        return pl.repeat(False, products.height, eager=True)
    return products.select(pl.any_horizontal(heard)).to_series()


def read_products(source: Source, recipe: Recipe, split: str | None) -> tuple[Roles, pl.DataFrame]:
    """Find the roles of the columns and read every row as a product (see `catalogue.products`)."""
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
            f"{_named(source)}: no column looks like the category. Columns are: {', '.join(source.columns)}. "
            "Name it with --label."
        )
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
            f"{_named(source)}: none of the columns {', '.join(roles.used())} is there. Columns are: "
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


def _named(source: Source) -> str:
    return ", ".join(str(file) for file in source.files) or "the catalogue"


def _prepare(
    source: Source, products: pl.DataFrame, roles: Roles, recipe: Recipe, report: Training
) -> tuple[pl.DataFrame, dict[str, str | None]]:
    """Keep the labelled rows that may be learned from, counting all others by reason."""
    report.rows = products.height
    report.unreadable = int((products["status"] == "unreadable").sum())
    chosen = products.filter(pl.col("status") != "unreadable")
    if roles.split is not None:
        train, test = sides(products, roles.split)
        chosen, report.left_out = products.filter(pl.Series(train)), int(test.sum())
    if not recipe.pictures.folder:  # in a folder, pictures are found by ids: "empty" is not known yet
        report.empty = int((chosen["status"] == "empty").sum())
        chosen = chosen.filter(pl.col("status") != "empty")
    if recipe.catalogue.doubts:
        chosen = _without_doubted(chosen, recipe, report)
    chosen, renamed = _map_labels(products, chosen, roles, recipe, report)
    report.unlabelled = int(chosen["label"].is_null().sum())
    chosen = chosen.drop_nulls("label")
    if recipe.catalogue.sample < 1 and chosen.height:
        kept = sample(
            chosen["label"], group_near_duplicates(chosen, quick=True), recipe.catalogue.sample, recipe.seed
        )
        report.left_out_by_sample = chosen.height - len(kept)
        chosen = chosen[kept.tolist()]
    return chosen, renamed


def _without_doubted(chosen: pl.DataFrame, recipe: Recipe, report: Training) -> pl.DataFrame:
    """The rows without those that stand where an audit doubts them."""
    path = recipe.catalogue.doubts
    doubted = read_doubted(path, recipe.catalogue.least_doubt)
    kept = chosen.join(
        doubted, left_on=["product_id", "label"], right_on=["product_id", "given"], how="anti",
        maintain_order="left",
    )  # fmt: skip
    report.left_out_as_doubted = chosen.height - kept.height
    if doubted.height and kept.height == chosen.height:
        report.notes.append(
            f"none of the {doubted.height:,} products that {path} doubts stands here where it stood: is this "
            "the catalogue that was audited, with the same category column?"
        )
    return kept


def _encode(
    chosen: pl.DataFrame, encoders: ProductEncoders, report: Training, notify: Callable[[str], None] | None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Give the rows their vectors; return them with the names of those vectors that any row has."""
    chosen = encoders.attach(chosen, notify)
    if PICTURE in chosen.columns:
        chosen = chosen.drop(PICTURE)  # vectors are what is learned from; bytes are what fills the memory
    names = [*encoders.marks, *(["table"] if encoders.recipe.table.columns else [])]
    dense = [name for name in names if name == "table" or chosen[PREFIX + name].is_not_null().any()]
    report.notes += encoders.notes
    if "pictures" in dense:
        report.pictures = int(chosen[PREFIX + "pictures"].is_not_null().sum())
    if "pictures" in names and "pictures" not in dense and chosen.height:
        first = chosen["reason"].drop_nulls().head(1).to_list()
        report.notes.append(
            f"no picture of {chosen.height:,} products could be used, so pictures have no say"
            + (f"; the first reason: {first[0]}" if first else "")
        )
    return chosen, tuple(dense)


def _taxonomy(products: pl.DataFrame, source: Source, roles: Roles, report: Training) -> Taxonomy:
    """The tree of the rows to learn from; LabelError where there is nothing to tell apart."""
    kinds = products["label"].n_unique()
    if kinds > 1:
        return Taxonomy.build(products["label"], products["label_path"], roles.separator)
    only = (
        f"only one category, {products['label'][0]!r}"
        if kinds
        else "no row with a category and text or picture"
    )
    raise LabelError(
        f"{_named(source)}: the column {roles.label!r} leaves {only} "
        f"({report.rows:,} rows; {report.unlabelled:,} without category, "
        f"{report.empty:,} with nothing that differs, {report.unreadable:,} unreadable, "
        f"{report.left_out:,} left out for testing). At least two categories are needed to learn; "
        "name another column with --label."
    )


def _map_labels(
    products: pl.DataFrame, chosen: pl.DataFrame, roles: Roles, recipe: Recipe, report: Training
) -> tuple[pl.DataFrame, dict[str, str | None]]:
    """Change the labels of the chosen rows; return them, and each category of all rows and what it became."""
    before = products["label"].drop_nulls().unique().sort()
    after, labels = before, chosen["label"]
    reports: list[MappingReport] = []
    if recipe.catalogue.mapping:
        mapping = LabelMapping.read(recipe.catalogue.mapping)
        after = mapping.apply(before, roles.separator)[0]
        labels, mapped = mapping.apply(labels, roles.separator)
        reports.append(mapped)
    if recipe.catalogue.min_products > 1:
        if not has_levels(labels, roles.separator):
            report.notes.append(
                f"min_products merges nothing here: categories in {roles.label!r} are names or ids without "
                "levels, so they have no parent shelf."
            )
        reduced, found = reduce_rare(labels, recipe.catalogue.min_products, roles.separator)
        after = _follow(after, labels, reduced)
        labels = reduced
        reports.append(found)
    report.mapping = [asdict(part) for part in reports]
    report.notes += [warning for part in reports for warning in part.warnings]
    same = labels.eq_missing(chosen["label"])
    path = pl.when(pl.Series(same)).then("label_path")  # a new name has no path beside it, but is one
    renamed = {old: new for old, new in zip(before.to_list(), after.to_list(), strict=True) if old != new}
    return chosen.with_columns(path.alias("label_path"), labels.alias("label")), renamed


def _follow(names: pl.Series, before: pl.Series, after: pl.Series) -> pl.Series:
    """Change names as `before` became `after`; those that are not in `before` stay."""
    pairs = pl.DataFrame({"before": before, "after": after}).drop_nulls("before").unique().sort("before")
    return names.replace(pairs["before"], pairs["after"])


def telling_fields(products: pl.DataFrame, recipe: Recipe) -> tuple[str, ...]:
    """The text fields to learn from: those asked for, or all that say more than one thing."""
    unknown = [name for name in recipe.catalogue.fields if name not in TEXT_FIELDS]
    if unknown:
        raise RecipeError(f"there is no text field {unknown[0]!r}; fields are: {', '.join(TEXT_FIELDS)}")
    telling = [name for name in TEXT_FIELDS if products.height and products[name].n_unique() > 1]
    if not recipe.catalogue.fields:
        return tuple(telling)
    return tuple(name for name in TEXT_FIELDS if name in recipe.catalogue.fields and name in telling)


def _note_crossing(products: pl.DataFrame, roles: Roles, report: Training) -> None:
    if roles.split is None:
        return
    train, test = sides(products, roles.split)
    crossing = count_crossing(group_near_duplicates(products, quick=True), train, test)
    if crossing.groups:
        report.notes.append(
            f"{crossing.groups:,} groups of near-duplicates lie on both sides of the column {roles.split!r}: "
            f"{crossing.test_rows:,} test rows have a twin to learn from, and scores on them flatter."
        )


def _fingerprint(products: pl.DataFrame, fields: tuple[str, ...]) -> str:
    """SHA-256 of what was learned from: ids, text and labels, in order."""
    digest = hashlib.sha256()
    for name in ("product_id", *fields, "label"):
        digest.update(name.encode() + b"\x1e")
        for start in range(0, products.height, _READ_ROWS):
            texts = products[name][start : start + _READ_ROWS].to_list()
            digest.update("\x1f".join(texts).encode("utf-8", "replace"))
    return digest.hexdigest()
