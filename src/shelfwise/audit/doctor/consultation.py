"""From a catalogue to what the doctor looks at: out-of-fold answers, titles and vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.embedding import embed
from shelfwise.catalogue.read import Source
from shelfwise.recipe import Recipe

if TYPE_CHECKING:
    from shelfwise.audit.evidence import Evidence


def consult(
    source: Source, recipe: Recipe, threads: int = 1, notify: Callable[[str], None] | None = None
) -> Answers:
    """Answer for every labelled product of a catalogue by models that never saw it.

    Raises
    ------
    CatalogueError, LabelError
        There is nothing to learn from.

    """
    from shelfwise.audit.evidence import gather

    return answers_of(gather(source, recipe, threads, notify))


def answers_of(evidence: Evidence) -> Answers:
    """What the doctor needs of evidence that was gathered already."""
    lesson = evidence.lesson
    products = lesson.products
    dense = [name for name in lesson.dense if name != "table"]
    titled = next((name for name in ("title", *lesson.fields) if (products[name] != "").any()), "title")
    return Answers(
        taxonomy=lesson.taxonomy,
        y=lesson.y,
        candidates=evidence.codes,
        probabilities=evidence.probabilities,
        given=evidence.given.p,
        groups=lesson.articles,
        titles=products[titled].to_list(),
        product_ids=products["product_id"].to_list(),
        vectors=embed(products, lesson.fields, dense),
    )
