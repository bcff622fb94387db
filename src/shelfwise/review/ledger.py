"""Where each product stands after all decisions: its state, who decided what, and how far everybody is."""

from __future__ import annotations

import datetime
import itertools
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.review.decisions import Row

OPEN, DECIDED, UNSURE, SKIPPED = range(4)
STATES = ("open", "decided", "unsure", "skipped")
"""Names of the states; a state's code is its place here."""

CHOOSING = frozenset({"accept", "keep", "move"})
_STATE = {"unsure": UNSURE, "skip": SKIPPED}
_PAUSE = 300.0  # seconds; longer gaps between decisions are no work
_PAIRS = 20
_QUICK = 0.02  # seconds; counting that takes longer is done at times only
_SHARE = 20.0


class Ledger:
    """The decisions by product.

    A product is where the last row that was not undone puts it, each reviewer's own rows apart; of several
    reviewers the latest counts. But who skips or is unsure takes back nobody else's choice.

    Attributes
    ----------
    state
        int8 [doubts], codes of `STATES`.
    choice
        For each decided doubt the row that counts.
    seq
        The last row that was taken in.

    """

    def __init__(self, doubts: int) -> None:
        self.state: NDArray[np.int8] = np.zeros(doubts, np.int8)
        self.choice: dict[int, Row] = {}
        self.seq = 0
        self._rows: dict[int, list[Row]] = {}
        self._undone: set[int] = set()
        self._standing: dict[int, dict[str, Row]] = {}
        self._log: list[tuple[int, int]] = []  # seq and doubt of every row
        self._told: tuple[int, dict[str, Any]] = (-1, {})
        self._counted_at = self._took = 0.0

    def take(self, rows: Iterable[tuple[int, Row]]) -> list[int]:
        """Take in rows, each with its doubt (-1: not among these doubts); return the doubts that changed."""
        touched: dict[int, None] = {}
        for doubt, row in rows:
            self.seq = max(self.seq, row.seq)
            if row.undoes is not None:
                self._undone.add(row.undoes)
            if doubt >= 0:
                self._rows.setdefault(doubt, []).append(row)
                self._log.append((row.seq, doubt))
                touched[doubt] = None
        for doubt in touched:
            self._settle(doubt)
        return list(touched)

    def _settle(self, doubt: int) -> None:
        standing: dict[str, Row] = {}
        for row in self._rows[doubt]:
            if row.undoes is None and row.seq not in self._undone:
                standing[row.who] = row
        self._standing[doubt] = standing
        ordered = sorted(standing.values(), key=lambda row: row.seq)
        choices = [row for row in ordered if row.action in CHOOSING]
        self.choice.pop(doubt, None)
        if choices:
            self.choice[doubt] = choices[-1]
            self.state[doubt] = DECIDED
        else:
            self.state[doubt] = _STATE[ordered[-1].action] if ordered else OPEN

    def changed_since(self, seq: int) -> list[int]:
        """Return the doubts of all rows above `seq`, each once."""
        start = bisect_right(self._log, (seq, len(self.state)))
        return list(dict.fromkeys(doubt for _, doubt in self._log[start:]))

    def history(self, doubt: int) -> list[dict[str, Any]]:
        """Return everything that was done to a product, oldest first, undone or not."""
        return [
            {
                "seq": row.seq, "at": row.at, "who": row.who, "action": row.action, "category": row.category,
                "undone": row.seq in self._undone,
            }
            for row in self._rows.get(doubt, [])
        ]  # fmt: skip

    def others(self, doubt: int, who: str) -> list[Row]:
        """Return what other reviewers have chosen for a product."""
        standing = self._standing.get(doubt, {})
        return [row for name, row in standing.items() if name != who and row.action in CHOOSING]

    def standing(self) -> list[tuple[int, Row]]:
        """Return each reviewer's last row for each product, in the order in which they were made."""
        rows = [(doubt, row) for doubt, by in self._standing.items() for row in by.values()]
        return sorted(rows, key=lambda pair: pair[1].seq)

    def progress(self) -> dict[str, Any]:
        """Return how far the work is, by action and by reviewer, and how often reviewers agree."""
        states = np.bincount(self.state, minlength=len(STATES)).tolist()
        counts = {"products": len(self.state), **dict(zip(STATES, states, strict=True))}
        # Where there is very much to count, people at work do not wait for the newest details.
        rested = time.monotonic() - self._counted_at > _SHARE * self._took
        if self._told[0] != self.seq and (self._took < _QUICK or rested):
            started = time.monotonic()
            self._told = (self.seq, self._count())
            self._counted_at = time.monotonic()
            self._took = self._counted_at - started
        return {**counts, **self._told[1]}

    def _count(self) -> dict[str, Any]:
        rows = [row for _, row in self.standing()]
        moved = Counter((r.before, r.category) for r in self.choice.values() if r.category != r.before)
        return {
            "by_action": dict(Counter(row.action for row in rows)),
            "by_reviewer": _by_reviewer(rows),
            "agreement": self._agreement(),
            "moved_pairs": [
                {"from": before, "to": after, "count": count}
                for (before, after), count in sorted(moved.items(), key=lambda pair: (-pair[1], pair[0]))[
                    :_PAIRS
                ]
            ],
        }

    def _agreement(self) -> dict[str, Any]:
        """Of the products that two or more have decided: how many they decided alike."""
        both = same = 0
        for standing in self._standing.values():
            chosen = [row.category for row in standing.values() if row.action in CHOOSING]
            if len(chosen) > 1:
                both += 1
                same += len(set(chosen)) == 1
        return {"both": both, "same": same, "share": round(same / both, 4) if both else None}


def _by_reviewer(rows: list[Row]) -> list[dict[str, Any]]:
    """Products and speed of each reviewer, the busiest first; pauses of five minutes do not count."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if row.action in CHOOSING:
            times.setdefault(row.who, []).append(_seconds(row.at))
    told = []
    for who, at in times.items():
        at.sort()
        worked = sum(gap for a, b in itertools.pairwise(at) if (gap := b - a) < _PAUSE)
        speed = round((len(at) - 1) * 3600 / worked) if worked > 1 else None
        told.append({"who": who, "decided": len(at), "per_hour": speed})
    return sorted(told, key=lambda one: (-one["decided"], one["who"]))


def _seconds(at: str) -> float:
    return datetime.datetime.fromisoformat(at).timestamp()
