"""Columns of numbers and of a few values (price, rating, shop) as dense features, for a view of their own.

Numbers are read as shops write them (`1.299,00 EUR`, `1 299.00`, `4.5 out of 5`, `12%`); what a lone mark
means is learned from the column. Each number becomes three features: its place between the quartiles, on a
log scale where it is skewed as prices are, its rank among the known values, and whether it is missing. Common
values of other columns have a feature each, rare ones share hashed ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.profiles import as_text
from shelfwise.errors import CatalogueError

Floats = NDArray[np.float32]

_NUMERIC_SHARE = 0.8
_RANKS = 64
_SKEWED = 4.0
_NUMBER = r"([-+−]?\s?\d[\d.,'’\s\u00a0\u202f]*)"
_NOTHING = ("", "nan", "none", "null", "n/a", "-", "inf", "-inf")
_LOOKS_NUMERIC = (
    r"^\p{L}{0,3}[^\p{L}\d]{0,4}\d[\d.,'’\s\u00a0\u202f]*"  # a currency before
    r"(?:\D{0,8}|\s*(?:out of|of|/|-|–)\s*[\d.,]+\D{0,8})$"  # a unit, the best possible, the end of a range
)


def parse_numbers(values: pl.Series, mark: str = "") -> pl.Series:
    """The first number of each value, Float64; null where there is none.

    Of two marks the last is the decimal one, and one that repeats groups thousands. One mark alone before
    exactly three digits is ambiguous (`1.299`): it is decimal if it is `mark`, or follows a zero alone.

    Args:
        values: a column of any type.
        mark: the decimal mark of the column, "." or "," (see `decimal_mark`), or "" if unknown.

    """
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        number = values.cast(pl.Float64)
        return number.set(~number.is_finite().fill_null(True), None)
    digits = _digits(values)
    v = pl.col("v")
    last = pl.col("v").str.extract(r"([.,])\d*$", 1)
    both = v.str.contains(".", literal=True) & v.str.contains(",", literal=True)
    repeated = v.str.count_matches(r"[.,]") > 1
    lone = ~both & ~repeated
    ambiguous = lone & v.str.contains(r"^[-+]?[1-9]\d{0,2}[.,]\d{3}$")
    decimal = pl.when(both).then(last).when(lone & (~ambiguous | (last == pl.lit(mark or "?")))).then(last)
    plain = (
        pl.when(decimal == ",")
        .then(v.str.replace_all(".", "", literal=True).str.replace(r",(\d*)$", "~$1")
              .str.replace_all(",", "", literal=True).str.replace("~", ".", literal=True))
        .when(decimal == ".")
        .then(v.str.replace_all(",", "", literal=True).str.replace(r"\.(\d*)$", "~$1")
              .str.replace_all(".", "", literal=True).str.replace("~", ".", literal=True))
        .otherwise(v.str.replace_all(r"[.,]", ""))
    )  # fmt: skip
    number = digits.to_frame("v").select(plain.cast(pl.Float64, strict=False)).to_series()
    return number.set(~number.is_finite().fill_null(True), None).alias(values.name)


def decimal_mark(values: pl.Series) -> str:
    """The decimal mark that the unambiguous values of a text column use: ".", ",", or "" if none tells."""
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return "."
    digits = _digits(values).drop_nulls()
    ending = digits.filter(
        ~digits.str.contains(r"^[-+]?[1-9]\d{0,2}[.,]\d{3}$") & ~digits.str.contains(r"([.,])\d+[.,]\d{3}$")
    ).str.extract(r"([.,])\d+$", 1)
    points, commas = int((ending == ".").sum()), int((ending == ",").sum())
    return "" if points == commas else "." if points > commas else ","


def _digits(values: pl.Series) -> pl.Series:
    """The first run of digits and marks of each value, spaces and apostrophes gone."""
    found = as_text(values).cast(pl.String).str.extract(_NUMBER, 1)
    return found.str.replace_all(r"['’\s\u00a0\u202f]", "").str.replace("−", "-").str.replace(r"[.,]+$", "")


@dataclass(frozen=True)
class _Numbers:
    """What was learned of a column of numbers; ranks: float64 [64], its quantiles."""

    mark: str
    log: bool
    middle: float
    spread: float
    ranks: NDArray[np.float64]


class TableFeatures:
    """Dense features of some columns of a catalogue.

    Parameters
    ----------
    columns: their names. A column is one of numbers if four fifths of its values read as such.
    most: common values of a column that have a feature of their own. buckets: features that the others share.

    After fitting: `numbers_` by column, and `values_` by column: hashes uint64 of the common ones, in order.

    """

    def __init__(self, columns: Sequence[str], *, most: int = 64, buckets: int = 16) -> None:
        self.columns = tuple(columns)
        self.most = most
        self.buckets = buckets

    @property
    def width(self) -> int:
        """How many features there are."""
        return 3 * len(self.numbers_) + sum(len(v) + self.buckets + 1 for v in self.values_.values())

    def fit(self, frame: pl.DataFrame) -> TableFeatures:
        """Learn from the rows of a catalogue.

        Raises:
            CatalogueError: the catalogue lacks one of the columns.

        """
        self.numbers_: dict[str, _Numbers] = {}
        self.values_: dict[str, NDArray[np.uint64]] = {}
        for name in self.columns:
            if name not in frame.columns:
                raise CatalogueError(
                    f"the catalogue has no column {name!r}, which the table view learns from. "
                    f"Columns are: {', '.join(frame.columns)}"
                )
            if _is_numeric(frame[name]):
                self.numbers_[name] = _learn_numbers(frame[name])
            else:
                codes, counts = np.unique(_hashes(frame[name]), return_counts=True)
                common = codes[(counts > 1) & (codes != 0)]
                order = np.argsort(-counts[(counts > 1) & (codes != 0)], kind="stable")
                self.values_[name] = np.sort(common[order[: self.most]])
        return self

    def transform(self, frame: pl.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
        """Features float32 [rows, width], and which rows have any value at all, bool [rows].

        A column that the frame lacks counts as missing in every row.
        """
        out = np.zeros((frame.height, self.width), np.float32)
        known = np.zeros(frame.height, np.bool_)
        absent = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
        at = 0
        for name, learned in self.numbers_.items():
            values = frame[name] if name in frame.columns else absent
            known |= _number_features(values, learned, out[:, at : at + 3])
            at += 3
        for name, common in self.values_.items():
            codes = _hashes(frame[name] if name in frame.columns else absent)
            width = len(common) + self.buckets + 1
            known |= self._value_features(codes, common, out[:, at : at + width])
            at += width
        return out, known

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays: `numbers.COLUMN` and `values.COLUMN`."""
        state: dict[str, NDArray[np.generic]] = {}
        for name, n in self.numbers_.items():
            head = [float(".,".find(n.mark or "?")), float(n.log), n.middle, n.spread]
            state[f"numbers.{name}"] = np.concatenate([head, n.ranks])
        return state | {f"values.{name}": codes for name, codes in self.values_.items()}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> TableFeatures:
        """Take the state that `tensors` gave."""
        self.numbers_, self.values_ = {}, {}
        for name in self.columns:
            if f"numbers.{name}" in tensors:
                state = tensors[f"numbers.{name}"].astype(np.float64)
                mark = ("", ".", ",")[int(state[0]) + 1]
                log, middle, spread = bool(state[1]), float(state[2]), float(state[3])
                self.numbers_[name] = _Numbers(mark, log, middle, spread, state[4:])
            else:
                self.values_[name] = tensors[f"values.{name}"].astype(np.uint64)
        return self

    def _value_features(
        self, codes: NDArray[np.uint64], common: NDArray[np.uint64], out: Floats
    ) -> NDArray[np.bool_]:
        """Fill one column's features: common values, buckets of the others, missing."""
        known: NDArray[np.bool_] = codes != 0
        place = np.searchsorted(common, codes)
        own = np.zeros(len(codes), np.bool_)
        inside = place < len(common)
        own[inside] = common[place[inside]] == codes[inside]
        out[np.flatnonzero(own), place[own]] = 1
        rare = known & ~own
        if self.buckets:
            out[
                np.flatnonzero(rare), len(common) + (codes[rare] % np.uint64(self.buckets)).astype(np.int64)
            ] = 1
        out[:, -1] = ~known
        return known


def _is_numeric(values: pl.Series) -> bool:
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return True
    text = as_text(values).cast(pl.String).str.strip_chars().drop_nulls()
    filled = text.filter(~text.str.to_lowercase().is_in(_NOTHING))
    return len(filled) > 0 and float(filled.str.contains(_LOOKS_NUMERIC).mean() or 0) >= _NUMERIC_SHARE  # type: ignore[arg-type]


def _learn_numbers(values: pl.Series) -> _Numbers:
    mark = decimal_mark(values)
    known = parse_numbers(values, mark).drop_nulls().to_numpy()
    if not len(known):
        return _Numbers(mark, False, 0.0, 1.0, np.zeros(_RANKS))
    middle, high = float(np.median(known)), float(np.quantile(known, 0.95))
    log = bool(known.min() >= 0 and high > _SKEWED * max(middle, 1e-12))
    scaled = np.log1p(known) if log else known
    low, middle, up = (float(q) for q in np.quantile(scaled, (0.25, 0.5, 0.75)))
    spread = up - low or float(scaled.std()) or 1.0
    return _Numbers(mark, log, middle, spread, np.quantile(known, np.linspace(0, 1, _RANKS)))


def _number_features(values: pl.Series, learned: _Numbers, out: Floats) -> NDArray[np.bool_]:
    """Fill one column's place between the quartiles, rank and missing flag."""
    numbers = parse_numbers(values, learned.mark)
    known: NDArray[np.bool_] = numbers.is_not_null().to_numpy().copy()
    value = numbers.to_numpy()[known].astype(np.float64)
    scaled = np.log1p(np.maximum(value, 0)) if learned.log else value
    out[known, 0] = np.clip((scaled - learned.middle) / learned.spread, -5, 5)
    below, upto = (np.searchsorted(learned.ranks, value, side) for side in ("left", "right"))
    out[known, 1] = (below + upto) / len(learned.ranks) - 1
    out[:, 2] = ~known
    return known


def _hashes(values: pl.Series) -> NDArray[np.uint64]:
    """A number for each value, the same on any machine, whatever its case and outer spaces; 0: missing."""
    text = as_text(values).cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
    unique = text.unique(maintain_order=True)
    codes = [
        0 if word in _NOTHING else int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest()) or 1
        for word in unique.to_list()
    ]
    table = pl.DataFrame({"v": unique, "code": pl.Series(codes, dtype=pl.UInt64)})
    joined = text.to_frame("v").join(table, on="v", how="left", maintain_order="left")["code"]
    return joined.to_numpy().astype(np.uint64)
