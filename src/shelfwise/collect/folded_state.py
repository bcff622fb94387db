"""Folded state: what programs start from, written in other ways than as an object. Nothing is executed.

Nuxt 2 writes a function that returns an object and names values that come again as its parameters:
`window.__NUXT__=(function(a,b){return {name:a}}("Lamp",null))`. Next (app router) pushes lines of text, each
a number and JSON: `self.__next_f.push([1,"5:[...]"])`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from shelfwise.collect.jsonish import loosely, values

_FUNCTION = re.compile(r"\(\s{0,3}function\s{0,3}\(([\w$,\s]{0,60000})\)\s{0,3}\{")
_RETURN = re.compile(r"\breturn\s{0,3}(?=[{\[])")
_TOKENS = re.compile(
    r'"(?:[^"\\]|\\.)*"|' r"'(?:[^'\\]|\\.)*'|" r"`(?:[^`\\]|\\.)*`|" r"void\s0|-?[\w$.]+|\s+|.", re.DOTALL
)
_KEY = re.compile(r"[\w$]+$")
_ESCAPED = re.compile(r"\\(['`])")
_NAME = re.compile(r"[A-Za-z_$][\w$]*$")
_PUSHED = re.compile(r'__next_f\.push\(\s{0,3}\[\s{0,3}1\s{0,3},\s{0,3}(?=")')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LINE = re.compile(r"(?m)^[0-9a-f]{1,4}:(?=[\[{])")
_OPEN, _CLOSE = "([{", ")]}"
_LONGEST = 2_000_000
_PLAIN = frozenset(("true", "false", "null", "NaN", "Infinity", "new", "Date", "Map", "Set"))


def unfolded(text: str) -> Any:  # noqa: ANN401
    """The object that a function called on the spot returns, its parameters put in; None if it is none."""
    start = _FUNCTION.search(text)
    if start is None or len(text) > _LONGEST:
        return None
    back = _RETURN.search(text, start.end())
    if back is None:
        return None
    body, end = _balanced(text, back.end())
    call = re.compile(r"[\s;]{0,20}\}\s{0,20}\)?\s{0,20}(?=\()").match(text, end)
    if not body or call is None:
        return None
    called, _ = _balanced(text, call.end())
    names = [name.strip() for name in start.group(1).split(",") if name.strip()]
    given = _value("[" + "".join(_written(called[1:-1], {})) + "]") if called else None
    if names and not isinstance(given, list):
        return None
    known = {name: json.dumps(value) for name, value in zip(names, given or [], strict=False)}
    return _value("".join(_written(body, known)))


def _value(written: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(written, strict=False)
    except (ValueError, RecursionError):
        return loosely(written)


def _balanced(text: str, at: int) -> tuple[str, int]:
    """The bracket that opens at a place, to where it is closed, and that place; nothing if it never is."""
    deep = 0
    for token in _TOKENS.finditer(text, at):
        mark = token.group()
        if mark in _OPEN:
            deep += 1
        elif mark in _CLOSE:
            deep -= 1
            if deep == 0:
                return text[at : token.end()], token.end()
    return "", at


def _written(code: str, known: dict[str, str]) -> Iterator[str]:
    """The tokens of an object's notation as JSON, with names that stand for values replaced by them."""
    stack: list[str] = ["["]
    before = "["
    for found in _TOKENS.finditer(code):
        token = found.group()
        if token.isspace():
            continue
        if token in _OPEN:
            stack.append(token)
        elif token in _CLOSE and len(stack) > 1:
            stack.pop()
        value = (
            before == ":" or (before in "[," and stack[-1] == "[") or (before == "[" and token not in _CLOSE)
        )
        if token in ("void 0", "undefined"):
            yield "null"
        elif token in "01" and before == "!":
            yield "true" if token == "0" else "false"
        elif token[0] in "'`" and len(token) > 1:
            yield json.dumps(_ESCAPED.sub(r"\1", token[1:-1]))
        elif token == "!" or (not value and _KEY.match(token)):
            yield "" if token == "!" else json.dumps(token)
        elif value and _NAME.match(token) and token not in _PLAIN:
            yield known.get(token, "null")
        else:
            yield token
        before = token


def pushed(scripts: list[str]) -> Iterator[Any]:
    """The values in the lines that Next pushes, over all scripts of a page."""
    parts: list[str] = []
    length = 0
    for text in scripts:
        for place in _PUSHED.finditer(text):
            quoted = _STRING.match(text, place.end())
            if quoted is None or length > _LONGEST:
                continue
            length += len(quoted.group())
            try:
                parts.append(json.loads(quoted.group(), strict=False))
            except ValueError:
                continue
    whole = "".join(parts)
    decoder = json.JSONDecoder(strict=False)
    for line in _LINE.finditer(whole):
        try:
            yield decoder.raw_decode(whole, line.end())[0]
        except (ValueError, RecursionError):
            continue


def folded(scripts: list[str]) -> Iterator[Any]:
    """All values that the scripts of a page hold in these ways."""
    for text in scripts:
        if "__NUXT__" in text[:2_000] and "function" in text:
            value = unfolded(text)
            if value is not None:
                yield value
    if any("__next_f" in text for text in scripts):
        for value in pushed(scripts):
            yield value
            yield from _texts(value)


def _texts(value: object) -> Iterator[Any]:
    """Values that are themselves written as JSON in a line's member, as scripts of data are."""
    stack = [value]
    left = 20_000
    while stack and left > 0:
        left -= 1
        current = stack.pop()
        if isinstance(current, dict):
            inner = current.get("__html")
            if isinstance(inner, str) and inner[:1] in "{[":
                yield from values(inner)
            stack += [part for part in current.values() if isinstance(part, dict | list)]
        elif isinstance(current, list):
            stack += [part for part in current if isinstance(part, dict | list)]
