"""Evidence: what models that never saw a product say of its given category, for every labelled product.

The catalogue is dealt into folds, near-duplicates together, and each fold is answered by views that learned
from all others. Only what is needed of each answer is kept, so memory grows with the products and not with
products times categories. A fold is a unit of work: what comes of it is the same wherever it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.claims import Claims, Codes, Floats, Said, Tree, claims_of
from shelfwise.audit.swaps import draw
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.taxonomy import Taxonomy
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
class Found:
    """What some products came to; arrays as in `Evidence`, and rows, int64 [products], their numbers."""

    rows: NDArray[np.int64]
    codes: Codes
    probabilities: Floats
    given: Claims
    swapped: Claims
    way: NDArray[np.int64]

    @staticmethod
    def joined(parts: Sequence[Found]) -> Found:
        """What several blocks came to."""
        return Found(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            Claims.joined([part.given for part in parts]),
            Claims.joined([part.swapped for part in parts]),
            np.concatenate([part.way for part in parts]),
        )

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """All of it as named arrays, that pass to other machines."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        claims = {"given": self.given, "swapped": self.swapped}
        told = {f"{k}.{f.name}": getattr(one, f.name) for k, one in claims.items() for f in fields(Claims)}
        return {**plain, **told}

    @staticmethod
    def restored(tensors: Mapping[str, NDArray[np.generic]]) -> Found:
        """What `tensors` gave."""
        claims = {
            kind: Claims(*(tensors[f"{kind}.{one.name}"] for one in fields(Claims)))  # type: ignore[arg-type]
            for kind in ("given", "swapped")
        }
        return Found(**{name: tensors[name] for name in _PLAIN}, **claims)  # type: ignore[arg-type]


_PLAIN = ("rows", "codes", "probabilities", "way")
Listener = Callable[[NDArray[np.int64], Floats], None]
"""Is told rows and all their probabilities, block by block; for comparisons with other tools."""


@dataclass(frozen=True)
class Dealt:
    """Labelled products in folds, and how models of them are learned; the same on any machine.

    products, y, fields, dense, taxonomy: of the lesson. fold: int64 [products]. swapped: bool [products],
    those for which a wrong label is made up.
    """

    recipe: Recipe
    products: pl.DataFrame
    y: NDArray[np.int32]
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    taxonomy: Taxonomy
    fold: NDArray[np.int64]
    swapped: NDArray[np.bool_]

    @property
    def parts(self) -> int:
        """How many folds."""
        return int(self.fold.max()) + 1

    def learn(self, number: int, threads: int, names: tuple[str, ...] | None = None) -> Views:
        """The views that may answer for a fold; `names`: those with a say, if that is known already."""
        rest = np.flatnonzero(self.fold != number)
        views = Views(self.recipe, self.fields, threads, self.dense)
        return views.fit(self.products[rest], self.y[rest], self.taxonomy.departments, names)

    def answer(
        self, number: int, views: Views, fusion: Fusion, threads: int, listener: Listener | None = None
    ) -> Found:
        """What the products of a fold come to by views that never saw them."""
        inside, rest = np.flatnonzero(self.fold == number), np.flatnonzero(self.fold != number)
        desk = _Desk(self, views, fusion, listener)
        return Found.joined(desk.answer(inside, rest, threads))


Elsewhere = Callable[[Dealt, Fusion, Sequence[int]], Iterable[Found]]
"""Has folds learned and answered by other processes or machines; what they came to, in that order."""


@dataclass(frozen=True)
class Answering:
    """Who answers, None: this process, and a listener who hears what is answered here."""

    elsewhere: Elsewhere | None = None
    listener: Listener | None = None


def gather(
    source: Source,
    recipe: Recipe,
    threads: int = 1,
    notify: Callable[[str], None] | None = None,
    answering: Answering = Answering(),
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
    fold, rng = _deal(lesson, recipe), np.random.default_rng([recipe.seed, _STREAM])
    swapped = np.zeros(len(lesson.y), bool)
    swapped[rng.permutation(len(lesson.y))[:_SWAPPED]] = True
    dealt = Dealt(
        recipe, lesson.products, lesson.y, lesson.fields, lesson.dense, lesson.taxonomy, fold, swapped
    )
    school = _School(dealt, threads, notify)
    fusion, ready = _weigh(school, rng)
    found = [dealt.answer(number, ready.pop(number), fusion, threads, answering.listener)
             for number in sorted(ready)]  # fmt: skip
    rest = range(len(found), dealt.parts)
    if answering.elsewhere is None or not rest:
        for number in rest:
            views = school.learn(number, fusion.views)
            found.append(dealt.answer(number, views, fusion, threads, answering.listener))
    else:
        for number, one in zip(rest, answering.elsewhere(dealt, fusion, rest), strict=True):
            school.say(number)
            found.append(one)
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
    """Learns views for each fold from all the others, and says so."""

    dealt: Dealt
    threads: int
    notify: Callable[[str], None] | None

    def say(self, number: int) -> None:
        _say(self.notify, f"part {number + 1} of {self.dealt.parts}")

    def learn(self, number: int, names: tuple[str, ...] | None = None) -> Views:
        self.say(number)
        return self.dealt.learn(number, self.threads, names)


def _weigh(school: _School, rng: np.random.Generator) -> tuple[Fusion, dict[int, Views]]:
    """How the views are weighed, from some products of the first fold; of more folds where those are small.

    Returns the views that were learned for it, too, by fold.
    """
    dealt, ready = school.dealt, dict[int, Views]()
    parts: list[ViewScores] = []
    answered: list[NDArray[np.int64]] = []
    while len(ready) < dealt.parts and sum(map(len, answered)) < _STEADY:
        number = len(ready)
        views = ready[number] = school.learn(number)
        chosen = np.sort(rng.permutation(np.flatnonzero(dealt.fold == number))[:_FITTED_ON])
        most = max(int(2e8) // len(dealt.taxonomy.labels) // max(len(views.names), 1), _STEADY)
        chosen = chosen[:: -(-len(chosen) // most)]  # scores of all views at once stay below a gigabyte
        parts += map_blocks(views.scores, dealt.products[chosen], views.classes, school.threads)
        answered.append(chosen)
    sizes = np.bincount(dealt.y, minlength=len(dealt.taxonomy.labels))
    prior, scores = (sizes / sizes.sum()).astype(np.float32), ViewScores.joined(parts)
    fusion = fit_fusion(scores.by_view, scores.speaks, dealt.y[np.concatenate(answered)], prior)
    if not fusion.views:
        raise LabelError(
            f"{len(dealt.y):,} products with a category are too few to find out how far their pictures can "
            "be trusted; more labelled products, or a text that differs, are needed"
        )
    return fusion, ready


@dataclass(frozen=True)
class _Desk:
    """Answers products by views that never saw them."""

    dealt: Dealt
    views: Views
    fusion: Fusion
    listener: Listener | None

    def answer(self, inside: NDArray[np.int64], rest: NDArray[np.int64], threads: int) -> list[Found]:
        products = self.dealt.products[inside].with_columns(pl.Series(_PLACE, inside))
        known = np.bincount(self.dealt.y[rest], minlength=self.views.classes)
        tree = Tree(self.dealt.taxonomy)

        def work(block: pl.DataFrame) -> Found:
            return self._block(block, known, tree)

        return list(map_blocks(work, products, self.views.classes, threads))

    def _block(self, block: pl.DataFrame, known: NDArray[np.int64], tree: Tree) -> Found:
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
        given = claims_of(said, np.arange(len(rows)), self.dealt.y[rows], tree)
        places = np.flatnonzero(self.dealt.swapped[rows])
        rng = np.random.default_rng([self.dealt.recipe.seed, _STREAM, int(rows[0])])
        codes, way = draw(mixed[places], self.dealt.y[rows[places]], tree, rng)
        best, p = best_of(mixed)
        return Found(rows, best, p, given, claims_of(said, places, codes, tree), way)


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


def _joined(lesson: Lesson, report: Training, parts: list[Found], views: tuple[str, ...]) -> Evidence:
    found = Found.joined(parts)
    order = np.argsort(found.rows, kind="stable")
    by_row = np.argsort(found.swapped.row, kind="stable")
    return Evidence(
        lesson=lesson,
        report=report,
        codes=found.codes[order],
        probabilities=found.probabilities[order],
        given=found.given.in_order(),
        swapped=found.swapped[by_row],
        way=found.way[by_row],
        views=views,
    )
