"""The doctor's page: one HTML file that needs nothing else, without any script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import KINDS, Finding
from shelfwise.audit.doctor.mapping import gain_of
from shelfwise.audit.sheet import check_sheet, render

_MOST = 200
"""Findings of a kind that are shown; the table has them all."""
_SHELVES = 12
_ABOUT = {
    "overlap": "The model mixes them up in both directions, whichever of the two a product stands on. What a "
    "merge gains was measured on products that were held out.",
    "dumping": "Most of what stands there belongs on other shelves, and on very many. The name decides "
    "nothing.",
    "unlearnable": "Products of these shelves are not found again when they are held out.",
    "two_groups": "Their products fall into two sets with far less in common than in the tree's other "
    "shelves.",
    "spelling": "The same shelf may have been made twice.",
    "same_name": "Whether the products tell them apart, or only the path.",
    "name": "Nobody can tell from the name what belongs there.",
    "chain": "A level without a choice decides nothing.",
}


def check_page() -> None:
    """Raise MissingExtraError where jinja2 is not installed, before any work."""
    check_sheet("the doctor's page")


def render_page(
    answers: Answers, findings: Sequence[Finding], merges: Mapping[str, str], title: str = "The tree's health"
) -> str:
    """Return the findings as one HTML text; everything that comes from the catalogue is escaped.

    `merges`: labels that change and what they become (see `mapping.safe_merges`), shown with their gain.

    Raises
    ------
    MissingExtraError
        jinja2 is not installed.

    """
    check_page()
    values = {
        "title": title,
        "lead": _lead(answers, findings),
        "sections": [_section(kind, findings) for kind in KINDS if any(one.kind == kind for one in findings)],
        "merges": list(merges.items()),
        "gain": gain_of(answers, dict(merges)) if merges else None,
    }
    return render("doctor", values)


def _lead(answers: Answers, findings: Sequence[Finding]) -> str:
    right = int(answers.right.sum())
    rows = max(len(answers.y), 1)
    ill = len({label for one in findings if one.kind not in ("chain", "same_name") for label in one.shelves})
    return (
        f"{len(answers.y):,} products on {answers.shelves:,} shelves: {100 * right / rows:.1f} % are "
        f"found again "
        f"when they are held out. There is something to say about {ill:,} of the shelves."
    )


def _section(kind: str, findings: Sequence[Finding]) -> dict[str, Any]:
    found = [one for one in findings if one.kind == kind]
    return {
        "id": kind,
        "name": KINDS[kind],
        "about": _ABOUT[kind],
        "count": len(found),
        "findings": [_shown(one) for one in found[:_MOST]],
        "more": max(len(found) - _MOST, 0),
    }


def _shown(one: Finding) -> dict[str, Any]:
    return {
        "says": one.says,
        "advice": one.advice,
        "products": one.products,
        "gain": one.gain,
        "safe": bool(one.merge_into),
        "examples": one.examples,
        "shelves": one.shelves[:_SHELVES] if len(one.shelves) > 2 else (),
        "more": max(len(one.shelves) - _SHELVES, 0),
    }
