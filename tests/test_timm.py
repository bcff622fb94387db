"""`timm:` encoders: absent, it says what to install; present, its preprocessing is followed."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from shelfwise.errors import EncoderError, MissingExtraError, RecipeError
from shelfwise.features.encoders import EncoderOptions, open_image_encoder
from tiny_encoders import picture

torch = pytest.importorskip("torch")


@pytest.fixture
def timm(monkeypatch):
    """A stand-in with timm's functions and one model."""

    def create_model(name, pretrained, num_classes):
        assert pretrained
        assert num_classes == 0
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        torch.manual_seed(0)
        convolution = torch.nn.Conv2d(3, 6, 3)
        return torch.nn.Sequential(convolution, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    def config(model):
        return {
            "input_size": (3, 14, 14),
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "crop_mode": "center",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
        }

    module = types.ModuleType("timm")
    module.create_model = create_model
    module.data = types.SimpleNamespace(resolve_model_data_config=config)
    monkeypatch.setitem(sys.modules, "timm", module)


def test_without_timm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)

    with pytest.raises(MissingExtraError, match=r"shelfwise\[timm\]"):
        open_image_encoder("timm:resnet18")


def test_a_model_of_timm(timm):
    encoder = open_image_encoder("timm:tiny", EncoderOptions(device="cpu"))
    images = [picture(seed, (30, 20)) for seed in range(5)]

    whole = encoder.encode([*images, None])

    assert whole.shape == (6, 6)
    assert encoder.preprocessing.resize == 16
    assert encoder.preprocessing.size == (14, 14)
    assert np.array_equal(whole[3:4], encoder.encode(images[3:4]))
    planes = encoder.preprocessing.planes(encoder.prepare(images[:1]))
    with torch.inference_mode():
        assert np.allclose(encoder.module(torch.from_numpy(planes)).numpy(), whole[:1], atol=1e-5)
    assert open_image_encoder("timm:tiny").fingerprint == encoder.fingerprint


def test_a_name_that_timm_does_not_know(timm):
    with pytest.raises(EncoderError, match=r"Unknown model \(huge\).*onnx:FOLDER"):
        open_image_encoder("timm:huge")


def test_its_pooling_is_its_own(timm):
    with pytest.raises(RecipeError, match="pooling of its own"):
        open_image_encoder("timm:tiny", EncoderOptions(pooling="cls"))
