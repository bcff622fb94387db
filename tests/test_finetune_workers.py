"""Where a training runs; two processes learn what one does."""

from __future__ import annotations

import pytest

from finetune_bases import settings
from shelfwise.errors import EncoderError
from shelfwise.finetune.workers import Workers

torch = pytest.importorskip("torch")


def test_one_process_on_a_processor():
    workers = Workers.start(settings(text="hf:x"))

    assert (workers.device.type, workers.precision, workers.count, workers.main) == ("cpu", "fp32", 1, True)
    assert workers.total(2.5) == 2.5
    assert torch.equal(workers.gathered(torch.ones(2)), torch.ones(2))


def test_precision_and_device_are_checked():
    assert Workers.start(settings(text="hf:x", precision="bf16")).precision == "bf16"
    with pytest.raises(EncoderError, match="fp16"):
        Workers.start(settings(text="hf:x", precision="fp16"))
    with pytest.raises(EncoderError, match="nonsense"):
        Workers.start(settings(text="hf:x", device="nonsense"))


def test_autocast_computes_in_the_precision():
    with Workers.start(settings(text="hf:x", precision="bf16")).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
