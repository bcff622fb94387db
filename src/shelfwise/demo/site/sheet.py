"""What a product page says: the values that a perfect scrape brings home, and their table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from shelfwise.demo.words import WEARERS

SEPARATOR = " > "
COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "product_id": pl.String,
    "url": pl.String,
    "title": pl.String,
    "description": pl.String,
    "brand": pl.String,
    "price": pl.String,
    "currency": pl.String,
    "rating": pl.Float64,
    "rating_count": pl.Int64,
    "category_path": pl.String,
    "attributes": pl.String,
    "images": pl.List(pl.String),
    "language": pl.String,
    "audience": pl.String,
}
_AUDIENCES = {word.lower(): english for english, german in WEARERS.values() for word in (english, german)}


@dataclass(frozen=True)
class Sheet:
    """The facts on one page.

    Attributes:
        product_id: Article number.
        url: Canonical address.
        title: Name of the product.
        description: Plain text.
        brand: Maker, None where the page names none.
        price: Decimal such as 1249.90.
        currency: ISO 4217 code.
        rating: Mean stars and how many there are; None where the page tells none.
        category: The shelf from the top down, without the shop's home page.
        attributes: Names to values.
        images: Addresses of its pictures, the main one first.
        language: ISO 639-1 code.
        audience: For whom it is, None where the page does not say.

    """

    product_id: str
    url: str
    title: str
    description: str
    brand: str | None
    price: str
    currency: str
    rating: tuple[float, int] | None
    category: tuple[str, ...]
    attributes: Mapping[str, str]
    images: tuple[str, ...]
    language: str
    audience: str | None


def to_frame(sheets: Sequence[Sheet]) -> pl.DataFrame:
    """Return the columns of a scraped catalogue that the pages decide, one row a sheet, in their order.

    `attributes` is a JSON object as text, `category_path` is joined with " > ", `audience` is women, men or
    kids in any language.
    """
    rows = [
        (
            sheet.product_id, sheet.url, sheet.title, sheet.description, sheet.brand, sheet.price,
            sheet.currency, sheet.rating[0] if sheet.rating else None,
            sheet.rating[1] if sheet.rating else None, SEPARATOR.join(sheet.category),
            json.dumps(dict(sheet.attributes), ensure_ascii=False) if sheet.attributes else None,
            list(sheet.images), sheet.language,
            _AUDIENCES[sheet.audience.lower()] if sheet.audience else None,
        )
        for sheet in sheets
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")
