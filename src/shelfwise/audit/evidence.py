"""Evidence: what models that never saw a product say of its given category, for every labelled product.

The catalogue is dealt into folds, near-duplicates together, and each fold is answered by views that learned
from all others. Only what is needed of each answer is kept, so memory grows with the products and not with
products times categories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.claims import Claims, Codes, Floats, Said, Tree, claims_of
from shelfwise.audit.swaps import draw
from shelfwise.catalogue.read import Source
from shelfwise.decide.fusion import Fusion, fit_fusion
from shelfwise.decide.pool import DEPARTMENTS
from shelfwise.errors import LabelError
from shelfwise.lesson import Lesson, Training, read_lesson
from shelfwise.recipe import Recipe
from shelfwise.scoring import map_blocks
from shelfwise.views.panel import Views
from shelfwise.views.scores import ViewScores

CANDIDATES = 10
"""Categories kept of each answer, the most probable."""
_FOLDS = 5
_FITTED_ON = 16_000  # products that the fusion of the views is fitted on, at most
_STEADY = 500  # and at least, where there are as many
_SWAPPED = 16_000  # products that a wrong label is made up for
_STREAM = 40  # random choices of their own: a catalogue's order may come of the same seed
_PLACE = "audit.place"


@dataclass(frozen=True)
class Evidence:
    """What was found out about every labelled product.

    lesson: the products, their codes y, groups of near-duplicates and the taxonomy. report: what became of
    every row. codes, probabilities: int32 and float32 [products, k], the most probable categories, best
    first. given: the claims that the products belong where they are, in their order. swapped: claims with
    made-up categories; way: int64 [swapped], how each is wrong (see `swaps.kinds_of`). views: names, in the
    order of the claims' columns.
    """

    lesson: Lesson
    report: Training
    codes: Codes
    probabilities: Floats
    given: Claims
    swapped: Claims
    way: NDArray[np.int64]
    views: tuple[str, ...]

    @property
    def tree(self) -> Tree:
        """The categories."""
        return Tree(self.lesson.taxonomy)


@dataclass(frozen=True)
class _Found:
    """What a block came to."""

    rows: NDArray[np.int64]
    codes: Codes
    probabilities: Floats
    given: Claims
    swapped: Claims
    way: NDArray[np.int64]


Listener = Callable[[NDArray[np.int64], Floats], None]
"""Is told rows and all their probabilities, block by block; for comparisons with other tools."""


def gather(
    source: Source,
    recipe: Recipe,
    threads: int = 1,
    notify: Callable[[str], None] | None = None,
    listener: Listener | None = None,
) -> Evidence:
    """Answer for every labelled product of a catalogue by models that never saw it or its near-duplicates.

    Raises
    ------
    CatalogueError, LabelError
        There is nothing to learn from, or everything is one group of near-duplicates.

    """
    report = Training()
    recipe = replace(recipe, catalogue=replace(recipe.catalogue, doubts=""))  # an audit judges every label
    _say(notify, "reading")
    lesson = read_lesson(source, recipe, None, report, notify)
    if lesson.unseen is not None:
        report.notes.append(
            "an encoder was fine-tuned on some of these products: it knows their labels, so their doubts are "
            "too small"
        )
    found: list[_Found] = []
    fold, rng = _deal(lesson, recipe), np.random.default_rng([recipe.seed, _STREAM])
    swapped = np.zeros(len(lesson.y), bool)
    swapped[rng.permutation(len(lesson.y))[:_SWAPPED]] = True
    school = _School(lesson, recipe, fold, threads, notify)
    fusion, ready = _weigh(school, rng)
    for number in range(school.parts):
        inside, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        views = ready.pop(number, None) or school.learn(number, fusion.views)
        desk = _Desk(lesson, views, fusion, swapped, recipe.seed, listener)
        found += desk.answer(inside, rest, threads)
    return _joined(lesson, report, found, _heard(fusion))


def _say(notify: Callable[[str], None] | None, step: str) -> None:
    if notify is not None:
        notify(step)


def _deal(lesson: Lesson, recipe: Recipe) -> NDArray[np.int64]:
    """The fold of each product, int64 [products]; groups stay whole."""
    groups = int(lesson.groups.max()) + 1
    folds = min(_FOLDS, groups)
    if folds < 2:
        raise LabelError(
            f"all {len(lesson.y):,} products with a category are near-duplicates of each other: there is "
            "nothing to compare them with"
        )
    dealt = np.random.default_rng([recipe.seed, _STREAM]).permutation(groups) % folds
    fold: NDArray[np.int64] = dealt[lesson.groups].astype(np.int64)
    if any(len(np.unique(lesson.y[fold != number])) < 2 for number in range(folds)):
        raise LabelError(
            f"{len(lesson.y):,} products with a category are too few to hold a part back and still have two "
            "categories to tell apart"
        )
    return fold


@dataclass(frozen=True)
class _School:
    """Learns views for each fold from all the others."""

    lesson: Lesson
    recipe: Recipe
    fold: NDArray[np.int64]
    threads: int
    notify: Callable[[str], None] | None

    @property
    def parts(self) -> int:
        return int(self.fold.max()) + 1

    def learn(self, number: int, names: tuple[str, ...] | None = None) -> Views:
        """The views that may answer for a fold; `names`: those with a say, if that is known already."""
        _say(self.notify, f"part {number + 1} of {self.parts}")
        lesson, rest = self.lesson, np.flatnonzero(self.fold != number)
        views = Views(self.recipe, lesson.fields, self.threads, lesson.dense)
        return views.fit(lesson.products[rest], lesson.y[rest], lesson.taxonomy.departments, names)


def _weigh(school: _School, rng: np.random.Generator) -> tuple[Fusion, dict[int, Views]]:
    """How the views are weighed, from some products of the first fold; of more folds where those are small.

    Returns the views that were learned for it, too, by fold.
    """
    lesson, ready = school.lesson, dict[int, Views]()
    parts: list[ViewScores] = []
    answered: list[NDArray[np.int64]] = []
    while len(ready) < school.parts and sum(map(len, answered)) < _STEADY:
        number = len(ready)
        views = ready[number] = school.learn(number)
        chosen = np.sort(rng.permutation(np.flatnonzero(school.fold == number))[:_FITTED_ON])
        most = max(int(2e8) // len(lesson.taxonomy.labels) // max(len(views.names), 1), _STEADY)
        chosen = chosen[:: -(-len(chosen) // most)]  # scores of all views at once stay below a gigabyte
        parts += map_blocks(views.scores, lesson.products[chosen], views.classes, school.threads)
        answered.append(chosen)
    sizes = np.bincount(lesson.y, minlength=len(lesson.taxonomy.labels))
    prior, scores = (sizes / sizes.sum()).astype(np.float32), ViewScores.joined(parts)
    fusion = fit_fusion(scores.by_view, scores.speaks, lesson.y[np.concatenate(answered)], prior)
    if not fusion.views:
        raise LabelError(
            f"{len(lesson.y):,} products with a category are too few to find out how far their pictures can "
            "be trusted; more labelled products, or a text that differs, are needed"
        )
    return fusion, ready


@dataclass(frozen=True)
class _Desk:
    """Answers products by views that never saw them."""

    lesson: Lesson
    views: Views
    fusion: Fusion
    swapped: NDArray[np.bool_]
    seed: int
    listener: Listener | None

    def answer(self, inside: NDArray[np.int64], rest: NDArray[np.int64], threads: int) -> list[_Found]:
        products = self.lesson.products[inside].with_columns(pl.Series(_PLACE, inside))
        known = np.bincount(self.lesson.y[rest], minlength=self.views.classes)
        tree = Tree(self.lesson.taxonomy)

        def work(block: pl.DataFrame) -> _Found:
            return self._block(block, known, tree)

        return list(map_blocks(work, products, self.views.classes, threads))

    def _block(self, block: pl.DataFrame, known: NDArray[np.int64], tree: Tree) -> _Found:
        rows = block[_PLACE].to_numpy()
        scores = self.views.scores(block.drop(_PLACE), self.fusion.views)
        mixed = self.fusion.mix(scores.by_view, scores.speaks)
        names = _heard(self.fusion)
        alone = {
            name: self.fusion.alone(name).mix({name: scores.by_view[name]}, {name: scores.speaks[name]})
            for name in names
        }
        said = Said(mixed, rows, alone, {name: scores.speaks[name] for name in names}, known)
        if self.listener is not None:
            self.listener(rows, mixed)
        given = claims_of(said, np.arange(len(rows)), self.lesson.y[rows], tree)
        places = np.flatnonzero(self.swapped[rows])
        rng = np.random.default_rng([self.seed, _STREAM, int(rows[0])])
        codes, way = draw(mixed[places], self.lesson.y[rows[places]], tree, rng)
        best, p = best_of(mixed)
        return _Found(rows, best, p, given, claims_of(said, places, codes, tree), way)


def _heard(fusion: Fusion) -> tuple[str, ...]:
    """The views with a say that answer with categories of their own."""
    return tuple(name for name in fusion.views if name != DEPARTMENTS)


def best_of(p: Floats) -> tuple[Codes, Floats]:
    """The most probable categories and their probabilities, best first, ties by code."""
    count = min(CANDIDATES, p.shape[1])
    some = np.sort(np.argpartition(-p, count - 1, axis=1)[:, :count], axis=1)
    values = np.take_along_axis(p, some, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return (
        np.take_along_axis(some, order, axis=1).astype(np.int32),
        np.take_along_axis(values, order, axis=1),
    )


def _joined(lesson: Lesson, report: Training, found: list[_Found], views: tuple[str, ...]) -> Evidence:
    rows = np.concatenate([part.rows for part in found])
    order = np.argsort(rows, kind="stable")
    swapped = Claims.joined([part.swapped for part in found])
    by_row = np.argsort(swapped.row, kind="stable")
    return Evidence(
        lesson=lesson,
        report=report,
        codes=np.concatenate([part.codes for part in found])[order],
        probabilities=np.concatenate([part.probabilities for part in found])[order],
        given=Claims.joined([part.given for part in found]).in_order(),
        swapped=swapped[by_row],
        way=np.concatenate([part.way for part in found])[by_row],
        views=views,
    )
