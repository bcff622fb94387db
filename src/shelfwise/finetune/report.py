"""What came of a fine-tuning: curves, the best epoch, speed, and why it stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from shelfwise.finetune.measures import Measures


@dataclass(frozen=True)
class EpochScores:
    """One pass over the products: mean loss while learning, measures on what is held out, if anything is."""

    epoch: int
    train_loss: float
    val: Measures | None
    learning_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        val = self.val.to_dict() if self.val else None
        rate = float(f"{self.learning_rate:.4g}")
        return {
            "epoch": self.epoch,
            "train_loss": round(self.train_loss, 6),
            "val": val,
            "learning_rate": rate,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> EpochScores:
        """The opposite of `to_dict`."""
        val = Measures(**plain["val"]) if plain["val"] else None
        return cls(plain["epoch"], plain["train_loss"], val, plain["learning_rate"])


@dataclass(frozen=True)
class FinetuneReport:
    """What a fine-tuning did.

    Attributes
    ----------
    output: the folder that was written. modality: "text", "picture" or "joint". base: what it started from.
    products, validated: learned from and held out. classes: how many categories.
    curves: one entry an epoch. best_epoch: the one whose weights were kept, counted from 1.
    stopped: why it ended: "epochs", "patience" or "minutes".
    seconds, rate: time of training and products learned from per second of it.
    device, precision, workers: what it ran on.
    trained, parameters: how many numbers were trained, of how many.
    dropped, pictures_failed, examples: what could not be used, by reason, and a few of the pictures.
    notes: what the user should know, such as a learning rate that was halved.

    """

    output: str
    modality: str
    base: dict[str, str]
    products: int
    validated: int
    classes: int
    curves: tuple[EpochScores, ...]
    best_epoch: int
    stopped: str
    seconds: float
    rate: float
    device: str
    precision: str
    workers: int
    trained: int
    parameters: int
    dropped: dict[str, int] = field(default_factory=dict)
    pictures_failed: dict[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> EpochScores:
        """The scores of the epoch that was kept."""
        return self.curves[self.best_epoch - 1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        plain["curves"] = [epoch.to_dict() for epoch in self.curves]
        plain["examples"], plain["notes"] = list(self.examples), list(self.notes)
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> FinetuneReport:
        """The opposite of `to_dict`."""
        lists = {name: tuple(plain[name]) for name in ("examples", "notes")}
        curves = tuple(EpochScores.from_dict(entry) for entry in plain["curves"])
        return cls(**{**plain, **lists, "curves": curves})
