"""Wording: text as people read it, and how alike two texts are."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

_LONGEST = 100_000  # characters; nothing of a product is longer
_TAGS = re.compile(r"<(?:/?[a-zA-Z][^<>]{0,2000}|!--[^<>]{0,2000}--)>")
_BREAKS = re.compile(r"<(?:br|/p|/div|/li|/h\d|/tr)\b[^<>]{0,200}>", re.IGNORECASE)
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\ufffc]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_PATTERNS, _MOST_NAMES = 256, 2048
_NOTHING: dict[str, bool] = {}
_KNOWN: dict[int, tuple[re.Pattern[str], dict[str, bool]]] = {}
"""By pattern: in which names it occurs."""
_WORD = re.compile(r"[^\W_]+")
# Scripts that put no spaces between words: every character counts as one.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def clean(text: object) -> str:
    """One line of plain text: entities read (also those escaped twice), tags and unseen characters gone."""
    if not isinstance(text, str):
        return str(text) if isinstance(text, int | float) and not isinstance(text, bool) else ""
    text = text[:_LONGEST]
    for _ in range(3):
        if "&" not in text:
            break
        text = html.unescape(text)
    if "<" in text:
        text = _TAGS.sub("", _BREAKS.sub(" ", text))
    if not text.isascii():
        text = _UNSEEN.sub("", text)
    return " ".join(_CONTROLS.sub(" ", text).split())


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Text for comparison: case, marks of width, punctuation and spaces do not matter."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


@lru_cache(maxsize=4096)
def tokens(text: str) -> frozenset[str]:
    """The words of a text, folded; in scripts without spaces its characters."""
    found: set[str] = set()
    for word in fold(text).split():
        if _UNSPACED.search(word):
            found.update(word)
        else:
            found.add(word)
    return frozenset(found)


def marked(pattern: re.Pattern[str], marks: str) -> bool:
    """Whether a pattern occurs in an element's names. The same names come again and again on a page."""
    named, known = _KNOWN.get(id(pattern), (None, _NOTHING))
    if named is not pattern:  # by its id, as a pattern's hash is computed from all of it each time
        if len(_KNOWN) >= _MOST_PATTERNS:
            _KNOWN.clear()
        named, known = _KNOWN[id(pattern)] = (pattern, {})
    told = known.get(marks)
    if told is None:
        if len(known) >= _MOST_NAMES:
            known.clear()
        told = known[marks] = pattern.search(marks) is not None
    return told


def alike(one: str, other: str) -> float:
    """How alike two texts are: shared words by the words of the longer one, 0 to 1."""
    first, second = tokens(one), tokens(other)
    if not first or not second:
        return 0.0
    return len(first & second) / max(len(first), len(second))


def within(inner: str, outer: str) -> float:
    """Which share of the words of one text occurs in the other, 0 to 1."""
    words = tokens(inner)
    return len(words & tokens(outer)) / len(words) if words else 0.0


def same(one: str, other: str) -> bool:
    """Whether two texts are the same but for case, punctuation and spaces."""
    folded = fold(one).replace(" ", "")
    return bool(folded) and folded == fold(other).replace(" ", "")
