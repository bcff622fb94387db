"""Preprocessing gives what the processors of transformers give, without torchvision."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.preprocessing import Preprocessing
from tiny_encoders import PICTURES, picture

STANDARD = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25], "do_rescale": True}
CASES = {
    "ViT": {"size": {"height": 16, "width": 20}, "resample": 2},
    "Beit": {
        "size": {"height": 20, "width": 20},
        "crop_size": {"height": 16, "width": 16},
        "do_center_crop": True,
    },
    "CLIP": {"size": {"shortest_edge": 18}, "crop_size": {"height": 16, "width": 16}, "do_center_crop": True},
    "Siglip": {"size": {"height": 16, "width": 16}, "resample": 3},
    "ConvNext": {"size": {"shortest_edge": 16}, "crop_pct": 0.875, "resample": 3},
    "EfficientNet": {"size": {"height": 16, "width": 16}, "resample": 3, "include_top": True},
    "MobileNetV2": {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "resample": 2},
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("shape", [(40, 30), (17, 33), (16, 16)])
def test_agrees_with_transformers(kind, shape):
    transformers = pytest.importorskip("transformers")
    module = f"transformers.models.{kind.lower().replace('netv2', 'net_v2')}"
    name = f"{kind}ImageProcessorPil"
    processors = __import__(f"{module}.image_processing_pil_{module.split('.')[-1]}", fromlist=[name])
    if not hasattr(processors, name):
        pytest.skip(f"transformers {transformers.__version__} has no {name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        processor = getattr(processors, name)(**CASES[kind], **STANDARD)
        config = processor.to_dict() | {"image_processor_type": f"{kind}ImageProcessor"}
        image = picture(3, shape)
        expected = np.asarray(processor(image, return_tensors="np")["pixel_values"])

    ours = Preprocessing.from_config(config, "test")
    found = ours.planes([ours.pixels(image)])

    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-4 / min(STANDARD["image_std"]) ** 2


def test_older_configurations_with_one_number_are_understood():
    old = {
        "feature_extractor_type": "ViTFeatureExtractor",
        "size": 12,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    assert Preprocessing.from_config(old, "t").resize == (12, 12)

    clip = old | {"feature_extractor_type": "CLIPFeatureExtractor", "crop_size": 12, "do_center_crop": True}
    found = Preprocessing.from_config(clip, "t")
    assert (found.resize, found.crop, found.resample) == (12, (12, 12), 3)

    large = {
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "size": 384,
        "image_mean": 0.5,
        "image_std": 0.5,
    }
    assert Preprocessing.from_config(large, "t").size == (384, 384)


def test_padding_makes_a_square_in_the_colour_of_the_mean():
    ours = Preprocessing.from_config(PICTURES | {"do_pad": True}, "t")
    wide = picture(1, (40, 10))

    planes = ours.planes([ours.pixels(wide)])[0]

    assert np.abs(planes[:, 0, :]).max() < 0.01
    assert np.abs(planes[:, 4, :]).max() > 0.1


def test_channels_may_be_turned_around():
    plain = Preprocessing.from_config(PICTURES | {"image_mean": 0.0, "image_std": 1.0}, "t")
    turned = Preprocessing.from_config(
        PICTURES | {"image_mean": 0.0, "image_std": 1.0, "do_flip_channel_order": True}, "t"
    )
    pixels = plain.pixels(picture(1))

    assert np.array_equal(plain.planes([pixels])[0][::-1], turned.planes([pixels])[0])


@pytest.mark.parametrize("kind", CASES)
def test_written_as_a_configuration_it_is_the_same(kind):
    ours = Preprocessing.from_config(CASES[kind] | STANDARD | {"image_processor_type": kind}, "t")
    again = Preprocessing.from_config(ours.to_config(), "t")
    image = picture(5, (50, 31))

    assert np.allclose(ours.planes([ours.pixels(image)]), again.planes([again.pixels(image)]), atol=1e-4)


def test_grey_and_transparent_pictures_are_taken():
    ours = Preprocessing.from_config(PICTURES, "t")

    for mode in ("L", "RGBA", "P", "1"):
        assert ours.pixels(picture(1).convert(mode)).shape == (8, 8, 3)


def test_extreme_shapes_stay_bounded():
    ours = Preprocessing.from_config(
        PICTURES | {"size": {"shortest_edge": 8}, "do_center_crop": True, "crop_size": 8}, "t"
    )

    assert ours.pixels(picture(1, (20_000, 1))).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"do_thumbnail": True}, "do_thumbnail"),
        ({"size": {"longest_edge": 30}}, "longest_edge"),
        ({"size": {"shortest_edge": 30}}, "height and width"),
        ({"size": 0}, "size is 0"),
        ({"size": True}, "size is True"),
        ({"image_std": [0.5, 0.5]}, "three numbers"),
        ({"image_std": [0.5, 0.0, 0.5]}, "division by zero"),
        ({"image_mean": None}, "image_mean|NoneType"),
        ({"resample": 9}, "resample is 9"),
        ({"do_resize": False}, "height and width"),
    ],
)
def test_what_cannot_be_followed_is_said(change, said):
    with pytest.raises(EncoderError, match=said):
        Preprocessing.from_config(PICTURES | change, "test")
