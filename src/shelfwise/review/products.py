"""The products behind the doubts, from the catalogue that was audited, and whether it is still the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.products import PICTURE, clean
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.errors import CatalogueError
from shelfwise.review.blob import Blob
from shelfwise.review.doubts import Audit, Doubts

_LEAST_FOUND = 0.5  # of the doubts' products; below it is another catalogue
_BATCH = 20_000
_COLUMNS = ("row", "product_id", "title", "shop", "image", "label", "reason")


class Text(msgspec.Struct, frozen=True):
    """What only one product's page shows, cleaned; `url` is the address itself where it is http(s)."""

    description: str = ""
    attributes: list[tuple[str, str]] = []
    brand: str = ""
    url: str = ""


@dataclass(frozen=True)
class Products:
    """The products of the doubts and their neighbours.

    frame: the columns `row`, `product_id`, `title`, `shop`, `image`, `label` and `reason` of clean products.
    of_doubt int32 [doubts]: the product's place in `frame`, -1 where the catalogue no longer has it. labels:
    category, its readable path and its number of products, of all labelled rows of the catalogue. embedded:
    pictures as bytes by place ("" = none), where the catalogue holds them.
    """

    source: Source
    frame: pl.DataFrame
    of_doubt: NDArray[np.int32]
    labels: pl.DataFrame
    notes: list[str]
    embedded: Blob | None
    _texts: Blob = field(repr=False)
    _places: dict[str, int] = field(repr=False)

    def text(self, place: int) -> Text:
        """Return what only one product's page shows."""
        return msgspec.json.decode(self._texts.read(place), type=Text)

    def place_of(self, product_id: str) -> int:
        """Return where in `frame` a product is, -1 for one that is not there."""
        return self._places.get(product_id, -1)

    def close(self) -> None:
        """Give up the temporary copies."""
        self._texts.close()
        if self.embedded is not None:
            self.embedded.close()


def find_catalogue(audit: Audit, given: str | os.PathLike[str] | None, doubts: Path) -> Source:
    """Open the catalogue that was given, or the one that the audit read.

    A relative path in the doubts file is looked for from here, then beside the doubts file.

    Raises
    ------
    CatalogueError
        It is not there; says how to name it.

    """
    if given is not None:
        return open_source(given)
    for path in (audit.catalogue, str(doubts.parent / audit.catalogue)):
        if audit.catalogue and (Path(path).exists() or any(sign in path for sign in "*?[")):
            return open_source(path)
    where = audit.catalogue or "nowhere that is known"
    raise CatalogueError(
        f"{doubts}: the catalogue that was audited is not there any more ({where}). "
        "Name it with --catalogue FILE."
    )


def roles_of(source: Source, audit: Audit) -> Roles:
    """Return the roles that the audit used, where the catalogue still has its columns; else found anew."""
    roles = Roles.from_dict(audit.roles) if audit.roles else None
    if roles is not None and roles.used(source.columns) and (roles.label in source.columns or roles.levels):
        return roles
    label = audit.label if audit.label in source.columns else None
    return find_roles(source.sample(), {"label": label} if label else None)


def read_products(doubts: Doubts, source: Source) -> Products:
    """Read the products of the doubts and their neighbours, and compare the catalogue with the audited one.

    Raises
    ------
    CatalogueError
        The catalogue has not even half of the products: it is another one.

    """
    roles = roles_of(source, doubts.audit)
    wanted = _wanted(doubts)
    reading = _Reading(wanted, roles)
    for batch in source.batches(_BATCH):
        reading.take(batch)
    frame = reading.frame()
    of_doubt = _join(doubts, frame)
    labels = reading.labels()
    notes = _compare(doubts, source, frame, of_doubt, labels)
    places = dict(zip(frame["product_id"].to_list(), range(frame.height), strict=True))
    return Products(source, frame, of_doubt, labels, notes, reading.pictures, reading.texts, places)


def _wanted(doubts: Doubts) -> pl.Series:
    ids = [doubts.product_id.unique(), *_neighbour_ids(doubts)]
    return pl.concat(ids).unique()


def _neighbour_ids(doubts: Doubts) -> Iterator[pl.Series]:
    """The ids of neighbours that have no doubt of their own."""
    lost = np.unique(doubts.edges.of[doubts.edges.neighbour < 0])
    for start in range(0, len(lost), _BATCH):
        near = [n for at in lost[start : start + _BATCH] for n in doubts.details(int(at)).neighbours or []]
        yield pl.Series([n.product_id for n in near], dtype=pl.String).alias("product_id")


class _Reading:
    """One pass over the catalogue."""

    def __init__(self, wanted: pl.Series, roles: Roles) -> None:
        self._wanted, self._roles, self._first = wanted, roles, 0
        self._parts: list[pl.DataFrame] = []
        self._labels: list[pl.DataFrame] = []
        self.texts = Blob()
        self.pictures: Blob | None = None

    def take(self, raw: pl.DataFrame) -> None:
        products = clean(raw, self._roles, self._first)
        self._first += raw.height
        self._labels.append(
            products.drop_nulls("label").group_by("label", "label_path").len().rename({"len": "products"})
        )
        kept = products["product_id"].is_in(self._wanted.implode())
        urls = _addresses(raw, self._roles).filter(kept)
        products = products.filter(kept)
        if PICTURE in products.columns:
            self.pictures = self.pictures or Blob()
            self.pictures.extend(data or b"" for data in products[PICTURE].to_list())
        texts = products.select("description", "attributes", "brand").with_columns(urls.alias("url"))
        self.texts.extend(map(_pack, texts.iter_rows()))
        self._parts.append(products.select(_COLUMNS))

    def frame(self) -> pl.DataFrame:
        return pl.concat(self._parts, rechunk=True)

    def labels(self) -> pl.DataFrame:
        """label, its commonest path and its products, sorted by label."""
        return (
            pl.concat(self._labels).group_by("label", "label_path").agg(pl.col("products").sum())
            .sort("products", "label_path", descending=[True, False])
            .group_by("label", maintain_order=True)
            .agg(pl.col("label_path").first(), pl.col("products").sum())
            .sort("label")
        )  # fmt: skip


def _addresses(raw: pl.DataFrame, roles: Roles) -> pl.Series:
    """The products' pages; what is no http(s) address (a script, say) is none."""
    if roles.url is None or roles.url not in raw.columns:
        return pl.Series([""]).new_from_index(0, raw.height)
    urls = as_text(raw[roles.url]).str.strip_chars()
    return urls.set(~urls.str.contains(r"^(?i)https?://[^\s]+$").fill_null(False), "").fill_null("")


def _pack(row: tuple[Any, ...]) -> bytes:
    description, attributes, brand, url = row
    pairs = [
        (name, value) for name, _, value in (line.partition("=") for line in attributes.split("\n") if line)
    ]
    # What has no name is a value alone.
    named = [(name, value) if value else ("", name) for name, value in pairs]
    return msgspec.json.encode(Text(description, named, brand, url))


def _join(doubts: Doubts, frame: pl.DataFrame) -> NDArray[np.int32]:
    """Place of each doubt's product: the same row and id, else the only product of that id."""
    own = pl.DataFrame({"product_id": doubts.product_id, "row": doubts.row}).cast({"row": pl.Int64})
    placed = frame.select("product_id", "row").with_row_index("place")
    alone = placed.filter(pl.col("product_id").is_unique()).select(
        "product_id", pl.col("place").alias("alone")
    )
    found = own.join(
        placed.unique(["product_id", "row"]), on=["product_id", "row"], how="left", maintain_order="left"
    ).join(alone, on="product_id", how="left", maintain_order="left")
    place: NDArray[np.int32] = (
        found.select(pl.coalesce("place", "alone").cast(pl.Int32).fill_null(-1)).to_series().to_numpy()
    )
    return place


def _compare(
    doubts: Doubts, source: Source, frame: pl.DataFrame, of_doubt: NDArray[np.int32], labels: pl.DataFrame
) -> list[str]:
    """What has changed since the audit, in sentences; CatalogueError where nothing fits."""
    there = of_doubt >= 0
    files = ", ".join(file.name for file in source.files[:3]) or "the catalogue"
    if there.mean() < _LEAST_FOUND:
        raise CatalogueError(
            f"{doubts.path} is about another catalogue: of its {len(there):,} products "
            f"{int(there.sum()):,} are in {files}. Name the audited one with --catalogue FILE, "
            f"or audit this one: shelfwise audit CATALOGUE --output doubts.parquet"
        )
    notes = []
    if not there.all():
        notes.append(
            f"{int((~there).sum()):,} of the {len(there):,} products are no longer in {files} "
            f"(the first is {doubts.product_id[int(np.argmin(there))]}). They are shown without their text."
        )
    places = pl.Series(np.where(there, of_doubt, 0))
    names = pl.Series([*doubts.shelves, None], dtype=pl.String)
    given = names.gather(np.where(doubts.given < 0, len(doubts.shelves), doubts.given))
    changed = frame["label"].gather(places).ne_missing(given).to_numpy() & there
    if changed.any():
        notes.append(
            f"{int(changed.sum()):,} products have another category in {files} than when it was audited (the "
            f"first is {doubts.product_id[int(np.argmax(changed))]}). Audit it again for doubts that fit."
        )
    moved = (frame["row"].gather(places).to_numpy() != doubts.row) & there
    return [*notes, *_compare_rest(doubts, (files, source.rows, int(moved.sum())), frame, labels)]


def _compare_rest(
    doubts: Doubts, now: tuple[str, int, int], frame: pl.DataFrame, labels: pl.DataFrame
) -> list[str]:
    """The same of rows, titles and shelves. `now`: what the files are called, their rows, products moved."""
    files, rows, moved = now
    notes = []
    if (doubts.audit.rows and rows != doubts.audit.rows) or moved:
        notes.append(
            f"{files} has been changed since the audit: it has {rows:,} rows and had {doubts.audit.rows:,}, "
            f"and {moved:,} products are in another row."
        )
    renamed = _renamed(doubts, frame)
    if renamed:
        notes.append(
            f"{renamed:,} products have another title in {files} than when it was audited: their reasons and "
            "neighbours may no longer fit."
        )
    known = {*labels["label"].to_list(), *doubts.audit.shelves}
    suggested = np.unique(doubts.suggested[doubts.suggested >= 0])
    gone = sorted({doubts.shelves[code] for code in suggested} - known)
    if gone:
        notes.append(
            f"{len(gone):,} suggested shelves have no product in {files} any more, first {gone[0]!r}. "
            "They cannot be accepted before you add them as new shelves."
        )
    return notes


def _renamed(doubts: Doubts, frame: pl.DataFrame) -> int:
    """Products whose title is not what the audit saw; one that the audit cut short is no other."""
    now = frame.unique("product_id", keep="none").select("product_id", pl.col("title").alias("now"))
    both = doubts.titles.join(now, on="product_id")
    seen = pl.col("title").str.strip_chars_end(".… ")
    return both.filter(~pl.col("now").str.starts_with(seen)).height
