"""Changes to categories before learning: rename, merge, reduce or drop them by a mapping file.

A mapping is a CSV with the columns ``from`` and ``to``, or a TOML or JSON object of from = to. ``from`` is a
whole label, or a subtree written as its path and ``*``: with ``>`` between levels, ``Shoes > *`` matches
``Shoes`` and all that lies below it. Where several rules match a label the most specific one wins. ``to`` is
the new label; empty or ``-`` drops the category: its products stay in the catalogue, unlabelled. Rules are
applied once and not again to their own results, so that two categories can be swapped and cycles do no harm.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shelfwise.catalogue.taxonomy import split_path
from shelfwise.errors import LabelError

_DROP = ("", "-")
_Wheres = list[tuple[str, str, str]]  # from, to, "line 3"


@dataclass(frozen=True)
class Rule:
    """One line of a mapping: labels that match `source` become `target`; None drops them."""

    source: str
    target: str | None
    where: str = ""
    """Where it stands ("mapping.csv, line 3")."""


@dataclass(frozen=True)
class RuleUse:
    """What one rule did: how many rows and distinct categories it changed."""

    source: str
    target: str | None
    rows: int
    categories: int


@dataclass(frozen=True)
class MappingReport:
    """What a mapping did to a catalogue.

    Attributes
    ----------
    uses
        One per rule, in the order of the file (those that did nothing too).
    categories_before, categories_after
        Number of distinct categories.
    rows_changed, rows_dropped
        Rows with a new label, and rows that became unlabelled.
    warnings
        Rules that matched nothing, with the labels that may have been meant.

    """

    uses: tuple[RuleUse, ...]
    categories_before: int
    categories_after: int
    rows_changed: int
    rows_dropped: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelMapping:
    """Rules that rename, merge, reduce or drop categories."""

    rules: tuple[Rule, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> LabelMapping:
        """Read a mapping from a CSV (columns ``from`` and ``to``), TOML or JSON file, by its extension.

        Raises
        ------
        LabelError
            The file is missing, is not what its extension says, lacks a column, or has a ``from`` twice.

        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise LabelError(f"{file}: the mapping cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise LabelError(
                f"{file}: the mapping is not UTF-8 (byte {error.start}); save it as UTF-8"
            ) from error
        readers = {".json": _read_json, ".toml": _read_toml}
        rows = readers.get(file.suffix.lower(), _read_csv)(text, file)
        return cls._from_rows(rows, file)

    @classmethod
    def _from_rows(cls, rows: _Wheres, file: Path) -> LabelMapping:
        seen: dict[str, str] = {}
        rules = []
        for source, target, place in rows:
            source, target = source.strip(), target.strip()
            if not source:
                raise LabelError(f'{file}, {place}: "from" is empty; name the category to change')
            if source in seen:
                raise LabelError(f"{file}, {place}: {source!r} has a rule already ({seen[source]}); keep one")
            seen[source] = place
            rules.append(Rule(source, None if target in _DROP else target, f"{file.name}, {place}"))
        if not rules:
            raise LabelError(f"{file}: the mapping has no rules")
        return cls(tuple(rules))

    def apply(self, labels: pl.Series, separator: str | None) -> tuple[pl.Series, MappingReport]:
        """Change labels [n] (null = unlabelled, stays so) and report what each rule did.

        `separator` stands between the levels of the labels; None = one level, where no rule can be a subtree.
        """
        names = sorted(labels.drop_nulls().unique().to_list())
        chosen = _choose(self.rules, names, separator)
        mapped, report = _apply_choice(labels, names, self.rules, chosen)
        warnings = tuple(
            f"{rule.where}: no category matches {rule.source!r}{_suggest(rule.source, names, separator)}"
            for rule in _idle(self.rules, names, separator)
        )
        return mapped, MappingReport(**{**vars(report), "warnings": warnings})


def reduce_rare(labels: pl.Series, min_count: int, separator: str | None) -> tuple[pl.Series, MappingReport]:
    """Merge categories with fewer than `min_count` products into their parent shelf, deepest level first.

    A shelf that is still too small after taking in its small children goes on to its own parent. Top-level
    categories stay as they are: there is nothing to merge them into. Labels are [n]; null stays null.
    """
    names = sorted(labels.drop_nulls().unique().to_list())
    counted = labels.drop_nulls().value_counts()
    rows = dict(zip(counted[labels.name].to_list(), counted["count"].to_list(), strict=True))
    paths = {name: split_path(name, separator) for name in names}
    # A shelf that is a label already keeps its own spelling.
    spelling = {path: name for name, path in reversed(paths.items())}
    sizes: dict[tuple[str, ...], int] = {}
    for name, path in paths.items():
        sizes[path] = sizes.get(path, 0) + rows[name]
    moved: dict[tuple[str, ...], tuple[str, ...]] = {}
    for depth in range(max((len(path) for path in sizes), default=1), 1, -1):
        for path in sorted(path for path in sizes if len(path) == depth):
            if sizes[path] < min_count:
                moved[path] = path[:-1]
                sizes[path[:-1]] = sizes.get(path[:-1], 0) + sizes.pop(path)
    rules: list[Rule] = []
    chosen: dict[str, int] = {}
    for name, path in paths.items():
        end = path
        while end in moved:
            end = moved[end]
        if end != path:
            chosen[name] = len(rules)
            rules.append(Rule(name, spelling.get(end, (separator or "").join(end))))
    return _apply_choice(labels, names, tuple(rules), chosen)


def has_levels(labels: pl.Series, separator: str | None) -> bool:
    """Whether any label [n] has a shelf above it."""
    return any(len(split_path(name, separator)) > 1 for name in labels.drop_nulls().unique())


# -- reading -------------------------------------------------------------------------------------------------


def _read_csv(text: str, file: Path) -> _Wheres:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        missing = [name for name in ("from", "to") if name not in columns]
        if missing:
            raise LabelError(
                f'{file}, line 1: no column "{missing[0]}"; a mapping has the columns "from" and "to", '
                f"this one has: {', '.join(columns) or 'none'}"
            )
        rows = []
        for row in reader:
            if None in row or row["to"] is None:
                raise LabelError(
                    f"{file}, line {reader.line_num}: expected {len(columns)} values; "
                    "put names that hold the delimiter in quotes, and leave `to` empty to drop a category"
                )
            rows.append((row["from"], row["to"], f"line {reader.line_num}"))
    except csv.Error as error:
        # The outer reader counts a line only once it is whole.
        raise LabelError(f"{file}, line {reader.reader.line_num}: {error}") from error
    return rows


def _read_json(text: str, file: Path) -> _Wheres:
    try:
        # As pairs, because an object would silently keep the last of two equal names.
        pairs = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise LabelError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from error
    if not text.lstrip().startswith("{"):
        raise LabelError(f"{file}: expected an object of from = to")
    return list(_entries(pairs, text, file))


def _read_toml(text: str, file: Path) -> _Wheres:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LabelError(f"{file}: not TOML: {error}") from error
    return list(_entries(list(table.items()), text, file))


def _entries(pairs: list[tuple[str, object]], text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    """Entries of an object with the line of each, found by its name."""
    lines = text.splitlines()
    start = 0
    for name, value in pairs:
        key = re.compile(re.escape(name) + r"[\"']?\s*[:=]")
        number = next((i for i in range(start, len(lines)) if key.search(lines[i])), None)
        place = f"entry {name!r}" if number is None else f"line {number + 1}"
        start = start if number is None else number
        if value is not None and not isinstance(value, str):
            raise LabelError(f"{file}, {place}: {name!r} must become a text (or be dropped by an empty one)")
        yield name, value or "", place


# -- matching ------------------------------------------------------------------------------------------------


def _subtree(rule: Rule, separator: str | None) -> tuple[str, ...] | None:
    """Path whose subtree the rule means, or None where it means one label."""
    path = split_path(rule.source, separator)
    return path[:-1] if separator is not None and len(path) > 1 and path[-1] == "*" else None


def _choose(rules: tuple[Rule, ...], names: list[str], separator: str | None) -> dict[str, int]:
    """For each label the number of its most specific rule: the label itself, then the longest path."""
    whole = {split_path(rule.source, separator): i for i, rule in enumerate(rules)}
    below = {path: i for i, rule in enumerate(rules) if (path := _subtree(rule, separator)) is not None}
    exact = {rule.source: i for i, rule in enumerate(rules)}
    chosen = {}
    for name in names:
        path = split_path(name, separator)
        found = exact.get(name, whole.get(path))
        for depth in range(len(path), 0, -1):
            if found is not None:
                break
            found = below.get(path[:depth])
        if found is not None:
            chosen[name] = found
    return chosen


def _idle(rules: tuple[Rule, ...], names: list[str], separator: str | None) -> list[Rule]:
    """Rules that match no label at all (one that always loses to a more specific rule is no mistake)."""
    paths = {split_path(name, separator) for name in names}
    beginnings = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    known = set(names)
    idle = []
    for rule in rules:
        path = _subtree(rule, separator)
        hit = path in beginnings if path is not None else split_path(rule.source, separator) in paths
        if not hit and rule.source not in known:
            idle.append(rule)
    return idle


def _suggest(source: str, names: list[str], separator: str | None) -> str:
    """Labels or shelves that are spelled alike."""
    joiner = separator or ""
    paths = [split_path(name, separator) for name in names]
    shelves = sorted({joiner.join((*p[:d], "*")) for p in paths for d in range(1, len(p))})
    pool = shelves if source.endswith("*") and separator is not None else names
    folded = {name.casefold(): name for name in reversed(pool)}
    near = difflib.get_close_matches(source.casefold(), folded, n=3, cutoff=0.75)
    return f"; did you mean {' or '.join(repr(folded[name]) for name in near)}?" if near else ""


def _apply_choice(
    labels: pl.Series, names: list[str], rules: tuple[Rule, ...], chosen: Mapping[str, int]
) -> tuple[pl.Series, MappingReport]:
    table = pl.DataFrame(
        {"label": names, "rule": [chosen.get(name) for name in names]},
        schema={"label": pl.String, "rule": pl.Int64},
    )
    targets = pl.DataFrame(
        {"rule": range(len(rules)), "target": [rule.target for rule in rules]},
        schema={"rule": pl.Int64, "target": pl.String},
    )
    rows = (
        labels.alias("label").cast(pl.String).to_frame()
        .join(table, on="label", how="left", maintain_order="left")
        .join(targets, on="rule", how="left", maintain_order="left")
    )  # fmt: skip
    mapped = rows.select(pl.when(pl.col("rule").is_null()).then("label").otherwise("target"))["label"]
    used = rows.drop_nulls("rule").group_by("rule").agg(pl.len(), pl.col("label").n_unique().alias("labels"))
    counts = {rule: (count, kinds) for rule, count, kinds in used.rows()}
    uses = tuple(RuleUse(r.source, r.target, *counts.get(i, (0, 0))) for i, r in enumerate(rules))
    dropped = labels.is_not_null() & mapped.is_null()
    changed = mapped.is_not_null() & (mapped != labels)
    report = MappingReport(
        uses, len(names), mapped.drop_nulls().n_unique(), int(changed.sum()), int(dropped.sum())
    )
    return mapped.alias(labels.name), report
