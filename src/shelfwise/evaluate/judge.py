"""Judging a model: its answers to a labelled catalogue beside the truth, as an `Outcome`."""

from __future__ import annotations

import numpy as np
import polars as pl

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.read import Source, open_source
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError
from shelfwise.evaluate.outcome import Outcome, PromiseOutcome
from shelfwise.predictions import Answers, answer
from shelfwise.scoring import map_blocks

_TOP = 5


def judge(model: Categorizer, catalogue: object, *, split: str | None = None, promise: float | None = None) -> Outcome:
    """Let a model answer for every labelled row (with `split`: those marked test) of a catalogue.

    Rows without a category cannot be scored and are left out; rows without text are scored as any other.

    Raises
    ------
    CatalogueError
        No row has a category, or the column of the categories is missing.
    PromiseError
        The model cannot support the promise.

    """
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    label = model.roles_.label
    if label not in source.columns:
        raise CatalogueError(f"there is no column {label!r} with the true categories; columns are: {', '.join(source.columns)}")
    products = model.products(source, split)
    products = _rename(model, products.filter(pl.col("label").is_not_null()))
    if products.height == 0:
        raise CatalogueError(f"nothing to score: no row{' marked test' if split else ''} has a category in {label!r}")
    thresholds = model.thresholds(promise)

    def work(block: pl.DataFrame) -> tuple[Answers, dict[str, np.ndarray]]:
        views = model.views_
        scores = views.scores(block)
        alone = {name: np.where(scores.present, part.argmax(axis=1), -1).astype(np.int32) for name, part in scores.by_view.items()}
        mixed = model.decision_.fusion.mix(scores.by_view, scores.present)
        return answer(mixed, model.taxonomy_, _TOP, thresholds), alone

    parts = list(map_blocks(work, products, len(model.taxonomy_.labels), model.threads))
    answers = [part for part, _ in parts]
    promised = None
    if promise is not None:
        promised = PromiseOutcome(
            promise,
            np.concatenate([a.accepted for a in answers if a.accepted is not None]),
            np.concatenate([a.shelf for a in answers if a.shelf is not None]),
        )
    return Outcome(
        taxonomy=model.taxonomy_,
        y=model.taxonomy_.codes(products["label"]),
        codes=np.concatenate([a.codes for a in answers]),
        confidence=np.concatenate([a.confidence for a in answers]),
        given=products["label_path"].to_list(),
        by_view={name: np.concatenate([alone[name] for _, alone in parts]) for name in parts[0][1]},
        groups=group_near_duplicates(products, quick=True),
        product_ids=products["product_id"].to_list(),
        titles=products["title"].to_list(),
        train_counts=model.counts_,
        empty=(products["status"] == "empty").to_numpy(),
        promise=promised,
    )


def _rename(model: Categorizer, products: pl.DataFrame) -> pl.DataFrame:
    """Give the true categories the names that training gave them; leave out those that it dropped."""
    if not model.renamed_:
        return products
    before, after = list(model.renamed_), pl.Series(list(model.renamed_.values()), dtype=pl.String)
    labels = products["label"].replace(pl.Series(before, dtype=pl.String), after)
    return products.with_columns(labels.alias("label"), labels.alias("label_path")).filter(pl.col("label").is_not_null())
