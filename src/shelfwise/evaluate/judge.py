"""Judging a model: its answers to a labelled catalogue beside the truth, as an `Outcome`."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.read import Source, open_source
from shelfwise.categorizer import Categorizer
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import DEPARTMENTS
from shelfwise.errors import CatalogueError
from shelfwise.evaluate.outcome import Outcome, PromiseOutcome
from shelfwise.predictions import Answers, answer, withhold
from shelfwise.scoring import Asked, map_blocks, probabilities_from
from shelfwise.views.scores import ViewScores

_TOP = 5
_Codes = NDArray[np.int32]


def judge(
    model: Categorizer, catalogue: object, *, split: str | None = None, promise: float | None = None
) -> Outcome:
    """Let a model answer for every labelled row (with `split`: those marked test) of a catalogue.

    Rows without a category cannot be scored and are left out; rows without text are scored as any other.

    Raises
    ------
    CatalogueError
        No row has a category, or the column of the categories is missing.
    PromiseError
        The model cannot support the promise.

    """
    products = _read(model, catalogue, split)
    thresholds = model.thresholds(promise)

    def work(block: pl.DataFrame) -> tuple[Answers, dict[str, _Codes], dict[str, _Codes]]:
        mixed, present, alone, less = _ask(model, block)
        answers = answer(mixed, model.taxonomy_, _TOP, thresholds)
        return withhold(answers, present & (block["status"] == "ok").to_numpy()), alone, less

    parts = list(map_blocks(work, products, len(model.taxonomy_.labels), model.threads))
    answers = [part for part, _, _ in parts]
    return Outcome(
        taxonomy=model.taxonomy_,
        y=model.taxonomy_.codes(products["label"]),
        codes=np.concatenate([a.codes for a in answers]),
        confidence=np.concatenate([a.confidence for a in answers]),
        given=products["label_path"].to_list(),
        by_view={name: np.concatenate([alone[name] for _, alone, _ in parts]) for name in parts[0][1]},
        left_out={name: np.concatenate([less[name] for _, _, less in parts]) for name in parts[0][2]},
        groups=group_near_duplicates(products, quick=True),
        product_ids=products["product_id"].to_list(),
        titles=products["title"].to_list(),
        train_counts=model.counts_,
        empty=(products["status"] == "empty").to_numpy(),
        promise=None if promise is None else _promised(promise, answers),
    )


def _read(model: Categorizer, catalogue: object, split: str | None) -> pl.DataFrame:
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    model.check_fitted()
    label = model.roles_.label
    if label not in source.columns:
        listed = ", ".join(source.columns)
        raise CatalogueError(f"there is no column {label!r} with the true categories; columns are: {listed}")
    products = _rename(model, model.products(source, split).drop_nulls("label"))
    if products.height == 0:
        marked = " marked test" if split else ""
        raise CatalogueError(f"nothing to score: no row{marked} has a category in {label!r}")
    return products


def _promised(promise: float, answers: list[Answers]) -> PromiseOutcome:
    return PromiseOutcome(
        promise,
        np.concatenate([a.accepted for a in answers if a.accepted is not None]),
        np.concatenate([a.shelf for a in answers if a.shelf is not None]),
    )


def _ask(
    model: Categorizer, block: pl.DataFrame
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, _Codes], dict[str, _Codes]]:
    """Probabilities of a block, where they stand on anything, and what is answered with fewer views.

    That is each view's own answer (-1: nothing), and all views' but one.
    """
    views, fusion = model.views_, model.decision_.fusion
    silent = tuple(name for name in views.names if name not in fusion.views)
    used = views.scores(block, fusion.views)
    answers = _best_of(used) | (_best_of(views.scores(block, silent)) if silent else {})
    mixed, present = probabilities_from(used, fusion, Asked(block), model.corrections_)
    into = model.corrections_.shelves.into  # views know the categories of training
    alone = {name: _now(answers[name], into) for name in views.names if name != DEPARTMENTS}
    less = {name: _now(codes, into) for name, codes in _without_each(fusion, used).items()}
    return mixed, present, alone, less


def _now(codes: _Codes, into: _Codes) -> _Codes:
    """Codes of training as those of now; -1 stays."""
    return np.where(codes >= 0, into[codes], -1).astype(np.int32)


def _without_each(fusion: Fusion, used: ViewScores) -> dict[str, _Codes]:
    """The answers of all views with a say but one, by the name of that one."""
    answers = {}
    for name in fusion.views:
        rest = fusion.without(name) if name != DEPARTMENTS else None
        if rest is not None:
            answers[name] = rest.mix(used.by_view, used.speaks).argmax(axis=1).astype(np.int32)
    return answers


def _best_of(scores: ViewScores) -> dict[str, _Codes]:
    return {
        name: np.where(scores.speaks[name], part.argmax(axis=1), -1).astype(np.int32)
        for name, part in scores.by_view.items()
    }


def _rename(model: Categorizer, products: pl.DataFrame) -> pl.DataFrame:
    """Give the true categories the names that training gave them; leave out those that it dropped."""
    if not model.renamed_:
        return products
    before, after = (
        pl.Series(list(names), dtype=pl.String) for names in zip(*model.renamed_.items(), strict=True)
    )
    changed = pl.col("label").is_in(before.implode())
    label = pl.col("label").replace(before, after)
    path = pl.when(changed).then(label).otherwise("label_path")
    return products.with_columns(label.alias("label"), path.alias("label_path")).drop_nulls("label")
