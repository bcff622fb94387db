"""How far a training is: everything that a checkpoint holds beside tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from shelfwise.finetune.measures import Measures
from shelfwise.finetune.report import EpochScores


@dataclass
class Progress:
    """How far a training is.

    Attributes
    ----------
    batch: products at once; less than was asked for when memory ran out.
    epoch, step: passes and steps that are done.
    loss, rows: sum of the losses of this pass, and over how many products.
    halvings: how often the learning rate was halved.
    products, seconds: learned from in all, and the time it took.
    curves, best_epoch, since: scores by epoch, the best one (0: none yet), epochs since.
    stopped: why it ended, "" while it has not.
    scaler: state of the gradient scaler.

    """

    batch: int
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    rows: int = 0
    halvings: int = 0
    products: int = 0
    seconds: float = 0.0
    curves: list[EpochScores] = field(default_factory=list)
    best_epoch: int = 0
    since: int = 0
    stopped: str = ""
    scaler: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "curves": [entry.to_dict() for entry in self.curves]}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Progress:
        """The opposite of `to_dict`."""
        return cls(**{**plain, "curves": [EpochScores.from_dict(entry) for entry in plain["curves"]]})

    def close_epoch(self, val: Measures | None, rate: float, monitor: str) -> bool:
        """Note the scores of a pass; whether it is the best so far (always, where nothing is held out)."""
        self.epoch += 1
        entry = EpochScores(self.epoch, self.loss / max(self.rows, 1), val, rate)
        # As it would come back from a checkpoint, so that a resumed run compares the same numbers.
        entry = EpochScores.from_dict(entry.to_dict())
        best = self.curves[self.best_epoch - 1].val if self.best_epoch else None
        self.curves.append(entry)
        self.loss, self.rows = 0.0, 0
        better = best is None or entry.val is None or _key(entry.val, monitor) > _key(best, monitor)
        self.best_epoch = self.epoch if better else self.best_epoch
        self.since = 0 if better else self.since + 1
        return better


def _key(val: Measures, monitor: str) -> tuple[float, float]:
    return (0.0 if monitor == "loss" else float(getattr(val, monitor)), -val.loss)
