"""The network that is trained: one tower or two, a joint projection for two, a classifier on the vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shelfwise.finetune.settings import FinetuneSettings
from shelfwise.finetune.towers import Tower, open_tower


@dataclass
class Network:
    """Towers and what is on top of them.

    Attributes
    ----------
    module: a torch module; called with a batch (see `batches`), it gives (vectors, logits).
    towers: by modality, "text" and "picture".

    """

    module: Any
    towers: dict[str, Tower]

    def trained(self) -> dict[str, Any]:
        """Everything that training changes, by name: trained weights, and statistics of normalisation."""
        weights = {name: one for name, one in self.module.named_parameters() if one.requires_grad}
        moving = {
            name: one
            for name, one in self.module.named_buffers()
            if name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        }
        return weights | moving

    def counts(self) -> tuple[int, int]:
        """How many numbers are trained, of how many."""
        weights = list(self.module.parameters())
        return sum(one.numel() for one in weights if one.requires_grad), sum(one.numel() for one in weights)

    def learn(self) -> None:
        """Into training mode; what is frozen keeps to how it answers."""
        import torch

        self.module.train()
        for part in self.module.modules():
            own = list(part.parameters(recurse=False))
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and not any(
                one.requires_grad for one in own
            ):
                part.eval()
        for tower in self.towers.values():
            if not any(one.requires_grad for one in tower.model.parameters()):
                tower.model.eval()


def build_network(settings: FinetuneSettings, classes: int) -> Network:
    """Open the base models and put a classifier of `classes` on top, the same for the same seed."""
    import torch

    torch.manual_seed(settings.seed)
    sides = {"joint": ("text", "picture")}.get(settings.modality, (settings.modality,))
    towers = {side: open_tower(side, settings) for side in sides}
    parts = torch.nn.ModuleDict({side: tower.model for side, tower in towers.items()})
    if len(towers) > 1:
        widths = {side: tower.width for side, tower in towers.items()}
        parts["joint"] = _projection(widths, settings.width)
        width = settings.width
    else:
        width = towers[sides[0]].width
    head = torch.nn.Linear(width, classes)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    parts["head"] = head
    return Network(_module(parts, towers, settings), towers)


def _projection(widths: dict[str, int], width: int) -> Any:  # noqa: ANN401 - torch.nn.Module
    """Of each side: norm, projection, and what stands for it where it is missing. See `features.joint`."""
    import torch

    parts = torch.nn.ModuleDict()
    for side, wide in widths.items():
        parts[f"{side}_norm"] = torch.nn.LayerNorm(wide)
        parts[f"{side}_project"] = torch.nn.Linear(wide, width)
        parts[f"{side}_missing"] = torch.nn.Linear(1, width, bias=False)
    return parts


def _module(parts: Any, towers: dict[str, Tower], settings: FinetuneSettings) -> Any:  # noqa: ANN401
    """The parts as one torch module, which is what accelerate wraps."""
    import torch

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = parts

        def forward(self, batch: dict[str, Any]) -> tuple[Any, Any]:
            vectors = {side: tower.vectors(batch[side]) for side, tower in towers.items()}
            if "joint" in parts:
                hidden = settings.modality_dropout if self.training else 0.0
                vector = _joined(parts["joint"], vectors, batch["known"], hidden)
            else:
                vector = next(iter(vectors.values())).float()
            silenced = torch.nn.functional.dropout(vector, settings.dropout, self.training)
            return vector, parts["head"](silenced)

    return Module()


def _joined(joint: Any, vectors: dict[str, Any], known: dict[str, Any], hidden: float) -> Any:  # noqa: ANN401
    """One vector a product: gelu(sum over the sides of what it projects to, or of what stands for it)."""
    import torch

    masks = dict(known)
    if hidden:
        first, second = masks
        drawn = torch.rand(len(masks[first]), device=masks[first].device)
        both = masks[first] * masks[second]
        masks[first] = masks[first] * (1 - both * (drawn < hidden / 2))
        masks[second] = masks[second] * (1 - both * (drawn > 1 - hidden / 2))
    total: Any = 0.0
    for side, vector in vectors.items():
        mask = masks[side][:, None]
        seen = joint[f"{side}_project"](joint[f"{side}_norm"](vector.float()))
        total = total + mask * seen + joint[f"{side}_missing"](1 - mask)
    return torch.nn.functional.gelu(total)
