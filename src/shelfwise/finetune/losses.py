"""What is minimised: weighted cross-entropy, smoothed and adjusted for frequency, and a contrastive part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import MissingExtraError
from shelfwise.finetune.settings import FinetuneSettings


def class_weights(counts: NDArray[np.int64], kind: str) -> NDArray[np.float32]:
    """Weights of classes, float32, falling with their size ("balanced") or its root; 1 for a mean product."""
    if kind == "none":
        return np.ones(len(counts), np.float32)
    size = np.maximum(counts, 1).astype(np.float64)
    weights = 1 / (size if kind == "balanced" else np.sqrt(size))
    weights *= counts.sum() / max(float((weights * counts).sum()), 1e-12)
    return np.asarray(weights, np.float32)


def log_priors(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logarithms of the classes' shares, float32; a class without products counts as half a product."""
    size = np.maximum(counts, 0.5)
    return np.asarray(np.log(size / size.sum()), np.float32)


@dataclass
class Loss:
    """The loss of a batch; `of` makes one.

    Attributes
    ----------
    weights, shift: tensors [classes]: weight in the loss, and what is added to logits while training.
    contrast: a loss of pytorch-metric-learning, or None.

    """

    weights: Any
    shift: Any
    smoothing: float
    strength: float
    contrast: Any

    @classmethod
    def of(cls, counts: NDArray[np.int64], settings: FinetuneSettings, device: Any) -> Loss:  # noqa: ANN401
        """The loss for classes of those sizes."""
        import torch

        weights = torch.from_numpy(class_weights(counts, settings.loss_weights)).to(device)
        shift = torch.from_numpy(settings.logit_adjustment * log_priors(counts)).to(device)
        contrast = _contrast() if settings.contrastive else None
        return cls(weights, shift.float(), settings.label_smoothing, settings.contrastive, contrast)

    def __call__(self, vectors: Any, logits: Any, y: Any, rows: Any) -> Any:  # noqa: ANN401 - torch.Tensor
        """Sum over a batch, a scalar; `rows` [products]: 0 for those that only fill up, else 1."""
        import torch

        each = torch.nn.functional.cross_entropy(
            logits.float() + self.shift, y, reduction="none", label_smoothing=self.smoothing
        )
        total = (each * self.weights[y] * rows).sum()
        if self.contrast is None:
            return total
        real = rows > 0
        pull = self.contrast(vectors.float()[real], y[real]) if bool(real.any()) else 0.0
        return total + self.strength * pull * rows.sum()


def _contrast() -> Any:  # noqa: ANN401 - a loss of pytorch-metric-learning
    try:
        from pytorch_metric_learning.losses import SupConLoss
    except ImportError:
        raise MissingExtraError("contrastive", "finetune") from None
    return SupConLoss(temperature=0.1)
