"""From a product as it was sent to a row for the model: names of fields, texts, pictures, what is wrong.

A product comes as a line of the catalogue would, under the catalogue's own column names, or under the names
of `FIELDS`, whatever the catalogue calls them. Values become text as in a JSON-lines file.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from shelfwise.catalogue import names
from shelfwise.catalogue.jsonlines import cell_text
from shelfwise.catalogue.roles import Roles
from shelfwise.serve.limits import Limits

if TYPE_CHECKING:
    from shelfwise.serve.looking import Look

FIELDS = (
    "product_id", "title", "description", "brand", "shop", "url", "image", "attributes", "picture",
    "picture_url",
)  # fmt: skip
"""Names that a product's fields have for every model, beside those of its catalogue. `picture` is the
picture itself, in base64, and `picture_url` its address, which servers that do so fetch it from; `image` is
a path or an address that is never opened."""

_NESTED = ("title", "description", "attributes")
_SHOWN = 60


@dataclass
class Offer:
    """A product to predict.

    values: texts by column of the catalogue. picture: bytes, None where there is none. product_id: as it was
    sent; None: not at all. problem: (code, message) of why it cannot be answered. note: the same of its
    picture alone. address: where its picture lies. look: what came of looking at its picture.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    picture: bytes | None = None
    product_id: str | None = None
    problem: tuple[str, str] | None = None
    note: tuple[str, str] | None = None
    address: str | None = None
    look: Look | None = None


class Intake:
    """Reads products for one model.

    Parameters
    ----------
    roles: which column of the model's catalogue is what.
    table: raw columns that the model reads as well.
    pictures: whether the model looks at pictures.
    limits: of pictures.

    """

    def __init__(self, roles: Roles, table: tuple[str, ...], pictures: bool, limits: Limits) -> None:
        self.columns = tuple(dict.fromkeys([*roles.used(), *table]))
        self.pictures = pictures
        self._nested = roles.nested
        self._has_id = roles.product_id is not None
        self._limit = limits.picture
        known = {name: getattr(roles, name) for name in FIELDS[:-3]}
        self._column_of = {name: column for name, column in known.items() if column is not None}
        self._column_of |= {column: column for column in self.columns}
        self._whole = next((c for c in roles.attributes if names.match(c, "attributes") > 1), None)
        self._id = roles.product_id
        silent = (roles.label, roles.label_name, roles.split, roles.group, *roles.levels)
        self._labels = frozenset(name for name in silent if name is not None)

    @property
    def known(self) -> frozenset[str]:
        """Names that a product's fields may have."""
        more = {"attributes"} if self._whole or self._nested else set()
        more |= {name for name in _NESTED if self._nested}
        more |= {"picture", "picture_url"} if self.pictures else set()
        return frozenset(self._column_of) | more

    @property
    def fields(self) -> list[str]:
        """Names of the fields that say something of a product, in order."""
        return sorted(self.known - self._labels)

    def read(self, product: object, ignored: set[str]) -> Offer:
        """Return one product; names that the model does not know join `ignored`."""
        if not isinstance(product, dict):
            told = f"a product is an object of named fields, not {_kind(product)}"
            return Offer(problem=("not_an_object", told))
        offer = Offer()
        column_of, values = self._column_of, offer.values
        for name, value in product.items():
            column = column_of.get(name)
            if column is not None and name not in ("picture", "picture_url"):
                if column not in values or name == column:
                    values[column] = value if type(value) is str and value else cell_text(value)
            elif not self._take_other(offer, name, value):
                ignored.add(name[:_SHOWN])
        if not (values or offer.picture or offer.address or offer.note or offer.problem) and product:
            offer.problem = "no_field", self._none_known(product)
        offer.product_id = values.get(self._id) if self._id else cell_text(product.get("product_id"))
        return offer

    def _take_other(self, offer: Offer, name: str, value: object) -> bool:
        """Take a field that is no column of the catalogue; whether it was of any use."""
        if name == "picture":
            return self._take_picture(offer, value)
        if name == "picture_url":
            return self._take_address(offer, value)
        if name == "attributes" and isinstance(opened := _opened(value), dict):
            return self._take_attributes(offer, opened)
        if name == "attributes" and self._whole is not None:
            offer.values.setdefault(self._whole, cell_text(value))
            return True
        if name in _NESTED and self._nested is not None:
            self._nest(offer, {name: value})
            return True
        return name == "product_id" and not self._has_id

    def _take_attributes(self, offer: Offer, value: dict[str, Any]) -> bool:
        own = {name: inner for name, inner in value.items() if name in self.columns}
        rest = {name: inner for name, inner in value.items() if name not in own}
        for name, inner in own.items():
            offer.values.setdefault(name, cell_text(inner))
        if rest and self._whole is not None:
            offer.values.setdefault(self._whole, cell_text(rest))
        elif rest and self._nested is not None:
            self._nest(offer, {"attributes": rest})
        return not rest or self._whole is not None or self._nested is not None

    def _nest(self, offer: Offer, more: dict[str, Any]) -> None:
        assert self._nested is not None
        there = offer.values.get(self._nested)
        try:
            before = msgspec.json.decode(there) if there else {}
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
            return  # the column itself was sent, as something else than JSON: it holds the whole product
        if isinstance(before, dict):
            offer.values[self._nested] = cell_text(before | more)

    def _take_picture(self, offer: Offer, value: object) -> bool:
        if value is None or value == "":
            return True
        data = value if isinstance(value, bytes) else _from_base64(value)
        if "picture" in self.columns and (data is None or not self.pictures):  # the catalogue's own column
            offer.values["picture"] = None if isinstance(value, bytes) else cell_text(value)
            return True
        if not self.pictures:
            return False
        if data is None:
            told = "picture is the bytes of a picture file in base64; other text, or an address, is not read"
            offer.problem = "picture_encoding", told
        elif len(data) > self._limit:
            told = f"the picture has {len(data):,} bytes; up to {self._limit:,} are taken. Send it smaller"
            offer.note = "too_large", told
        elif not data:
            offer.note = "empty", "the picture is empty (0 bytes)"
        else:
            offer.picture = data
        return True

    def _take_address(self, offer: Offer, value: object) -> bool:
        """Take the address of a picture, and the column of the catalogue that is called the same."""
        own = "picture_url" in self.columns
        if own:
            offer.values["picture_url"] = cell_text(value)
        if self.pictures and value is not None and value != "":
            offer.address = value if isinstance(value, str) else str(value)[:_SHOWN]
        return own or self.pictures

    def _none_known(self, product: dict[str, Any]) -> str:
        sent = ", ".join(repr(str(name)[:_SHOWN]) for name in list(product)[:5])
        usual = [name for name in FIELDS if name in self._column_of or (name == "picture" and self.pictures)]
        return f"none of its fields is known to this model ({sent}); send some of {', '.join(usual)}"


def _opened(value: object) -> object:
    """An object that was sent as its JSON, as such."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        found: object = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return value
    return found


def _from_base64(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except (ValueError, binascii.Error):
        return None


def _kind(value: object) -> str:
    names_of = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "null" if value is None else names_of.get(type(value), "something else")
