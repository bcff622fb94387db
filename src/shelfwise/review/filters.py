"""Which doubts a list shows, and in what order: a few array operations, fast for a million doubts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.review.ledger import STATES
from shelfwise.review.shelves import Shelves, fold

ROLES = ("given", "suggested", "either")
"""Which of a doubt's shelves a filter by shelf looks at."""


class FilterError(ValueError):
    """A filter has a value that it cannot have; the message says which."""


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a list is narrowed to, as the page asks for it; "" leaves open.

    kind: of the doubt. shelf: a category or the beginning of a path; role: which shelf that is. seller: by
    name. least, most: of the doubt as it is now. state: one of `STATES`, or "all". text: words that title,
    brand or id hold, all of them. selection: doubts that were picked on the map.
    """

    kind: str = ""
    shelf: str = ""
    role: str = "either"
    seller: str = ""
    least: float = 0.0
    most: float = 1.0
    state: str = "open"
    text: str = ""
    selection: str = ""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise FilterError(f"role is one of {', '.join(ROLES)}; got {self.role!r}")
        if self.state not in (*STATES, "all"):
            raise FilterError(f"state is one of {', '.join(STATES)} or all; got {self.state!r}")
        if not (0 <= self.least <= 1 and 0 <= self.most <= 1):
            raise FilterError("least and most are between 0 and 1")


@dataclass(frozen=True)
class Columns:
    """What filters look at, [n] each: codes of given, suggested (-1: none), kind, seller, and folded text."""

    given: NDArray[np.int32]
    suggested: NDArray[np.int32]
    kind: NDArray[np.int16]
    kinds: tuple[str, ...]
    seller: NDArray[np.int32]
    sellers: tuple[str, ...]
    text: pl.Series


def searchable(parts: Sequence[pl.Series]) -> pl.Series:
    """Join columns of text into one that `chosen` searches: without case and accents."""
    joined = pl.select(pl.concat_str(list(parts), separator="\n", ignore_nulls=True)).to_series()
    return pl.Series("text", [fold(text) for text in joined.to_list()], dtype=pl.String)


def chosen(
    columns: Columns,
    shelves: Shelves,
    asked: Filter,
    now: tuple[NDArray[np.float64], NDArray[np.int8]],
    selected: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Return which doubts [n] a filter lets through.

    `now`: the doubts float64 [n] as they are now, and the states int8 [n]. `selected`: numbers of the doubts
    of `asked.selection`.
    """
    doubt, state = now
    keep = (doubt >= asked.least) & (doubt <= asked.most)
    if asked.state != "all":
        keep &= state == STATES.index(asked.state)
    if asked.kind:
        keep &= columns.kind == (columns.kinds.index(asked.kind) if asked.kind in columns.kinds else -1)
    if asked.seller:
        known = columns.sellers.index(asked.seller) if asked.seller in columns.sellers else -2
        keep &= columns.seller == known
    if asked.shelf:
        below = np.append(shelves.below(asked.shelf), False)  # the last for -1: no shelf
        given, suggested = below[columns.given], below[columns.suggested]
        keep &= {"given": given, "suggested": suggested, "either": given | suggested}[asked.role]
    if selected is not None:
        inside = np.zeros(len(keep), bool)
        inside[selected] = True
        keep &= inside
    for word in sorted(fold(asked.text).split(), key=len, reverse=True):  # long words leave few
        left = np.flatnonzero(keep)
        if len(left) > len(keep) // 4:
            keep &= columns.text.str.contains(word, literal=True).to_numpy()
        else:
            keep[left] = columns.text.gather(left).str.contains(word, literal=True).to_numpy()
    return keep


def ordered(doubt: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the numbers of doubts [n], highest doubt first, equal ones by number."""
    return np.argsort(-doubt, kind="stable")
