"""Text of products: HTML taken out, nested attributes unfolded into ``name=value`` items, no more.

Cleaning stops early on purpose: case, numbers, stop words, endings and punctuation all carry signal for
categories. Text is brought to Unicode NFC (an accent is one character, however it was typed) and not to NFKC,
which would turn ``m²`` into ``m2``, ``½`` into ``1⁄2`` and ``™`` into ``TM``.
"""

from __future__ import annotations

import ast
import contextlib
import html
import re
import warnings
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import polars as pl
from selectolax.lexbor import LexborHTMLParser

CAP = 50_000
"""Characters of a text that are kept after cleaning: a longer one is a paste accident."""

RAW_CAP = 2_000_000
"""Characters of a raw value that are looked at at all: bounds the parser's work on hostile input."""

_BLANK = (
    r"[\s\x00-\x1f\x7f-\x9f\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb]+"
)
"""White space, C0 and C1 controls, zero-width characters, direction and variation marks, byte-order marks."""

_ODD = rf"[{_BLANK[:-1]}--\x20]|\x20\x20"
"""What folding would change: a blank that is no space, or two of them."""

_MAY_CHANGE = r"[^\x00-\u02ff]"
"""Below U+0300, where the combining marks begin, every text is in normal form C."""

_TAGS = (
    "a|abbr|address|article|aside|b|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|"
    "details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|"
    "ins|kbd|label|legend|li|link|main|mark|meta|nav|noscript|object|ol|option|p|pre|q|s|samp|script|section|"
    "select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead|"
    "title|tr|tt|u|ul|var|video"
)
_INLINE = (
    "a|abbr|b|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var"
)
_HTML = rf"(?is)</?(?:{_TAGS})(?:[\s/][^>]*)?>|<!--|<!doctype|<!\[CDATA\["
ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
"""A character reference of HTML, such as ``&amp;``."""

_IS_HTML = re.compile(_HTML)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|$)", re.S)
_BLOCK = re.compile(rf"<(?=/?(?!(?:{_INLINE})[\s/>])[a-zA-Z])", re.I)
_SILENT = ("script", "style", "template", "noscript", "iframe", "object", "svg", "head > title")


def strip_html(series: pl.Series, cap: int = CAP) -> pl.Series:
    """Return the text of each value without mark-up, white space folded, at most `cap` characters.

    Tags go, entities are decoded, block tags become spaces, inline tags join (``wa<b>ter</b>`` is one word),
    the contents of script and style go, control and zero-width characters become spaces. Only values that
    hold a known HTML tag or an entity meet the parser, each distinct one once; ``a < b``, ``<3`` and ``R&D``
    stay as they are. Text that was escaped twice is opened as often as that (three times at most).

    Args:
        series: String values, null allowed; other types are cast.
        cap: the longest result in characters.

    Returns:
        String series of the same length and name; null stays null.

    """
    text = series.cast(pl.String, strict=False)
    if text.len() == text.null_count():
        return text
    for _ in range(3):
        marked = (text.str.contains("[<&]") & text.str.contains(f"{_HTML}|{ENTITY}")).fill_null(False)
        if not marked.any():
            break
        text = _replace_where(text, marked)
    if text.str.contains("\u00ad", literal=True).any():
        text = text.str.replace_all("\u00ad", "", literal=True)
    text = _fold(text)
    if (text.str.len_bytes() > cap).any():
        text = text.str.slice(0, cap)
    return text


def _fold(text: pl.Series) -> pl.Series:
    """Fold white space, normalise to NFC, and defuse a script tag that is left (``<script`` without end)."""
    odd = text.str.contains(_ODD).fill_null(False)
    if odd.any():  # few texts have more to fold than a search finds in a fifth of the time
        places = odd.arg_true()
        text = text.scatter(places, text.gather(places).str.replace_all(_BLANK, " "))
    text = text.str.strip_chars(" ")
    composed = text.str.contains(_MAY_CHANGE).fill_null(False)
    if composed.any():
        places = composed.arg_true()
        text = text.scatter(places, text.gather(places).str.normalize("NFC"))
    if text.str.contains("<", literal=True).any():
        text = text.str.replace_all(r"(?i)<(/?script)", "< $1")
    return text


def _replace_where(text: pl.Series, marked: pl.Series) -> pl.Series:
    """Run the parser over the distinct marked values and put the results in their places."""
    distinct = text.filter(marked).unique(maintain_order=True)
    parsed = pl.Series([_parse(value) for value in distinct.to_list()], dtype=pl.String)
    places = marked.arg_true()
    table = pl.DataFrame({"raw": distinct, "parsed": parsed})
    found = pl.DataFrame({"raw": text.gather(places)}).join(
        table, on="raw", how="left", maintain_order="left"
    )
    return text.scatter(places, found["parsed"])


def _parse(value: str) -> str:
    """Return the text of one HTML value."""
    value = value[:RAW_CAP]
    if not _IS_HTML.search(value):
        return html.unescape(value)
    value = _CDATA.sub(r"\1", value)
    tree = LexborHTMLParser(_BLOCK.sub(" <", value))
    tree.strip_tags(list(_SILENT))
    root = tree.body or tree.root
    return "" if root is None else root.text(deep=True, separator="", strip=False)


# Nested attributes
# -----------------------------------------------------------------------------------------------

_LITERAL_CAP = 200_000
_DEPTH = 8
_ITEMS = 2_000
_NAME_KEYS = ("name", "key", "title", "attribute", "label", "attribute_name", "property")
_VALUE_KEYS = ("value", "values", "val", "attribute_value", "content")
_PAIR = re.compile(r"^\s*([^:=\n]{1,60}?)\s*[:=]\s*(?!//)(\S.*)$", re.S)
_decode = msgspec.json.Decoder().decode


def unfold(series: pl.Series, name: str = "") -> pl.Series:
    """Return nested values as ``name=value`` items, one a line.

    A value may be a JSON object or list as text, a Python literal as text (read with `ast.literal_eval`,
    never run), a list of ``"Colour: white"`` strings, a dictionary of lists, a polars Struct or List, or a
    plain scalar. Nested dictionaries flatten to ``outer.inner=value``, and lists of objects with a name and a
    value become pairs. What is none of these is kept as plain text. HTML inside the values is stripped.

    Args:
        series: any type, null allowed.
        name: put before plain values, as in ``colour=red``; empty: they stay bare.

    Returns:
        String series of the same length; "" where there was nothing.

    """
    if isinstance(series.dtype, pl.Struct | pl.List | pl.Array):
        nested = [_flat(name if isinstance(v, list) else "", v) for v in series.to_list()]
        return _join(nested, pl.Series(range(len(nested)), dtype=pl.UInt32)).alias(series.name)
    text = series.cast(pl.String, strict=False).fill_null("")
    distinct = text.unique(maintain_order=True)
    items = [items_of(value, name) for value in distinct.to_list()]
    codes = pl.DataFrame({"v": text}).join(
        pl.DataFrame({"v": distinct}).with_row_index("code"), on="v", how="left", maintain_order="left"
    )["code"]
    return _join(items, codes).alias(series.name)


def _join(items: list[list[str]], codes: pl.Series) -> pl.Series:
    """Strip HTML from all items at once, join each row's with newlines; row i is ``items[codes[i]]``."""
    owner = np.repeat(np.arange(len(items), dtype=np.uint32), [len(row) for row in items])
    flat = strip_html(pl.Series("item", list(chain.from_iterable(items)), dtype=pl.String))
    clean = pl.DataFrame({"code": owner, "item": flat}).filter(pl.col("item") != "")
    joined = clean.group_by("code", maintain_order=True).agg(pl.col("item").str.join("\n"))
    whole = pl.DataFrame({"code": codes}).join(joined, on="code", how="left", maintain_order="left")
    return whole["item"].fill_null("")


def items_of(value: str, name: str) -> list[str]:
    """Return the items of one text value, see `unfold`; mark-up in them is still there."""
    value = value.strip()
    if not value:
        return []
    if value[0] in "{[":
        found = read_nested(value)
        if isinstance(found, dict | list):
            return _flat(name if isinstance(found, list) else "", found)
    for mark in ("\n", ";", "|"):
        parts = [part for part in value.split(mark) if part.strip()]
        if len(parts) > 1 and all(_PAIR.match(part) for part in parts[:_ITEMS]):
            return [_pair(part) for part in parts[:_ITEMS]]
    if name:
        return [f"{name}={value}"]
    return [_pair(value)] if len(value) < 200 else [value]


def read_nested(value: str) -> object:
    """Return the object in a JSON or Python-literal text, else None. Nothing is ever executed."""
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass
    if len(value) > _LITERAL_CAP:
        return None
    if '"' not in value and "\\" not in value:
        # repr() turns to double quotes only for apostrophes, so here every single quote is a delimiter.
        try:
            return _decode(value.replace("'", '"'))
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _flat(name: str, value: object) -> list[str]:
    """Return the items of a decoded value; plain values of a list come under `name` where there is one."""
    items: list[str] = []
    with contextlib.suppress(ValueError):  # an integer of more digits than Python prints
        _flatten(name, value, _DEPTH, items)
    return items


def _flatten(name: str, value: object, depth: int, items: list[str]) -> None:
    """Add the items of a value to `items`; `name` is the path so far, `depth` how deep it may go yet."""
    if isinstance(value, str):
        if value:
            items.append(f"{name}={value}" if name else _pair(value))
    elif value is None or depth < 0 or len(items) >= _ITEMS:
        return
    elif isinstance(value, dict):
        pair = _named_pair(value) if 2 <= len(value) <= 4 else None
        entries = value.items() if pair is None else (pair,)
        for key, inner in entries:
            if type(inner) is str and not name:
                items.append(f"{key}={inner}" if key and inner else inner)
            else:
                _flatten(f"{name}.{key}" if name and key else name or str(key), inner, depth - 1, items)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in sorted(value, key=str) if isinstance(value, set | frozenset) else value:
            _flatten(name, inner, depth - 1, items)
    else:
        text = _scalar(value)
        if text:
            items.append(f"{name}={text}" if name else text)


def _named_pair(value: dict[Any, Any]) -> tuple[str, Any] | None:
    """Return (name, value) of ``{"name": "Colour", "value": "red"}`` and its like, else None."""
    lower = {str(key).lower(): inner for key, inner in value.items()}
    key = next((k for k in _NAME_KEYS if isinstance(lower.get(k), str)), None)
    inner = next((k for k in _VALUE_KEYS if k in lower), None)
    return None if key is None or inner is None else (lower[key], lower[inner])


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (
            ""
            if value != value
            else str(int(value))
            if value.is_integer() and abs(value) < 1e15
            else repr(value)
        )
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value).strip()


def _pair(text: str) -> str:
    """Return ``Colour: white`` as ``Colour=white``; other text as it is."""
    found = _PAIR.match(text)
    return f"{found[1]}={found[2].strip()}" if found else text.strip()
