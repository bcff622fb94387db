"""What the columns of a source hold: how far they are filled, how many values, which one most."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from shelfwise.catalogue.profiles import MISSING_TEXT, as_text
from shelfwise.catalogue.roles import Roles

MOST = 1_000
"""Different values of a column that are told apart; of a column with more, it is only said that it has."""

_EXAMPLES, _CLIP = 3, 80
_LONGEST = 200  # characters by which values are told apart: a description need not be held whole


@dataclass(frozen=True)
class Column:
    """One column of the source: its role, why it has it, the share of rows that are filled, a few values.

    `distinct` is the number of different values, None for more than `MOST`; `commonest` the most frequent
    one ("" where there is none, or where there are too many to count) and `commonest_share` its share of
    the filled rows: a column that is almost constant tells nothing.
    """

    name: str
    role: str
    why: str
    filled: float
    examples: tuple[str, ...]
    distinct: int | None = 0
    commonest: str = ""
    commonest_share: float = 0.0


@dataclass
class _Seen:
    filled: int = 0
    examples: list[str] = field(default_factory=list)
    counts: dict[str, int] | None = field(default_factory=dict)  # None: too many values to count

    def add(self, there: pl.Series) -> None:
        self.filled += there.len()
        if len(self.examples) < _EXAMPLES:
            fresh = [v[:_CLIP] for v in there.head(200).unique(maintain_order=True).head(_EXAMPLES).to_list()]
            self.examples = list(dict.fromkeys([*self.examples, *fresh]))[:_EXAMPLES]
        if self.counts is None:
            return
        counted = there.str.slice(0, _LONGEST).value_counts(sort=False)
        if counted.height <= MOST:
            for value, count in counted.iter_rows():
                self.counts[value] = self.counts.get(value, 0) + count
        if counted.height > MOST or len(self.counts) > MOST:
            self.counts = None

    @property
    def commonest(self) -> tuple[str, int]:
        return max(self.counts.items(), key=lambda pair: (pair[1], pair[0])) if self.counts else ("", 0)


class ColumnTally:
    """Counts over the batches of a source."""

    def __init__(self, names: list[str]) -> None:
        self._seen = {name: _Seen() for name in names}

    def add(self, raw: pl.DataFrame) -> None:
        """Take a batch of raw rows."""
        for name, seen in self._seen.items():
            text = as_text(raw[name]).str.strip_chars()
            missing = text.str.to_lowercase().is_in(list(MISSING_TEXT)).fill_null(True)
            seen.add(text.filter(~missing))

    def finish(self, roles: Roles, rows: int) -> tuple[Column, ...]:
        """Return what is known of each column, of a source with so many rows."""
        return tuple(_column(name, seen, roles, rows) for name, seen in self._seen.items())


def _column(name: str, seen: _Seen, roles: Roles, rows: int) -> Column:
    value, count = seen.commonest
    return Column(
        name=name,
        role=roles.role_of(name) or "ignored",
        why=roles.ignored.get(name) or roles.why.get(name, "not seen when the roles were found"),
        filled=seen.filled / rows if rows else 0.0,
        examples=tuple(seen.examples),
        distinct=None if seen.counts is None else len(seen.counts),
        commonest=value[:_CLIP],
        commonest_share=count / seen.filled if seen.filled else 0.0,
    )
