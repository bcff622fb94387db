"""`changes`: what is printed about an update and about two models."""

from __future__ import annotations

import io

from shelfwise.cli.changes import show_compared, show_update

CHANGE = {
    "products": 1_000, "of": 2_000, "held_out": True, "changed": 50, "share": 0.05, "promise": 0.95,
    "confidence": {"old": 0.8, "new": 0.81}, "accepted": {"old": None, "new": 0.345}, "scores": None,
    "moves": [{"old": "Boots", "new": "San\x1bdals", "products": 7}],
    "added": [f"c{number}" for number in range(12)], "gone": [],
    "learned": {"same": 900, "new": 0, "changed": 0, "moved": 3, "gone": 0},
}  # fmt: skip
SCORE = {"rows": 480, "accuracy": 0.7, "weighted_f1": 0.691, "macro_f1": 0.6}


def printed(show, told):
    from rich.console import Console

    out = io.StringIO()
    show(Console(file=out, width=120), told)
    return out.getvalue()


def test_nothing_is_said_of_a_model_that_started_from_nothing():
    assert printed(show_update, {}) == ""


def test_what_moved_is_counted_and_what_did_not_is_left_out():
    told = {
        "from": "0123456789abcdef", "same": 1_234, "new": 5, "changed": 0, "moved": 0, "gone": 2,
        "corrected": 3, "renamed": 1, "categories_added": ["Hats"], "categories_gone": [],
    }  # fmt: skip
    said = printed(show_update, told)

    assert "Started from the model 0123456789ab\n" in said
    assert "Products: 1,234 as it was, 5 new, 2 gone." in said
    assert "3 products put where people had put them." in said
    assert "1 product in categories that people had renamed." in said
    assert "New categories: Hats." in said


def test_two_models_side_by_side():
    said = printed(show_compared, CHANGE)

    assert "on 1,000 products that are held out, drawn from 2,000" in said
    assert "50 answers differ (5.00 %); mean confidence 80.0 %, now 81.0 %." in said
    assert "No scores" in said
    assert "refused" in said
    assert "c7 and 4 more." in said
    assert "Products learned: 900 as it was, 3 on another shelf." in said
    assert "\x1b" not in said
    assert "is not known" in printed(show_compared, CHANGE | {"learned": None})
    scored = printed(show_compared, CHANGE | {"scores": {"old": SCORE, "new": SCORE}})
    assert scored.count("69.10 %") == 2
