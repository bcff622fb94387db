"""The map of the doubts as bytes for the graphics card: places and colours, and what the colours mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.review.desk import Desk
from shelfwise.review.ledger import STATES

NAMES = 64
"""Colours of categories; what has fewer points is "other"."""

NOWHERE = "no shelf"
"""Name of the colour of products that neither have a shelf nor are suggested one."""

SCALE = 1000
"""Steps of the doubt from 0 to 1."""


def points(desk: Desk, colour: str) -> bytes:
    """Return uint32 n, float32 x [n], float32 y [n] and uint16 colour [n], little-endian, by number of doubt.

    A doubt without a place has NaN. ValueError for a colour that there is not.
    """
    codes, _ = _colours(desk, colour)
    doubts = desk.doubts
    parts = (
        np.array([len(doubts.x)], "<u4"), doubts.x.astype("<f4"), doubts.y.astype("<f4"), codes.astype("<u2")
    )  # fmt: skip
    return b"".join(part.tobytes() for part in parts)


def legend(desk: Desk, colour: str) -> dict[str, Any]:
    """Return the names behind the colours, or the ends of the scale. ValueError: there is no such colour."""
    codes, names = _colours(desk, colour)
    if colour == "doubt":
        return {"kind": "scale", "names": ["0", "1"], "largest": SCALE}
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return {"kind": "category", "names": names, "counts": counts}


def _colours(desk: Desk, colour: str) -> tuple[NDArray[np.int64], list[str]]:
    if colour == "doubt" and desk.doubts.audit.judged:
        now, _ = desk.current()
        return np.rint(now * SCALE).astype(np.int64), []
    if colour == "kind":
        return desk.doubts.kind.astype(np.int64), list(desk.doubts.kinds)
    if colour == "decision":
        return desk.ledger.state.astype(np.int64), list(STATES)
    level = colour.removeprefix("level")
    if colour.startswith("level") and level.isdecimal() and 1 <= int(level) <= desk.shelves.depth:
        return _by_level(desk, int(level))
    raise ValueError(
        f"colour is level1 to level{desk.shelves.depth}, doubt, kind or decision; got {colour!r}"
    )


def _by_level(desk: Desk, level: int) -> tuple[NDArray[np.int64], list[str]]:
    """The nodes of a level by number of doubts, the smallest of them together as "other".

    A product without a shelf counts where it is suggested.
    """
    names, node_of = desk.shelves.at_level(level)
    names, node_of = [*names, NOWHERE], np.append(node_of, len(names))  # the last for -1: no shelf
    nodes = node_of[np.where(desk.given < 0, desk.suggested, desk.given)]
    counts = np.bincount(nodes, minlength=len(names))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda node: (-counts[node], names[node]))
    shown = order[:NAMES]
    code = np.full(len(names), len(shown), np.int64)
    code[shown] = np.arange(len(shown))
    listed = [names[node] for node in shown]
    return code[nodes], listed if len(order) <= NAMES else [*listed, "other"]
