"""Against unequal classes: weights of classes, adjusted logits, and rows drawn more or less often.

None of them is a default: where new products fall like the old ones, they cost weighted F1 what they bring in
macro F1.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import MissingExtraError

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

_REPEATS = 10
"""A row is drawn so many times at most."""


def class_weights(y: Codes, classes: int, power: float = 0.5) -> Floats:
    """Factor on the loss of each class's rows: its size to the power of minus `power`; float32 [classes].

    1 gives every class the same say (scikit-learn's "balanced"), 0 every row. The mean over the rows is 1; a
    class without rows has 1.
    """
    sizes = np.bincount(y, minlength=classes).astype(np.float64)
    weights = np.where(sizes > 0, np.maximum(sizes, 1) ** -power, 0)
    weights *= sizes.sum() / max((weights * sizes).sum(), 1e-12)
    return np.where(sizes > 0, weights, 1).astype(np.float32)


def adjust_logits(probabilities: Floats, y: Codes, strength: float = 1.0) -> Floats:
    """Probabilities as they would be if all classes were equally common; float32 [rows, classes].

    Post-hoc logit adjustment (Menon et al. 2021): log-odds less `strength` times the log of the class's share
    among the labels `y` that were learned from (counted with one more each); 0 changes nothing.
    """
    sizes = np.bincount(y, minlength=probabilities.shape[1]) + 1.0
    adjusted = probabilities.astype(np.float64) * (sizes / sizes.sum()) ** -strength
    total = adjusted.sum(axis=1, keepdims=True)
    result: Floats = (adjusted / np.where(total > 0, total, 1)).astype(np.float32)
    return result


def resample(
    y: Codes, how: Literal["over", "under"], target: int | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Numbers of the rows to learn from, ascending, drawn by imbalanced-learn.

    Args:
        y: codes of the rows.
        how: "over" repeats rows of classes smaller than `target` (each ten times at most: copies tell
            nothing new); "under" leaves out rows of classes larger than it.
        target: rows of a class to aim at; None: the mean of the classes that have any.
        seed: of the drawing.

    Raises:
        MissingExtraError: imbalanced-learn is not installed.

    """
    try:
        from imblearn.over_sampling import RandomOverSampler
        from imblearn.under_sampling import RandomUnderSampler
    except ImportError as error:
        raise MissingExtraError("over- and under-sampling", "balance") from error
    present, sizes = np.unique(y, return_counts=True)
    if len(present) < 2:
        return np.arange(len(y), dtype=np.int64)
    aim = target or round(len(y) / len(present))
    wanted = np.minimum(aim, sizes * _REPEATS) if how == "over" else sizes
    wanted = np.maximum(wanted, sizes) if how == "over" else np.minimum(aim, sizes)
    strategy = dict(zip(present.tolist(), wanted.tolist(), strict=True))
    sampler = (RandomOverSampler if how == "over" else RandomUnderSampler)(
        sampling_strategy=strategy, random_state=seed
    )
    with warnings.catch_warnings():  # of classes that become the largest
        warnings.simplefilter("ignore", UserWarning)
        sampler.fit_resample(np.arange(len(y))[:, None], y)
    return np.sort(np.asarray(sampler.sample_indices_, np.int64))
