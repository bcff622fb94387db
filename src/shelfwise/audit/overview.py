"""The page of a catalogue for people who only want to look: what is in it, how it is spread, a few products.

The facts are those of `catalogue.inspect`; the products shown are spread evenly over all rows, as they are
after cleaning, which is what a model reads.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shelfwise.audit.sheet import check_sheet, render
from shelfwise.catalogue import paths
from shelfwise.catalogue.decoding import decode
from shelfwise.catalogue.inspect import Inspection
from shelfwise.catalogue.pictures import Picture, PictureFolder
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles
from shelfwise.errors import PictureError

SHOWN = 24
"""Products that are shown."""

_THUMBNAIL = 160  # pixels of the longer side
_CONSTANT = 0.98  # share of one value from which on a column tells next to nothing
_CLIP = 400


@dataclass(frozen=True)
class Sample:
    """One product as a model reads it, and its picture as a small JPEG (None: it has none).

    `problem`: why the picture cannot be shown.
    """

    product_id: str
    title: str
    description: str
    attributes: str
    brand: str
    category: str
    picture: bytes | None = None
    problem: str = ""


def check_overview() -> None:
    """Raise MissingExtraError where the page cannot be written, before any work."""
    check_sheet("the page of a catalogue")


def sample_products(
    source: Source,
    roles: Roles,
    unlabelled: Sequence[str] = paths.UNLABELLED,
    pictures: PictureFolder | None = None,
    count: int = SHOWN,
) -> list[Sample]:
    """Return products spread evenly over the rows of a catalogue; fewer where it has fewer.

    Args:
        source: the opened catalogue; it is read through once.
        roles: which column is what.
        unlabelled: category values that mean "no category".
        pictures: where the pictures are; not needed for those that are in the catalogue itself.
        count: products wanted.

    """
    rows = source.rows
    wanted = sorted({place * rows // count for place in range(count)}) if rows else []
    folder = pictures or PictureFolder(None)
    found: list[Sample] = []
    first = 0
    for batch in source.batches():
        here = [row - first for row in wanted if first <= row < first + batch.height]
        if here:
            products = clean(batch[here], roles, first, unlabelled)
            shown = zip(products.iter_rows(named=True), folder.find(products), strict=True)
            found += [_sample(product, picture) for product, picture in shown]
        first += batch.height
    return found


def _sample(product: dict[str, Any], picture: Picture | None) -> Sample:
    small, problem = None, ""
    if picture is not None:
        try:
            small = _thumbnail(picture)
        except PictureError as error:
            problem = str(error)
    return Sample(
        product_id=product["product_id"],
        title=product["title"],
        description=product["description"],
        attributes=product["attributes"],
        brand=product["brand"],
        category=product["label_path"] or product["label"] or "",
        picture=small,
        problem=problem,
    )


def _thumbnail(picture: Picture) -> bytes:
    """A small JPEG; PictureError where there is nothing that can be decoded."""
    image = decode(picture.read(), picture.name)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def render_overview(found: Inspection, samples: Sequence[Sample], title: str) -> str:
    """Return the page as one HTML text; everything that comes from the catalogue is escaped.

    Raises
    ------
    MissingExtraError
        jinja2 is not installed.

    """
    check_overview()
    values = {
        "title": title,
        "lead": _lead(found),
        "found": found,
        "cards": _cards(found),
        "constant": [one for one in found.columns if _tells_nothing(one.distinct, one.commonest_share)],
        "sizes": _bars([(_range(s.least, s.most), s.categories, s.products) for s in _sizes(found)]),
        "departments": _bars([(d.name, d.categories, d.products) for d in _departments(found)]),
        "samples": [_shown(sample) for sample in samples],
    }
    return render("overview", values)


def _lead(found: Inspection) -> str:
    files = f" in {found.files:,} files" if found.files > 1 else ""
    if found.labels is None:
        return f"{found.rows:,} products{files}, without a column of categories."
    labels = found.labels
    few = f"{labels.under_ten:,} of them have fewer than ten products, {labels.singletons:,} just one."
    return f"{found.rows:,} products{files} on {labels.categories:,} shelves; {few}"


def _cards(found: Inspection) -> list[tuple[str, str]]:
    rows = max(found.rows, 1)
    cards = [("products", f"{found.rows:,}")]
    if found.labels is not None:
        cards += [
            ("shelves", f"{found.labels.categories:,}"),
            ("levels", f"{max((depth for depth, _ in found.labels.levels), default=1)}"),
            ("with a category", f"{100 * found.labels.labelled_rows / rows:.1f} %"),
        ]
    if found.pictures is not None:
        cards.append(("with a picture", f"{100 * found.pictures.report.found / rows:.1f} %"))
    titles = next((one.filled for one in found.fields if one.name == "title"), 0.0)
    return [*cards, ("with a title", f"{100 * titles:.1f} %"), ("with mark-up", f"{100 * found.html:.0f} %")]


def _tells_nothing(distinct: int | None, share: float) -> bool:
    return distinct is not None and distinct > 0 and share >= _CONSTANT


def _sizes(found: Inspection) -> Sequence[Any]:
    return found.labels.sizes if found.labels is not None else ()


def _departments(found: Inspection) -> Sequence[Any]:
    return found.labels.departments if found.labels is not None else ()


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _bars(rows: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """Rows of a table with bars: shares of the largest, in per cent."""
    categories = max((row[1] for row in rows), default=1)
    products = max((row[2] for row in rows), default=1)
    return [
        {
            "name": name,
            "categories": one,
            "products": many,
            "categories_width": round(100 * one / categories, 1),
            "products_width": round(100 * many / products, 1),
        }
        for name, one, many in rows
    ]


def _shown(sample: Sample) -> dict[str, Any]:
    encoded = None if sample.picture is None else base64.b64encode(sample.picture).decode()
    return {
        "id": sample.product_id,
        "title": sample.title,
        "description": _clip(sample.description),
        "attributes": _clip(sample.attributes),
        "brand": sample.brand,
        "category": sample.category,
        "picture": encoded,
        "problem": sample.problem,
    }


def _clip(text: str) -> str:
    return text if len(text) <= _CLIP else text[: _CLIP - 1] + "…"
