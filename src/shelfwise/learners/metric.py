"""Metric learning: a projection of vectors in which products of one category lie together.

It stands between an encoder and the neighbours (or any learner), and makes long vectors short. Trained with
pytorch-metric-learning, applied with numpy: a model that has one needs no torch to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import MissingExtraError
from shelfwise.features.dense_rows import DenseRows, as_dense
from shelfwise.learners.matrix import product
from shelfwise.learners.standardiser import Standardiser

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
LossName = Literal["multi_similarity", "triplet", "contrastive", "supcon", "proxy_anchor"]

_BLOCK = 4096


@dataclass(frozen=True)
class MetricOptions:
    """How the projection is learned.

    width: columns that come out. loss: multi_similarity (Wang et al. 2019), triplet (Schroff et al. 2015),
    contrastive (Hadsell et al. 2006), supcon (Khosla et al. 2020) or proxy_anchor (Kim et al. 2020). epochs:
    passes over the rows. classes_a_batch, rows_a_class: how a batch is drawn. rate, decay: of AdamW. root:
    see `Standardiser`.
    """

    width: int = 128
    loss: LossName = "supcon"
    epochs: int = 10
    classes_a_batch: int = 32
    rows_a_class: int = 4
    rate: float = 1e-3
    decay: float = 0.01
    root: bool | None = None


class MetricProjection:
    """A linear map to unit vectors whose cosines are high within a class and low across.

    Parameters
    ----------
    options: see `MetricOptions`.
    seed: of the first weights and of the batches.

    After fitting: `weights_` float32 [features, width] (values that float16 can hold) and `standardiser_`.

    """

    def __init__(self, options: MetricOptions = MetricOptions(), *, seed: int = 0) -> None:
        self.options = options
        self.seed = seed

    def fit(self, X: Floats | DenseRows, y: Codes, classes: int) -> MetricProjection:
        """Learn from rows float32 [rows, features] of codes y [rows] < `classes`.

        Raises:
            MissingExtraError: torch or pytorch-metric-learning is not installed.

        """
        torch = _torch()
        X = as_dense(X)
        self.standardiser_ = Standardiser(root=self.options.root).fit(X)
        Z = X.changed(self.standardiser_.transform)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums of several threads differ in their last bits
        try:
            weights = self._train(torch, Z, y, classes)
        finally:
            torch.set_num_threads(threads)
        self.weights_ = weights.astype(np.float16).astype(np.float32)
        return self

    def transform(self, X: Floats) -> Floats:
        """Unit vectors float32 [rows, width]."""
        out = np.empty((len(X), self.weights_.shape[1]), np.float32)
        for at in range(0, len(X), _BLOCK):
            part = product(self.standardiser_.transform(X[at : at + _BLOCK]), self.weights_)
            lengths = np.sqrt(np.square(part).sum(axis=1, keepdims=True))
            out[at : at + _BLOCK] = part / np.maximum(lengths, np.float32(1e-12))
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        return {**self.standardiser_.tensors(), "weights": self.weights_.astype(np.float16)}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> MetricProjection:
        """Take the state that `tensors` gave."""
        self.standardiser_ = Standardiser(root=self.options.root).restore(tensors)
        self.weights_ = tensors["weights"].astype(np.float32)
        return self

    def _train(self, torch: Any, Z: DenseRows, y: Codes, classes: int) -> Floats:  # noqa: ANN401 - a module
        o, rng = self.options, np.random.default_rng(self.seed)
        start = rng.standard_normal((Z.width, o.width), dtype=np.float32) / np.float32(np.sqrt(Z.width))
        weights = torch.nn.Parameter(torch.from_numpy(start))
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
            torch.manual_seed(self.seed)
            loss = _loss(o, classes)
        proxies = {
            "params": list(loss.parameters()),
            "lr": 100 * o.rate,
            "weight_decay": 0.0,
        }  # as Kim et al.
        groups = [{"params": [weights]}, *([proxies] if proxies["params"] else [])]
        optimiser = torch.optim.AdamW(groups, lr=o.rate, weight_decay=o.decay)
        batches = o.epochs * -(-len(y) // (o.classes_a_batch * o.rows_a_class))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, batches)
        draw = _batches(y, o, rng)
        for _ in range(batches):
            rows = draw()
            embedded = torch.nn.functional.normalize(torch.from_numpy(Z.take(rows)) @ weights)
            value = loss(embedded, torch.from_numpy(y[rows].astype(np.int64)))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
        learned: Floats = weights.detach().numpy().astype(np.float32)
        return learned


def _batches(y: Codes, options: MetricOptions, rng: np.random.Generator) -> Callable[[], NDArray[np.int64]]:
    """Draws rows of some classes, a few of each; large classes come more often, by the root of their size."""
    order = np.argsort(y, kind="stable")
    present, starts, sizes = np.unique(y[order], return_index=True, return_counts=True)
    share = np.sqrt(sizes) / np.sqrt(sizes).sum()

    def draw() -> NDArray[np.int64]:
        picked = rng.choice(len(present), min(options.classes_a_batch, len(present)), replace=False, p=share)
        rows = [
            rng.choice(sizes[c], min(options.rows_a_class, sizes[c]), replace=False) + starts[c]
            for c in picked
        ]
        return np.asarray(order[np.concatenate(rows)], np.int64)

    return draw


def _torch() -> Any:  # noqa: ANN401 - a module
    try:
        import pytorch_metric_learning  # noqa: F401
        import torch
    except ImportError as error:
        raise MissingExtraError("metric learning", "finetune") from error
    return torch


def _loss(options: MetricOptions, classes: int) -> Any:  # noqa: ANN401 - a torch module
    from pytorch_metric_learning import losses

    if options.loss == "proxy_anchor":
        return losses.ProxyAnchorLoss(num_classes=classes, embedding_size=options.width)
    if options.loss == "multi_similarity":
        return losses.MultiSimilarityLoss()
    if options.loss == "triplet":
        return losses.TripletMarginLoss()
    if options.loss == "contrastive":
        return losses.ContrastiveLoss()
    return losses.SupConLoss()
