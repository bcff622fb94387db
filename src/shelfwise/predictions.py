"""Predictions: probabilities of products as the table that every door hands out.

Columns are those of the contract (docs/design.md): `product_id`, `category`, `confidence`, `accepted`,
`shelf`, `shelf_confidence`, `candidates`, `evidence`, `status`, `reason`. One row a product, in input order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide import kernels
from shelfwise.decide.decision import chain_of
from shelfwise.decide.promise import choose_shelf
from shelfwise.errors import RecipeError

Form = Literal["full", "ids"]
CANDIDATE = pl.Struct({"category": pl.String, "confidence": pl.Float32})
WORD = pl.Struct({"field": pl.String, "text": pl.String, "weight": pl.Float32})
NEIGHBOUR = pl.Struct(
    {"product_id": pl.String, "title": pl.String, "category": pl.String, "similarity": pl.Float32}
)
VOTE = pl.Struct({"view": pl.String, "category": pl.String, "confidence": pl.Float32})
EVIDENCE = pl.Struct({"words": pl.List(WORD), "neighbours": pl.List(NEIGHBOUR), "views": pl.List(VOTE)})

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "product_id": pl.String, "category": pl.String, "confidence": pl.Float32, "accepted": pl.Boolean,
    "shelf": pl.String, "shelf_confidence": pl.Float32, "candidates": pl.List(CANDIDATE),
    "evidence": EVIDENCE, "status": pl.String, "reason": pl.String,
}  # fmt: skip
"""Columns of a predictions table; `evidence` only where it was asked for."""


@dataclass(frozen=True)
class PredictOptions:
    """What a prediction should hold.

    top: how many candidates. promise: precision that accepted answers keep, or None. explain: add evidence.
    form: what goes into a file; "full", or "ids" for `product_id` and `predicted_category_id` alone.
    """

    top: int = 5
    promise: float | None = None
    explain: bool = False
    form: Form = "full"

    def __post_init__(self) -> None:
        if self.top < 1:
            raise RecipeError(f"top is the number of candidates, at least 1; got {self.top}")
        if self.promise is not None and not 0 < self.promise < 1:
            raise RecipeError(f"a promise is a precision between 0 and 1, such as 0.98; got {self.promise:g}")
        if self.form not in get_args(Form):
            raise RecipeError(f"the form of a file is {' or '.join(get_args(Form))}; got {self.form!r}")


@dataclass(frozen=True)
class Answers:
    """Probabilities turned into answers.

    codes int32 and confidence float32 [n, top], best first; accepted bool [n] and shelf int32 [n] (a node,
    -1: none) with its probability, where a promise was asked for.
    """

    codes: NDArray[np.int32]
    confidence: NDArray[np.float32]
    accepted: NDArray[np.bool_] | None = None
    shelf: NDArray[np.int32] | None = None
    shelf_confidence: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Thresholds:
    """Confidences from which a category, and a shelf, keep a promise; above 1 nothing does."""

    category: float
    shelf: float


def answer(
    probabilities: NDArray[np.float32], taxonomy: Taxonomy, top: int, thresholds: Thresholds | None = None
) -> Answers:
    """Pick the best candidates and apply the promise; a pure function of float32 [n, categories]."""
    k = min(top, probabilities.shape[1])
    codes, confidence = best_codes(probabilities, k)
    if thresholds is None:
        return Answers(codes, confidence)
    accepted = confidence[:, 0] >= thresholds.category
    chain = chain_of(probabilities, codes[:, 0], taxonomy)
    level = choose_shelf(chain, thresholds.shelf)
    found = level >= 0
    at = np.maximum(level, 0)
    rows = np.arange(len(codes))
    shelf = np.where(found, taxonomy.chains[codes[:, 0], at], -1).astype(np.int32)
    return Answers(codes, confidence, accepted, shelf, np.where(found, chain[rows, at], np.float32(np.nan)))


def withhold(answers: Answers, known: NDArray[np.bool_]) -> Answers:
    """Accept nothing and name no shelf for products that have nothing to go by: no promise covers a guess."""
    if answers.accepted is None or answers.shelf is None or answers.shelf_confidence is None:
        return answers
    return replace(
        answers,
        accepted=answers.accepted & known,
        shelf=np.where(known, answers.shelf, -1).astype(np.int32),
        shelf_confidence=np.where(known, answers.shelf_confidence, np.float32(np.nan)),
    )


def best_codes(values: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k largest of each row, best first, equal ones by code."""
    codes, best = np.empty((len(values), k), np.int32), np.empty((len(values), k), np.float32)
    kernels.best_of_rows(np.ascontiguousarray(values), codes, best)
    return codes, best


def to_table(products: pl.DataFrame, answers: Answers, taxonomy: Taxonomy) -> pl.DataFrame:
    """The predictions table of clean products; rows that could not be read have no answer."""
    labels = pl.Series(taxonomy.labels, dtype=pl.String)
    readable = products["status"] != "unreadable"
    columns = {
        "product_id": products["product_id"],
        "category": labels.gather(answers.codes[:, 0]),
        "confidence": pl.Series(answers.confidence[:, 0]),
        "accepted": pl.Series(answers.accepted, dtype=pl.Boolean)
        if answers.accepted is not None
        else pl.Series([None], dtype=pl.Boolean).new_from_index(0, products.height),
        **_shelves(answers, taxonomy, products.height),
        "candidates": _lists(
            pl.DataFrame(
                {"category": labels.gather(answers.codes.ravel()), "confidence": answers.confidence.ravel()}
            ),
            answers.codes.shape,
        ),
        "status": products["status"],
        "reason": products["reason"],
    }
    table = pl.DataFrame([series.alias(name) for name, series in columns.items()])
    said = [name for name in columns if name not in ("product_id", "status", "reason")]
    blank = [pl.when(readable).then(pl.col(name)).otherwise(None).alias(name) for name in said]
    return table.with_columns(blank).cast({name: SCHEMA[name] for name in columns})


def _shelves(answers: Answers, taxonomy: Taxonomy, rows: int) -> dict[str, pl.Series]:
    if answers.shelf is None or answers.shelf_confidence is None:
        none = pl.Series([None], dtype=pl.String).new_from_index(0, rows)
        return {"shelf": none, "shelf_confidence": none.cast(pl.Float32)}
    # One more name at the end: -1 is no shelf.
    names = pl.Series([*map(taxonomy.name, range(len(taxonomy.nodes))), None], dtype=pl.String)
    places = np.where(answers.shelf < 0, len(names) - 1, answers.shelf)
    return {
        "shelf": names.gather(places),
        "shelf_confidence": pl.Series(answers.shelf_confidence).fill_nan(None),
    }


def _lists(flat: pl.DataFrame, shape: tuple[int, ...]) -> pl.Series:
    return flat.to_struct("candidates").reshape(shape).arr.to_list()
