"""Where torch runs: half precision only where it helps, one thread for as long as somebody needs it."""

from __future__ import annotations

import sys

import pytest

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.torch_device import chosen, fewest_texts, import_torch, one_thread, side_by_side

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(("half", "expected"), [("auto", "float32"), ("off", "float32"), ("on", "bfloat16")])
def test_half_precision_on_a_processor_only_when_asked_for(half, expected):
    device, kind = chosen("hf:x", EncoderOptions(device="cpu", half=half))

    assert (device.type, kind) == ("cpu", getattr(torch, expected))


@pytest.mark.parametrize("name", ["gpu", "", "cuda:77"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(EncoderError, match=f"device '{name}' cannot be used"):
        chosen("hf:x", EncoderOptions(device=name))


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingExtraError, match=r"shelfwise\[transformers\]"):
        import_torch("hf:x")


def test_small_batches_side_by_side_on_a_processor():
    options = EncoderOptions(batch=64, threads=4)

    assert side_by_side(torch.device("cpu"), options) == (8, 4)
    assert side_by_side(torch.device("cuda"), options) == (64, 1)
    assert side_by_side(torch.device("cpu"), EncoderOptions(batch=2, threads=100)) == (2, 8)


def test_enough_rows_for_the_kernels_of_large_products():
    assert [fewest_texts(tokens, 8) for tokens in (1, 5, 16, 31, 32, 500)] == [8, 7, 2, 2, 1, 1]


def test_one_thread_until_the_last_one_leaves():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with one_thread(torch):
            with one_thread(torch):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
