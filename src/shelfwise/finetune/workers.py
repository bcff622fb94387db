"""Where a training runs: on a processor, on one GPU, or on several by accelerate; and in which precision.

Started as usual it is one process. Started by `accelerate launch` it is one process a GPU: each learns from
its part of every step, and gradients are averaged.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.torch_device import chosen
from shelfwise.finetune.settings import FinetuneSettings


@dataclass(frozen=True)
class Workers:
    """The processes of a training, as one of them sees it.

    Attributes
    ----------
    device: a torch.device. precision: "bf16", "fp16" or "fp32".
    count, rank: how many processes there are, and which this is.
    accelerator: of accelerate, None for a single process.

    """

    device: Any
    precision: str
    count: int = 1
    rank: int = 0
    accelerator: Any = None

    @classmethod
    def start(cls, settings: FinetuneSettings) -> Workers:
        """Find the device; join the other processes where there are any.

        Raises
        ------
        EncoderError
            There is no such device, or it cannot compute in that precision.

        """
        import torch

        if settings.threads:
            torch.set_num_threads(settings.threads)
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            accelerator = _accelerator(settings)
            precision = _precision(settings.precision, accelerator.device)
            return cls(
                accelerator.device,
                precision,
                accelerator.num_processes,
                accelerator.process_index,
                accelerator,
            )
        options = EncoderOptions(device=settings.device, half="off")
        device, _ = chosen(settings.text or settings.picture, options)
        return cls(device, _precision(settings.precision, device))

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def wrapped(self, module: Any) -> Any:  # noqa: ANN401 - torch.nn.Module
        """A module on the device, its gradients averaged over all processes."""
        module.to(self.device)
        return module if self.accelerator is None else self.accelerator.prepare_model(module)

    def autocast(self) -> Any:  # noqa: ANN401 - a context
        """Compute in the precision."""
        import torch

        kind = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(self.device.type, kind, enabled=self.precision != "fp32")

    def scaler(self) -> Any:  # noqa: ANN401 - torch.amp.GradScaler
        """Keeps small gradients of fp16 from vanishing; does nothing in other precisions."""
        import torch

        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def quietly(self, module: Any, more: bool) -> Any:  # noqa: ANN401 - a context
        """Without averaging gradients while more batches of the same step are to come."""
        averaged = self.accelerator is None or not more
        return contextlib.nullcontext() if averaged else self.accelerator.no_sync(module)

    def total(self, value: float) -> float:
        """The sum over all processes."""
        if self.accelerator is None:
            return value
        import torch

        kind = torch.float32 if self.device.type == "mps" else torch.float64
        return float(self.accelerator.reduce(torch.tensor(value, device=self.device, dtype=kind), "sum"))

    def gathered(self, rows: Any) -> Any:  # noqa: ANN401 - torch.Tensor
        """Rows of all processes, dealt out in turn as `sampling.share_of` does, back in one order."""
        if self.accelerator is None:
            return rows
        found = self.accelerator.gather(rows)
        return found.reshape(self.count, len(rows), -1).transpose(0, 1).reshape(found.shape)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def moved(self, batch: Any) -> Any:  # noqa: ANN401 - tensors in dicts
        """A batch on the device."""
        if isinstance(batch, dict):
            return {name: self.moved(value) for name, value in batch.items()}
        return batch.to(self.device, non_blocking=True)


def _accelerator(settings: FinetuneSettings) -> Any:  # noqa: ANN401 - accelerate.Accelerator
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError:
        raise MissingExtraError("fine-tuning on several devices", "finetune") from None
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # some models bring weights of no use
    return Accelerator(mixed_precision="no", cpu=settings.device == "cpu", kwargs_handlers=[unused])


def _precision(asked: str, device: Any) -> str:  # noqa: ANN401 - torch.device
    import torch

    if asked == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if asked == "fp16" and device.type == "cpu":
        raise EncoderError("a processor does not train in fp16; give precision bf16 or fp32")
    return asked
