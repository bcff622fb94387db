"""`learners.centroids`: directions of classes, the same however the rows are cut."""

from __future__ import annotations

import numpy as np
import pytest

from part_rows import PartRows, matrix
from shelfwise.learners.centroids import centroids_of
from shelfwise.learners.rows import MatrixRows


def test_a_centroid_is_the_mean_direction_of_its_rows():
    X, y = matrix(30), np.arange(30, dtype=np.int32) % 4
    found = centroids_of(MatrixRows(X), y, 5).toarray()

    for c in range(4):
        mean = X[y == c].toarray().sum(axis=0)
        np.testing.assert_allclose(found[c], mean / np.linalg.norm(mean), rtol=1e-5)
    assert (found[4] == 0).all()  # a class without rows


@pytest.mark.parametrize("room", [1, 40, 10**6])
def test_parts_give_the_same_bits_as_the_whole(room):
    X, y = matrix(400, 3), np.random.default_rng(1).integers(0, 17, 400).astype(np.int32)
    parts = PartRows(X, room)
    parts.order = np.argsort(-y, kind="stable").astype(np.int32)  # rows of one class keep their order
    whole, cut = centroids_of(MatrixRows(X), y, 17), centroids_of(parts, y, 17)

    assert whole.indices.tolist() == cut.indices.tolist()
    assert whole.data.tobytes() == cut.data.tobytes()
