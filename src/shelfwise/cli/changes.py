"""What is said about an update, and about two models beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shelfwise.cli.tables import count, heading, lines, percent, table

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 8


def show_update(console: Console, told: Mapping[str, Any]) -> None:
    """How far the catalogue has moved since the model that was started from, and its answers with it."""
    if "from" not in told:
        return
    heading(console, f"Started from the model {told['from'][:12]}")
    lines(console, [f"Products: {_seen(told)}."])
    if told.get("corrected"):
        lines(console, [f"{count(told['corrected'], 'product')} put where people had put them."])
    if told.get("renamed"):
        lines(console, [f"{count(told['renamed'], 'product')} in categories that people had renamed."])
    if "change" in told:
        show_compared(console, {**told["change"], "learned": {}})  # that is told already
    else:
        _show_categories(console, told["categories_added"], told["categories_gone"])


def show_compared(console: Console, told: Mapping[str, Any]) -> None:
    """Which answers differ, how sure both models are, and how good."""
    asked = count(told["products"], "product")
    kind = " that are held out" if told["held_out"] else ""
    drawn = f", drawn from {told['of']:,}" if told["of"] > told["products"] else ""
    heading(console, f"Against the other model, on {asked}{kind}{drawn}")
    confidence = told["confidence"]
    lines(
        console,
        [
            f"{told['changed']:,} answers differ ({percent(told['share'], 2)}); mean confidence "
            f"{percent(confidence['old'])}, now {percent(confidence['new'])}."
        ],
    )
    rows = [(f"{name} model", *_row(told, name)) for name in ("old", "new")]
    columns = [">accuracy", ">weighted F1", ">macro F1"] if told["scores"] else []
    table(console, ["", *columns, f">accepted at {100 * told['promise']:g} %"], rows)
    if not told["scores"]:
        lines(console, ["No scores: no products with a category are held out (--split)."])
    if told["learned"] is None:
        lines(console, ["Which products both learned is not known: they keep too little, or read others."])
    elif told["learned"]:
        lines(console, [f"Products learned: {_seen(told['learned'])}."])
    if told["moves"]:
        moves = [(f"{move['products']:,}", move["old"], move["new"]) for move in told["moves"][:_SHOWN]]
        table(console, [">products", "was", "is"], moves)
    _show_categories(console, told["added"], told["gone"])


def _seen(told: Mapping[str, Any]) -> str:
    kinds = {
        "same": "as it was", "new": "new", "changed": "with another text or picture",
        "moved": "on another shelf", "gone": "gone",
    }  # fmt: skip
    return ", ".join(f"{told[name]:,} {said}" for name, said in kinds.items() if told[name])


def _row(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    scores = told["scores"][name] if told["scores"] else {}
    shown = [percent(scores[key], 2) for key in ("accuracy", "weighted_f1", "macro_f1") if key in scores]
    accepted = told["accepted"][name]
    return (*shown, "refused" if accepted is None else percent(accepted))


def _show_categories(console: Console, added: list[str], gone: list[str]) -> None:
    for said, names in (("New categories", added), ("Categories that are gone", gone)):
        if names:
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            lines(console, [f"{said}: {', '.join(names[:_SHOWN])}{more}."])
