"""Which pictures a catalogue wants: the addresses in its column of pictures, product by product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import polars as pl

from shelfwise.catalogue.products import PICTURE, clean
from shelfwise.catalogue.profiles import as_text
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.text import read_nested
from shelfwise.errors import CatalogueError
from shelfwise.images.ledger import Ledger, Want

_ROWS = 20_000
_ADDRESS = re.compile(r"(?i)^(?:[a-z][a-z0-9+.\-]+:)?//|^(?:data|www\.)[:\w]").match
_SEVERAL = re.compile(r"\s*[|\s]\s*(?=https?://)|\|").split


@dataclass
class Counts:
    """Rows of the catalogue: all, without any picture, with pictures as bytes, with a file's path."""

    rows: int = 0
    without: int = 0
    inside: int = 0
    local: int = 0


def register(source: Source, roles: Roles, ledger: Ledger, every: bool = False) -> Counts:
    """Tell the ledger what the catalogue wants.

    Parameters
    ----------
    source, roles
        The catalogue, and which column is what.
    ledger
        Told of every picture.
    every
        All pictures that a value lists, and not the main one alone.

    Raises
    ------
    CatalogueError
        The catalogue has no column of pictures.

    """
    check_wanted(source, roles)
    read = Roles(product_id=roles.product_id, image=roles.image, nested=roles.nested)
    counts = Counts()
    ledger.forget_wants()
    for batch in source.batches(_ROWS, read.used(source.columns)):
        ledger.want(_wants(batch, read, counts, every))
        counts.rows += batch.height
    return counts


def check_wanted(source: Source, roles: Roles) -> None:
    """Raise CatalogueError where a catalogue has no column of pictures."""
    if roles.image is None and roles.nested is None:
        raise CatalogueError(
            "The catalogue has no column with addresses of pictures. Columns are: "
            f"{', '.join(source.columns)}. Name it with --role image=COL."
        )


def _wants(batch: pl.DataFrame, roles: Roles, counts: Counts, every: bool) -> Iterator[Want]:
    products = clean(batch, roles, counts.rows)
    inside = products[PICTURE].is_not_null() if PICTURE in products.columns else [False] * batch.height
    more = as_text(batch[roles.image]).to_list() if every and roles.image in batch.columns else None
    listed = zip(products["row"], products["product_id"], products["image"], inside, strict=True)
    for number, (row, product_id, image, is_inside) in enumerate(listed):
        named = [image.strip()] if image and image.strip() else []
        if more is not None and named:
            named += [one for one in addresses_in(more[number] or "") if one not in named]
        counts.inside += bool(is_inside)
        counts.without += not named and not is_inside
        for position, one in enumerate(named):
            url = address_of(one)
            counts.local += url is None
            yield Want(row, position, product_id, one, url, "" if url is None else host_of(url))


def addresses_in(value: str) -> list[str]:
    """All addresses that a value of the column lists: as JSON, or with | or blanks between; each once."""
    text = value.strip()
    if text.startswith("["):
        found = read_nested(text)
        parts = [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []
    else:
        parts = [one for one in _SEVERAL(text) if one]
    return [one for one in dict.fromkeys(part.strip() for part in parts) if one and _ADDRESS(one)]


def address_of(image: str) -> str | None:
    """The address to ask for a value of the column; None for the path of a file."""
    if not _ADDRESS(image):
        return None
    if image.startswith("//"):
        return f"https:{image}"
    return f"https://{image}" if image[:4].lower() == "www." else image


def host_of(url: str) -> str:
    """Host and port, which share one pace; "" where there are none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return ""
    return parts.netloc.rpartition("@")[2].lower()
