"""Training: from a catalogue to fitted views and a decision, and an honest account of it.

The order is the flow of the product: read and understand the rows, name the categories, keep near-duplicates
together, answer for rows that were left out (fold by fold), fit the decision on them, then learn from all.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.labels import LabelMapping, MappingReport, has_levels, reduce_rare
from shelfwise.catalogue.paths import UNLABELLED
from shelfwise.catalogue.products import TEXT_FIELDS, clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.splits import count_crossing, given_split
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import DEPARTMENTS, Fusion, fit_fusion
from shelfwise.errors import CatalogueError, LabelError, PromiseError, RecipeError
from shelfwise.recipe import Recipe
from shelfwise.scoring import score_in_blocks
from shelfwise.view import Views, ViewScores

_READ_ROWS = 100_000


@dataclass(frozen=True)
class Lesson:
    """The rows to learn from: products, their codes y int32 [rows], near-duplicate groups int64 [rows]."""

    products: pl.DataFrame
    y: NDArray[np.int32]
    groups: NDArray[np.int64]
    taxonomy: Taxonomy
    fields: tuple[str, ...]
    renamed: dict[str, str | None]


@dataclass
class Training:
    """What training read, learned and measured; `to_dict` gives plain values."""

    rows: int = 0
    learned: int = 0
    unlabelled: int = 0
    empty: int = 0
    unreadable: int = 0
    left_out: int = 0  # marked for testing
    categories: int = 0
    singletons: int = 0
    depth: int = 0
    fields: list[str] = field(default_factory=list)
    groups: int = 0
    out_of_fold: dict[str, Any] = field(default_factory=dict)
    view_weights: dict[str, float] = field(default_factory=dict)
    promises: list[dict[str, Any]] = field(default_factory=list)
    mapping: list[dict[str, Any]] = field(default_factory=list)  # one a step: mapping, min_products
    notes: list[str] = field(default_factory=list)
    data_sha256: str = ""
    timings: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class _Clock:
    """Says and times which step is under way."""

    def __init__(self, timings: dict[str, float], notify: Callable[[str], None] | None) -> None:
        self.timings, self.notify = timings, notify
        self.started = self.since = time.perf_counter()
        self.step = ""

    def begin(self, step: str) -> None:
        now = time.perf_counter()
        if self.step:
            self.timings[self.step] = round(self.timings.get(self.step, 0) + now - self.since, 3)
        self.step, self.since = step, now
        self.timings["total"] = round(now - self.started, 3)
        if step and self.notify is not None:
            self.notify(step)


@dataclass(frozen=True)
class Trained:
    """What comes out of training."""

    roles: Roles
    taxonomy: Taxonomy
    fields: tuple[str, ...]
    views: Views
    decision: Decision
    neighbours: pl.DataFrame  # product_id and title of the products kept as neighbours
    training: Training
    renamed: dict[str, str | None]  # categories that a mapping changed; None = dropped
    counts: NDArray[np.int64]  # products learned from, by category


def train(
    source: Source,
    recipe: Recipe,
    split: str | None = None,
    threads: int = 1,
    notify: Callable[[str], None] | None = None,
) -> Trained:
    """Learn a catalogue's categories; see `Categorizer.fit`."""
    report = Training()
    clock = _Clock(report.timings, notify)
    clock.begin("read")
    roles, products = read_products(source, recipe, split)
    lesson = _choose_rows(source, products, roles, recipe, report)
    del products
    clock.begin("folds")
    scores, tested = _score_out_of_fold(lesson, recipe, threads)
    clock.begin("decision")
    sizes = np.bincount(lesson.y, minlength=len(lesson.taxonomy.labels))
    fusion = fit_fusion(scores.by_view, lesson.y[tested], (sizes / sizes.sum()).astype(np.float32))
    decision = _decide(fusion, scores, lesson, tested, recipe)
    del scores
    clock.begin("learn")
    views = Views(recipe, lesson.fields, threads)
    views.fit(lesson.products, lesson.y, lesson.taxonomy.departments, fusion.views)
    clock.begin("")
    report.timings |= views.timings_
    kept = lesson.products.select("product_id", "title")[views.neighbour_rows_.tolist()]
    _account(report, lesson, decision, recipe)
    return Trained(
        roles, lesson.taxonomy, lesson.fields, views, decision, kept, report, lesson.renamed,
        sizes.astype(np.int64),
    )  # fmt: skip


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


def clean_batches(source: Source, roles: Roles, recipe: Recipe, rows: int) -> Iterator[pl.DataFrame]:
    """Read a catalogue as products, `rows` at a time; one empty piece if there is no row at all.

    Raises
    ------
    CatalogueError
        The catalogue has none of the columns that the roles name.

    """
    columns = roles.used(source.columns)
    if not columns:
        raise CatalogueError(
            f"{_named(source)}: none of the columns {', '.join(roles.used())} is there. Columns are: "
            f"{', '.join(source.columns) or 'none'}. Is this the catalogue that the model was made for?"
        )
    unlabelled = tuple(recipe.catalogue.unlabelled) or UNLABELLED
    row = 0
    for batch in source.batches(rows, columns):
        yield clean(batch, roles, row, unlabelled)
        row += batch.height
    if row == 0:
        yield clean(source.frame(columns), roles, 0, unlabelled)


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


def _choose_rows(
    source: Source, products: pl.DataFrame, roles: Roles, recipe: Recipe, report: Training
) -> Lesson:
    """Keep the rows that can be learned from, counting all others by reason."""
    report.rows = products.height
    report.unreadable = int((products["status"] == "unreadable").sum())
    chosen = products.filter(pl.col("status") != "unreadable")
    if roles.split is not None:
        train, test = sides(products, roles.split)
        chosen, report.left_out = products.filter(pl.Series(train)), int(test.sum())
    report.empty = int((chosen["status"] == "empty").sum())
    chosen = chosen.filter(pl.col("status") != "empty")
    chosen, renamed = _map_labels(products, chosen, roles, recipe, report)
    report.unlabelled = int(chosen["label"].is_null().sum())
    chosen = chosen.drop_nulls("label")
    fields = _fields(chosen, recipe)
    telling = chosen.filter(pl.any_horizontal(pl.col(fields) != "")) if fields else chosen.clear()
    report.empty += chosen.height - telling.height
    taxonomy = _taxonomy(telling, source, roles, report)
    groups = group_near_duplicates(telling, quick=True)
    report.learned = telling.height
    report.groups = len(np.unique(groups))
    report.fields = list(fields)
    report.data_sha256 = _fingerprint(telling, fields)
    _note_crossing(products, roles, report)
    return Lesson(telling, taxonomy.codes(telling["label"]), groups, taxonomy, fields, renamed)


def _taxonomy(products: pl.DataFrame, source: Source, roles: Roles, report: Training) -> Taxonomy:
    """The tree of the rows to learn from; LabelError where there is nothing to tell apart."""
    kinds = products["label"].n_unique()
    if kinds > 1:
        return Taxonomy.build(products["label"], products["label_path"], roles.separator)
    only = f"only one category, {products['label'][0]!r}" if kinds else "no row with both text and a category"
    raise LabelError(
        f"{_named(source)}: the column {roles.label!r} leaves {only} "
        f"({report.rows:,} rows; {report.unlabelled:,} without category, "
        f"{report.empty:,} without text that differs, {report.unreadable:,} unreadable, "
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


def _fields(products: pl.DataFrame, recipe: Recipe) -> tuple[str, ...]:
    """The text fields to learn from: those asked for, or all that say more than one thing."""
    unknown = [name for name in recipe.catalogue.fields if name not in TEXT_FIELDS]
    if unknown:
        raise RecipeError(f"there is no text field {unknown[0]!r}; fields are: {', '.join(TEXT_FIELDS)}")
    telling = [name for name in TEXT_FIELDS if products.height and products[name].n_unique() > 1]
    if not recipe.catalogue.fields:
        return tuple(telling)
    return tuple(name for name in TEXT_FIELDS if name in recipe.catalogue.fields and name in telling)


def _score_out_of_fold(lesson: Lesson, recipe: Recipe, threads: int) -> tuple[ViewScores, NDArray[np.int64]]:
    """Scores of rows by views that never saw them or their near-duplicates, and which rows they are.

    Whole groups are dealt into folds at random, categories regardless: a category whose products all fall
    into one fold is then unknown to that fold's model, just as a new category is unknown to the final one.
    """
    rows = len(lesson.y)
    deal = max(recipe.decision.folds, rows // recipe.decision.rows)
    fold_of_group = np.random.default_rng(recipe.seed).permutation(int(lesson.groups.max()) + 1) % deal
    fold = fold_of_group[lesson.groups]
    parts: list[ViewScores] = []
    tested: list[NDArray[np.int64]] = []
    for number in range(deal):
        inside = np.flatnonzero(fold == number)
        rest = np.flatnonzero(fold != number)
        if len(inside) == 0 or len(np.unique(lesson.y[rest])) < 2:
            continue
        views = Views(recipe, lesson.fields, threads)
        views.fit(lesson.products[rest], lesson.y[rest], lesson.taxonomy.departments)
        parts.append(score_in_blocks(views, lesson.products[inside], threads))
        tested.append(inside)
        if sum(map(len, tested)) >= 0.7 * recipe.decision.rows:
            break
    if not parts:
        raise LabelError(
            f"{rows} products with a category make {len(fold_of_group)} groups of near-duplicates: too few "
            "to hold any back for calibration. More labelled products that differ are needed."
        )
    return ViewScores.joined(parts), np.concatenate(tested)


def _decide(
    fusion: Fusion, scores: ViewScores, lesson: Lesson, tested: NDArray[np.int64], recipe: Recipe
) -> Decision:
    mixed = fusion.mix(scores.by_view, scores.present(fusion.views))
    record = Record.of(mixed, lesson.y[tested], lesson.taxonomy, lesson.groups[tested])
    return Decision(fusion, record, recipe.decision.delta)


def _account(report: Training, lesson: Lesson, decision: Decision, recipe: Recipe) -> None:
    sizes = np.bincount(lesson.y)
    report.categories = len(lesson.taxonomy.labels)
    report.singletons = int((sizes == 1).sum())
    report.depth = lesson.taxonomy.depth
    report.view_weights = dict(decision.fusion.shares)
    if decision.fusion.backing:
        report.view_weights[DEPARTMENTS] = decision.fusion.backing
    record = decision.record
    report.out_of_fold = {
        "rows": len(record.right),
        "accuracy": round(float(record.right.mean()), 5),
        "levels": [round(float(level.mean()), 5) for level in record.chain_right.T],
        "mean_confidence": round(float(record.confidence.mean()), 5),
    }
    report.promises = [prepare_promise(decision, asked) for asked in recipe.decision.promises]
    if report.singletons:
        report.notes.append(
            f"{report.singletons:,} of {report.categories:,} categories have one product; they are kept and "
            "can be predicted, but nothing can be measured about them."
        )


def prepare_promise(decision: Decision, asked: float) -> dict[str, Any]:
    """A promise as plain values; `refused` says why the data cannot support it."""
    told: dict[str, Any] = {"asked": asked, "refused": None, "shelf": None}
    try:
        told |= {key: value for key, value in asdict(decision.promise(asked)).items() if key != "asked"}
    except PromiseError as error:
        told["refused"] = str(error)
    try:
        shelf = asdict(decision.shelf_promise(asked))
        told["shelf"] = {key: value for key, value in shelf.items() if key != "asked"}
    except PromiseError as error:
        told["shelf"] = {"refused": str(error)}
    return told


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
