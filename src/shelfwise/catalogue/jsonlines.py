"""JSON lines, and JSON files that hold one list of objects; values become text, broken lines bad rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from shelfwise.catalogue.charset import open_binary
from shelfwise.catalogue.parts import KEEP, Part, Row, Rows
from shelfwise.errors import CatalogueError

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_BAD = object()
_WRAPPERS = frozenset(
    {"products", "items", "data", "results", "rows", "records", "offers", "catalogue", "catalog"}
)
"""Keys under which exports put the list of all products."""


def open_json(path: Path) -> Part:
    """Open a file of JSON objects: one a line, or one list (or an object that holds one list), also gzipped.

    Values become text as in CSV: numbers as written in JSON, nested values as JSON; `text.unfold` opens them
    again. A list is read whole into memory, lines in a stream.

    Raises:
        CatalogueError: nothing in the file is a JSON object.

    """
    whole = _whole(path)
    if whole is not None:
        names = _names(dict.fromkeys(key for item in whole if isinstance(item, dict) for key in item))
        return Rows(path, names, partial(_listed, whole, names), keep=False, unit="item")
    keys: dict[str, None] = {}
    objects = 0
    for _, item in _objects(path):
        if isinstance(item, dict):
            objects += 1
            keys.update(dict.fromkeys(item))
    if not objects:
        raise CatalogueError(f"{path}: holds no JSON object, neither one a line nor a list of them.")
    names = _names(keys)
    return Rows(path, names, partial(_read_rows, path, names), keep=path.stat().st_size <= KEEP)


def _names(keys: dict[str, None]) -> list[str]:
    return list(keys)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield lines in UTF-8 whatever mark the file starts with."""
    with open_binary(path) as file:
        mark = file.read(4)
        file.seek(0)
        if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
            with io.TextIOWrapper(file, "utf-16", errors="replace") as text:
                for line in text:
                    yield line.encode()
            return
        for i, raw in enumerate(file):
            yield raw.removeprefix(b"\xef\xbb\xbf") if i == 0 else raw


def _objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line, decoded value) of all lines that are not blank; `_BAD` where a line is no JSON."""
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            yield number, _try_decode(line)


def _try_decode(line: bytes) -> object:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass
    try:
        return _decode(line.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return _BAD


def _whole(path: Path) -> list[Any] | None:
    """Return the items of a file that is one JSON list, or an object around one; None for lines."""
    first = next((line.strip() for line in _lines(path) if line.strip()), b"")
    if first[:1] == b"{" and _try_decode(first) is not _BAD:
        single = _only_list(_try_decode(first))
        return single if single is not None and sum(1 for line in _lines(path) if line.strip()) == 1 else None
    if first[:1] not in (b"[", b"{"):
        return None
    found = _try_decode(b"".join(_lines(path)))
    if isinstance(found, list):
        return found
    return _only_list(found) if isinstance(found, dict) else None


def _only_list(found: object) -> list[Any] | None:
    """Return the one list of objects in an object such as ``{"products": [...]}``."""
    if not isinstance(found, dict):
        return None
    lists = [v for k, v in found.items() if str(k).lower() in _WRAPPERS and isinstance(v, list)]
    return lists[0] if len(lists) == 1 else None


def _listed(items: list[Any], names: list[str]) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        yield _row(number, item, names)


def _read_rows(path: Path, names: list[str]) -> Iterator[Row]:
    for number, item in _objects(path):
        yield _row(number, item, names)


def _row(number: int, item: object, names: list[str]) -> Row:
    if not isinstance(item, dict):
        return Row(number, None, "not JSON" if item is _BAD else "JSON, but no object")
    get = item.get
    return Row(number, [cell_text(get(name)) for name in names])


def cell_text(value: object) -> str | None:
    """Return a decoded JSON value as the text of a cell, None where there is nothing."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _encode(value).decode()
