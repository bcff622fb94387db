"""Rows whose text is clean already, told at a glance and made into products without a frame.

`products.clean` takes some ten milliseconds whether it gets one row or a thousand: nothing for a file, too
much for a server that is asked for one product at a time. Most products hold no mark-up, no odd white space
and nothing nested but attributes; cleaning does nothing to them but fold blanks. A `PlainReader` makes
exactly those (the tests hold it to `clean`, column by column), and hands all others back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from shelfwise.catalogue.products import MISSING, NO_ID, NOTHING, attribute_name
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.text import ENTITY, items_of
from shelfwise.recipe import TEXT_FIELDS

_LONG = 10_000  # characters; long texts may meet a cap
_PLAIN = re.compile(
    "[ -;=-~\u00a1-\u00ac\u00ae-\u024f\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf"
    "\u2100-\u214f\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3]*"
).fullmatch
"""Text without tags, controls, odd blanks and soft hyphens, of letters whose normal form will not change."""

_ENTITY = re.compile(ENTITY)
_SPACES = re.compile("  +")
_ATTRIBUTES = TEXT_FIELDS.index("attributes")
_ENDING = re.compile(r"(?i)\.(?:html?|php|aspx?|jsp|jpe?g|png|webp|pdf)/?$")
_HOST = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//[^/?#]*")
_BETWEEN = re.compile(r"[/\-_+.,;:=&~()!'\s]+")
_DIGIT = re.compile(r"\d")


class PlainRow(NamedTuple):
    """A clean product, as a row of `products.clean` is; product_id: None where there is none."""

    product_id: str | None
    fields: tuple[str, ...]
    """Texts in the order of `TEXT_FIELDS`."""
    image: str
    status: str
    reason: str | None


class _NotPlainError(Exception):
    """The row has to be cleaned."""


class PlainReader:
    """Makes products of plain rows.

    Parameters
    ----------
    roles: which column is what, as for `products.clean`.

    """

    def __init__(self, roles: Roles) -> None:
        self._readers = [
            (place, getattr(roles, field), _url_words if field == "url" else _prose)
            for place, field in enumerate(TEXT_FIELDS)
            if field != "attributes" and getattr(roles, field) is not None
        ]
        self._id, self._image = roles.product_id, roles.image
        self._attributes = [(column, attribute_name(column)) for column in roles.attributes]
        read = {*(column for _, column, _ in self._readers), roles.product_id, roles.image, *roles.attributes}
        self._others = frozenset(roles.used()) - read

    def read(self, values: Mapping[str, str | None]) -> PlainRow | None:
        """Return the product of one row, None where cleaning has more to do than to fold blanks.

        `values`: text by column, None or absent where there is nothing; all other columns are not read.
        """
        if not self._others.isdisjoint(values) and any(values.get(name) for name in self._others):
            return None
        try:
            return self._row(values)
        except _NotPlainError:
            return None

    def _row(self, values: Mapping[str, str | None]) -> PlainRow:
        texts = [""] * len(TEXT_FIELDS)
        for place, column, make in self._readers:
            if value := values.get(column):
                texts[place] = make(value)
        if self._attributes:
            texts[_ATTRIBUTES] = self._items(values)
        image = _first_image(values.get(self._image)) if self._image is not None else ""
        product_id = (_plain(values.get(self._id) or "") or None) if self._id is not None else None
        empty = not image and not any(texts)
        reasons = [NOTHING] if empty else []
        if product_id is None and self._id is not None:
            reasons.append(NO_ID)
        reason = "; ".join(reasons) if reasons else None
        return PlainRow(product_id, tuple(texts), image, "empty" if empty else "ok", reason)

    def _items(self, values: Mapping[str, str | None]) -> str:
        parts: list[str] = []
        for column, own_name in self._attributes:
            value = _there(values.get(column))
            if value is not None:
                items = [_plain(item) for item in items_of(value, own_name)]
                parts += [item for item in items if item]
        joined = "\n".join(parts)
        if len(joined) > _LONG:
            raise _NotPlainError
        return joined


def _there(value: str | None) -> str | None:
    """Return a value, None where it stands for none."""
    if value is None or (len(value) < 40 and value.strip().lower() in MISSING):
        return None
    return value


def _plain(value: str) -> str:
    """Return a plain text with its blanks folded."""
    common = value.isascii()  # by far the most; there the pattern comes down to two questions
    plain = value.isprintable() and "<" not in value if common else _PLAIN(value) is not None
    if not plain or len(value) > _LONG or ("&" in value and _ENTITY.search(value)):
        raise _NotPlainError
    if "  " in value:
        value = _SPACES.sub(" ", value)
    return (value if common else unicodedata.normalize("NFC", value)).strip(" ")


def _prose(value: str) -> str:
    there = _there(value)
    if there is None:
        return ""
    if there.lstrip()[:1] == "[":  # a list, perhaps
        raise _NotPlainError
    return _plain(there)


def _url_words(value: str) -> str:
    """As `products.url_words`, of an address in ASCII."""
    url = _there(value)
    if url is None:
        return ""
    if not (url.isascii() and url.isprintable()) or "%" in url or len(url) > _LONG:
        raise _NotPlainError
    path = _HOST.sub("", url.strip(), count=1)
    path = re.sub(r"[?#].*$", "", path, count=1)
    path = re.sub(r"^www\.[^/]*", "", path, count=1)
    words = _BETWEEN.sub(" ", _ENDING.sub("", path, count=1)).split(" ")
    return _plain(" ".join(word for word in words if not _is_id(word)))


def _is_id(word: str) -> bool:
    digits = len(_DIGIT.findall(word))
    return digits >= 4 or (digits >= 1 and len(word) >= 8) or not word


def _first_image(value: str | None) -> str:
    image = _there(value)
    if image is None:
        return ""
    if not image.isascii() or not image.isprintable() or "|" in image or image.lstrip()[:1] == "[":
        raise _NotPlainError
    return image.strip(" ")
