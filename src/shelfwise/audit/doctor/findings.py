"""What the doctor says: findings, as values and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.doctor.answers import Answers

KINDS = {
    "overlap": "Shelves that overlap",
    "dumping": "Dumping grounds",
    "unlearnable": "Shelves nobody can learn",
    "two_groups": "Shelves that hide two groups",
    "spelling": "Sisters with nearly the same name",
    "same_name": "The same name under several parents",
    "name": "Names that say nothing",
    "chain": "Levels with only one shelf below",
}
"""Kinds of findings, in the order in which they are shown, and their headings."""

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "shelves": pl.List(pl.String),
    "products": pl.Int64,
    "says": pl.String,
    "advice": pl.String,
    "gain_products": pl.Int64,
    "gain_accuracy": pl.Float64,
    "gain_weighted_f1": pl.Float64,
    "gain_macro_f1": pl.Float64,
    "merge_into": pl.String,
    "evidence": pl.List(pl.Struct({"name": pl.String, "value": pl.Float64})),
    "examples": pl.List(
        pl.Struct({"product_id": pl.String, "title": pl.String, "given": pl.String, "fits": pl.String})
    ),
}
"""Columns of the table of findings and their types."""


@dataclass(frozen=True)
class Gain:
    """What a merge gains out of fold: products that become right, accuracy, F1 (0.01 = a point)."""

    products: int
    accuracy: float
    weighted_f1: float
    macro_f1: float


@dataclass(frozen=True)
class Example:
    """A product that shows it: where it stands, and what else fits (a shelf, or words)."""

    product_id: str
    title: str
    given: str
    fits: str = ""


@dataclass(frozen=True)
class Finding:
    """One sick part of the tree.

    Attributes
    ----------
    kind
        One of `KINDS`.
    shelves
        Labels of the shelves it is about, as in the source.
    products
        Products it touches.
    says, advice
        Sentences: what was found, with the numbers; what to do.
    evidence
        Numbers by name; shares are between 0 and 1.
    merge_into
        The shelf all others of `shelves` can become without harm; empty: no merge is safe.
    gain
        What that merge gains, measured out of fold; None where nothing was merged to measure.

    """

    kind: str
    shelves: tuple[str, ...]
    products: int
    says: str
    advice: str
    evidence: dict[str, float] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    gain: Gain | None = None
    merge_into: str = ""


def tabulate(findings: Sequence[Finding]) -> pl.DataFrame:
    """The findings as a table with the columns of `COLUMNS`, one row a finding."""
    rows = []
    for one in findings:
        gain = one.gain
        rows.append(
            {
                "kind": one.kind,
                "shelves": list(one.shelves),
                "products": one.products,
                "says": one.says,
                "advice": one.advice,
                "gain_products": gain.products if gain else None,
                "gain_accuracy": gain.accuracy if gain else None,
                "gain_weighted_f1": gain.weighted_f1 if gain else None,
                "gain_macro_f1": gain.macro_f1 if gain else None,
                "merge_into": one.merge_into or None,
                "evidence": [{"name": name, "value": float(v)} for name, v in one.evidence.items()],
                "examples": [vars(example) for example in one.examples],
            }
        )
    return pl.DataFrame(rows, schema=COLUMNS)


def path_of(answers: Answers, code: int) -> str:
    """The readable path of a shelf."""
    return (answers.taxonomy.separator or " > ").join(answers.taxonomy.paths[code])


def shown(answers: Answers, code: int) -> str:
    """The shelf as sentences name it: in quotes, whole."""
    return f'"{path_of(answers, code)}"'


def examples_of(answers: Answers, rows: NDArray[np.int64], fits: Sequence[str] = ()) -> tuple[Example, ...]:
    """Products to show; what fits each is its best other shelf where nothing else is said."""
    told = []
    for place, row in enumerate(rows.tolist()):
        other = _best_other(answers, row)
        told.append(
            Example(
                answers.product_ids[row] if len(answers.product_ids) else str(row),
                answers.titles[row] if len(answers.titles) else "",
                path_of(answers, int(answers.y[row])),
                fits[place] if len(fits) else (path_of(answers, other) if other >= 0 else ""),
            )
        )
    return tuple(told)


def _best_other(answers: Answers, row: int) -> int:
    codes = answers.candidates[row]
    values = np.where((codes != answers.y[row]) & (codes >= 0), answers.probabilities[row], -1)
    best = int(values.argmax()) if len(values) else 0
    return int(codes[best]) if len(values) and values[best] >= 0 else -1


def percent(share: float) -> str:
    """A share as whole percent, such as "37 %"."""
    return f"{100 * share:.0f} %"


def count(number: int, noun: str) -> str:
    """A number and its noun, such as "1 product" and "2,000 products"."""
    plural = noun[:-1] + "ves" if noun.endswith("f") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
