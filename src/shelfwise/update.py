"""An update: training that starts from a trained model and its account of the products it learned.

Three things are taken over. The dual variables of the linear views: the solver goes on from where it stood,
with the products that are new, and is done in a third to a half of the time. What was fitted by
cross-validation: shares, sharpness and exponents, so that no folds are learned. And the record behind
promises: answers to products that are still the same stay, and the old model's answers to products that it
never saw join them, as many as their share of the catalogue (prequential evaluation; Gama et al. 2013, "On
evaluating stream learning algorithms"). So every answer of the record is still to a product that the model
which gave it had not seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.folding import Folding
from shelfwise.corrections.memory import NAMED
from shelfwise.corrections.state import Corrections
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import DEPARTMENTS, lift_of
from shelfwise.errors import CatalogueError, EncoderError, RecipeError
from shelfwise.features.vectors import EncoderMark
from shelfwise.intake import named_source
from shelfwise.learners.active_set import Support
from shelfwise.lesson import Given, Lesson, Training
from shelfwise.past import Match, Past, Rows, carried
from shelfwise.recipe import Recipe
from shelfwise.scoring import map_blocks, probabilities_of

_LEAST_SAME = 0.5
"""Where fewer of the products are as they were, what was fitted on them is fitted anew."""
_FREE = (
    "seed", "threads", "search", "catalogue.label", "catalogue.roles", "catalogue.fields",
    "catalogue.unlabelled", "catalogue.mapping", "catalogue.doubts", "catalogue.least_doubt",
    "catalogue.sample", "catalogue.min_products", "text.min_rows", "text.max_features", "text.weights",
    "text.cost", "text.smallest_weight", "neighbours.count", "neighbours.max_rows", "pictures.folder",
    "decision",
)  # fmt: skip
"""Settings that may differ from those of the model; label, roles and fields are checked otherwise."""


@dataclass(frozen=True)
class Settled:
    """What is settled before the last fit.

    decision: the fusion and the record. rows: int64, the products that the record's answers are of. supports:
    what linear views start from, by name.
    """

    decision: Decision
    rows: NDArray[np.int64]
    supports: dict[str, Support]


@dataclass(frozen=True)
class Start:
    """A trained model as something to start from.

    digest: of its manifest. folded: what had been folded into it already.
    """

    digest: str
    recipe: Recipe
    roles: Roles
    decision: Decision
    marks: dict[str, EncoderMark]
    corrections: Corrections
    folded: Folding
    past: Past
    data_sha256: str  # of what it learned from

    # -- before the catalogue is read ------------------------------------------------------------------------

    def given(self, source: Source, recipe: Recipe, split: str | None) -> Given:
        """What the model settles about a catalogue.

        Raises
        ------
        RecipeError
            The recipe names what the model has otherwise.
        CatalogueError
            The catalogue lacks the column of the categories, or the one to split by.

        """
        check_recipe(self.recipe, self.roles, recipe)
        wanted = self.roles.levels or (self.roles.label,)
        missing = [name for name in wanted if name is not None and name not in source.columns]
        if missing and self.roles.nested is None:
            raise CatalogueError(
                f"{named_source(source)}: there is no column {missing[0]!r}, from which the model to start "
                f"from learned its categories; columns are: {', '.join(source.columns)}"
            )
        if split is not None and split not in source.columns:
            raise CatalogueError(
                f"there is no column {split!r} to split by; columns are: {', '.join(source.columns)}"
            )
        views = self.corrections.learned.views
        roles = replace(self.roles, split=split)
        return Given(roles, views.fields, tuple(views.dense), self.marks, self.folding)

    @property
    def folding(self) -> Folding:
        """What people corrected in the model, and what had been folded into it."""
        return Folding.of(self.corrections, self.folded)

    def reading(self, recipe: Recipe) -> Recipe:
        """The recipe by which a catalogue is read: encoders of views without a say are not opened."""
        dense = self.corrections.learned.views.dense
        if "encoder" not in dense:
            recipe = replace(recipe, encoder=replace(recipe.encoder, encoder="none"))
        if {"pictures", "pixels"}.isdisjoint(dense):
            recipe = replace(recipe, pictures=replace(recipe.pictures, encoder="none"))
        return recipe if "table" in dense else replace(recipe, table=replace(recipe.table, columns=[]))

    # -- after it was read -----------------------------------------------------------------------------------

    def settle(self, lesson: Lesson, rows: Rows, recipe: Recipe, report: Training) -> Settled | None:
        """Take over what can be; None where too little is as it was, and all has to be fitted anew.

        `report` is told how far the catalogue has moved.
        """
        self._check_dense(lesson)
        codes = self._codes(lesson)
        match = Match.of(self.past, rows, lesson.y, codes)
        self._tell(report, lesson, match, codes)
        asked = self.past.record
        stays = match.now[asked] >= 0
        backed = self.decision.fusion.pool is not None and self.decision.fusion.pool.backing > 0
        tops = int(lesson.taxonomy.departments.max()) + 1
        if (
            match.same < _LEAST_SAME * len(lesson.y)
            or stays.sum() < _LEAST_SAME * len(stays)
            or (backed and not 1 < tops < len(lesson.taxonomy.labels))
        ):
            report.notes.append(
                f"{match.same:,} of {len(lesson.y):,} products are as the model to start from learned them: "
                "too few to take anything over, so all of it was learned anew."
            )
            return None
        record, answered = self._record(lesson, match, codes, recipe)
        sizes = np.bincount(lesson.y, minlength=len(lesson.taxonomy.labels))
        prior = (sizes / sizes.sum()).astype(np.float32)
        old = self.decision.fusion
        pool = None if old.pool is None else replace(old.pool, lift=lift_of(prior))
        report.update["taken_over"] = True
        return Settled(
            Decision(Fusion(pool, prior, old.exponents), record, recipe.decision.delta),
            answered,
            self._supports(lesson, match, codes),
        )

    def _check_dense(self, lesson: Lesson) -> None:
        missing = [name for name in self.corrections.learned.views.dense if name not in lesson.dense]
        if missing:
            hint = " Give their folder with --images." if missing[0] in ("pictures", "pixels") else ""
            raise EncoderError(
                f"the model to start from judges by {', '.join(missing)}, and no product of this catalogue "
                f"has any.{hint}"
            )

    def _codes(self, lesson: Lesson) -> NDArray[np.int32]:
        """What each category of training is now, int32 [trained], -1: gone."""
        names = self.corrections.shelves.names
        now = [names[label] for label in self.corrections.learned.taxonomy.labels]
        return lesson.taxonomy.codes([lesson.renamed.get(label, label) for label in now])

    def _tell(self, report: Training, lesson: Lesson, match: Match, codes: NDArray[np.int32]) -> None:
        labels = self.corrections.learned.taxonomy.labels
        fresh = np.setdiff1d(np.arange(len(lesson.taxonomy.labels)), codes)
        report.update |= {
            "from": self.digest,
            "from_data_sha256": self.data_sha256,
            "taken_over": False,
            "same": match.same,
            "new": match.new,
            "changed": match.changed,
            "moved": match.moved,
            "gone": match.gone,
            "categories_added": [lesson.taxonomy.labels[code] for code in fresh.tolist()],
            "categories_gone": [labels[code] for code in np.flatnonzero(codes < 0).tolist()],
        }
        memory = self.corrections.memory.table
        named = set(memory.filter(pl.col("kind") == NAMED)["label"].to_list())
        if unlearned := sorted(named - set(lesson.taxonomy.labels)):
            report.notes.append(
                f"{len(unlearned):,} shelves that were added to the model to start from have no product "
                f"here, and are gone: {', '.join(map(repr, unlearned[:5]))}."
            )
        if memory.filter(pl.col("kind") != NAMED).height and not self.corrections.learned.by_id:
            report.notes.append(
                "products that were corrected in the model to start from cannot be found again without "
                "product ids: their categories are those of the catalogue (see shelfwise correct)."
            )

    def _record(
        self, lesson: Lesson, match: Match, codes: NDArray[np.int32], recipe: Recipe
    ) -> tuple[Record, NDArray[np.int64]]:
        """Answers that still hold, and as large a share of answers to new products; whose they are."""
        now = match.now[self.past.record]
        kept = np.flatnonzero(now >= 0)
        before = self.decision.record.only(kept, lesson.groups[now[kept]], lesson.taxonomy.depth)
        known = np.isin(lesson.groups, lesson.groups[match.then >= 0])  # twins of products that it learned
        unseen = np.flatnonzero(~known)
        count = round(len(unseen) * len(kept) / max(match.same, 1))
        drawn = np.sort(np.random.default_rng(recipe.seed).permutation(unseen)[:count])
        if len(drawn) == 0:
            return before, now[kept]
        answers = Record.joined([before, *self._answers(lesson, drawn, codes, recipe.threads or 1)])
        return answers, np.concatenate([now[kept], drawn])

    def _answers(
        self, lesson: Lesson, drawn: NDArray[np.int64], codes: NDArray[np.int32], threads: int
    ) -> list[Record]:
        """What the model, as it was trained, answers for products that it never saw."""
        views, fusion = self.corrections.learned.views, self.decision.fusion
        products = lesson.pieces.take(drawn)
        there = np.flatnonzero(codes >= 0)

        def ask(block: pl.DataFrame) -> NDArray[np.float32]:
            said = probabilities_of(views, fusion, block)[0]
            now = np.zeros((len(said), len(lesson.taxonomy.labels)), np.float32)
            for code in there.tolist():
                now[:, codes[code]] += said[:, code]
            return now

        parts, start = [], 0
        for found in map_blocks(ask, products, len(codes), threads):
            here = drawn[start : start + len(found)]
            parts.append(Record.of(found, lesson.y[here], lesson.taxonomy, lesson.groups[here]))
            start += len(found)
        return parts

    def _supports(self, lesson: Lesson, match: Match, codes: NDArray[np.int32]) -> dict[str, Support]:
        tops = _departments(self.corrections.learned.taxonomy, lesson.taxonomy, codes)
        classes = len(lesson.taxonomy.labels)
        found = {}
        for name, support in self.past.supports.items():
            into, count = (tops, int(lesson.taxonomy.departments.max()) + 1) if name == DEPARTMENTS else (
                codes, classes
            )  # fmt: skip
            if len(into) == len(support.starts) - 1:
                found[name] = carried(support, match.now, into, count)
        return found


def _departments(then: Taxonomy, now: Taxonomy, codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """What each department is now, int32 [departments then]: where all its categories went; -1: nowhere."""
    into = np.full(int(then.departments.max()) + 1, -1, np.int32)
    for top in range(len(into)):
        found = codes[then.departments == top]
        tops = np.unique(now.departments[found[found >= 0]])
        if len(tops) == 1:
            into[top] = tops[0]
    return into


def check_recipe(trained: Recipe, roles: Roles, recipe: Recipe) -> None:
    """Raise RecipeError where a recipe cannot be that of an update of a model with its recipe and roles."""
    asked = recipe.catalogue
    if asked.label and asked.label != roles.label:
        raise RecipeError(
            f"the model to start from learned the column {roles.label!r}, not {asked.label!r}; train anew, "
            "without --from, to learn another column"
        )
    of_model: dict[str, Any] = roles.to_dict()
    for role, column in asked.roles.items():
        own = of_model.get(role)
        listed = [own] if isinstance(own, str) else list(own or [])
        wanted = [] if column == "none" else [column] if isinstance(column, str) else list(column)
        if role not in ("split", "group") and sorted(listed) != sorted(wanted):
            raise RecipeError(
                f"in the model to start from {role} is {', '.join(listed) or 'none'}, not "
                f"{', '.join(wanted) or 'none'}; train anew, without --from, to read other columns"
            )
    if sorted(asked.fields) not in ([], sorted(trained.catalogue.fields)):
        raise RecipeError(
            f"the model to start from reads {', '.join(trained.catalogue.fields) or 'all text fields'}, not "
            f"{', '.join(asked.fields)}; train anew, without --from, to read other fields"
        )
    for name, value in _flat(asdict(recipe)).items():
        own = _flat(asdict(trained)).get(name)
        if value != own and not any(name == free or name.startswith(f"{free}.") for free in _FREE):
            raise RecipeError(
                f"{name} is {own!r} in the model to start from, and {value!r} was asked for; train anew, "
                "without --from, to change it"
            )


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by their dotted names; tables of free names stay whole."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and not above and name not in ("finetune", "search"):
            flat |= _flat(value, f"{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat
