"""The categories of a catalogue in numbers."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.label_counts import Department, Sizes, count_labels
from shelfwise.catalogue.roles import Roles


def count(labels, separator=" > "):
    frame = pl.DataFrame({"label": pl.Series(labels, dtype=pl.String)})
    return count_labels(
        frame.with_columns(label_path=pl.col("label")), Roles(label="label", separator=separator), {}
    )


def test_sizes_are_powers_of_two_and_departments_the_top_level():
    found = count(["a > x"] * 5 + ["a > y"] + ["b > z"] * 4 + [None])
    assert found.sizes == (Sizes(1, 1, 1, 1), Sizes(4, 7, 2, 9))
    assert found.departments == (Department("a", 2, 6), Department("b", 1, 4))
    assert (found.categories, found.labelled_rows, found.singletons) == (3, 10, 1)


def test_one_level_has_no_departments():
    assert count(["a", "b", "b"], None).departments == ()


@given(st.lists(st.sampled_from(["a > x", "a > y", "b > z", "c", None]), max_size=60))
def test_each_product_and_category_is_counted_once(labels):
    found = count(labels)
    for groups in (found.sizes, found.departments):
        assert sum(one.products for one in groups) == found.labelled_rows
        assert sum(one.categories for one in groups) == found.categories
    assert all(one.least * one.categories <= one.products <= one.most * one.categories for one in found.sizes)
