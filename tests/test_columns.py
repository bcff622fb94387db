"""What the columns of a source hold."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.columns import MOST, ColumnTally
from shelfwise.catalogue.roles import Roles


def tally(values: list[str | None], cuts: int = 1):
    counts = ColumnTally(["a"])
    step = max(1, -(-len(values) // cuts))
    for start in range(0, len(values), step):
        counts.add(pl.DataFrame({"a": pl.Series(values[start : start + step], dtype=pl.String)}))
    return counts.finish(Roles(title="a"), len(values))[0]


def test_an_almost_constant_column_is_told_by_its_commonest_value():
    found = tally(["new"] * 98 + ["old", None])
    assert (found.role, found.filled, found.distinct, found.commonest) == ("title", 0.99, 2, "new")
    assert found.commonest_share == 98 / 99
    assert found.examples == ("new", "old")


def test_too_many_values_are_not_counted():
    found = tally([str(n) for n in range(MOST + 1)], 4)
    assert (found.distinct, found.commonest, found.commonest_share) == (None, "", 0.0)
    assert tally([str(n) for n in range(MOST)], 4).distinct == MOST


@given(st.lists(st.sampled_from(["x", "y", "z", "", "nan", None]), max_size=40), st.integers(1, 7))
def test_batches_make_no_difference(values, cuts):
    assert tally(values, cuts) == tally(values)
