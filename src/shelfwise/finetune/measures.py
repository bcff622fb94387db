"""How good a classifier is on held-out products, from its logits."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

_TEMPERATURES = np.geomspace(0.25, 4, 65)


@dataclass(frozen=True)
class Measures:
    """Mean negative log-likelihood, share of right answers, F1 weighted by class size, mean F1 of classes."""

    loss: float
    accuracy: float
    weighted_f1: float
    macro_f1: float

    def to_dict(self) -> dict[str, float]:
        """Plain values, rounded to a millionth."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def measure(logits: NDArray[np.float32], y: NDArray[np.int32]) -> Measures:
    """Measure logits [products, classes] against the codes of the right classes.

    F1 as scikit-learn's `f1_score` has it: macro over the classes that are there or were answered.
    """
    classes = logits.shape[1]
    answers = logits.argmax(axis=1)
    right = np.bincount(y[answers == y], minlength=classes)
    there, said = np.bincount(y, minlength=classes), np.bincount(answers, minlength=classes)
    seen = there + said > 0
    f1 = 2 * right[seen] / (there + said)[seen]
    weighted = float((f1 * there[seen]).sum() / len(y))
    return Measures(
        negative_log_likelihood(logits, y), float((answers == y).mean()), weighted, float(f1.mean())
    )


def negative_log_likelihood(
    logits: NDArray[np.float32], y: NDArray[np.int32], temperature: float = 1.0
) -> float:
    """Mean negative log-likelihood of the right classes under the softmax of logits / temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    total = np.log(np.exp(scaled).sum(axis=1))
    return float((total - scaled[np.arange(len(y)), y]).mean())


def best_temperature(logits: NDArray[np.float32], y: NDArray[np.int32]) -> float:
    """The temperature of a fixed grid with the least log loss (Guo et al. 2017); 1 for too few products."""
    if len(y) < 20:
        return 1.0
    losses = [negative_log_likelihood(logits, y, float(t)) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])
