"""Putting decisions into a catalogue: the label column is changed where people chose another shelf.

Nothing else is touched: all columns and rows of the source come out in their order. A decision is only put in
where the product still has the category that the decision was about; all others are counted by reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from shelfwise.catalogue.parts import UNREADABLE
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.taxonomy import split_path
from shelfwise.errors import CatalogueError
from shelfwise.review import export
from shelfwise.review.decisions import Decisions
from shelfwise.review.doubts import Audit
from shelfwise.review.ledger import CHOOSING
from shelfwise.review.rewriting import write_catalogue
from shelfwise.writing import check_output

_BATCH = 50_000
_FEW = 5  # ids that a report names


@dataclass
class Corrected:
    """What became of the decisions; the numbers of products add up to `decided`.

    changed: got another category. kept: the decision was to leave them. already: have the chosen category
    already. stale: have another category than the one that the decision was about; left alone. unknown: not
    in the catalogue. ambiguous: several products share the id, and none stands in the decision's row.
    unwritable: the catalogue's columns cannot hold the chosen category. disagreements: reviewers chose
    differently; the latest counts. undecided: unsure or skipped. examples: the first ids of each of those
    kinds.
    """

    output: str = ""
    rows: int = 0
    decided: int = 0
    changed: int = 0
    kept: int = 0
    already: int = 0
    stale: int = 0
    unknown: int = 0
    ambiguous: int = 0
    unwritable: int = 0
    disagreements: int = 0
    undecided: int = 0
    unreadable: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, kind: str, product_id: str) -> None:
        """Count one product."""
        setattr(self, kind, getattr(self, kind) + 1)
        listed = self.examples.setdefault(kind, [])
        if kind not in ("changed", "kept", "already") and len(listed) < _FEW:
            listed.append(product_id)
        if not listed:
            del self.examples[kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def correct(
    decisions: str | os.PathLike[str],
    catalogue: str | os.PathLike[str],
    output: str | os.PathLike[str],
    label: str | None = None,
) -> Corrected:
    """Write a catalogue with the decisions in it.

    Args:
        decisions: the export of the review page (.parquet, .csv, .jsonl), or its .sqlite itself.
        catalogue: the catalogue that was reviewed, in any format that can be read.
        output: the .parquet, .csv or .jsonl file to write; it appears whole or not at all.
        label: the column of the category; as the audit had it, or found, otherwise.

    Raises:
        CatalogueError: a file cannot be used, or none of the decided products is in the catalogue.

    """
    path = check_output(output)
    table, audit = read_decisions(Path(decisions))
    source = open_source(catalogue)
    if any(path.resolve() == file.resolve() for file in source.files):
        raise CatalogueError(f"{path} is the catalogue itself; write the corrected one to another file")
    roles = _roles(source, audit, label)
    told = Corrected(str(path), source.rows, unreadable=len(source.problems))
    chosen = _winners(table, told)
    places, names = _look(source, roles, chosen)
    change = _plan(chosen, places, told)
    if told.decided and told.unknown == told.decided:
        raise CatalogueError(
            f"{decisions} is about another catalogue: none of its {told.decided:,} products is in {catalogue}"
        )
    change = _writable(change, source, roles, told)
    write_catalogue(_corrected(source, roles, change, names), path)
    return told


# -- reading -------------------------------------------------------------------------------------------------


def read_decisions(path: Path) -> tuple[pl.DataFrame, Audit | None]:
    """Return decisions with the columns of `export.SCHEMA`, and the audit that they are about, if known.

    Raises
    ------
    CatalogueError
        There is no such file, or it is something else.

    """
    if not path.is_file():
        raise CatalogueError(f"{path}: there is no such file of decisions.")
    with path.open("rb") as file:
        start = file.read(16)
    if start == b"SQLite format 3\x00":
        store = Decisions(path, write=False)
        try:
            return export.table(store), _audit(store.told("audit"))
        finally:
            store.close()
    audit = _audit(pl.read_parquet_metadata(path).get(export.MARK)) if start[:4] == b"PAR1" else None
    source = open_source(path)
    absent = [name for name in ("product_id", "category", "action", "before") if name not in source.columns]
    if absent:
        raise CatalogueError(
            f"{path} is no file of decisions: it lacks {', '.join(absent)}. Export one on the review "
            "page, or give its .sqlite file."
        )
    return _typed(source.frame(), path), audit


def _audit(text: str | None) -> Audit | None:
    try:
        return msgspec.json.decode(text, type=Audit) if text else None
    except msgspec.MsgspecError:
        return None  # it only saves finding the columns again


def _typed(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The columns by type; what the export put before formulas in CSV is taken away again."""
    lacking = [
        pl.lit(None, dtype=kind).alias(n) for n, kind in export.SCHEMA.items() if n not in frame.columns
    ]
    try:
        typed = frame.with_columns(lacking).select(pl.col(n).cast(kind) for n, kind in export.SCHEMA.items())
    except pl.exceptions.PolarsError as error:
        told = (str(error).strip().splitlines() or [""])[0][:200]
        raise CatalogueError(f"{path}: the decisions cannot be read: {told}") from error
    if path.suffix.lower() == ".csv":
        marked = r"^'([=+\-@\t\r])"
        typed = typed.with_columns(pl.selectors.string().str.replace(marked, "$1"))
    return typed


def _roles(source: Source, audit: Audit | None, label: str | None) -> Roles:
    """The roles of the columns that say which product it is and what its category is; no others."""
    roles = Roles.from_dict(audit.roles) if audit is not None and audit.roles else None
    columns = set(source.columns)
    fits = roles is not None and {roles.label, roles.product_id} - {None} <= columns | set(roles.levels)
    if roles is None or not fits or (label is not None and label != roles.label):
        roles = find_roles(source.sample(), {"label": label} if label else None)
    if roles.label is None and not roles.levels:
        listed = ", ".join(source.columns)
        raise CatalogueError(
            f"no column looks like the category. Name it with --label. Columns are: {listed}"
        )
    return replace(
        Roles(), product_id=roles.product_id, label=roles.label, label_name=roles.label_name,
        levels=roles.levels, separator=roles.separator,
    )  # fmt: skip


# -- deciding what to change ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Choice:
    product_id: str
    row: int | None
    before: str
    category: str


def _winners(table: pl.DataFrame, told: Corrected) -> list[_Choice]:
    """The decision that counts of each product: the latest that chose a category."""
    by_product: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
    for row in table.sort("at", maintain_order=True).iter_rows(named=True):
        by_product.setdefault((row["product_id"], row["row"]), []).append(row)
    chosen = []
    for (product_id, place), rows in by_product.items():
        choices = [row for row in rows if row["action"] in CHOOSING and row["category"]]
        if not choices:
            told.count("undecided", product_id)
            continue
        last = {row["who"]: row["category"] for row in choices}
        if len(set(last.values())) > 1:
            told.count("disagreements", product_id)
        told.decided += 1
        chosen.append(_Choice(product_id, place, choices[-1]["before"] or "", choices[-1]["category"]))
    return chosen


_Places = dict[str, list[tuple[int, str | None]]]


def _look(source: Source, roles: Roles, chosen: list[_Choice]) -> tuple[_Places, dict[str, str]]:
    """Rows and present categories of the decided products, and the readable name of every category of ids."""
    wanted = pl.Series(sorted({choice.product_id for choice in chosen}), dtype=pl.String)
    places: _Places = {}
    names: dict[str, str] = {}
    first = 0
    columns = [*roles.used(source.columns), *([UNREADABLE] if source.problems else [])]
    for batch in source.batches(_BATCH, columns):
        products = clean(batch, roles, first)
        first += batch.height
        kept = products.filter(pl.col("product_id").is_in(wanted.implode()))
        for product_id, row, label in kept.select("product_id", "row", "label").iter_rows():
            places.setdefault(product_id, []).append((row, label))
        if roles.label_name is not None:
            names |= dict(products.drop_nulls("label").select("label", "label_path").unique().iter_rows())
    return places, names


def _plan(chosen: list[_Choice], places: _Places, told: Corrected) -> dict[int, str]:
    """New category by row."""
    change: dict[int, str] = {}
    for choice in chosen:
        found = places.get(choice.product_id, [])
        here = [place for place in found if place[0] == choice.row] or (found if len(found) == 1 else [])
        if not here:
            told.count("ambiguous" if found else "unknown", choice.product_id)
            continue
        row, label = here[0]
        if label == choice.category:
            told.count("kept" if choice.category == choice.before else "already", choice.product_id)
        elif (label or "") != choice.before:
            told.count("stale", choice.product_id)
        else:
            change[row] = choice.category
            told.count("changed", choice.product_id)
    return change


# -- writing -------------------------------------------------------------------------------------------------


def _writable(change: dict[int, str], source: Source, roles: Roles, told: Corrected) -> dict[int, str]:
    """Leave out what the columns cannot hold, and count it."""
    fine = {}
    for row, category in change.items():
        if _fits(category, source, roles):
            fine[row] = category
        else:
            told.changed -= 1
            told.count("unwritable", category)
    return fine


def _fits(category: str, source: Source, roles: Roles) -> bool:
    if roles.levels:
        return len(split_path(category, roles.separator)) <= len(roles.levels)
    dtype = source.columns[str(roles.label)]
    if dtype.is_numeric():
        return pl.Series([category]).cast(dtype, strict=False).null_count() == 0
    return dtype in (pl.String, pl.Categorical, pl.Enum) or dtype == pl.List(pl.String)


def _corrected(
    source: Source, roles: Roles, change: dict[int, str], names: dict[str, str]
) -> Iterator[pl.DataFrame]:
    """The catalogue's rows with the new categories."""
    first = 0
    for batch in source.batches(_BATCH):
        rows = [row for row in range(first, first + batch.height) if row in change]
        places = [row - first for row in rows]
        first += batch.height
        values = [change[row] for row in rows]
        new = [
            _put(batch[column], places, texts)
            for column, texts in _by_column(roles, values, names).items()
            if column in batch.columns
        ]
        yield batch.with_columns(new).drop(UNREADABLE, strict=False)


def _by_column(roles: Roles, values: list[str], names: dict[str, str]) -> dict[str, list[Any]]:
    """What each column that tells the category is to hold; a list: levels for a column of lists."""
    if roles.levels:
        paths = [split_path(value, roles.separator) for value in values]
        return {
            column: [path[level] if level < len(path) else None for path in paths]
            for level, column in enumerate(roles.levels)
        }
    told: dict[str, list[Any]] = {str(roles.label): [(value, roles.separator) for value in values]}
    if roles.label_name is not None:
        told[roles.label_name] = [(names.get(value, value), roles.separator) for value in values]
    return told


def _put(column: pl.Series, places: list[int], values: list[Any]) -> pl.Series:
    """A column with some values replaced, each in the form that the old one had."""
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)  # which may have to hold a new shelf
    if not places:
        return column
    usual = as_text(column.drop_nulls().head(1)).to_list()  # the form of a cell that was empty
    old = [was or next(iter(usual), None) for was in as_text(column.gather(places)).to_list()]
    written = [_in_form(value, was, column.dtype) for value, was in zip(values, old, strict=True)]
    new = pl.Series(column.name, written, strict=False)
    whole = pl.DataFrame({"at": places}, schema={"at": pl.UInt32}).with_columns(
        new.cast(column.dtype).alias("new")
    )
    joined = (
        column.to_frame("old").with_row_index("at").join(whole, on="at", how="left", maintain_order="left")
    )
    changed = pl.col("at").is_in(pl.Series(places, dtype=pl.UInt32).implode())
    return joined.select(pl.when(changed).then("new").otherwise("old")).to_series().alias(column.name)


def _in_form(value: Any, was: str | None, dtype: pl.DataType) -> Any:  # noqa: ANN401 - text or a list of levels
    if not isinstance(value, tuple):
        return value
    text, separator = value
    levels = list(split_path(text, separator))
    if isinstance(dtype, pl.List):
        return levels
    listed = was is not None and was.lstrip().startswith("[")
    return json.dumps(levels, ensure_ascii=False) if listed else text
