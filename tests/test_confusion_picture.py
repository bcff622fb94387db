"""The confusion picture: what its colours say, that it fits, and names that no font here can write."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.evaluate import Outcome
from shelfwise.evaluate.confusion_picture import _most_confused, _shares, draw_confusion, write_confusion


def outcome(labels, pairs):
    """An outcome of (truth, answer, rows) triples."""
    tree = Taxonomy.build(labels, separator=" > ")
    true = tree.codes([t for t, _, rows in pairs for _ in range(rows)])
    answer = tree.codes([a for _, a, rows in pairs for _ in range(rows)])
    return Outcome(tree, true, answer[:, None], np.full((len(true), 1), 0.5, np.float32))


LABELS = ["Home > Cups", "Home > Mugs", "Shoes > Men"]
PAIRS = [
    ("Home > Cups", "Home > Cups", 6),
    ("Home > Cups", "Home > Mugs", 2),
    ("Home > Mugs", "Home > Mugs", 5),
    ("Shoes > Men", "Shoes > Men", 3),
]


def kinds(image):
    """How many pixels are bluish and how many orange."""
    red, _, blue = np.moveaxis(np.asarray(image, int), 2, 0)
    return int((blue - red > 60).sum()), int((red - blue > 60).sum())


def test_right_is_blue_and_wrong_is_orange():
    right = draw_confusion(outcome(LABELS, [pair for pair in PAIRS if pair[0] == pair[1]]))
    mixed = draw_confusion(outcome(LABELS, PAIRS))

    assert kinds(mixed)[1] - kinds(right)[1] > 1000  # one more cell beside the legend


def test_shares_are_of_all_products_of_a_category():
    result = outcome(LABELS, PAIRS)
    shares = _shares(result, _most_confused(result, 2, 40))

    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])


def test_of_too_many_categories_the_largest_confusions_are_drawn():
    labels = [f"Shelf {i:03}" for i in range(100)]
    errors = [(labels[7], labels[90], 9), (labels[40], labels[41], 5)]
    errors += [(label, labels[(i + 3) % 100], 1) for i, label in enumerate(labels)]
    result = outcome(labels, [(label, label, 2) for label in labels] + errors)
    matrix = _most_confused(result, 1, 4)

    assert [result.taxonomy.name(node) for node in matrix.nodes.tolist()] == [
        labels[i] for i in (7, 40, 41, 90)
    ]
    assert matrix.shown == 14
    assert matrix.errors == 114


def test_without_confusion_there_is_a_picture_all_the_same():
    labels = [f"Shelf {i}" for i in range(60)]
    result = outcome(labels, [(label, label, 1) for label in labels])

    assert len(_most_confused(result, 1, 10).nodes) == 10
    assert draw_confusion(result, limit=10).size[0] > 200


@pytest.mark.parametrize("count", [1, 2, 12, 40])
def test_nothing_is_cut_off(count):
    labels = ["Dept > " + "very long name of a shelf " * 4 + str(i) for i in range(count)]
    image = draw_confusion(outcome(labels, [(label, labels[0], 2) for label in labels]))
    border = np.asarray(image, int).copy()
    border[8:-8, 8:-8] = 255

    assert (border == 255).all()


def test_file_is_a_png_with_all_names_and_the_same_bytes_again(tmp_path):
    labels = ["Uhren > 手表", "Uhren > Öhr & <b>", "Uhren > \u202e\x07"]
    from PIL import Image

    result = outcome(labels, [(label, labels[0], 2) for label in labels])
    first = write_confusion(result, tmp_path / "a.png", 2)
    again = write_confusion(result, tmp_path / "b.png", 2)

    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as image:
        image.load()
        assert image.format == "PNG"
        assert "手表" in image.text["Categories"]
        assert len(image.text["Categories"].splitlines()) == 3
