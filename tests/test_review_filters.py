"""Filters leave what they say, in columns as in a plain loop."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.review.filters import Columns, Filter, FilterError, chosen, ordered, searchable
from shelfwise.review.ledger import STATES
from shelfwise.review.shelves import Shelves

SHELVES = Shelves(["A > B", "A > C", "D"], [None] * 3, [1, 1, 1], " > ")
TITLES = ["Rote Schuhe", "Élégante chaise", "РОМАН", "ﬁne (shoe) 1.5"]


@st.composite
def asked(draw):
    return Filter(
        kind=draw(st.sampled_from(["", "outlier", "duplicate", "no such"])),
        shelf=draw(st.sampled_from(["", "A", "A > C", "D", "X"])),
        role=draw(st.sampled_from(["given", "suggested", "either"])),
        seller=draw(st.sampled_from(["", "s0", "s1", "?"])),
        least=draw(st.sampled_from([0.0, 0.3])),
        most=draw(st.sampled_from([0.6, 1.0])),
        state=draw(st.sampled_from([*STATES, "all"])),
        text=draw(st.sampled_from(["", "elegante", "роман", "(shoe)", "ro sch", "FINE 1.5"])),
    )


def plain(columns, asked, doubt, state, selected, n):
    """The same in words."""
    if not asked.least <= doubt[n] <= asked.most:
        return False
    if asked.state != "all" and STATES[state[n]] != asked.state:
        return False
    if asked.kind and columns.kinds[columns.kind[n]] != asked.kind:
        return False
    if asked.seller and (columns.seller[n] < 0 or columns.sellers[columns.seller[n]] != asked.seller):
        return False
    sides = {"given": [columns.given[n]], "suggested": [columns.suggested[n]]}.get(
        asked.role, [columns.given[n], columns.suggested[n]]
    )
    names = [SHELVES.labels[side] for side in sides]
    if asked.shelf and not any(name == asked.shelf or name.startswith(asked.shelf + " > ") for name in names):
        return False
    if selected is not None and n not in selected:
        return False
    words = {"роман": 2, "elegante": 1, "(shoe)": 3, "ro sch": 0, "FINE 1.5": 3}
    return not asked.text or n % 4 == words[asked.text]


@given(asked(), st.integers(0, 2**32), st.booleans())
def test_the_columns_say_what_a_loop_says(asked, seed, some):
    chance = np.random.default_rng(seed)
    n = 24
    titles = pl.Series([TITLES[i % 4] for i in range(n)])
    columns = Columns(
        *chance.integers(0, 3, (2, n)).astype(np.int32), chance.integers(0, 2, n).astype(np.int16),
        ("duplicate", "outlier"), chance.integers(-1, 2, n).astype(np.int32), ("s0", "s1"),
        searchable([titles]),
    )  # fmt: skip
    doubt, state = chance.random(n), chance.integers(0, 4, n).astype(np.int8)
    selected = np.flatnonzero(chance.random(n) < 0.5) if some else None
    kept = chosen(columns, SHELVES, asked, (doubt, state), selected)
    known = None if selected is None else set(selected.tolist())
    assert kept.tolist() == [plain(columns, asked, doubt, state, known, i) for i in range(n)]


def finds(title, asked):
    columns = Columns(
        *(np.zeros(1, np.int32),) * 3, ("a",), np.zeros(1, np.int32), ("s",), searchable([pl.Series([title])])
    )
    return bool(chosen(columns, SHELVES, Filter(text=asked), (np.ones(1), np.zeros(1, np.int8)))[0])


@given(st.text(min_size=1, max_size=20))
def test_every_text_finds_itself(title):
    assert finds(title, title)


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("Straße", "STRASSE"),
        ("ΟΔΟΣ", "οδος"),
        ("ที่นอน", "ทีนอน"),
        ("कुर्सी", "कुर्सी"),
        ("Ørsted Ål", "ål"),
        ("İzmir", "izmir"),
    ],
)
def test_case_and_accents_do_not_matter(title, asked):
    assert finds(title, asked)


def test_the_highest_doubt_comes_first_and_equal_ones_by_number():
    assert ordered(np.array([0.2, 0.9, 0.2, 0.9])).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    "wrong", [{"role": "x"}, {"state": "x"}, {"least": -1}, {"most": 2}, {"least": float("nan")}]
)
def test_values_that_cannot_be_are_told(wrong):
    with pytest.raises(FilterError):
        Filter(**wrong)
