"""Pictures are changed mildly, and the same way by the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.finetune.augmentation import LEAST_SIDE, augmented

Image = pytest.importorskip("PIL.Image")


def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8))


def test_same_seed_same_picture():
    first, again, other = (
        np.asarray(augmented(picture(), np.random.default_rng(seed), (0, 0, 0))) for seed in (1, 1, 2)
    )

    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_size_and_colour_stay_near():
    flat = Image.new("RGB", (40, 40), (120, 60, 30))
    for seed in range(20):
        found = augmented(flat, np.random.default_rng(seed), (120, 60, 30))
        assert found.mode == "RGB"
        assert min(found.size) >= 40 * LEAST_SIDE - 1
        assert np.abs(np.asarray(found).mean(axis=(0, 1)) - (120, 60, 30)).max() < 60


def test_half_of_the_pictures_are_mirrored():
    edge = Image.fromarray(np.repeat(np.arange(0, 200, 5, dtype=np.uint8)[None, :, None], 40, 0).repeat(3, 2))
    turned = 0
    for seed in range(60):
        row = np.asarray(augmented(edge, np.random.default_rng(seed), (0, 0, 0)))[20, :, 0].astype(int)
        turned += row[5] > row[-6]

    assert 15 < turned < 45


def test_one_pixel():
    assert augmented(Image.new("RGB", (1, 1)), np.random.default_rng(0), (0, 0, 0)).size == (1, 1)
