"""The loss: class weights, adjustment by frequency, a contrastive part."""

from __future__ import annotations

import numpy as np
import pytest

from finetune_bases import settings
from shelfwise.finetune.losses import Loss, class_weights, log_priors

torch = pytest.importorskip("torch")

COUNTS = np.array([80, 15, 5, 0])


@pytest.mark.parametrize("kind", ["none", "root", "balanced"])
def test_the_mean_product_weighs_one(kind):
    weights = class_weights(COUNTS, kind)

    assert (weights * COUNTS).sum() / COUNTS.sum() == pytest.approx(1)
    assert np.isfinite(weights).all()


def test_balanced_classes_weigh_the_same_in_all():
    weights = class_weights(COUNTS, "balanced")[:3] * COUNTS[:3]

    assert weights == pytest.approx([weights[0]] * 3)


def batch(rows=6):
    generator = torch.Generator().manual_seed(0)
    vectors, logits = (torch.randn(rows, wide, generator=generator) for wide in (5, 4))
    return vectors, logits, torch.arange(rows) % 3


def test_plain_is_cross_entropy_of_the_real_rows():
    vectors, logits, y = batch()
    rows = torch.tensor([1.0, 1, 1, 1, 0, 0])
    found = Loss.of(COUNTS, settings(text="hf:x"), "cpu")(vectors, logits, y, rows)

    assert float(found) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits[:4], y[:4], reduction="sum")), rel=1e-6
    )


def test_adjustment_adds_the_prior():
    vectors, logits, y = batch()
    adjusted = Loss.of(COUNTS, settings(text="hf:x", logit_adjustment=1.0), "cpu")
    moved = logits + torch.from_numpy(log_priors(COUNTS))

    assert float(adjusted(vectors, logits, y, torch.ones(6))) == pytest.approx(
        float(torch.nn.functional.cross_entropy(moved, y, reduction="sum")), rel=1e-6
    )


def test_contrast_prefers_classes_apart():
    loss = Loss.of(COUNTS, settings(text="hf:x", contrastive=1.0), "cpu")
    _, logits, y = batch()
    apart, mixed = torch.eye(5)[y], torch.eye(5)[torch.tensor([0, 0, 1, 1, 2, 2])]

    assert loss(apart, logits, y, torch.ones(6)) < loss(mixed, logits, y, torch.ones(6))
    assert float(loss(apart, logits, y, torch.zeros(6))) == 0
