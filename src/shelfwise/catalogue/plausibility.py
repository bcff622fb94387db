"""Whether a column's values can play the part that its name suggests, and what they play without a name."""

from __future__ import annotations

from shelfwise.catalogue import names
from shelfwise.catalogue.profiles import Profile

_LEAK = "an offer cluster: would give the answer away"


def plausible(role: str, name_score: float, p: Profile) -> bool:
    """Whether the values can play the role that the column's name suggests."""
    if role == "image":
        named = name_score > 1 and p.number < 0.5 and p.words < 3
        return named or max(p.image, p.url, p.picture) > 0.3 or p.is_nested
    if role == "url":
        return p.url > 0.3 or (name_score > 1 and p.values.str.contains("/", literal=True).mean() == 1)
    if role == "price":
        return p.number > 0.5
    if role == "group":
        return name_score > 0.5 and p.words < 2
    if role == "product_id":
        return p.uniqueness > 0.5 and p.words < 3 and p.length < 80 and not p.is_nested
    if role == "title":
        return p.is_text and (name_score > 0.5 or p.uniqueness > 0.3)
    if role == "description":
        return p.number < 0.5 and p.url < 0.5 and p.length >= 8 and not p.values.str.starts_with("{").any()
    if role == "shop":
        return not p.is_nested and p.url < 0.5 and p.length < 80
    return p.is_text


def image_like(p: Profile) -> float:
    """Return the share of values that are picture files or bytes of pictures; 0 if not above 0.8."""
    share = max(p.image, p.picture)
    return share if share > 0.8 else 0.0


def id_like(p: Profile) -> float:
    """Return 1 where every value is there, once, and a code, not a word, date or quantity; else 0."""
    unique = p.filled > 1 and p.uniqueness == 1 and p.filled == p.rows
    codes = unique and bool(p.values.str.contains(r"^[\w\-/:]{1,50}$").all())
    return 1.0 if codes and p.date < 0.5 and not _counts_something(p.name) else 0.0


def _counts_something(name: str) -> bool:
    """Whether a column's name speaks of a price or another number."""
    return names.match(name, "price") > 0 or bool(names.NUMBER_WORDS & set(names.normalise(name).split()))


def title_like(p: Profile) -> float:
    """Return how much a column looks like titles: texts of some words that seldom repeat; else 0."""
    if not p.is_text or p.separator or not 1.5 <= p.words <= 40 or p.uniqueness < 0.3:
        return 0.0
    return p.uniqueness / (1.0 + abs(p.length - 50) / 100)


def rest(p: Profile) -> tuple[str, str]:
    """Return the role of a column that nothing claimed, and why."""
    plain = set(names.normalise(p.name).split())
    if names.WORDS["group"] & plain or names.match(p.name, "group") > 1:
        return "ignored", _LEAK
    if p.picture > 0.5:
        return "ignored", "further pictures"
    if p.is_nested or names.match(p.name, "attributes") > 1:
        return "attributes", "values of the product, unfolded"
    if p.date > 0.5:
        return "ignored", "a date"
    if p.url > 0.5 or p.image > 0.5:
        return "ignored", "a further address"
    if plain & {"id", "ids", "ид"}:
        return "ignored", "another id"
    counts = _counts_something(p.name)
    if p.number > 0.8 or (counts and p.number > 0.3):
        whole = p.uniqueness > 0.98 and p.filled > 50 and bool(p.values.str.contains(r"^\d+$").all())
        unique = whole and not counts
        return ("ignored", "unique numbers") if unique else ("numbers", "numbers")
    if p.uniqueness > 0.95 and p.words <= 1.2 and p.filled > 20:
        return "ignored", "unique codes"
    if names.match(p.name, "product_id") > 1 and p.words <= 1.2:
        return "ignored", "another id"
    return "attributes", "values that repeat" if p.uniqueness < 0.5 else "further text"
