"""`audit.kinds`: what is wrong with a product, and where it should rather be."""

from __future__ import annotations

import numpy as np
import pytest

from audit_shop import bare_claims
from shelfwise.audit.kinds import KINDS, kinds_of, suggestions
from shelfwise.audit.nearest import Nearest


def near(*closest):
    rows = len(closest)
    cosine = np.zeros((rows, 3), np.float32)
    cosine[:, 0] = closest
    return Nearest(np.where(cosine > 0, 0, -1), cosine)


def kind_of_first(p, best, groups=None, y=None, closest=None):
    """The kind of the first of sixty products; the others are what they seem."""
    claims = bare_claims([0] * 60, p=[p] + [0.9] * 59, best=[best] + [0.05] * 59)
    y = np.zeros(60, np.int32) if y is None else np.array(y, np.int32)
    groups = np.arange(60) if groups is None else np.array(groups)
    alike = [0.9] * 60 if closest is None else [closest] + [0.9] * 59
    return kinds_of(claims, y, groups, 3, (near(*alike), near(*[0.01] * 60)))[0]


@pytest.mark.parametrize(
    ("p", "best", "kind"),
    [(0.01, 0.9, "mislabelled"), (0.3, 0.4, "ambiguous"), (0.9, 0.05, "mislabelled"), (0.2, 0.2, "ambiguous"),
     (0.19, 0.8, "mislabelled")],
)  # fmt: skip
def test_two_shelves_fit_where_both_are_probable(p, best, kind):
    assert kind_of_first(p, best) == kind


def test_what_resembles_nothing_and_fits_nowhere_is_an_outlier():
    assert kind_of_first(0.1, 0.3, closest=0.02) == "outlier"
    assert kind_of_first(0.1, 0.8, closest=0.02) == "mislabelled"  # a shelf fits it well
    assert kind_of_first(0.1, 0.3) == "mislabelled"  # there are products like it


def test_products_that_all_resemble_others_alike_are_no_outliers():
    claims = bare_claims([0] * 50, p=[0.1] * 50, best=[0.2] * 50)
    same = near(*[1.0] * 50)

    found = kinds_of(claims, np.zeros(50, np.int32), np.arange(50), 3, (same, same))
    assert set(found.tolist()) == {"mislabelled"}


def test_near_duplicates_on_two_shelves_are_told_first():
    groups, elsewhere = [0, 0, *range(1, 59)], [0, 1, *[0] * 58]

    assert kind_of_first(0.4, 0.4, groups, elsewhere, closest=0.02) == "duplicate"
    assert kind_of_first(0.4, 0.4, groups) == "ambiguous"  # twins on the same shelf contradict nobody


def test_no_products_have_no_kinds():
    none = bare_claims([])

    assert len(kinds_of(none, none.code, np.empty(0, np.int64), 2, (near(), near()))) == 0


def test_kinds_are_those_that_are_promised():
    assert KINDS == ("mislabelled", "outlier", "duplicate", "ambiguous")


def suggested(y, groups, best):
    claims = bare_claims(y, best_code=best)
    return suggestions(claims, np.array(y, np.int32), np.array(groups)).tolist()


def test_the_most_probable_other_category_is_suggested():
    assert suggested([0, 1, 2], [0, 1, 2], [1, 2, 0]) == [1, 2, 0]


def test_twins_decide_where_more_of_them_are_elsewhere_than_here():
    # Three twins on 1 and one on 0: that one should go to 1, and the three stay with what models say.
    assert suggested([1, 0, 1, 1], [7, 7, 7, 7], [2, 2, 2, 2]) == [2, 1, 2, 2]
    # One against one: each has one twin elsewhere and none here.
    assert suggested([0, 1], [4, 4], [2, 2]) == [1, 0]
    # Two against two: each has two elsewhere and one here.
    assert suggested([0, 0, 1, 1], [4] * 4, [2] * 4) == [1, 1, 0, 0]


def test_among_equal_twins_the_more_probable_shelf_is_suggested():
    assert suggested([0, 1, 2], [4, 4, 4], [2, 2, 1]) == [2, 2, 1]
    assert suggested([0, 1, 2], [4, 4, 4], [1, 0, 0]) == [1, 0, 0]


def test_twins_of_one_shelf_and_other_groups_have_no_say():
    assert suggested([0, 0, 1], [4, 4, 5], [2, 2, 2]) == [2, 2, 2]
