"""The one path from raw rows to clean products: training, prediction, files and HTTP all call `clean`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

import msgspec
import polars as pl

from shelfwise.catalogue import names, paths
from shelfwise.catalogue.embedded import is_embedded, open_embedded
from shelfwise.catalogue.parts import UNREADABLE
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.text import CAP, read_nested, strip_html, unfold
from shelfwise.errors import CatalogueError
from shelfwise.recipe import TEXT_FIELDS as TEXT_FIELDS  # also handed on, with the columns below

COLUMNS: dict[str, type[pl.DataType]] = {
    "row": pl.Int64,
    "product_id": pl.String,
    **dict.fromkeys(TEXT_FIELDS, pl.String),
    "image": pl.String,
    "label": pl.String,
    "label_path": pl.String,
    "group": pl.String,
    "split": pl.String,
    "status": pl.String,
    "reason": pl.String,
}  # fmt: skip
"""Columns of a clean frame and their types, in order. `PICTURE` follows where a catalogue holds pictures."""

PICTURE = "picture"
"""Column of pictures as bytes (Binary, null = none); there only where the role `image` has such a type."""

NOTHING = "no text in any field and no picture"
"""Why a row is "empty", in its `reason`."""
NO_ID = "no product id: the row number stands in"
"""What the `reason` of a row without an id says."""

MISSING = ("", "nan", "none", "null", "n/a", "<na>", "nil")
"""Values that stand for none, compared without case."""

_SPLITS = {"validation": "val", "valid": "val", "dev": "val", "training": "train", "testing": "test"}


def clean(
    frame: pl.DataFrame,
    roles: Roles,
    first_row: int | pl.Series = 0,
    unlabelled: Sequence[str] = paths.UNLABELLED,
) -> pl.DataFrame:
    """Turn raw rows into products: one row out for each row in, in the same order.

    A row's result depends on that row alone, never on its neighbours. Columns of `roles` that the frame lacks
    count as empty. A path is brought to one form, its levels trimmed and joined with ``roles.separator``, so
    that "A > B" and
    "A >B" are one category whatever batch they come in; a label that is written well stays as in the source.

    Args:
        frame: rows of a catalogue with at least one of the columns that the roles name.
        roles: which column is what.
        first_row: place of the first row in the whole input, or the places of all rows.
        unlabelled: category values that mean "no category" (whole value, or every level of a path).

    Returns:
        A frame with the columns of `COLUMNS`, and `PICTURE` where the catalogue holds pictures as bytes (drop
        it as soon as they are used: they are what takes the memory). Text fields are never null ("" =
        missing). `status` is "ok", "empty" (no text and no picture: nothing to go by) or "unreadable";
        `reason` says why, and also what was mended in a row that is "ok".

    Raises:
        CatalogueError: the frame has none of the columns that the roles name.

    """
    used = roles.used(frame.columns)
    if not used and roles.used() and UNREADABLE not in frame.columns:
        raise CatalogueError(
            f"None of the columns {', '.join(roles.used())} is there. "
            f"Columns are: {', '.join(frame.columns) or 'none'}. "
            "Is this the catalogue that the roles were made for?"
        )
    raw = frame.select([*used, *([UNREADABLE] if UNREADABLE in frame.columns else [])])
    if raw.width == 0:
        raw = pl.DataFrame({UNREADABLE: pl.Series([None] * frame.height, dtype=pl.String)})
    if roles.nested in raw.columns:
        raw, roles = open_nested(raw, roles)
    out = _texts(raw, roles)
    labels = _labels(raw, roles, unlabelled)
    out = out.with_columns(labels.get_columns())
    return _statuses(_ids(out, raw, roles, first_row), raw)


# Text fields
# -----------------------------------------------------------------------------------------------------


def _column(raw: pl.DataFrame, name: str | None) -> pl.Series:
    """Return a column as text, null where a value is missing, and all null where there is no such column."""
    if name is None or name not in raw.columns:
        return pl.Series(name or "", [None], dtype=pl.String).new_from_index(0, raw.height)
    text = as_text(raw[name])
    lower = text.str.strip_chars().str.to_lowercase()
    return text.set(lower.is_in(list(MISSING)).fill_null(True), None)


def _texts(raw: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    columns = {}
    for field in ("title", "description", "brand", "shop"):
        columns[field] = strip_html(_prose(raw, getattr(roles, field))).fill_null("").alias(field)
    columns["attributes"] = _attributes(raw, roles)
    columns["url"] = url_words(_column(raw, roles.url)).alias("url")
    if roles.image in raw.columns and is_embedded(raw.schema[roles.image]):
        columns[PICTURE], addresses = open_embedded(raw[roles.image])
        raw = pl.DataFrame({roles.image: addresses})
    columns["image"] = _first_image(_column(raw, roles.image)).alias("image")
    return pl.DataFrame([columns[name] for name in (*TEXT_FIELDS, "image", PICTURE) if name in columns])


def _prose(raw: pl.DataFrame, name: str | None) -> pl.Series:
    """Return a column as running text; lists, by type or as text (``["First.", "Second."]``), are opened."""
    text = _column(raw, name)
    listed = text.str.contains(r"^\s*\[.*\]\s*$").fill_null(False)
    if not listed.any():
        return text
    places = listed.arg_true()
    return text.scatter(places, unfold(text.gather(places)).str.replace_all("\n", " ", literal=True))


def _attributes(raw: pl.DataFrame, roles: Roles) -> pl.Series:
    """Return all attribute columns of a row as ``name=value`` items, one a line."""
    parts: list[pl.Series] = []
    for column in roles.attributes:
        if column not in raw.columns:
            continue
        own_name = attribute_name(column)
        nested = isinstance(raw.schema[column], pl.Struct | pl.List | pl.Array)
        parts.append(
            unfold(raw[column] if nested else _column(raw, column), own_name).alias(f"a{len(parts)}")
        )
    if not parts:
        return pl.Series("attributes", [""]).new_from_index(0, raw.height)
    joined = pl.concat_str(
        [pl.col(p.name).replace("", None) for p in parts], separator="\n", ignore_nulls=True
    )
    text = pl.DataFrame(parts).select(joined.fill_null("").alias("attributes")).to_series()
    return text.str.slice(0, CAP) if (text.str.len_bytes() > CAP).any() else text


def attribute_name(column: str) -> str:
    """Return what a column's plain values are called as items, "" where it holds whole lists of items."""
    whole = names.match(column, "attributes") > 1 or column.startswith(_OPENED)
    return "" if whole else " ".join(column.split())


def url_words(urls: pl.Series) -> pl.Series:
    """Return the words of each address's path: without host, query, file endings and ids.

    ``https://x.de/schuhe/rote-pumps-p123456.html?ref=1`` -> ``schuhe rote pumps``. A word with four or more
    digits, or one of eight and more characters that mixes letters and digits, is an id.
    """
    text = urls.cast(pl.String)
    path = (
        text.str.strip_chars()
        .str.replace(r"^(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//[^/?#]*", "")
        .str.replace(r"[?#].*$", "")
    )
    path = path.str.replace(r"^www\.[^/]*", "")
    if path.str.contains("%", literal=True).any():
        path = path.map_elements(lambda value: unquote(value, errors="replace"), return_dtype=pl.String)
    path = path.str.replace(r"(?i)\.(?:html?|php|aspx?|jsp|jpe?g|png|webp|pdf)/?$", "")
    words = path.str.replace_all(r"[/\-_+.,;:=&~()!'\s]+", " ")
    return _fold_words(words)


def _fold_words(words: pl.Series) -> pl.Series:
    parts = words.fill_null("").str.split(" ")
    word = pl.element()
    digits = word.str.count_matches(r"\d")
    is_id = (digits >= 4) | ((digits >= 1) & (word.str.len_chars() >= 8)) | (word == "")
    return strip_html(parts.list.eval(word.filter(~is_id)).list.join(" "))


def _first_image(images: pl.Series) -> pl.Series:
    """Return the main picture where a value lists several."""
    text = images.str.strip_chars()
    several = text.str.starts_with("[").fill_null(False)
    if several.any():
        first = text.str.extract(r"""^\[\s*["']?([^"',\]]+)""", 1)
        text = (
            pl.DataFrame({"t": text, "f": first, "s": several})
            .select(pl.when("s").then("f").otherwise("t"))
            .to_series()
        )
    return text.str.replace(r"^([^|\s]+)\|.*$", "$1").fill_null("")


# Labels
# ----------------------------------------------------------------------------------------------------------


def _labels(raw: pl.DataFrame, roles: Roles, unlabelled: Sequence[str]) -> pl.DataFrame:
    """Return label, label_path, group, split and `mended` (a reason where a path had empty levels)."""
    separator = roles.separator
    if roles.levels:
        separator = separator or paths.JOIN
        whole = paths.join_levels([_column(raw, column) for column in roles.levels], separator)
        path, mended = paths.tidy(whole, separator)
        label = path
    elif roles.label_name is not None:
        path, mended = paths.tidy(paths.as_path(_raw(raw, roles.label_name)), separator)
        label = _raw(raw, roles.label).str.strip_chars()
    else:
        path, mended = paths.tidy(paths.as_path(_raw(raw, roles.label)), separator)
        label = path
    none = paths.is_unlabelled(label, None if roles.label_name else separator, unlabelled)
    if roles.label_name is not None:
        none = none | (paths.is_unlabelled(path, separator, unlabelled) & path.is_not_null())
    columns = {
        "label": label.set(none, None),
        "label_path": pl.select(pl.when(path != "").then(path).otherwise(label)).to_series().set(none, None),
        "group": _column(raw, roles.group).str.strip_chars(),
        "split": _column(raw, roles.split).str.strip_chars().str.to_lowercase().replace(_SPLITS),
        "mended": mended.set(none, None),
    }
    return pl.DataFrame([series.alias(name) for name, series in columns.items()])


def _raw(raw: pl.DataFrame, name: str | None) -> pl.Series:
    """Return a column as text exactly as it is, null everywhere where there is no such column."""
    if name is None or name not in raw.columns:
        return pl.Series("", [None], dtype=pl.String).new_from_index(0, raw.height)
    return as_text(raw[name])


# Ids and statuses
# ------------------------------------------------------------------------------------------------


def _ids(out: pl.DataFrame, raw: pl.DataFrame, roles: Roles, first_row: int | pl.Series) -> pl.DataFrame:
    if isinstance(first_row, pl.Series):
        rows = first_row.cast(pl.Int64).alias("row")
    else:
        rows = pl.int_range(first_row, first_row + raw.height, dtype=pl.Int64, eager=True).alias("row")
    ids = strip_html(_raw(raw, roles.product_id))
    absent = ids.is_null() | (ids == "")
    lacking = absent if roles.product_id is not None else absent & False
    return out.with_columns(
        rows, ids.set(absent, None).alias("product_id"), lacking.alias("lacking")
    ).with_columns(pl.col("product_id").fill_null(pl.col("row").cast(pl.String)))


def _statuses(out: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    unreadable = raw[UNREADABLE] if UNREADABLE in raw.columns else pl.Series([None], dtype=pl.String)
    broken = unreadable if unreadable.len() == raw.height else unreadable.new_from_index(0, raw.height)
    empty = pl.all_horizontal(pl.col(*TEXT_FIELDS, "image") == "")
    if PICTURE in out.columns:
        empty = empty & pl.col(PICTURE).is_null()
    capped = pl.any_horizontal(pl.col("title", "description").str.len_chars() >= CAP)
    reasons = [
        pl.col("broken"),
        pl.when(empty & pl.col("broken").is_null()).then(pl.lit(NOTHING)),
        pl.when(pl.col("lacking") & pl.col("broken").is_null()).then(pl.lit(NO_ID)),
        pl.col("mended"),
        pl.when(capped).then(pl.lit(f"text cut to {CAP:,} characters")),
    ]
    status = (
        pl.when(pl.col("broken").is_not_null())
        .then(pl.lit("unreadable"))
        .when(empty)
        .then(pl.lit("empty"))
        .otherwise(pl.lit("ok"))
    )
    return (
        out.with_columns(broken.cast(pl.String).alias("broken"))
        .with_columns(
            status.alias("status"),
            pl.concat_str(reasons, separator="; ", ignore_nulls=True).replace("", None).alias("reason"),
        )
        .select(
            *[pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()],
            *[name for name in (PICTURE,) if name in out.columns],
        )
    )


# The marketplace dump
# --------------------------------------------------------------------------------------------

_OPENED = "__opened_"


def open_nested(raw: pl.DataFrame, roles: Roles) -> tuple[pl.DataFrame, Roles]:
    """Open a column that holds whole products as JSON or Python literals.

    ``title`` and ``description`` go to their fields where the catalogue has no column of its own for them,
    all else (``attributes``, ``custom_characteristics``, ``defined_characteristics``, ``filters``, ...)
    becomes attributes. A value that is no object is kept as description, so that nothing is lost.

    Args:
        raw: rows with the column `roles.nested`.
        roles: the roles.

    Returns:
        The rows with three columns more in place of the nested one, and the roles that name them.

    """
    assert roles.nested is not None
    column = raw[roles.nested]
    values = column.to_list() if isinstance(column.dtype, pl.Struct) else as_text(column).to_list()
    titles, descriptions, others = [], [], []
    for value in values:
        title, description, other = _open_product(value)
        titles.append(title)
        descriptions.append(description)
        others.append(other)
    opened = {"title": titles, "description": descriptions, "attributes": others}
    new = [pl.Series(f"{_OPENED}{k}", v, dtype=pl.String) for k, v in opened.items()]
    return raw.with_columns(new), replace(
        roles,
        title=roles.title or f"{_OPENED}title",
        description=roles.description or f"{_OPENED}description",
        attributes=(*roles.attributes, f"{_OPENED}attributes"),
    )


_CONTAINERS = frozenset(
    {"attributes", "custom_characteristics", "defined_characteristics", "filters", "characteristics"}
)


def _open_product(value: object) -> tuple[str | None, str | None, str | None]:
    """Return title, description and the rest (as JSON) of one nested product."""
    found = read_nested(value.strip()) if isinstance(value, str) and value.strip()[:1] in "{[" else value
    if not isinstance(found, dict):
        return None, None if value is None else str(value), None
    rest = {k: v for k, v in found.items() if k not in ("title", "description")}
    # The containers' own names tell nothing: their entries stand at the top.
    items = [v if k in _CONTAINERS else {k: v} for k, v in rest.items()]
    text = msgspec.json.encode(items, enc_hook=str).decode() if items else None
    return _plain(found.get("title")), _plain(found.get("description")), text


def _plain(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else str(value)
