"""Spheres end at the nearest rival, and what nearness proves follows Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.corrections.ground import LEAST, RIVALS, Ground, border_of, depth


def test_border_is_the_similarity_of_the_nearest_rival():
    near = np.array([[4, 7, 2], [4, 7, -1], [4, 7, 2]], np.int32)
    cosine = np.array([[0.9, 0.7, 0.5], [0.9, 0.7, 0.0], [0.9, 0.7, 0.1]], np.float32)
    rival = np.array([[False, True, True], [False, False, True], [False, False, False]])

    # The second has no rival at all, the third none among those looked at: not nearer than the last.
    assert border_of(near, cosine, rival).tolist() == pytest.approx([0.7, LEAST, LEAST])
    assert border_of(near[:1], cosine[:1], rival[:1] & False).tolist() == pytest.approx([0.5])


def test_depth_is_0_outside_and_1_at_the_product():
    border = np.array([0.5, 0.5, 0.5], np.float32)

    assert depth(np.array([0.4, 0.75, 1.0], np.float32), border).tolist() == pytest.approx([0, 0.5, 1])


def test_kept_products_find_themselves_and_their_like(toy_model, toys):
    ground = Ground.of(toy_model.views_, toy_model.neighbours_)
    lengths = np.sqrt(np.asarray(ground.rows.multiply(ground.rows).sum(axis=1)).ravel())
    near, cosine = ground.nearest(ground.rows)

    assert near.shape == (90, RIVALS)
    assert np.allclose(lengths, 1, atol=1e-3)
    assert np.allclose(cosine[:, 0], 1, atol=1e-3)
    assert (ground.y == toy_model.taxonomy_.codes(toys["category"])).all()


def test_strength_rises_with_the_models_errors_and_stays_in_its_bounds(toy_model):
    ground = Ground.of(toy_model.views_, toy_model.neighbours_)
    strengths = [ground.strength(accuracy) for accuracy in (1.0, 0.95, 0.8, 0.3, 0.0)]

    assert strengths == sorted(strengths)
    assert (strengths[0], strengths[-1]) == (0.55, 0.98)


def test_replaced_products_are_known_by_id_or_else_by_title(toy_model, toys):
    ground = Ground.of(toy_model.views_, toy_model.neighbours_)
    table = toys.head(2).select("product_id", "title")
    other = table.with_columns(product_id=table["product_id"].reverse() + "x")

    assert np.flatnonzero(ground.replaced(table, True)).tolist() == [0, 1]
    assert not ground.replaced(other, True).any()
    assert np.flatnonzero(ground.replaced(other, False)).tolist() == [0, 1]
