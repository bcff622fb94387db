"""Training: from a catalogue to fitted views and a decision, and an honest account of it.

The order is the flow of the product: read and understand the rows (see `lesson`), answer for rows that were
left out (fold by fold), fit the decision on them, then learn from all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.read import Source
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import ENOUGH, Fusion, fit_fusion
from shelfwise.decide.pool import DEPARTMENTS
from shelfwise.errors import LabelError, PromiseError
from shelfwise.learners.active_set import Support
from shelfwise.lesson import Lesson, Training, read_lesson
from shelfwise.recipe import Recipe
from shelfwise.scoring import score_in_blocks
from shelfwise.views.panel import Views
from shelfwise.views.scores import ViewScores


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

    lesson: Lesson
    views: Views
    decision: Decision
    neighbours: pl.DataFrame  # product_id and title of the products kept as neighbours
    training: Training
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
    lesson = read_lesson(source, recipe, split, report, notify)
    clock.begin("folds")
    held = _score_out_of_fold(lesson, recipe, threads)
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
    decision = _decide(fusion, scores, lesson, tested, recipe)
    start = held.supports
    del held, scores
    clock.begin("learn")
    views = Views(recipe, lesson.fields, threads, lesson.dense)
    views.fit(lesson.products, lesson.y, lesson.taxonomy.departments, fusion.views, start)
    clock.begin("")
    report.timings |= views.timings_
    kept = lesson.products.select("product_id", "title")[views.neighbour_rows_.tolist()]
    _account(report, lesson, decision, recipe)
    return Trained(lesson, views, decision, kept, report, sizes.astype(np.int64))


@dataclass(frozen=True)
class _HeldOut:
    """Scores of rows by views that never saw them, which rows they are, and what those views found."""

    scores: ViewScores
    rows: NDArray[np.int64]
    supports: dict[str, Support]


def _score_out_of_fold(lesson: Lesson, recipe: Recipe, threads: int) -> _HeldOut:
    """Scores of rows by views that never saw them or their near-duplicates.

    Whole groups are dealt into folds at random, categories regardless: a category whose products all fall
    into one fold is then unknown to that fold's model, just as a new category is unknown to the final one.
    """
    rows = len(lesson.y)
    if lesson.unseen is not None and lesson.unseen.any():
        return _score_unseen(lesson, lesson.unseen, recipe, threads)
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
        views = _learn(lesson, rest, recipe, threads)
        parts.append(score_in_blocks(views, lesson.products[inside], threads))
        tested.append(inside)
        supports = views.supports(rest)
        if sum(map(len, tested)) >= 0.7 * recipe.decision.rows:
            break
    if not parts:
        raise LabelError(
            f"{rows} products with a category make {len(fold_of_group)} groups of near-duplicates: too few "
            "to hold any back for calibration. More labelled products that differ are needed."
        )
    return _HeldOut(ViewScores.joined(parts), np.concatenate(tested), supports)


def _score_unseen(lesson: Lesson, unseen: NDArray[np.bool_], recipe: Recipe, threads: int) -> _HeldOut:
    """As out of fold, where an encoder was fine-tuned: on the rows that it has not seen, and no others."""
    inside, rest = np.flatnonzero(unseen), np.flatnonzero(~unseen)
    if len(np.unique(lesson.y[rest])) < 2:
        raise LabelError("the products that the fine-tuned encoder was trained on are of one category only")
    views = _learn(lesson, rest, recipe, threads)
    scores = score_in_blocks(views, lesson.products[inside], threads)
    return _HeldOut(scores, inside, views.supports(rest))


def _learn(lesson: Lesson, rows: NDArray[np.int64], recipe: Recipe, threads: int) -> Views:
    views = Views(recipe, lesson.fields, threads, lesson.dense)
    return views.fit(lesson.products[rows], lesson.y[rows], lesson.taxonomy.departments)


def _decide(
    fusion: Fusion, scores: ViewScores, lesson: Lesson, tested: NDArray[np.int64], recipe: Recipe
) -> Decision:
    mixed = fusion.mix(scores.by_view, scores.speaks)
    record = Record.of(mixed, lesson.y[tested], lesson.taxonomy, lesson.groups[tested])
    return Decision(fusion, record, recipe.decision.delta)


def _account(report: Training, lesson: Lesson, decision: Decision, recipe: Recipe) -> None:
    sizes = np.bincount(lesson.y)
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
