"""What is in a catalogue and what is wrong with it: facts only, no rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import polars as pl

from shelfwise.catalogue import paths
from shelfwise.catalogue.columns import Column, ColumnTally
from shelfwise.catalogue.label_counts import Labels, count_labels
from shelfwise.catalogue.parts import Problem
from shelfwise.catalogue.picture_report import PictureInspection, PictureInspector
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import PICTURE, TEXT_FIELDS, clean
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
_PROBLEMS_SHOWN = 100
_SCRIPTS = {
    "Latin": r"\p{Latin}", "Cyrillic": r"\p{Cyrillic}", "Greek": r"\p{Greek}", "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}", "Han": r"\p{Han}", "Japanese kana": r"[\p{Hiragana}\p{Katakana}]",
    "Hangul": r"\p{Hangul}", "Thai": r"\p{Thai}", "Devanagari": r"\p{Devanagari}",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One text field of the clean products: share filled and its length in characters.

    `lengths` are the quantiles 0, 25, 50, 75, 95 and 100 % over the filled values, empty where there are
    none.
    """

    name: str
    filled: float
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Duplicates:
    """What repeats: ids and titles, with their rows; rows without an id; titles in several categories."""

    repeated_ids: int
    repeated_id_rows: int
    missing_ids: int
    repeated_titles: int
    repeated_title_rows: int
    conflicting_titles: int


@dataclass(frozen=True)
class Inspection:
    """Everything that `inspect` found.

    `html` is the share of products whose raw text holds mark-up, `scripts` the share
    of products whose text is written mostly in each script; `warnings` are plain sentences with what to do.
    `pictures` is None where there is no folder of pictures and none are in the catalogue.
    """

    rows: int
    files: int
    format: str
    columns: tuple[Column, ...]
    fields: tuple[Field, ...]
    labels: Labels | None
    duplicates: Duplicates
    splits: tuple[tuple[str, int], ...]
    statuses: tuple[tuple[str, int], ...]
    html: float
    scripts: tuple[tuple[str, float], ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    pictures: PictureInspection | None = None

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values."""
        return _plain(asdict(self))  # type: ignore[return-value]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def inspect(
    source: Source,
    roles: Roles,
    unlabelled: Sequence[str] = paths.UNLABELLED,
    pictures: PictureFolder | None = None,
) -> Inspection:
    """Look through a whole catalogue.

    Raw columns are read in batches; of the clean products only lengths, ids, titles and categories are held.

    Args:
        source: the opened catalogue.
        roles: which column is what.
        unlabelled: category values that mean "no category".
        pictures: where the pictures are; not needed for those that are in the catalogue itself.

    Returns:
        Counts and samples of what was found, and warnings with what to do.

    """
    tally = _Tally(source, roles, pictures)
    row = 0
    for batch in source.batches():
        tally.add(batch, clean(batch, roles, row, unlabelled))
        row += batch.height
    return tally.finish()


class _Tally:
    """Sums over the batches of a catalogue."""

    def __init__(self, source: Source, roles: Roles, pictures: PictureFolder | None = None) -> None:
        self.source = source
        self.roles = roles
        self.columns = ColumnTally(list(source.columns))
        self.kept: list[pl.DataFrame] = []
        self.html = 0
        self.unlabelled: dict[str, int] = {}
        self.pictures = None if pictures is None else PictureInspector(pictures, source.rows)

    def add(self, raw: pl.DataFrame, products: pl.DataFrame) -> None:
        """Take a batch of raw rows and the products that they became."""
        self.columns.add(raw)
        if self.pictures is None and PICTURE in products.columns:
            self.pictures = PictureInspector(PictureFolder(None), self.source.rows)
        if self.pictures is not None:
            self.pictures.add(products)
        self._add_html(raw)
        self._add_unlabelled(raw, products)
        lengths = [pl.col(name).str.len_chars().alias(f"{name}:length") for name in TEXT_FIELDS]
        lacking = (
            pl.col("reason").str.contains("no product id", literal=True).fill_null(False).alias("lacking")
        )
        self.kept.append(
            products.select(
                "product_id", "title", "label", "label_path", "split", "status", lacking, *lengths, _script()
            )
        )

    def _add_html(self, raw: pl.DataFrame) -> None:
        wanted = [self.roles.title, self.roles.description, self.roles.nested, *self.roles.attributes]
        texts = [as_text(raw[c]) for c in wanted if c is not None and c in raw.columns]
        marks = [
            t.str.contains(r"(?i)<(?:p|br|div|span|ul|li|b|strong|h[1-6]|table|a|img|font)\b[^>]*>")
            for t in texts
        ]
        if marks:
            frame = pl.DataFrame([m.fill_null(False).alias(str(i)) for i, m in enumerate(marks)])
            self.html += int(frame.select(pl.any_horizontal(pl.all()).sum()).item())

    def _add_unlabelled(self, raw: pl.DataFrame, products: pl.DataFrame) -> None:
        column = self.roles.label_name or self.roles.label
        if column is None or column not in raw.columns:
            return
        none = as_text(raw[column]).filter(products["label"].is_null()).fill_null("").str.strip_chars()
        for value, count in none.value_counts(sort=True).iter_rows():
            self.unlabelled[value] = self.unlabelled.get(value, 0) + count

    def finish(self) -> Inspection:
        """Return the whole."""
        empty = clean(self.source.frame().clear(), self.roles) if not self.kept else None
        if empty is not None:
            self.add(self.source.frame().clear(), empty)
        products = pl.concat(self.kept)
        rows = products.height
        labels = count_labels(products, self.roles, self.unlabelled) if self.roles.label is not None else None
        duplicates = _duplicates(products)
        statuses = _counts(products["status"])
        pictures = None if self.pictures is None else self.pictures.finish()
        facts = _Facts(rows, labels, duplicates, dict(statuses), self.source.problems, self.roles)
        return Inspection(
            rows=rows,
            files=len(self.source.files),
            format=self.source.format,
            columns=self.columns.finish(self.roles, rows),
            fields=tuple(_field(products, name) for name in TEXT_FIELDS),
            labels=labels,
            duplicates=duplicates,
            splits=_counts(products["split"].drop_nulls()),
            statuses=statuses,
            html=self.html / rows if rows else 0.0,
            scripts=tuple((n, c / rows) for n, c in _counts(products["script"].drop_nulls())),
            problems=tuple(str(problem) for problem in self.source.problems[:_PROBLEMS_SHOWN]),
            notes=tuple(self.source.notes),
            warnings=(*_warnings(facts), *(pictures.warnings() if pictures is not None else ())),
            pictures=pictures,
        )


def _script() -> pl.Expr:
    """Return the script of most letters of title and description; null where there are no letters."""
    text = pl.concat_str(
        pl.col("title").str.slice(0, 300), pl.col("description").str.slice(0, 300), separator=" "
    )
    counts = [text.str.count_matches(pattern).alias(name) for name, pattern in _SCRIPTS.items()]
    most = pl.concat_list(counts)
    names = pl.lit(pl.Series([list(_SCRIPTS)], dtype=pl.List(pl.String))).first()
    return pl.when(most.list.max() > 0).then(names.list.get(most.list.arg_max())).alias("script")


def _counts(values: pl.Series) -> tuple[tuple[str, int], ...]:
    """Return (value, count), most frequent first, ties by value."""
    table = pl.DataFrame({"v": values}).group_by("v").len().sort(["len", "v"], descending=[True, False])
    return tuple((str(v), int(n)) for v, n in table.iter_rows())


def _field(products: pl.DataFrame, name: str) -> Field:
    lengths = products[f"{name}:length"]
    filled = lengths.filter(lengths > 0)
    quantiles = [int(filled.quantile(q, "nearest") or 0) for q in _QUANTILES] if filled.len() else []
    return Field(name, filled.len() / max(products.height, 1), tuple(quantiles))


def _duplicates(products: pl.DataFrame) -> Duplicates:
    ids = products.filter(~pl.col("lacking")).group_by("product_id").len().filter(pl.col("len") > 1)
    titles = (
        products.filter(pl.col("title") != "")
        .group_by(pl.col("title").str.to_lowercase())
        .agg(pl.len(), pl.col("label").drop_nulls().n_unique().alias("categories"))
        .filter(pl.col("len") > 1)
    )
    return Duplicates(
        repeated_ids=ids.height,
        repeated_id_rows=int(ids["len"].sum()),
        missing_ids=int(products["lacking"].sum()),
        repeated_titles=titles.height,
        repeated_title_rows=int(titles["len"].sum()),
        conflicting_titles=int((titles["categories"] > 1).sum()),
    )


@dataclass(frozen=True)
class _Facts:
    rows: int
    labels: Labels | None
    duplicates: Duplicates
    statuses: dict[str, int]
    problems: list[Problem]
    roles: Roles


def _warnings(facts: _Facts) -> list[str]:
    """Return what a person should know, each with what to do."""
    said = [*_label_warnings(facts), *_duplicate_warnings(facts.duplicates)]
    if facts.problems:
        first = facts.problems[0]
        said.append(
            f'{_n(len(facts.problems), "row")} cannot be read and will have the status "unreadable"; '
            f"the first is {first}. Repair them in the source."
        )
    if empty := facts.statuses.get("empty", 0):
        said.append(
            f"{_n(empty, 'product')} of {facts.rows:,} have neither text nor a picture: "
            "nothing can be predicted for them."
        )
    roles = facts.roles
    if not any((roles.title, roles.description, roles.nested, roles.attributes)):
        what = "only pictures" if roles.image else "nothing"
        said.append(f"No column of text was found, {what} to go by. Name one with --role title=COLUMN.")
    return said


def _label_warnings(facts: _Facts) -> list[str]:
    labels, said = facts.labels, []
    if labels is None:
        return [
            "No category column was found: the catalogue can be predicted but not learned from. "
            "Name one with --label COLUMN."
        ]
    if labels.categories < 2:
        said.append(
            f"There is {_n(labels.categories, 'category', 'categories')} in the label column: "
            "at least two are needed to learn."
        )
    if labels.singletons:
        said.append(
            f"{labels.singletons:,} of {_n(labels.categories, 'category', 'categories')} have one product: "
            "they are kept, but cannot be measured. Merge them with a mapping file if they are mistakes."
        )
    missing = facts.rows - labels.labelled_rows
    if missing:
        values = ", ".join(f"{value or '(empty)'!r} {count:,}" for value, count in labels.unlabelled[:3])
        said.append(
            f"{_n(missing, 'product')} of {facts.rows:,} are not labelled ({values}): "
            "not learned from, but predicted."
        )
    return said


def _duplicate_warnings(found: Duplicates) -> list[str]:
    said = []
    if found.repeated_ids:
        said.append(
            f"{_n(found.repeated_ids, 'product id')} repeat, on {_n(found.repeated_id_rows, 'row')}: "
            "all rows are kept. Check that the id column is the right one."
        )
    if found.missing_ids:
        said.append(f"{_n(found.missing_ids, 'row')} have no product id: the row number stands in.")
    if found.conflicting_titles:
        said.append(
            f"{_n(found.conflicting_titles, 'title')} stand in more than one category: "
            "label noise that no model can resolve. Review them first."
        )
    return said


def _n(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
