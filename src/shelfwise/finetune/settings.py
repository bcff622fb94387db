"""What can be set about a fine-tuning, as plain values with their defaults."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from shelfwise.errors import RecipeError

Train = Literal["frozen", "last", "full", "lora"]
Sampling = Literal["plain", "root", "balanced"]
LossWeights = Literal["none", "root", "balanced"]
Monitor = Literal["weighted_f1", "macro_f1", "loss"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]

_CHOICES = {
    "train": ("frozen", "last", "full", "lora"),
    "sampling": ("plain", "root", "balanced"),
    "loss_weights": ("none", "root", "balanced"),
    "monitor": ("weighted_f1", "macro_f1", "loss"),
    "precision": ("auto", "bf16", "fp16", "fp32"),
    "pooling": ("auto", "mean", "cls"),
}
_WHOLE = {
    "last_layers": 1,
    "epochs": 1,
    "batch": 1,
    "accumulate": 1,
    "patience": 0,
    "max_tokens": 2,
    "lora_rank": 1,
    "lora_alpha": 1,
    "width": 1,
    "checkpoint_steps": 1,
    "seed": 0,
    "threads": 0,
}
_SHARES = ("warmup", "dropout", "modality_dropout", "label_smoothing", "validation")
_NOT_NEGATIVE = ("weight_decay", "logit_adjustment", "contrastive", "minutes")
_POSITIVE = ("learning_rate", "head_learning_rate", "clip")
_OF_NO_EFFECT = ("device", "threads", "checkpoint_steps")


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """What to fine-tune and how; give `text`, `picture` or both (a joint model).

    Attributes
    ----------
    text, picture
        Base models, `hf:NAME_OR_FOLDER`; empty for none.
    train
        "frozen": only the classifier (and the joint projection); "last": the last `last_layers` layers as
        well; "full": everything; "lora": low-rank additions to the linear layers (Hu et al. 2022), merged
        into the weights at the end.
    epochs, batch, accumulate
        Passes over the products at most; products at once; batches to a step.
    learning_rate, head_learning_rate
        Highest rate of the base model's weights and of what is new (classifier, projection).
    warmup, weight_decay, clip
        Share of the steps in which the rate rises before it falls as a cosine; of AdamW; longest gradient.
    label_smoothing, dropout
        Share of the target given to the other classes; share of a vector silenced before the classifier.
    modality_dropout
        Joint models: how often the picture or the text of a product is hidden while training, so that the
        model learns to do with one of them.
    max_tokens
        Tokens of a text that are read.
    sampling
        How products are drawn: "plain", each once an epoch; "balanced", every class equally often; "root",
        classes in proportion to the root of their size.
    loss_weights, logit_adjustment
        Weights of classes in the loss: "none", or falling with their size or its "root"; strength of the
        adjustment of logits by class frequency (Menon et al. 2021), 1 is the theory's.
    contrastive
        Weight of a supervised contrastive loss (Khosla et al. 2020) on the vectors; 0 for none.
    augment
        Flip, turn, crop and recolour pictures while training.
    patience, monitor, validation
        Epochs without a better validation score before it stops, 0 for never; which score; share of the
        products held out, whole groups of near-duplicates at a time, where no split is given.
    precision
        "auto" takes bf16 or fp16 on a GPU and fp32 on a processor.
    lora_rank, lora_alpha, lora_targets
        Width and scale of the additions; names of layers to add to, empty for all linear layers.
    pooling, width
        How the tokens of a text become one vector, "auto" as `hf:` would; width of a joint vector.
    minutes
        Stop after that many minutes, 0 for no limit. The learning rate then falls to 0 within them, so that a
        run that is cut short is a finished one; its result depends on the machine's speed.
    checkpoint_steps
        Steps between checkpoints, beside one at the end of each epoch.
    device, threads, seed
        "auto", "cpu", "cuda", "cuda:1", "mps"; processor threads, 0 for all; of every random choice.

    """

    text: str = ""
    picture: str = ""
    train: Train = "full"
    last_layers: int = 2
    epochs: int = 5
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 5e-5
    head_learning_rate: float = 5e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    label_smoothing: float = 0.0
    dropout: float = 0.1
    modality_dropout: float = 0.1
    max_tokens: int = 128
    sampling: Sampling = "plain"
    loss_weights: LossWeights = "none"
    logit_adjustment: float = 0.0
    contrastive: float = 0.0
    augment: bool = True
    patience: int = 2
    monitor: Monitor = "weighted_f1"
    validation: float = 0.1
    precision: Precision = "auto"
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: tuple[str, ...] = ()
    pooling: Literal["auto", "mean", "cls"] = "auto"
    width: int = 256
    minutes: float = 0.0
    checkpoint_steps: int = 200
    device: str = "auto"
    threads: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            self._check(name, getattr(self, name) in choices, f"it takes one of {', '.join(choices)}")
        for name, least in _WHOLE.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            self._check(name, whole and value >= least, f"it takes a whole number from {least}")
        for name in _SHARES:
            self._check(name, 0 <= getattr(self, name) < 1, "it takes a share from 0 to below 1")
        for name in _NOT_NEGATIVE:
            self._check(name, 0 <= getattr(self, name) < float("inf"), "it takes a number from 0")
        for name in _POSITIVE:
            self._check(name, 0 < getattr(self, name) < float("inf"), "it takes a number above 0")
        for name in ("text", "picture"):
            self._check(name, _is_base(getattr(self, name)), "it takes hf:NAME_OR_FOLDER, or nothing")
        if not self.text and not self.picture:
            raise RecipeError("nothing to fine-tune: give a base model for text, for picture, or for both")

    def _check(self, name: str, good: bool, takes: str) -> None:
        if not good:
            raise RecipeError(f"finetune {name} is {getattr(self, name)!r}; {takes}")

    @property
    def modality(self) -> str:
        """What is read: "text", "picture" or "joint"."""
        return "joint" if self.text and self.picture else "text" if self.text else "picture"

    def digest(self) -> str:
        """SHA-256 of everything that changes the result."""
        plain: dict[str, Any] = {k: v for k, v in asdict(self).items() if k not in _OF_NO_EFFECT}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _is_base(spec: str) -> bool:
    return spec == "" or (spec.startswith("hf:") and len(spec) > 3)
