"""What the values of one column look like: the evidence by which `roles` decides when names do not tell."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from shelfwise.catalogue.embedded import bytes_as_text, is_embedded, share_of_pictures

SEPARATORS = (
    " > ",
    " >> ",
    " › ",
    " » ",
    " → ",
    " -> ",
    "->",
    "::",
    " | ",
    " / ",
    ">",
    "›",
    "»",
    "→",
    "|",
    "/",
    " - ",
    ",",
)
"""Separators between the levels of a category path, in the order in which they are tried."""

_WEAK = frozenset({"/", ",", "-"})
_NUMBER = (
    r"^\s*(?:[^\w\s\-+.,]{1,3}|[A-Za-z]{2,3}\.?)?\s*"  # a currency before
    r"[-+]?\d[\d\s.,'\u00a0\u202f]*\s*"
    r"(?:%|[^\w\s]{1,3}|[A-Za-zа-яА-Я]{1,4}\.?)?\s*$"  # a currency or unit after
)
_URL = r"(?i)^(?:https?:)?//\S+$|^www\.\S+$"
_IMAGE = r"(?i)\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif)(?:[?#].*)?[\s\"'\]]*$"
_NESTED = r"^\s*(?:\{.*\}|\[.*\])\s*$"
_DATE = r"^\s*\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:.*)?\s*$|^\s*\d{1,2}[./]\d{1,2}[./]\d{4}(?: .*)?\s*$"
MISSING_TEXT = ("", "nan", "none", "null", "n/a", "na", "<na>", "nil", "-")


@dataclass(frozen=True)
class Profile:
    """Evidence about one column of a sample; shares are of the filled values, between 0 and 1."""

    name: str
    dtype: pl.DataType
    values: pl.Series
    """Filled values as trimmed text."""
    rows: int
    filled: int
    distinct: int
    length: float
    """Mean characters."""
    words: float
    """Mean words."""
    number: float
    url: float
    image: float
    nested: float
    date: float
    separator: str | None
    """Between the levels of a path, None where the values are no paths."""
    picture: float = 0.0
    """Bytes of pictures."""

    @property
    def uniqueness(self) -> float:
        """Distinct values a filled value: 1 = an id or a title, near 0 = a category or a brand."""
        return self.distinct / self.filled if self.filled else 0.0

    @property
    def is_nested(self) -> bool:
        """Whether the values are objects or lists, by type or as text."""
        return isinstance(self.dtype, pl.Struct | pl.List | pl.Array) or self.nested > 0.5

    @property
    def is_text(self) -> bool:
        """Whether the values are words rather than numbers, addresses, dates or objects."""
        return not self.is_nested and max(self.number, self.url, self.image, self.date, self.picture) < 0.5


def profile(series: pl.Series) -> Profile:
    """Describe a column of a sample."""
    text = as_text(series).str.strip_chars()
    filled = text.filter(~text.str.to_lowercase().is_in(list(MISSING_TEXT)).fill_null(True))
    count = filled.len()

    def share(pattern: str) -> float:
        return float(filled.str.contains(pattern).mean() or 0.0) if count else 0.0  # type: ignore[arg-type]

    number = 1.0 if series.dtype.is_numeric() else share(_NUMBER)
    shape = {"url": share(_URL), "image": share(_IMAGE), "nested": share(_NESTED), "date": share(_DATE)}
    if series.dtype.is_temporal():
        shape["date"] = 1.0
    shape["picture"] = share_of_pictures(series)
    wordy = count > 0 and max(number, *shape.values()) < 0.5
    return Profile(
        name=series.name,
        dtype=series.dtype,
        values=filled,
        rows=series.len(),
        filled=count,
        distinct=filled.n_unique(),
        length=float(filled.str.len_chars().mean() or 0.0),  # type: ignore[arg-type]
        words=float((filled.str.count_matches(r"\S+")).mean() or 0.0),  # type: ignore[arg-type]
        number=number,
        separator=find_separator(filled) if wordy else None,
        **shape,
    )


def as_text(series: pl.Series) -> pl.Series:
    """Return any column as text: nested values as JSON, whole floats without ``.0``, bytes as UTF-8.

    Of pictures there is only how many bytes they have.
    """
    dtype = series.dtype
    if dtype == pl.String:
        return series
    if isinstance(dtype, pl.Struct):
        return _bytes_told(series).struct.json_encode()
    if isinstance(dtype, pl.List | pl.Array):
        if is_embedded(dtype):  # pictures: the first of each list speaks for it
            first = series.arr.first() if isinstance(dtype, pl.Array) else series.list.first()
            return as_text(first).alias(series.name)
        listed = series.arr.to_list() if isinstance(dtype, pl.Array) else series
        # A list has no encoder of its own: as the one field of a struct it is {"v":[...]}, cut back to [...].
        packed = listed.alias("v").to_frame().select(pl.struct("v").struct.json_encode()).to_series()
        return packed.str.slice(5).str.head(-1).set(listed.is_null(), None).alias(series.name)
    if dtype.is_float():
        whole = series.is_finite() & (series == series.round(0)) & (series.abs() < 1e15)
        text = series.cast(pl.String)
        return (
            series.to_frame("v")
            .select(
                pl.when(pl.col("v").is_nan())
                .then(None)
                .when(whole.fill_null(False))
                .then(pl.col("v").cast(pl.Int64, strict=False).cast(pl.String))
                .otherwise(text)
            )
            .to_series()
            .alias(series.name)
        )
    if dtype == pl.Binary:
        values = [bytes_as_text(value) for value in series.to_list()]
        return pl.Series(series.name, values, dtype=pl.String)
    if dtype == pl.Object:
        values = [None if v is None else str(v) for v in series.to_list()]
        return pl.Series(series.name, values, dtype=pl.String)
    return series.cast(pl.String, strict=False)


def _bytes_told(structs: pl.Series) -> pl.Series:
    """Return structs with their fields of bytes as text."""
    if not is_embedded(structs.dtype):
        return structs
    frame = structs.to_frame("s").unnest("s")
    told = [
        as_text(frame[name]) if frame.schema[name] == pl.Binary else frame[name] for name in frame.columns
    ]
    packed = pl.DataFrame(told).to_struct(structs.name)
    return packed.set(structs.is_null(), None) if structs.null_count() else packed


def find_separator(values: pl.Series) -> str | None:
    """Return the separator between levels of category paths, or None where the values are no paths.

    A mark that seldom means anything else (``>``, ``->``, ``::``, ``|``) counts when a third of the distinct
    values hold it and share first levels. ``/``, ``,`` and ``-`` also stand inside names ("Tops/Shirts"), so
    they must besides cut nearly every value into the same few levels, with far fewer first levels.
    """
    distinct = values.unique(maintain_order=True)
    if distinct.len() < 2:
        return None
    for separator in SEPARATORS:
        holds = distinct.str.contains(separator, literal=True)
        share = float(holds.mean() or 0.0)  # type: ignore[arg-type]
        mark = separator.strip()
        if share < (0.8 if mark in _WEAK else 0.3):
            continue
        levels = distinct.filter(holds).str.split(separator)
        if _tree_like(levels, strict=mark in _WEAK):
            return separator
    return None


def _tree_like(levels: pl.Series, strict: bool) -> bool:
    """Whether split values share their first levels, as the paths of a tree do."""
    firsts = levels.list.first().str.strip_chars()
    depths = levels.list.len()
    lengths = levels.list.eval(pl.element().str.len_chars()).list.max()
    short = float((lengths <= 60).mean() or 0.0)  # type: ignore[arg-type]
    if not strict:
        return firsts.n_unique() < max(levels.len(), 2) and short > 0.5
    shared = firsts.n_unique() <= 0.34 * levels.len()
    even = float((depths == depths.mode().min()).mean() or 0.0)  # type: ignore[arg-type]
    return levels.len() >= 6 and shared and even > 0.7 and short > 0.9
