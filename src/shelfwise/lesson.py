"""The lesson: the rows of a raw catalogue that can be learned from; every other row is counted by reason.

Columns get their roles, rows become products with the vectors of their texts and pictures, labels are mapped,
and near-duplicates are found, so that training only has to learn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.duplicates import find_by_keys
from shelfwise.catalogue.labels import LabelMapping, MappingReport, has_levels, reduce_rare
from shelfwise.catalogue.picture_hashes import PictureHashes, hash_pictures
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.pieces import Pieces
from shelfwise.catalogue.products import PICTURE, TEXT_FIELDS
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.splits import sample
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.folding import Folding
from shelfwise.errors import LabelError
from shelfwise.features.cache import VectorCache
from shelfwise.features.vectors import PREFIX, EncoderMark, ProductEncoders
from shelfwise.intake import Intake, Taken, asked_fields, choose_roles, named_source
from shelfwise.intake import Training as Training  # also handed on, with what reads rows
from shelfwise.intake import clean_batches as clean_batches
from shelfwise.intake import clean_rows as clean_rows
from shelfwise.intake import open_pictures as open_pictures
from shelfwise.intake import read_columns as read_columns
from shelfwise.intake import read_products as read_products
from shelfwise.intake import sides as sides
from shelfwise.intake import telling_fields as telling_fields
from shelfwise.recipe import Recipe
from shelfwise.workspace import Workspace

_FINGERPRINT_ROWS = 100_000
_SAMPLE = 200
_NUMBERS = 1 << 22  # of the vectors of products that are encoded at a time
_Listener = Callable[[str], None] | None


@dataclass(frozen=True)
class Lesson:
    """The rows to learn from: products, their codes y int32 [rows], and int64 [rows] what belongs together.

    `groups`: what no split may part. `articles`: near-duplicates of one another, whatever group the catalogue
    gives. `fields`: text fields that tell products apart. `dense`: names of the vectors that products have.
    `marks`: what tells the encoders that made them from others. `renamed`: categories that a mapping changed;
    None = dropped.
    """

    roles: Roles
    pieces: Pieces
    y: NDArray[np.int32]
    groups: NDArray[np.int64]
    articles: NDArray[np.int64]
    taxonomy: Taxonomy
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    marks: dict[str, EncoderMark]
    renamed: dict[str, str | None]
    unseen: NDArray[np.bool_] | None = None
    """Products that no fine-tuned encoder was trained on, bool [rows]; None: no encoder was fine-tuned."""

    @cached_property
    def products(self) -> pl.DataFrame:
        """All products as one frame in memory."""
        return self.pieces.frame()


@dataclass(frozen=True)
class Given:
    """What is settled about a lesson before it is read, because a model that it updates has settled it.

    The roles of the columns, the text fields, the names of the vectors with the marks of their encoders, and
    what people corrected.
    """

    roles: Roles
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    marks: dict[str, EncoderMark]
    folding: Folding


def read_lesson(
    source: Source,
    recipe: Recipe,
    split: str | None,
    report: Training,
    notify: Callable[[str], None] | None = None,
) -> Lesson:
    """Read a catalogue and keep what can be learned from; `report` is told what became of each row."""
    return Teacher(source, recipe, report, Workspace(), notify).prepare(split)


class Teacher:
    """Prepares lessons.

    Parameters
    ----------
    source, recipe: the catalogue, and how it is read.
    report: is told what becomes of each row.
    space: where products lie that are too many for memory.
    notify: called with what is being done.

    """

    def __init__(
        self,
        source: Source,
        recipe: Recipe,
        report: Training,
        space: Workspace,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.source, self.recipe, self.report = source, recipe, report
        self.space, self.notify = space, notify

    def prepare(self, split: str | None, given: Given | None = None) -> Lesson:
        """Read the catalogue and keep what can be learned from; `split`: the column that marks rows.

        `given`: what a model has settled that is updated.
        """
        source, recipe, report = self.source, self.recipe, self.report
        roles = given.roles if given else choose_roles(source, recipe, split)
        intake = Intake(source, roles, recipe, report, self.space)
        folding = given.folding if given else None
        chosen, renamed = self._choose(intake.take(folding), folding)
        if intake.corrected:
            report.update["corrected"] = intake.corrected
        fields = given.fields if given else asked_fields(chosen.telling, recipe)
        pieces, dense, encoders, hashes = self._encode(chosen.pieces, fields, given)
        told = np.concatenate([_tell_something(piece, fields, dense) for piece in pieces])
        report.empty += int((~told).sum())
        report.learned = int(told.sum())
        label, path = (column.filter(pl.Series(told)) for column in (chosen.label, chosen.label_path))
        taxonomy = self._taxonomy(label, path, roles)
        alike = hashes.take(told) if hashes is not None else None
        near = find_by_keys(chosen.keys.filter(pl.Series(told)), alike)
        report.groups = len(np.unique(near.groups))
        report.fields = list(fields)
        pieces = pieces.only(told)
        report.data_sha256 = _fingerprint(pieces, fields)
        ids = encoders.unseen
        unseen = None if ids is None else _among(pieces, ids)
        y = taxonomy.codes(label)
        together = near.groups, near.articles
        return Lesson(roles, pieces, y, *together, taxonomy, fields, dense, encoders.marks, renamed, unseen)

    def _choose(self, taken: Taken, folding: Folding | None) -> tuple[Taken, dict[str, str | None]]:
        """Map the categories and draw the sample; also each category of all rows and what it became."""
        recipe, report = self.recipe, self.report
        label, path, renamed = _map_labels(taken, recipe, report)
        if folding is not None and (folding.names or folding.paths):
            label, path, report.update["renamed"] = folding.rename(label, path)
            renamed = {old: new and folding.names.get(new, new) for old, new in renamed.items()}
            renamed |= folding.names
        kept = label.is_not_null().to_numpy().copy()
        report.unlabelled += int((~kept).sum())
        if recipe.catalogue.sample < 1 and kept.any():
            rows = np.flatnonzero(kept)
            groups = find_by_keys(taken.keys.filter(pl.Series(kept))).groups
            drawn = rows[sample(label.filter(pl.Series(kept)), groups, recipe.catalogue.sample, recipe.seed)]
            report.left_out_by_sample = len(rows) - len(drawn)
            kept[:] = False
            kept[drawn] = True
        pieces = taken.pieces
        if label is not taken.label:
            pieces = _relabelled(pieces, label, path)
        if kept.all():
            return replace(taken, pieces=pieces, label=label, label_path=path), renamed
        pieces, mask = pieces.only(kept), pl.Series(kept)
        return (
            replace(
                taken, pieces=pieces, label=label.filter(mask), label_path=path.filter(mask),
                keys=taken.keys.filter(mask), telling=_telling(pieces),
            ),
            renamed,
        )  # fmt: skip

    def _encode(
        self, pieces: Pieces, fields: Sequence[str], given: Given | None
    ) -> tuple[Pieces, tuple[str, ...], ProductEncoders, PictureHashes | None]:
        """Give the rows their vectors; also names of the vectors that any row has, and pictures' hashes."""
        recipe, report = self.recipe, self.report
        pictures = _pictures(self.source, pieces, recipe.pictures.folder)
        encoders = ProductEncoders(recipe, fields, pictures, VectorCache())
        if given is not None:
            encoders.check(given.marks)
        compare = pictures if encoders.pictures else None
        names = [*encoders.marks, *(["table"] if recipe.table.columns else [])]
        found: list[PictureHashes] = []
        known = dict.fromkeys(names, 0)
        encoded = pieces
        if encoders.marks or PICTURE in next(iter(pieces)).columns:
            encoded = Pieces(self.space)
            for piece, notify in self._parts(pieces, encoders):
                if compare is not None:
                    found.append(hash_pictures(compare.find(piece), recipe.threads))
                ready = encoders.attach(piece, notify)
                for name in encoders.marks:
                    known[name] += ready.height - ready[PREFIX + name].null_count()
                # vectors are what is learned from; bytes are what fills the memory
                encoded.add(ready.drop(PICTURE, strict=False))
        dense = tuple(
            name
            for name in names
            if (name == "table" or known[name]) and (given is None or name in given.dense)
        )
        report.notes += encoders.notes
        report.pictures = known.get("pictures", 0)
        if "pictures" in names and "pictures" not in dense and len(encoded):
            reasons = (piece["reason"].drop_nulls().head(1).to_list() for piece in encoded)
            first = next((said for said in reasons if said), None)
            report.notes.append(
                f"no picture of {len(encoded):,} products could be used, so pictures have no say"
                + (f"; the first reason: {first[0]}" if first else "")
            )
        return encoded, dense, encoders, PictureHashes.joined(found) if found else None

    def _parts(self, pieces: Pieces, encoders: ProductEncoders) -> Iterator[tuple[pl.DataFrame, _Listener]]:
        """The products, as many at a time as have not too many numbers, and who is told how far it is.

        That depends on the encoders alone, and not on the memory: what a text's vector is must not.
        """
        size = max(_NUMBERS // max([sum(mark.widths) for mark in encoders.marks.values()] or [1]), 1)
        for piece, first in zip(pieces, pieces.starts, strict=False):
            for start in range(0, max(piece.height, 1), size):
                part, done = piece[start : start + size], first + start
                told = "" if part.height == len(pieces) else f"{done:,} of {len(pieces):,} products done, "
                yield part, _beginning(self.notify, told)

    def _taxonomy(self, label: pl.Series, path: pl.Series, roles: Roles) -> Taxonomy:
        """The tree of the rows to learn from; LabelError where there is nothing to tell apart."""
        report, kinds = self.report, label.n_unique()
        if kinds > 1:
            return Taxonomy.build(label, path, roles.separator)
        only = f"only one category, {label[0]!r}" if kinds else "no row with a category and text or picture"
        raise LabelError(
            f"{named_source(self.source)}: the column {roles.label!r} leaves {only} "
            f"({report.rows:,} rows; {report.unlabelled:,} without category, "
            f"{report.empty:,} with nothing that differs, {report.unreadable:,} unreadable, "
            f"{report.left_out:,} left out for testing). At least two categories are needed to learn; "
            "name another column with --label."
        )


def _beginning(notify: _Listener, words: str) -> _Listener:
    """Who is told the same, with words before it."""
    return None if notify is None else lambda said: notify(words + said)


def _tell_something(products: pl.DataFrame, fields: Sequence[str], dense: Sequence[str]) -> NDArray[np.bool_]:
    """Which products have a text or a vector that tells them apart, bool [products]."""
    heard = [
        *(pl.col(name) != "" for name in fields),
        *(pl.col(PREFIX + name).is_not_null() for name in dense if name != "table"),
    ]
    if not heard:
        return np.zeros(products.height, bool)
    told: NDArray[np.bool_] = products.select(pl.any_horizontal(heard)).to_series().to_numpy()
    return told


def _map_labels(
    taken: Taken, recipe: Recipe, report: Training
) -> tuple[pl.Series, pl.Series, dict[str, str | None]]:
    """Change the labels; return them, their paths, and each category of all rows and what it became."""
    before, roles = taken.known, taken.roles
    after, labels = before, taken.label
    reports: list[MappingReport] = []
    if recipe.catalogue.mapping:
        mapping = LabelMapping.read(recipe.catalogue.mapping)
        after = mapping.apply(before, roles.separator)[0]
        labels, mapped = mapping.apply(labels, roles.separator)
        reports.append(mapped)
    if recipe.catalogue.min_products > 1:
        if not has_levels(labels, roles.separator):
            report.notes.append(
                f"min_products merges nothing here: categories in {roles.label!r} are names or ids without "
                "levels, so they have no parent shelf."
            )
        reduced, found = reduce_rare(labels, recipe.catalogue.min_products, roles.separator)
        after = _follow(after, labels, reduced)
        labels = reduced
        reports.append(found)
    report.mapping = [asdict(part) for part in reports]
    report.notes += [warning for part in reports for warning in part.warnings]
    if not reports:
        return labels, taken.label_path, {}
    # a new name has no path beside it, but is one
    path = taken.label_path.set(~labels.eq_missing(taken.label), None)
    renamed = {old: new for old, new in zip(before.to_list(), after.to_list(), strict=True) if old != new}
    return labels, path, renamed


def _follow(names: pl.Series, before: pl.Series, after: pl.Series) -> pl.Series:
    """Change names as `before` became `after`; those that are not in `before` stay."""
    pairs = pl.DataFrame({"before": before, "after": after}).drop_nulls("before").unique().sort("before")
    return names.replace(pairs["before"], pairs["after"])


def _relabelled(pieces: Pieces, label: pl.Series, path: pl.Series) -> Pieces:
    """The rows with other labels."""
    changed = Pieces(pieces.space)
    for piece, start in zip(pieces, pieces.starts, strict=False):
        here = slice(start, start + piece.height)
        changed.add(piece.with_columns(label[here].alias("label"), path[here].alias("label_path")))
    return changed


def _telling(pieces: Iterable[pl.DataFrame]) -> tuple[str, ...]:
    """The text fields that say more than one thing."""
    said: dict[str, set[str]] = {name: set() for name in TEXT_FIELDS}
    for piece in pieces:
        for name, kinds in said.items():
            if len(kinds) < 2:
                kinds.update(piece[name].unique(maintain_order=True).head(2).to_list())
    return tuple(name for name, kinds in said.items() if len(kinds) > 1)


def _pictures(source: Source, pieces: Pieces, folder: str) -> PictureFolder | None:
    """The pictures of a catalogue, see `intake.open_pictures`; looked for by the first rows that name one."""
    named: list[pl.DataFrame] = []
    for piece in pieces:
        named.append(piece.filter(pl.col("image") != "").head(_SAMPLE))
        if PICTURE in piece.columns or sum(part.height for part in named) >= _SAMPLE:
            break
    return open_pictures(source, pl.concat(named), folder)


def _fingerprint(pieces: Pieces, fields: tuple[str, ...]) -> str:
    """SHA-256 of what was learned from: ids, text and labels, in order."""
    digest = hashlib.sha256()
    for name in ("product_id", *fields, "label"):
        digest.update(name.encode() + b"\x1e")
        row = 0
        for piece in pieces.read([name]):
            texts, start = piece[name], 0
            while start < piece.height:  # texts are divided within a run of rows, wherever pieces end
                end = min(piece.height, start + _FINGERPRINT_ROWS - row % _FINGERPRINT_ROWS)
                joined = "\x1f".join(texts[start:end].to_list())
                within = row % _FINGERPRINT_ROWS > 0
                digest.update(("\x1f" + joined if within else joined).encode("utf-8", "replace"))
                row, start = row + end - start, end
    return digest.hexdigest()


def _among(pieces: Pieces, ids: Iterable[str]) -> NDArray[np.bool_]:
    """Which products have one of these ids, bool [products]."""
    listed = list(ids)
    return np.concatenate(
        [piece["product_id"].is_in(listed).to_numpy() for piece in pieces.read(["product_id"])]
    )
