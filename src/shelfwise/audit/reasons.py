"""Reasons in words: why a product's label is doubted, for the person who has to decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Claims, Codes, Floats
from shelfwise.audit.nearest import Nearest
from shelfwise.catalogue.taxonomy import Taxonomy

_NAMES = {
    "ngrams": "the spelling of its text",
    "words": "its words",
    "neighbours": "the products most like it",
    "encoder": "the meaning of its text",
    "pictures": "its picture",
    "pixels": "the colours and shapes of its picture",
    "table": "its numbers",
}
_PICTURES = ("pictures", "pixels")
_SURE = 0.5  # a view has an opinion from here on
_TWIN = 3  # near-duplicates that are named


@dataclass(frozen=True)
class Facts:
    """What reasons are made of, each by product.

    claims: those of the given labels. suggested: codes. kinds: see `kinds`. near: neighbours on the given and
    on the suggested shelf. groups: of near-duplicates. views: names of the claims' columns. titles: of the
    products. candidates, probabilities: the most probable categories, [products, k].
    """

    taxonomy: Taxonomy
    claims: Claims
    suggested: Codes
    kinds: NDArray[np.str_]
    near: tuple[Nearest, Nearest]
    groups: NDArray[np.int64]
    views: tuple[str, ...]
    titles: list[str]
    candidates: Codes
    probabilities: Floats


def reasons_of(facts: Facts, row: int, twins: list[int]) -> list[str]:
    """Sentences about one product; `twins`: rows of its near-duplicates on other shelves."""
    told = [_mix(facts, row)]
    if twins:
        told.insert(0, _twins(facts, twins))
    if facts.claims.known[row] == 0:
        told.append(
            "It is alone on its shelf, but for near-duplicates: there is nothing to compare it with there."
        )
    told += _levels(facts, row)
    told += _views(facts, row)
    told += _company(facts, row)
    if facts.kinds[row] == "outlier":
        told.append("It is unlike the products of both shelves, and no shelf fits it well.")
    return told


def _name(facts: Facts, code: int) -> str:
    return (facts.taxonomy.separator or " > ").join(facts.taxonomy.paths[code])


def _mix(facts: Facts, row: int) -> str:
    given, suggested = int(facts.claims.code[row]), int(facts.suggested[row])
    listed = facts.candidates[row].tolist()
    p = float(facts.probabilities[row][listed.index(suggested)]) if suggested in listed else 0.0
    own = percent(float(facts.claims.p[row]))
    return (
        f"Judged by all other products it fits {_name(facts, suggested)!r} with {percent(p)} "
        f"and its own shelf {_name(facts, given)!r} with {own}."
    )


def _twins(facts: Facts, twins: list[int]) -> str:
    shelves = sorted({_name(facts, int(facts.claims.code[twin])) for twin in twins})
    named = ", ".join(repr(name) for name in shelves[:_TWIN])
    count = "A near-duplicate lies" if len(twins) == 1 else f"{len(twins)} near-duplicates lie"
    return f"{count} on {named}."


def _levels(facts: Facts, row: int) -> list[str]:
    """The highest level at which the two shelves part, where that is above the last."""
    given, suggested = (
        facts.taxonomy.paths[code] for code in (int(facts.claims.code[row]), int(facts.suggested[row]))
    )
    if given[0] != suggested[0] and facts.taxonomy.depth > 1:
        return [f"Even the department differs: {suggested[0]!r} instead of {given[0]!r}."]
    return []


def _views(facts: Facts, row: int) -> list[str]:
    """Which kinds of evidence speak against the given shelf, and whether text and picture agree."""
    against: list[str] = []
    backing: list[str] = []
    for place, name in enumerate(facts.views):
        own, best = (float(part[row, place]) for part in (facts.claims.views, facts.claims.view_best))
        if np.isnan(own) or best < _SURE:
            continue
        (backing if own >= best else against).append(name)
    told = []
    if against:
        told.append(f"Against its shelf speak {_listed(against)}.")
    if backing and against:
        told.append(f"For its shelf speak {_listed(backing)}.")
    text = {name not in _PICTURES for name in backing}, {name not in _PICTURES for name in against}
    if text[0] and text[1] and text[0] != text[1] and len(text[0]) == len(text[1]) == 1:
        told.append("Text and picture contradict each other.")
    return told


def _company(facts: Facts, row: int) -> list[str]:
    given, suggested = facts.near
    there, here = float(suggested.cosine[row, 0]), float(given.cosine[row, 0])
    if suggested.rows[row, 0] >= 0 and round(there, 2) > round(here, 2):
        title = facts.titles[int(suggested.rows[row, 0])]
        if given.rows[row, 0] < 0:
            return [f"Like it on the suggested shelf is {title[:80]!r} ({there:.2f}); on its own nothing is."]
        return [
            f"The product most like it on the suggested shelf, {title[:80]!r}, is closer ({there:.2f}) than "
            f"any on its own ({here:.2f})."
        ]
    return []


def _listed(names: list[str]) -> str:
    words = [_NAMES.get(name, name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def percent(share: float) -> str:
    """A share as a person reads it, such as 41 % or less than 0.1 %."""
    if share < 0.001:
        return "less than 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
