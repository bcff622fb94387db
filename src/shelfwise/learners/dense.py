"""The learner on dense vectors that a recipe asks for: which one, and against what imbalance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import ModelError
from shelfwise.features.dense_rows import DenseRows, as_dense
from shelfwise.learners.balance import adjust_logits, class_weights, resample
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.head import NetworkLearner, NetworkOptions, SoftmaxLearner
from shelfwise.learners.heldout import ENOUGH, log_loss, own_of
from shelfwise.learners.metric import MetricOptions, MetricProjection
from shelfwise.recipe import LearnerRecipe

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


_KEPT_VALUES = 20_000_000
"""Neighbours are kept by default up to that many values (40 MB)."""
_FEW_UNITS = 96
_ASKED = 1024
_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7)
_USUAL_SHARE = 0.35

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

    def fit(self, X: Floats | DenseRows, y: Codes, classes: int) -> DenseLearner:
        """Learn from rows of codes y [rows] < `classes`; a class may have no row."""
        X = as_dense(X)
        self.classes_ = classes
        self.sizes_ = np.bincount(y, minlength=classes).astype(np.int64)
        if self.recipe.balance in ("over", "under"):
            rows = resample(y, self.recipe.balance, seed=self.seed)
            X, y = X.only(rows), y[rows]
        self.projection_ = self._projection()
        if self.projection_ is not None:
            self.projection_.fit(X, y, classes)
            X = X.changed(self.projection_.transform, self.recipe.metric)
        weights = class_weights(y, classes) if self.recipe.balance == "weights" else None
        self.parts_ = {
            name: part.fit(X, y, classes)
            for name, part in self._parts(self._wanted(X), weights, len(y)).items()
        }
        self.share_ = np.float32(self._choose_share(X, y)) if len(self.parts_) > 1 else np.float32(0)
        if len(self.parts_) > 1 and self.share_ == 0:
            del self.parts_["neighbours"]
        return self

    def scores(self, X: Floats) -> Floats:
        """Probabilities float32 [rows, classes]: the network's and the neighbours' by their shares."""
        if self.projection_ is not None:
            X = self.projection_.transform(X)
        out = np.zeros((len(X), self.classes_), np.float32)
        for name, part in self.parts_.items():
            share = self.share_ if name == "neighbours" else 1 - self.share_
            out += part.scores(X) * (share if len(self.parts_) > 1 else np.float32(1))
        if self.recipe.balance == "logits":
            return adjust_logits(out, np.repeat(np.arange(self.classes_, dtype=np.int32), self.sizes_))
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        share = np.array([self.share_], np.float32)
        state: dict[str, NDArray[np.generic]] = {"sizes": self.sizes_, "share": share}
        if self.projection_ is not None:
            state |= {f"metric.{key}": value for key, value in self.projection_.tensors().items()}
        for name, part in self.parts_.items():
            state |= {f"{name}.{key}": value for key, value in part.tensors().items()}
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> DenseLearner:
        """Take the state that `tensors` gave, for that many classes; ModelError where it does not fit."""
        self.classes_ = classes
        self.sizes_ = tensors["sizes"].astype(np.int64)
        self.share_ = np.float32(tensors["share"][0])
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
        self._check()
        return self

    @property
    def notes_(self) -> list[str]:
        """What to know about what was learned."""
        part = self.parts_.get("neighbours")
        return part.notes_ if isinstance(part, CosineNeighbours) else []

    @property
    def width_(self) -> int:
        """Values of the vectors that are learned from."""
        return _width(self.projection_ or next(iter(self.parts_.values())))

    def _check(self) -> None:
        """Raise ModelError unless the restored arrays fit each other."""
        width = self.width_
        sound = self.sizes_.shape == (self.classes_,) and bool((self.sizes_ >= 0).all())
        sound = sound and 0 <= float(self.share_) <= 1
        if self.projection_ is not None:
            weights = self.projection_.weights_
            sound = sound and weights.ndim == 2 and len(weights) == width
            sound = sound and self.projection_.standardiser_.scale_.shape == (width,)
            width = weights.shape[-1]
        for part in self.parts_.values():
            sound = sound and _width(part) == width and _fits(part, width, self.classes_)
        if not sound:
            raise ModelError(
                "the arrays of a learner on vectors do not fit each other: the model is damaged, or was not "
                "made by Shelfwise"
            )

    def _projection(self) -> MetricProjection | None:
        width = self.recipe.metric
        return MetricProjection(MetricOptions(width=width), seed=self.seed) if width else None

    def _choose_share(self, X: DenseRows, y: Codes) -> float:
        """The neighbours' share of least log loss on rows that the first network has not seen."""
        network = self.parts_["network"]
        assert isinstance(network, NetworkLearner)
        out = network.unseen(X, y)
        if out.sum() < ENOUGH:
            return _USUAL_SHARE
        neighbours = self._neighbours()
        neighbours.fit(X.only(~out), y[~out], self.classes_)
        first, right = network.first(), y[out]
        near, sure = np.empty(len(right), np.float32), np.empty(len(right), np.float32)
        for rows, part in X.only(out).blocks(_ASKED):
            near[rows] = own_of(neighbours.scores(part), right[rows])
            sure[rows] = own_of(first.scores(part), right[rows])
        losses = [log_loss((1 - share) * sure + share * near) for share in _SHARES]
        return _SHARES[int(np.argmin(losses))]

    def _wanted(self, X: DenseRows) -> Sequence[str]:
        if self.recipe.learner == "auto":
            return ("network", "neighbours") if len(X) * X.width <= _KEPT_VALUES else ("network",)
        return ("network", "neighbours") if self.recipe.learner == "both" else (self.recipe.learner,)

    def _parts(self, wanted: Sequence[str], weights: Floats | None, rows: int) -> dict[str, _Part]:
        recipe, seed, threads = self.recipe, self.seed, self.threads
        parts: dict[str, _Part] = {}
        if "softmax" in wanted:
            parts["softmax"] = SoftmaxLearner(class_weights=weights, seed=seed, threads=threads)
        if "network" in wanted:
            units = min(recipe.units, max(_FEW_UNITS, rows // 12))
            options = NetworkOptions(hidden=units, members=recipe.members or _members(rows))
            parts["network"] = NetworkLearner(options, class_weights=weights, seed=seed, threads=threads)
        if "neighbours" in wanted:
            parts["neighbours"] = self._neighbours()
        return parts

    def _neighbours(self) -> CosineNeighbours:
        below = self.recipe.exact_below
        return CosineNeighbours(seed=self.seed, threads=self.threads, exact_below=below)


def _members(rows: int) -> int:
    """Networks to average: on few products they differ most, and cost least."""
    return max(1, min(2, 15_000 // max(rows, 1)))


def _width(part: _Part | MetricProjection) -> int:
    return len(part.mean_ if isinstance(part, CosineNeighbours) else part.standardiser_.mean_)


def _fits(part: _Part, width: int, classes: int) -> bool:
    """Whether the arrays of a part have the shapes that its kernels and products take."""
    if isinstance(part, CosineNeighbours):
        return True  # checked by its own `restore`
    shapes: list[tuple[Floats, tuple[int, ...]]] = [(part.standardiser_.scale_, (width,))]
    if isinstance(part, SoftmaxLearner):
        shapes += [(part.weights_, (width, classes)), (part.bias_, (classes,))]
        return all(array.shape == shape for array, shape in shapes)
    for layers in part.members_:
        units = len(layers.hidden_bias)
        shapes += [(layers.hidden, (width, units)), (layers.hidden_bias, (units,))]
        shapes += [(layers.output, (units, classes)), (layers.output_bias, (classes,))]
    return bool(part.members_) and all(array.shape == shape for array, shape in shapes)


def _below(tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
