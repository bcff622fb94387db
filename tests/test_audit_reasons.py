"""`audit.reasons`: sentences say what is known, and nothing that is not so."""

from __future__ import annotations

import numpy as np
import pytest

from audit_shop import bare_claims
from shelfwise.audit.claims import Claims
from shelfwise.audit.nearest import Nearest
from shelfwise.audit.reasons import Facts, reasons_of
from shelfwise.catalogue.taxonomy import Taxonomy

TREE = Taxonomy.build(["Shoes > Boots", "Shoes > Sandals", "Watches"], None, " > ")
BOOTS, SANDALS, WATCHES = range(3)


def near(row, cosine):
    return Nearest(np.array([[row, -1, -1]]), np.array([[cosine, 0, 0]], np.float32))


def facts(given=BOOTS, suggested=SANDALS, **changes):
    """One product on `given`; by default its words alone speak, for `suggested`."""
    claims = bare_claims([given], p=[changes.pop("p", 0.02)], known=[changes.pop("known", 9)])
    views, names = changes.pop("views", [(0.1, 0.8)]), changes.pop("names", ("words",))
    told = np.array(views, np.float32).reshape(1, -1, 2)
    claims = Claims(**vars(claims) | {"views": told[:, :, 0], "view_best": told[:, :, 1]})
    values = {
        "taxonomy": TREE, "claims": claims, "suggested": np.array([suggested], np.int32),
        "kinds": np.array(["mislabelled"]), "near": (near(1, 0.2), near(2, 0.7)), "groups": np.zeros(1, int),
        "views": names, "titles": ["asked", "a boot", "a sandal"],
        "candidates": np.array([[suggested, given]], np.int32),
        "probabilities": np.array([[0.912, 0.02]], np.float32),
    }  # fmt: skip
    return Facts(**values | changes)


def told(*arguments, twins=(), **changes):
    return " ".join(reasons_of(facts(*arguments, **changes), 0, list(twins)))


def test_both_shelves_are_named_with_how_well_they_fit():
    assert told().startswith(
        "Judged by all other products it fits 'Shoes > Sandals' with 91 % and its own shelf 'Shoes > Boots' "
        "with 2.0 %."
    )


@pytest.mark.parametrize(
    ("p", "text"), [(0, "less than 0.1 %"), (1e-9, "less than 0.1 %"), (0.0042, "0.4 %"), (0.999, "100 %")]
)
def test_shares_are_told_as_people_write_them(p, text):
    assert f"'Shoes > Boots' with {text}." in told(p=p)


def test_a_suggestion_beyond_the_candidates_fits_hardly():
    listed = np.array([[WATCHES, BOOTS]], np.int32)

    assert "fits 'Shoes > Sandals' with less than 0.1 %" in told(candidates=listed)


def test_another_department_is_told_and_a_sister_shelf_is_not():
    assert "Even the department differs: 'Watches' instead of 'Shoes'." in told(suggested=WATCHES)
    assert "department" not in told(suggested=SANDALS)


def test_views_against_and_for_the_shelf_are_named():
    names = ("words", "neighbours", "ngrams")
    both = told(names=names, views=[(0.1, 0.8), (0.2, 0.9), (0.7, 0.7)])

    assert "Against its shelf speak its words and the products most like it." in both
    assert "For its shelf speak the spelling of its text." in both
    assert "contradict" not in both


def test_text_against_picture_is_told():
    against = told(names=("words", "pixels"), views=[(0.1, 0.8), (0.6, 0.6)])

    assert "Text and picture contradict each other." in against
    assert "contradict" not in told(names=("words", "pixels"), views=[(0.1, 0.8), (0.1, 0.6)])


def test_views_without_an_opinion_or_unsure_ones_are_not_named():
    assert "speak" not in told(names=("words", "pixels"), views=[(np.nan, np.nan), (0.1, 0.4)])


def test_the_only_product_of_a_shelf_is_told():
    assert "alone on its shelf" in told(known=0)
    assert "alone" not in told(known=1)


def test_a_closer_product_on_the_other_shelf_is_shown():
    assert "'a sandal', is closer (0.70) than any on its own (0.20)." in told()
    assert "closer" not in told(near=(near(1, 0.7), near(2, 0.2)))
    assert "closer" not in told(near=(near(1, 0.701), near(2, 0.704)))
    assert "closer" not in told(near=(near(1, 0), near(-1, 0)))


def test_without_anything_like_it_on_its_own_shelf_nothing_is_compared():
    assert "Like it on the suggested shelf is 'a sandal' (0.70)" in told(near=(near(-1, 0), near(2, 0.7)))


def test_long_titles_are_cut():
    said = told(titles=["asked", "a boot", "x" * 5000])

    assert len(said) < 700


def test_near_duplicates_elsewhere_come_first():
    claims = bare_claims([BOOTS, SANDALS, WATCHES, SANDALS], p=[0.02] * 4)
    many = facts(claims=Claims(**vars(claims) | {"views": np.zeros((4, 0)), "view_best": np.zeros((4, 0))}),
                 )  # fmt: skip
    many = Facts(**vars(many) | {"views": ()})

    assert reasons_of(many, 0, [1])[0] == "A near-duplicate lies on 'Shoes > Sandals'."
    assert reasons_of(many, 0, [1, 2, 3])[0] == "3 near-duplicates lie on 'Shoes > Sandals', 'Watches'."


def test_an_outlier_is_called_one():
    assert "unlike the products of both shelves" in told(kinds=np.array(["outlier"]))
    assert "unlike" not in told()
