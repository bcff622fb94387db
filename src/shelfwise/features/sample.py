"""Some texts or pictures of a catalogue, to measure on what an export of an encoder loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shelfwise.catalogue.decoding import decode
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import TEXT_FIELDS, clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import find_roles
from shelfwise.errors import PictureError
from shelfwise.features.vectors import joined_texts

if TYPE_CHECKING:
    from PIL.Image import Image


def sample_texts(source: Source, count: int) -> list[str]:
    """At most `count` different texts, spread over the catalogue."""
    raw = source.sample(2 * count)
    products = clean(raw, find_roles(source.sample(), {}))
    texts = [text for text in joined_texts(products, TEXT_FIELDS, ". ") if text.strip()]
    return list(dict.fromkeys(texts))[:count]


def sample_pictures(source: Source, folder: Path | str | None, count: int) -> list[Image]:
    """At most `count` pictures that can be decoded, spread over the catalogue."""
    pictures = PictureFolder.of(source, folder)
    products = clean(source.sample(2 * count), find_roles(source.sample(), {}))
    found: list[Image] = []
    for picture in pictures.find(products):
        if picture is None or len(found) == count:
            continue
        try:
            found.append(decode(picture.read(), picture.name))
        except PictureError:  # what is exported is not what is wrong with the catalogue
            continue
    return found
