"""What the page may send: the bodies of requests, checked by type, and the reviewer's name."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import msgspec

from shelfwise.review.decisions import ACTIONS
from shelfwise.review.desk import RefusedError, Wish
from shelfwise.review.filters import Filter, FilterError

REVIEWER = "reviewer"
"""Who decides, where the page says no name."""

MOST = 200
"""Lines of a list, or shelves, that one answer holds."""

_NAME = 60  # characters of a reviewer's name

_Key = Annotated[str, msgspec.Meta(min_length=8, max_length=100)]
_Category = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class One(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product's decision."""

    id: _Number
    action: str
    category: _Category | None = None
    new: bool = False

    def wish(self) -> Wish:
        """Return it for the desk; RefusedError where the action or its category does not fit."""
        _check_action(self.action, self.category)
        return Wish(self.id, self.action, self.category, self.new)


class DecisionsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/decisions."""

    key: _Key
    items: Annotated[list[One], msgspec.Meta(min_length=1)]


class BulkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/bulk."""

    key: _Key
    filter: Filter
    action: str
    expect: _Number
    category: _Category | None = None
    new: bool = False

    def check(self) -> None:
        """Raise RefusedError where the action or its category does not fit."""
        _check_action(self.action, self.category)


class UndoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/undo."""

    key: _Key


class SelectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/selections."""

    ids: list[int]


class ShelfBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/shelves."""

    category: _Category


_T = TypeVar("_T")


def read_body(data: bytes, kind: type[_T]) -> _T:
    """Return a body by type; RefusedError says what is wrong in it."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("body", f"The request cannot be understood: {error}", 400) from error


def read_filter(query: dict[str, str]) -> Filter:
    """Return the filter in a query; what it does not name is open."""
    values: dict[str, Any] = {name: query[name] for name in Filter.__struct_fields__ if query.get(name)}
    for name in ("least", "most"):
        if name in values:
            values[name] = _number(name, values[name])
    try:
        return Filter(**values)
    except FilterError as error:
        raise RefusedError("query", str(error), 400) from error


def read_whole(query: dict[str, str], name: str, otherwise: int, most: int) -> int:
    """Return a whole number of a query, at most `most`; RefusedError for anything else."""
    text = query.get(name) or str(otherwise)
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise RefusedError("query", f"{name} is a whole number; got {text[:40]!r}", 400)
    return min(int(text), most)


def reviewer(header: str | None) -> str:
    """Return the reviewer's name from its header: percent-encoded UTF-8, one line of up to 60 signs."""
    name = unquote(header or "", errors="replace")
    name = " ".join("".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in name).split())
    return name[:_NAME].strip() or REVIEWER


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise RefusedError("query", f"{name} is a number between 0 and 1; got {text[:40]!r}", 400) from error


def _check_action(action: str, category: str | None) -> None:
    if action not in ACTIONS:
        raise RefusedError("action", f"What can be decided: {', '.join(ACTIONS)}; got {action[:40]!r}", 400)
    if (category is not None) != (action == "move"):
        told = "names the shelf to move to" if action == "move" else "takes no category"
        raise RefusedError("action", f"The action {action} {told}.", 400)
