"""Training: from a catalogue to fitted views and a decision, and an honest account of it.

The order is the flow of the product: read and understand the rows (see `lesson`), answer for rows that were
left out (fold by fold), fit the decision on them, then learn from all.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.read import Source
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import ENOUGH, Fusion, fit_fusion
from shelfwise.decide.pool import DEPARTMENTS
from shelfwise.errors import LabelError, PromiseError, WorkspaceError
from shelfwise.learners.active_set import Support
from shelfwise.lesson import Lesson, Teacher, Training
from shelfwise.past import MOST, Past, Rows
from shelfwise.recipe import Recipe
from shelfwise.scoring import score_in_blocks
from shelfwise.update import Settled, Start
from shelfwise.views.panel import Prepared, Views
from shelfwise.views.scores import ViewScores
from shelfwise.workspace import OWN, Workspace, in_units

_ROW = 120
"""Bytes of numbers that are kept of every product."""
_ANSWER = 24
"""Bytes of the answers for one product and category that is held out: of all views, and of those mixed."""
_MIXED_ROWS = 1024
_CATEGORY = 100_000
"""Bytes of what is learned of one category, laid out two times."""


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
class Work:
    """How training is done: on how many threads, in which room, and who is told of the steps.

    None of it makes a difference to the model.
    """

    threads: int = 1
    space: Workspace = field(default_factory=Workspace)
    notify: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Trained:
    """What comes out of training."""

    lesson: Lesson
    views: Views
    decision: Decision
    neighbours: pl.DataFrame  # product_id and title of the products kept as neighbours
    training: Training
    counts: NDArray[np.int64]  # products learned from, by category
    past: Past | None  # what another model can start from


def train(
    source: Source,
    recipe: Recipe,
    split: str | None = None,
    work: Work | None = None,
    start: Start | None = None,
) -> Trained:
    """Learn a catalogue's categories; see `Categorizer.fit`."""
    work = work or Work()
    report = Training()
    clock = _Clock(report.timings, work.notify)
    clock.begin("read")
    check_room(work.space, source.rows, 0, recipe)
    reading = start.reading(recipe) if start else recipe
    given = start.given(source, recipe, split) if start else None
    lesson = Teacher(source, reading, report, work.space, work.notify).prepare(split, given)
    check_room(work.space, len(lesson.y), len(lesson.taxonomy.labels), recipe)
    few = len(lesson.y) <= MOST
    rows = Rows.of(lesson.pieces, lesson.fields, lesson.roles.product_id is not None) if few else None
    settled = None
    if start is not None and rows is None:
        report.notes.append(f"nothing is taken over into a model of more than {MOST:,} products.")
    elif start is not None and rows is not None:
        clock.begin("compare")
        settled = start.settle(lesson, rows, replace(recipe, threads=work.threads), report)
    clock.begin("folds" if settled is None else "learn")
    school = _School.of(lesson, recipe, work)
    if settled is None:
        settled = _settle(school, clock)
        clock.begin("learn")
    views = school.learn(None, settled.decision.fusion.views, settled.supports)
    clock.begin("")
    report.timings |= views.timings_
    if "features" in report.timings:  # hashed once for all folds
        report.timings["features"] = round(report.timings["features"] + school.hashing, 3)
    report.notes += views.notes_
    kept = lesson.pieces.take(views.neighbour_rows_, ["product_id", "title"])
    _account(report, lesson, settled.decision, recipe)
    sizes = np.bincount(lesson.y, minlength=len(lesson.taxonomy.labels)).astype(np.int64)
    past = _past(rows, lesson, settled.rows, views) if rows is not None else None
    return Trained(lesson, views, settled.decision, kept, report, sizes, past)


def _past(rows: Rows, lesson: Lesson, asked: NDArray[np.int64], views: Views) -> Past:
    return Past.of(rows, lesson.y, asked, views.supports(np.arange(len(lesson.y))))


def _settle(school: _School, clock: _Clock) -> Settled:
    """Fit the decision on answers to products that were held out."""
    lesson, recipe = school.lesson, school.recipe
    held = _score_out_of_fold(school)
    scores, tested = held.scores, held.rows
    clock.begin("decision")
    sizes = np.bincount(lesson.y, minlength=len(lesson.taxonomy.labels))
    prior = (sizes / sizes.sum()).astype(np.float32)
    fusion = fit_fusion(scores.by_view, scores.speaks, lesson.y[tested], prior)
    if not fusion.views:
        raise LabelError(
            f"nothing that the {len(lesson.y):,} products show tells their categories apart better than how "
            "frequent each is: look at them (shelfwise inspect --html), or name another column with --label"
        )
    return Settled(_decide(fusion, scores, lesson, tested, recipe), tested, held.supports)


@dataclass(frozen=True)
class _School:
    """Learns views of a lesson: of all of its products, or of some."""

    lesson: Lesson
    recipe: Recipe
    work: Work
    prepared: Prepared
    hashing: float  # seconds

    @staticmethod
    def of(lesson: Lesson, recipe: Recipe, work: Work) -> _School:
        """Make the products ready to learn from."""
        started = time.perf_counter()
        views = Views(recipe, lesson.fields, work.threads, lesson.dense)
        prepared = views.prepare(lesson.pieces, work.space).arranged(lesson.y)
        return _School(lesson, recipe, work, prepared, time.perf_counter() - started)

    def learn(
        self,
        rows: NDArray[np.int64] | None,
        names: Collection[str] | None = None,
        start: Mapping[str, Support] | None = None,
    ) -> Views:
        """Views of the products of these rows, ascending; None: of all. See `Views.fit`."""
        lesson, prepared, y = self.lesson, self.prepared, self.lesson.y
        if rows is not None:
            chosen = np.zeros(len(y), bool)
            chosen[rows] = True
            prepared, y = prepared.only(chosen), y[rows]
        views = Views(self.recipe, lesson.fields, self.work.threads, lesson.dense)
        return views.fit(prepared, y, lesson.taxonomy.departments, names, start)

    def score(self, views: Views, rows: NDArray[np.int64]) -> ViewScores:
        """Scores of the products of these rows, ascending."""
        return score_in_blocks(views, self.lesson.pieces.take(rows), self.work.threads)


@dataclass(frozen=True)
class _HeldOut:
    """Scores of rows by views that never saw them, which rows they are, and what those views found."""

    scores: ViewScores
    rows: NDArray[np.int64]
    supports: dict[str, Support]


def _score_out_of_fold(school: _School) -> _HeldOut:
    """Scores of rows by views that never saw them or their near-duplicates.

    Whole groups are dealt into folds at random, categories regardless: a category whose products all fall
    into one fold is then unknown to that fold's model, just as a new category is unknown to the final one.
    """
    lesson, recipe = school.lesson, school.recipe
    rows = len(lesson.y)
    if lesson.unseen is not None and lesson.unseen.any():
        return _score_unseen(school, lesson.unseen)
    deal = max(recipe.decision.folds, rows // recipe.decision.rows)
    fold_of_group = np.random.default_rng(recipe.seed).permutation(int(lesson.groups.max()) + 1) % deal
    fold = fold_of_group[lesson.groups]
    parts: list[ViewScores] = []
    tested: list[NDArray[np.int64]] = []
    supports: dict[str, Support] = {}
    for number in range(deal):
        inside = np.flatnonzero(fold == number)
        rest = np.flatnonzero(fold != number)
        if len(inside) == 0 or len(np.unique(lesson.y[rest])) < 2:
            continue
        views = school.learn(rest)
        parts.append(school.score(views, inside))
        tested.append(inside)
        supports = views.supports(rest, school.work.space)
        if sum(map(len, tested)) >= 0.7 * recipe.decision.rows:
            break
    if not parts:
        raise LabelError(
            f"{rows} products with a category make {len(fold_of_group)} groups of near-duplicates: too few "
            "to hold any back for calibration. More labelled products that differ are needed."
        )
    return _HeldOut(ViewScores.joined(parts), np.concatenate(tested), supports)


def _score_unseen(school: _School, unseen: NDArray[np.bool_]) -> _HeldOut:
    """As out of fold, where an encoder was fine-tuned: on the rows that it has not seen, and no others."""
    inside, rest = np.flatnonzero(unseen), np.flatnonzero(~unseen)
    if len(np.unique(school.lesson.y[rest])) < 2:
        raise LabelError("the products that the fine-tuned encoder was trained on are of one category only")
    views = school.learn(rest)
    return _HeldOut(school.score(views, inside), inside, views.supports(rest, school.work.space))


def check_room(space: Workspace, rows: int, classes: int, recipe: Recipe) -> None:
    """Raise WorkspaceError where the memory that may be filled is too little, however the work is cut.

    What cannot be cut: some numbers of every product, the answers for products that are held out, with those
    that are mixed of them, and the weights of the categories.
    """
    fold = max(rows // max(recipe.decision.folds, rows // recipe.decision.rows), 1)
    answered = min(rows, fold * -(-int(0.7 * recipe.decision.rows) // fold))
    least = OWN + rows * _ROW + classes * (answered * _ANSWER + _CATEGORY)
    if space.limit < least:
        kinds = f"in {classes:,} categories" if classes else "whatever their categories"
        raise WorkspaceError(
            f"{in_units(space.limit)} of memory are too little for {rows:,} products {kinds}: at least "
            f"{in_units(least)} are needed. Give more with --memory, or learn from a part of them "
            "(catalogue.sample in a recipe)."
        )


def _decide(
    fusion: Fusion, scores: ViewScores, lesson: Lesson, tested: NDArray[np.int64], recipe: Recipe
) -> Decision:
    parts = []
    for start in range(0, len(tested), _MIXED_ROWS):
        here, part = tested[start : start + _MIXED_ROWS], scores[start : start + _MIXED_ROWS]
        mixed = fusion.mix(part.by_view, part.speaks)
        parts.append(Record.of(mixed, lesson.y[here], lesson.taxonomy, lesson.groups[here]))
    record = Record.joined(parts)
    return Decision(fusion, record, recipe.decision.delta)


def _account(report: Training, lesson: Lesson, decision: Decision, recipe: Recipe) -> None:
    sizes = np.bincount(lesson.y)
    report.made_with = _versions()
    report.categories = len(lesson.taxonomy.labels)
    report.singletons = int((sizes == 1).sum())
    report.depth = lesson.taxonomy.depth
    pool = decision.fusion.pool
    report.view_weights = dict(pool.shares) if pool else {}
    if pool and pool.backing:
        report.view_weights[DEPARTMENTS] = pool.backing
    report.exponents = {key: dict(value) for key, value in decision.fusion.exponents.items()}
    record = decision.record
    report.out_of_fold = {
        "rows": len(record.right),
        "accuracy": round(float(record.right.mean()), 5),
        "levels": [round(float(level.mean()), 5) for level in record.chain_right.T],
        "mean_confidence": round(float(record.confidence.mean()), 5),
    }
    for name in sorted(set(lesson.dense) - set(decision.fusion.factors)):
        report.notes.append(
            f"the view {name!r} has no say: it made no more of the held-out answers right, or fewer than "
            f"{ENOUGH} of them were of products that it knows anything of."
        )
    report.promises = [prepare_promise(decision, asked) for asked in recipe.decision.promises]
    if report.singletons:
        report.notes.append(
            f"{report.singletons:,} of {report.categories:,} categories have one product; they are kept and "
            "can be predicted, but nothing can be measured about them."
        )


def _versions() -> dict[str, str]:
    """Versions of what decides over the bits of a model."""
    found = {name: metadata.version(name) for name in ("shelfwise", "numpy", "scipy", "numba", "polars")}
    return {"python": platform.python_version(), **found}


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
