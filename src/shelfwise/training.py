"""Training: from a catalogue to fitted views and a decision, and an honest account of it.

The order is the flow of the product: read and understand the rows, name the categories, keep near-duplicates
together, answer for rows that were left out (fold by fold), fit the decision on those answers, then learn from all.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.labels import LabelMapping, MappingReport, reduce_rare
from shelfwise.catalogue.paths import UNLABELLED
from shelfwise.catalogue.products import TEXT_FIELDS, clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.splits import count_crossing, given_split
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import Fusion, fit_fusion
from shelfwise.errors import LabelError, PromiseError, RecipeError
from shelfwise.recipe import Recipe
from shelfwise.scoring import score_in_blocks
from shelfwise.view import Views

_READ_ROWS = 100_000


@dataclass(frozen=True)
class Lesson:
    """The rows to learn from: products with their codes y int32 [rows] and near-duplicate groups int64 [rows]."""

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
    mapping: dict[str, Any] | None = None
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
    fusion = fit_fusion(scores, lesson.y[tested], (sizes / sizes.sum()).astype(np.float32))
    decision = _decide(fusion, scores, lesson, tested, recipe)
    del scores
    clock.begin("learn")
    views = Views(recipe, lesson.fields, threads).fit(lesson.products, lesson.y, len(lesson.taxonomy.labels))
    clock.begin("")
    report.timings |= views.timings_
    kept = lesson.products[views.neighbour_rows_.tolist()] if len(views.neighbour_rows_) < lesson.products.height else lesson.products
    _account(report, lesson, decision, recipe)
    return Trained(
        roles, lesson.taxonomy, lesson.fields, views, decision, kept.select("product_id", "title"), report,
        lesson.renamed, sizes.astype(np.int64),
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
            f"no column looks like the category. Columns are: {', '.join(source.columns)}. Name it with --label."
        )
    unlabelled = tuple(recipe.catalogue.unlabelled) or UNLABELLED
    parts, row = [], 0
    for batch in source.batches(_READ_ROWS, roles.used(source.columns)):
        parts.append(clean(batch, roles, row, unlabelled))
        row += batch.height
    return roles, pl.concat(parts)


def _choose_rows(
    source: Source, products: pl.DataFrame, roles: Roles, recipe: Recipe, report: Training
) -> Lesson:
    """Keep the rows that can be learned from, counting all others by reason."""
    report.rows = products.height
    chosen = products
    if roles.split is not None:
        chosen = products.filter(pl.Series(given_split(products["split"])[0]))
        report.left_out = products.height - chosen.height
    report.unreadable = int((chosen["status"] == "unreadable").sum())
    report.empty = int((chosen["status"] == "empty").sum())
    mapped = _map_labels(chosen, roles, recipe, report)
    renamed = _renamed(chosen["label"], mapped)
    chosen = chosen.with_columns(mapped)
    report.unlabelled = int((chosen["label"].is_null() & (chosen["status"] == "ok")).sum())
    chosen = chosen.filter((pl.col("status") == "ok") & pl.col("label").is_not_null())
    fields = _fields(chosen, recipe)
    chosen = chosen.filter(pl.any_horizontal(pl.col(fields) != "")) if fields else chosen.clear()
    taxonomy = None
    if chosen.height:
        paths = None if renamed else chosen["label_path"]
        taxonomy = Taxonomy.build(chosen["label"], paths, roles.separator)
    if taxonomy is None or len(taxonomy.labels) < 2:
        only = f"only one category, {taxonomy.labels[0]!r}" if taxonomy else "no row with both text and a category"
        raise LabelError(
            f"{', '.join(str(f) for f in source.files) or 'the catalogue'}: the column {roles.label!r} leaves {only} "
            f"({report.rows:,} rows; {report.unlabelled:,} without category, {report.empty:,} without text, "
            f"{report.unreadable:,} unreadable). At least two categories are needed to learn; name another column "
            "with --label."
        )
    groups = group_near_duplicates(chosen, quick=True)
    report.learned = chosen.height
    report.groups = len(np.unique(groups))
    report.fields = list(fields)
    report.data_sha256 = _fingerprint(chosen, fields)
    _note_crossing(products, roles, report)
    return Lesson(chosen, taxonomy.codes(chosen["label"]), groups, taxonomy, fields, renamed)


def _map_labels(chosen: pl.DataFrame, roles: Roles, recipe: Recipe, report: Training) -> pl.Series:
    labels = chosen["label"]
    reports: list[MappingReport] = []
    if recipe.catalogue.mapping:
        labels, mapped = LabelMapping.read(recipe.catalogue.mapping).apply(labels, roles.separator)
        reports.append(mapped)
    if recipe.catalogue.min_products > 1:
        labels, reduced = reduce_rare(labels, recipe.catalogue.min_products, roles.separator)
        reports.append(reduced)
    if reports:
        report.mapping = asdict(reports[-1])
        report.notes += [warning for part in reports for warning in part.warnings]
    return labels.alias("label")


def _renamed(before: pl.Series, after: pl.Series) -> dict[str, str | None]:
    """Each category that a mapping changed and what it became."""
    pairs = pl.DataFrame({"before": before, "after": after}).drop_nulls("before").unique().sort("before")
    return dict(pairs.filter(pl.col("before").ne_missing(pl.col("after"))).iter_rows())


def _fields(products: pl.DataFrame, recipe: Recipe) -> tuple[str, ...]:
    """The text fields to learn from: those asked for, or all that say more than one thing."""
    unknown = [name for name in recipe.catalogue.fields if name not in TEXT_FIELDS]
    if unknown:
        raise RecipeError(f"there is no text field {unknown[0]!r}; fields are: {', '.join(TEXT_FIELDS)}")
    telling = [name for name in TEXT_FIELDS if products.height and products[name].n_unique() > 1]
    if not recipe.catalogue.fields:
        return tuple(telling)
    return tuple(name for name in TEXT_FIELDS if name in recipe.catalogue.fields and name in telling)


def _score_out_of_fold(
    lesson: Lesson, recipe: Recipe, threads: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    """Scores of rows by views that never saw them or their near-duplicates, and which rows they are.

    Whole groups are dealt into folds at random, categories regardless: a category whose products all fall into one
    fold is then unknown to that fold's model, just as a new category is unknown to the final one.
    """
    rows = len(lesson.y)
    deal = max(recipe.decision.folds, rows // recipe.decision.rows)
    fold_of_group = np.random.default_rng(recipe.seed).permutation(int(lesson.groups.max()) + 1) % deal
    fold = fold_of_group[lesson.groups]
    parts: list[dict[str, NDArray[np.float32]]] = []
    tested: list[NDArray[np.int64]] = []
    for number in range(deal):
        inside = np.flatnonzero(fold == number)
        rest = np.flatnonzero(fold != number)
        if len(inside) == 0 or len(np.unique(lesson.y[rest])) < 2:
            continue
        views = Views(recipe, lesson.fields, threads)
        views.fit(lesson.products[rest], lesson.y[rest], len(lesson.taxonomy.labels))
        parts.append(score_in_blocks(views, lesson.products[inside], threads))
        tested.append(inside)
        if sum(map(len, tested)) >= 0.7 * recipe.decision.rows:
            break
    if not parts:
        raise LabelError(
            f"{rows} products with near-duplicates in {len(fold_of_group)} groups are too few to hold any back for "
            "calibration; more labelled products are needed."
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, np.concatenate(tested)


def _decide(
    fusion: Fusion, scores: dict[str, NDArray[np.float32]], lesson: Lesson, tested: NDArray[np.int64], recipe: Recipe
) -> Decision:
    present = np.ones(len(tested), bool)
    mixed = fusion.mix(scores, present)
    record = Record.of(mixed, lesson.y[tested], lesson.taxonomy, lesson.groups[tested])
    return Decision(fusion, record, recipe.decision.delta)


def _account(report: Training, lesson: Lesson, decision: Decision, recipe: Recipe) -> None:
    sizes = np.bincount(lesson.y)
    report.categories = len(lesson.taxonomy.labels)
    report.singletons = int((sizes == 1).sum())
    report.depth = lesson.taxonomy.depth
    report.view_weights = dict(decision.fusion.weights)
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
            f"{report.singletons:,} of {report.categories:,} categories have one product; they are kept and can be "
            "predicted, but nothing can be measured about them."
        )


def prepare_promise(decision: Decision, asked: float) -> dict[str, Any]:
    """A promise as plain values; `refused` says why the data cannot support it."""
    told: dict[str, Any] = {"asked": asked, "refused": None, "shelf": None}
    try:
        told |= {key: value for key, value in asdict(decision.promise(asked)).items() if key != "asked"}
    except PromiseError as error:
        told["refused"] = str(error)
    try:
        told["shelf"] = {key: value for key, value in asdict(decision.shelf_promise(asked)).items() if key != "asked"}
    except PromiseError as error:
        told["shelf"] = {"refused": str(error)}
    return told


def _note_crossing(products: pl.DataFrame, roles: Roles, report: Training) -> None:
    if roles.split is None:
        return
    train, test = given_split(products["split"])
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
            digest.update("\x1f".join(products[name][start : start + _READ_ROWS].to_list()).encode("utf-8", "replace"))
    return digest.hexdigest()
