"""Which column is the category: paths first, then columns of levels, single names, ids, and content last."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from shelfwise.catalogue import names
from shelfwise.catalogue.paths import JOIN, as_path
from shelfwise.catalogue.profiles import Profile, find_separator

ANSWER = "another category column: would give the answer away"
"""Why a column that tells the category is not a feature."""


@dataclass(frozen=True)
class Labelling:
    """The label's columns, as in `roles.Roles`; `others` tell the category too and must be ignored."""

    label: str | None = None
    label_name: str | None = None
    separator: str | None = None
    levels: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    why: str = ""


def is_category(column: str) -> bool:
    """Whether a column's name says that it holds categories."""
    plain = names.normalise(column).split()
    return bool(names.WORDS["label"] & set(plain)) or names.match(column, "label_id") > 0


def find_label(sample: pl.DataFrame, profiles: Mapping[str, Profile], asked: Mapping[str, Any]) -> Labelling:
    """Find what to learn and predict among the columns of a sample.

    Args:
        sample: rows with the columns that may be categories.
        profiles: by column.
        asked: overrides as checked by `roles.find_roles` (label, label_name, levels, separator).

    """
    named = [c for c in sample.columns if _candidate(profiles[c])]
    if asked.get("levels"):
        levels = tuple(asked["levels"])
        chosen = Labelling(levels[-1], None, asked.get("separator", JOIN), levels, why="as given")
    elif "label" in asked:
        chosen = _given(sample, profiles, asked, named)
    else:
        found = _path(named, profiles) or _levels(named, profiles) or _single(named, profiles)
        found = found or _content([profiles[c] for c in sample.columns])
        chosen = _with_id(sample, profiles, found, asked)
    return _with_others(sample, profiles, chosen)


def _candidate(p: Profile) -> bool:
    """Whether a column can be the category by its name; ids of categories are looked at separately."""
    named = is_category(p.name) or names.match(p.name, "label") > 1
    is_id = names.match(p.name, "label_id") > 0 or bool({"id", "ид"} & set(names.normalise(p.name).split()))
    return named and not is_id and p.distinct > 0 and p.url < 0.5


def _given(
    sample: pl.DataFrame, profiles: Mapping[str, Profile], asked: Mapping[str, Any], named: list[str]
) -> Labelling:
    label = asked["label"]
    if label is None:
        return Labelling()
    name = asked.get("label_name")
    if name is None and "label_name" not in asked and profiles[label].number > 0.9:
        beside = [c for c in named if c != label and one_to_one(sample, label, c)]
        name = max(
            beside,
            key=lambda c: (separator_of(profiles[c]) is not None, names.match(c, "label")),
            default=None,
        )
    return Labelling(label, name, separator_of(profiles[name or label]), why="as given")


def _path(named: list[str], profiles: Mapping[str, Profile]) -> Labelling | None:
    paths = [c for c in named if separator_of(profiles[c]) is not None]
    if not paths:
        return None
    # A path that ends in the product's own name is nearly unique and cannot be learned.
    best = max(
        paths, key=lambda c: (profiles[c].uniqueness < 0.5, names.match(c, "label"), -profiles[c].uniqueness)
    )
    return Labelling(
        best, None, separator_of(profiles[best]), why="a category path by its name and its values"
    )


def _levels(named: list[str], profiles: Mapping[str, Profile]) -> Labelling | None:
    ranked = sorted((rank, i, c) for i, c in enumerate(named) if (rank := _rank(c)) is not None)
    flat = [c for c in named if _rank(c) is None and names.match(c, "label") > 1]
    if ranked and ranked[0][0] > 0 and flat:
        ranked.insert(0, (0, -1, flat[0]))
    columns = [c for _, _, c in ranked]
    if len({rank for rank, _, _ in ranked}) < 2 or len({r for r, _, _ in ranked}) < len(ranked):
        return None
    if profiles[columns[0]].distinct > profiles[columns[-1]].distinct:
        return None
    return Labelling(
        columns[-1], None, JOIN, tuple(columns), why="category levels by their names, from coarse to fine"
    )


def _rank(column: str) -> int | None:
    """Return how deep a level column is by its name: ``main_category`` 0, ``category_l2`` 2, ``sub`` 60."""
    plain = names.normalise(column)
    words = plain.split()
    digits = re.search(r"(?:^|\s)(?:l|lvl|level|niveau|nivel|livello|ebene)?\s*(\d)(?:\s|$)", plain)
    fine = sum(plain.count(word) for word in ("sub", "unter", "sous", "под", "sotto"))
    if fine:
        return 50 + fine * 10 + (int(digits[1]) if digits else 0)
    if digits:
        return int(digits[1])
    if names.COARSE_WORDS & set(words):
        return 0
    if names.FINE_WORDS & set(words):
        return 60
    return 90 if plain in ("article type", "product type", "item type", "aisle", "leaf category") else None


def _single(named: list[str], profiles: Mapping[str, Profile]) -> Labelling | None:
    fit = [c for c in named if profiles[c].uniqueness < 0.7 or profiles[c].filled < 20]
    if not fit:
        return None
    best = max(fit, key=lambda c: (names.match(c, "label"), -fit.index(c)))
    return Labelling(best, None, separator_of(profiles[best]), why="a category by its name")


def _content(profiles: Sequence[Profile]) -> Labelling | None:
    """Return the category by its values alone: paths that repeat."""
    fit = [p for p in profiles if p.is_text and p.separator and p.distinct > 1 and p.uniqueness < 0.7]
    fit = [p for p in fit if p.separator not in ("/", ",", " - ", " / ") or names.says_nothing(p.name)]
    if not fit:
        return None
    best = min(fit, key=lambda p: p.uniqueness)
    return Labelling(best.name, None, best.separator, why="values are paths that repeat")


def is_flat_category(p: Profile) -> bool:
    """Whether a column whose name says nothing may hold flat categories: few short texts that repeat."""
    repeats = p.is_text and p.uniqueness < 0.3 and p.words <= 6 and p.filled >= 20 and p.distinct > 1
    return repeats and names.says_nothing(p.name)


def separator_of(p: Profile) -> str | None:
    """Return the separator of a category column, whose values may also be lists of levels."""
    if not p.is_nested:
        return p.separator
    return find_separator(as_path(p.values))


def _with_id(
    sample: pl.DataFrame, profiles: Mapping[str, Profile], chosen: Labelling | None, asked: Mapping[str, Any]
) -> Labelling:
    """Learn the id where ids say the same as the chosen names; take ids alone where there are no names."""
    ids = [c for c in sample.columns if names.match(c, "label_id") > 1 and profiles[c].distinct > 1]
    ids = [c for c in ids if profiles[c].uniqueness < 0.7 or profiles[c].filled < 20]
    ids.sort(key=lambda c: -names.match(c, "label_id"))
    if chosen is None:
        return Labelling(ids[0], why="a category id by its name") if ids else Labelling()
    if chosen.levels or "label_name" in asked:
        return chosen
    for column in ids:
        if one_to_one(sample, column, chosen.label or ""):
            why = "a category id by its name, one to one with the category's name"
            return Labelling(column, chosen.label, chosen.separator, why=why)
    return chosen


def one_to_one(sample: pl.DataFrame, ids: str, text: str) -> bool:
    """Whether each id has one name and, but for 5 % of them, each name one id."""
    pairs = sample.select(
        pl.col(ids).cast(pl.String).alias("i"), pl.col(text).cast(pl.String).alias("n")
    ).drop_nulls()
    distinct = pairs.unique()
    count = pairs["i"].n_unique()
    return count > 1 and distinct.height <= 1.02 * count and pairs["n"].n_unique() >= 0.95 * count


def _with_others(sample: pl.DataFrame, profiles: Mapping[str, Profile], chosen: Labelling) -> Labelling:
    """Add the columns that tell the category too: those named so, and others that all but determine it."""
    taken = {chosen.label, chosen.label_name, *chosen.levels}
    others = []
    for column in sample.columns:
        if column in taken:
            continue
        weak = names.match(column, "label") > 1 or names.normalise(column).endswith(" label")
        if is_category(column) or (weak and chosen.label and _tells(sample, profiles[column], chosen.label)):
            others.append(column)
    return Labelling(
        chosen.label, chosen.label_name, chosen.separator, chosen.levels, tuple(others), chosen.why
    )


def _tells(sample: pl.DataFrame, p: Profile, label: str) -> bool:
    """Whether a column's value nearly fixes the label, judged by values that occur twice or more."""
    pairs = sample.select(
        pl.col(p.name).cast(pl.String).alias("v"), pl.col(label).cast(pl.String).alias("y")
    ).drop_nulls()
    counts = (
        pairs.group_by("v", "y")
        .len()
        .group_by("v")
        .agg(pl.col("len").sum().alias("all"), pl.col("len").max().alias("top"))
    )
    often = counts.filter(pl.col("all") > 1)
    top, total = float(often["top"].sum()), float(often["all"].sum())
    return total > 0 and top / total > 0.9
