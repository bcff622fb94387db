"""Category paths as text: one form for each, levels from columns or lists, values that mean "no category"."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from shelfwise.catalogue.text import read_nested

JOIN = " > "
"""Between levels that came as columns or lists of their own."""

LOOSE = frozenset({">", ">>", "›", "»", "→", "->", "::", "|"})
"""Marks that separate levels with or without spaces around them; the others also occur inside names."""

UNLABELLED: tuple[str, ...] = (
    "", "missing", "unknown", "undefined", "unassigned", "unclassified", "uncategorized", "uncategorised",
    "not categorized", "no category", "none", "null", "nan", "n/a", "na", "nil", "-", "--", "?", "tbd",
    "ohne kategorie", "keine kategorie", "unkategorisiert", "sans catégorie", "non classé", "non catégorisé",
    "geen categorie", "без категории", "не указано", "нет категории", "sin categoría", "sin categoria",
    "sem categoria", "senza categoria",
)  # fmt: skip
"""Category values that mean "not labelled yet"; a path counts when each of its levels does."""


def tidy(texts: pl.Series, separator: str | None) -> tuple[pl.Series, pl.Series]:
    """Bring paths to one form: levels trimmed, empty ones dropped, joined with the separator.

    A mark that means nothing else (``>``, ``->``, ``|`` ...) separates with or without spaces around it;
    ``/`` and its like only exactly as the separator is written, because they stand inside names too.

    Returns:
        The paths, and a reason for each path that had an empty level (else null).

    """
    text = texts.str.strip_chars()
    if separator is None or not separator.strip():
        return text, text.clear().extend_constant(None, text.len())
    mark = _mark(separator)
    distinct = pl.DataFrame({"raw": text.unique(maintain_order=True)}).drop_nulls()
    levels = pl.col("raw").str.split(mark).list.eval(pl.element().str.strip_chars())
    full = levels.list.eval(pl.element().filter(pl.element() != ""))
    gaps = (levels.list.len() != full.list.len()) & (pl.col("raw") != "")
    tidied = distinct.select(
        "raw",
        full.list.join(separator).alias("path"),
        pl.when(gaps).then(pl.lit("category path with an empty level, dropped")).alias("mended"),
    )
    found = pl.DataFrame({"raw": text}).join(tidied, on="raw", how="left", maintain_order="left")
    return found["path"], found["mended"]


def _mark(separator: str) -> str:
    return separator.strip() if separator.strip() in LOOSE else separator


def join_levels(columns: Sequence[pl.Series], separator: str) -> pl.Series:
    """Join columns of levels, coarse to fine, into paths; empty levels at the end are simply not there."""
    frame = pl.DataFrame([c.fill_null("").str.strip_chars().alias(str(i)) for i, c in enumerate(columns)])
    whole = frame.select(pl.concat_str(pl.all(), separator=separator)).to_series()
    return whole.str.replace(f"(?:{pl.escape_regex(separator)})+$", "")


def as_path(values: pl.Series) -> pl.Series:
    """Turn lists of levels as text (``["Shoes", "Pumps"]``, also ``[["Shoes", "Pumps"], ...]``) into paths.

    Of several paths in one value the first counts. All other text stays as it is.
    """
    listed = values.str.contains(r"^\s*\[.*\]\s*$").fill_null(False)
    if not listed.any():
        return values
    places = listed.arg_true()
    there = values.gather(places)
    known = {value: _list_path(value) for value in there.unique(maintain_order=True).to_list()}
    return values.scatter(places, there.replace_strict(known, return_dtype=pl.String))


def _list_path(value: str) -> str:
    found = read_nested(value.strip())
    while isinstance(found, list | tuple) and found and isinstance(found[0], list | tuple):
        found = found[0]
    if not isinstance(found, list | tuple) or not all(isinstance(level, str | int) for level in found):
        return value
    return JOIN.join(str(level).strip() for level in found)


def is_unlabelled(labels: pl.Series, separator: str | None, unlabelled: Sequence[str]) -> pl.Series:
    """Return where a label is null or each of its levels means "no category", compared without case."""
    words = sorted({word.lower().strip() for word in unlabelled} | {""})
    lower = labels.str.to_lowercase().str.strip_chars()
    none = lower.is_in(words)
    if separator is not None:
        levels = lower.str.split(_mark(separator)).list.eval(pl.element().str.strip_chars().is_in(words))
        none = none | levels.list.all()
    return none.fill_null(True)
