"""The optimizer, AdamW (Loshchilov, Hutter 2019), and its state as named tensors."""

from __future__ import annotations

from typing import Any

from shelfwise.finetune.network import Network
from shelfwise.finetune.settings import FinetuneSettings

_NEW = ("parts.head.", "parts.joint.")


def make_optimizer(network: Network, settings: FinetuneSettings) -> Any:  # noqa: ANN401 - torch.optim.AdamW
    """AdamW on what is trained: one rate for the base model, one for what is new; no decay of vectors."""
    import torch

    groups: dict[tuple[float, float], list[tuple[str, Any]]] = {}
    for name, weights in network.module.named_parameters():
        if weights.requires_grad:
            rate = settings.head_learning_rate if name.startswith(_NEW) else settings.learning_rate
            decay = settings.weight_decay if weights.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append((name, weights))
    made: list[dict[str, Any]] = [
        {
            "params": [weights for _, weights in group],
            "names": [name for name, _ in group],
            "peak": rate,
            "lr": rate,
            "weight_decay": decay,
        }
        for (rate, decay), group in groups.items()
    ]
    on_processor = all(weights.device.type == "cpu" for group in made for weights in group["params"])
    return torch.optim.AdamW(made, fused=True if on_processor else None)


def optimizer_tensors(optimizer: Any) -> dict[str, Any]:  # noqa: ANN401 - torch.optim.Optimizer
    """Its state: `optimizer.KIND.WEIGHT` -> tensor."""
    return {
        f"optimizer.{kind}.{name}": value
        for group in optimizer.param_groups
        for name, weights in zip(group["names"], group["params"], strict=True)
        for kind, value in optimizer.state.get(weights, {}).items()
    }


def restore_optimizer(optimizer: Any, tensors: dict[str, Any]) -> None:  # noqa: ANN401 - torch.optim.Optimizer
    """Take back what `optimizer_tensors` gave; other names are left alone."""
    named = {
        name: weights
        for group in optimizer.param_groups
        for name, weights in zip(group["names"], group["params"], strict=True)
    }
    optimizer.state.clear()
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            kind, name = key.removeprefix("optimizer.").split(".", 1)
            place = "cpu" if kind == "step" else named[name].device
            optimizer.state[named[name]][kind] = value.to(place).clone()
