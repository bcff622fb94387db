"""JSON as shops write it: broken, commented, escaped, several values in a row, or JavaScript."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import chompjs

_LONGEST = 4_000_000  # characters; longer scripts are programs, not data
_WRAPPING = re.compile(r"^\s*(?://)?\s*(?:<!--|<!\[CDATA\[)|(?://)?\s*(?:-->|\]\]>)\s*;?\s*$")
_CONTROLS = re.compile(r"[\x00-\x1f]")
_IN_LINES = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all of them but the end of a line, at which a comment ends
_DECODER = json.JSONDecoder(strict=False)
_START = re.compile(r"[\[{]")


def values(text: str) -> list[Any]:
    """All objects and lists that a script of data holds; empty where nothing can be made of it."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return []
    text = _WRAPPING.sub("", _WRAPPING.sub("", text)).strip().rstrip(";,")
    try:
        return [_DECODER.decode(text)]
    except (ValueError, RecursionError):
        pass
    found = _in_a_row(text)
    if found:
        return found
    if "&quot;" in text:
        unescaped = values(html.unescape(text))
        if unescaped:
            return unescaped
    loose = loosely(text)
    return [] if loose is None else [loose]


def _in_a_row(text: str) -> list[Any]:
    """Values that follow one another with only commas, semicolons and spaces between them."""
    found: list[Any] = []
    at = 0
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,;"))
        if len(found) > 100:
            break
    return found


def loosely(text: str) -> Any:  # noqa: ANN401
    """The first object or list in text that is only nearly JSON (JavaScript), or None."""
    start = _START.search(text)
    if not start or len(text) > _LONGEST:
        return None
    text = text[start.start() :]
    for unwanted in (_IN_LINES, _CONTROLS):  # the second for texts that go over several lines
        try:
            value: Any = chompjs.parse_js_object(unwanted.sub(" ", text))
        except (ValueError, RecursionError, OverflowError):
            continue
        return value if isinstance(value, dict | list) and value else None
    return None


def first_value(text: str, at: int) -> Any:  # noqa: ANN401
    """The object or list that starts at a place of a program.

    JavaScript notation allowed; None if neither.
    """
    try:
        return _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        pass
    return loosely(text[at : at + _LONGEST])
