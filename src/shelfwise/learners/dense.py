"""The learner on dense vectors that a recipe asks for: which one, and against what imbalance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shelfwise.learners.balance import adjust_logits, class_weights, resample
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.head import NetworkLearner, NetworkOptions, SoftmaxLearner
from shelfwise.learners.metric import MetricOptions, MetricProjection
from shelfwise.recipe import LearnerRecipe

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


_KEPT_VALUES = 20_000_000
"""Neighbours are kept by default up to that many values (40 MB)."""
_FEW_UNITS = 96

_Part = SoftmaxLearner | NetworkLearner | CosineNeighbours


class DenseLearner:
    """What a recipe asks for on vectors float32 [rows, width]; scores are probabilities.

    Parameters
    ----------
    recipe: which learner, and how it is set.
    seed: of its random choices.
    threads: for fitting and scoring; the result does not depend on it.

    """

    def __init__(self, recipe: LearnerRecipe, *, seed: int = 0, threads: int = 1) -> None:
        self.recipe = recipe
        self.seed = seed
        self.threads = threads

    def fit(self, X: Floats, y: Codes, classes: int) -> DenseLearner:
        """Learn from rows of codes y [rows] < `classes`; a class may have no row."""
        self.classes_ = classes
        self.sizes_ = np.bincount(y, minlength=classes).astype(np.int64)
        if self.recipe.balance in ("over", "under"):
            rows = resample(y, self.recipe.balance, seed=self.seed)
            X, y = X[rows], y[rows]
        self.projection_ = self._projection()
        if self.projection_ is not None:
            X = self.projection_.fit(X, y, classes).transform(X)
        weights = class_weights(y, classes) if self.recipe.balance == "weights" else None
        self.parts_ = {
            name: part.fit(X, y, classes)
            for name, part in self._parts(self._wanted(X), weights, len(y)).items()
        }
        return self

    def scores(self, X: Floats) -> Floats:
        """Probabilities float32 [rows, classes]: the mean of the parts'."""
        if self.projection_ is not None:
            X = self.projection_.transform(X)
        out = np.zeros((len(X), self.classes_), np.float32)
        for part in self.parts_.values():
            out += part.scores(X)
        out /= np.float32(len(self.parts_))
        if self.recipe.balance == "logits":
            return adjust_logits(out, np.repeat(np.arange(self.classes_, dtype=np.int32), self.sizes_))
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state: dict[str, NDArray[np.generic]] = {"sizes": self.sizes_}
        if self.projection_ is not None:
            state |= {f"metric.{key}": value for key, value in self.projection_.tensors().items()}
        for name, part in self.parts_.items():
            state |= {f"{name}.{key}": value for key, value in part.tensors().items()}
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> DenseLearner:
        """Take the state that `tensors` gave, for that many classes."""
        self.classes_ = classes
        self.sizes_ = tensors["sizes"].astype(np.int64)
        self.projection_ = self._projection()
        if self.projection_ is not None:
            self.projection_.restore(_below(tensors, "metric."))
        self.parts_ = {}
        wanted = [name for name in ("softmax", "network", "neighbours") if f"{name}.mean" in tensors]
        if not wanted:
            raise KeyError("the arrays of any learner")
        for name, part in self._parts(wanted, None, 0).items():
            state = _below(tensors, f"{name}.")
            if isinstance(part, CosineNeighbours):
                self.parts_[name] = part.restore(state, classes)
            else:
                self.parts_[name] = part.restore(state)
        return self

    def _projection(self) -> MetricProjection | None:
        width = self.recipe.metric
        return MetricProjection(MetricOptions(width=width), seed=self.seed) if width else None

    def _wanted(self, X: Floats) -> Sequence[str]:
        if self.recipe.learner == "auto":
            return ("network", "neighbours") if X.size <= _KEPT_VALUES else ("network",)
        return ("network", "neighbours") if self.recipe.learner == "both" else (self.recipe.learner,)

    def _parts(self, wanted: Sequence[str], weights: Floats | None, rows: int) -> dict[str, _Part]:
        recipe, seed, threads = self.recipe, self.seed, self.threads
        parts: dict[str, _Part] = {}
        if "softmax" in wanted:
            parts["softmax"] = SoftmaxLearner(class_weights=weights, seed=seed, threads=threads)
        if "network" in wanted:
            options = NetworkOptions(
                hidden=min(recipe.units, max(_FEW_UNITS, rows // 8)), members=recipe.members or _members(rows)
            )
            parts["network"] = NetworkLearner(options, class_weights=weights, seed=seed, threads=threads)
        if "neighbours" in wanted:
            parts["neighbours"] = CosineNeighbours(seed=seed, threads=threads)
        return parts


def _members(rows: int) -> int:
    """Networks to average: on few products they differ most, and cost least."""
    return max(1, min(3, 15_000 // max(rows, 1)))


def _below(tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
