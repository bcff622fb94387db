"""What an audit's evidence says of a small shop, as bytes, by whoever answers its folds."""

from __future__ import annotations

from dataclasses import fields

from audit_shop import plant, recipe, shop
from shelfwise.audit.claims import Claims
from shelfwise.audit.evidence import Answering, gather
from shelfwise.catalogue.read import open_source


def evidence(elsewhere=None, notify=None) -> dict[str, bytes]:
    """Everything that the evidence holds, by name."""
    catalogue = open_source(plant(shop(8), 2)[0])
    found = gather(catalogue, recipe(), 1, notify, Answering(elsewhere))
    told = {name: getattr(found, name).tobytes() for name in ("codes", "probabilities", "way")}
    for kind in ("given", "swapped"):
        claims = getattr(found, kind)
        told |= {f"{kind} {one.name}": getattr(claims, one.name).tobytes() for one in fields(Claims)}
    return told


def plain() -> dict[str, bytes]:
    """The same, answered by this process."""
    return evidence()


def check_same_answers(elsewhere, monkeypatch) -> None:
    """Folds that others answer come to what they come to in this process, to the bit."""
    monkeypatch.setattr("shelfwise.audit.evidence._STEADY", 10)

    assert evidence(elsewhere) == plain()
