"""Pictures as an encoder wants them: resized, cropped and normalised as its preprocessor_config.json says.

Done with Pillow and one compiled kernel, so that `onnx:` and `hf:` share it and neither needs torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError

if TYPE_CHECKING:
    from PIL.Image import Image

CONFIG = "preprocessor_config.json"

_BICUBIC_TYPES = ("CLIP", "ChineseCLIP", "Siglip", "Beit", "DeiT", "EfficientFormer", "BitImage", "Blip")
_SHORT_EDGE_TYPES = ("CLIP", "ChineseCLIP", "ConvNext", "MobileNet", "Levit", "BitImage", "Poolformer")
_CONVNEXT_WARPS_FROM = 384  # its processor crops below and warps from there on
_KNOWN_STEPS = {
    "do_resize",
    "do_center_crop",
    "do_rescale",
    "do_normalize",
    "do_convert_rgb",
    "do_pad",
    "do_flip_channel_order",
    "do_reduce_labels",  # of segmentation maps; says nothing about pictures
}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture, in this order.

    Attributes
    ----------
    pad: make it a square first, centred, with bars in the colour of the mean.
    resize: to (height, width), or the shorter side to that many pixels; None for not at all.
    crop: cut (height, width) from the middle; black where the picture is smaller.
    resample: Pillow's number of the filter.
    scale, shift: a pixel of 0..255 becomes pixel * scale + shift, by channel.
    flip: channels as blue, green, red.

    """

    pad: bool
    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: int
    scale: tuple[float, float, float]
    shift: tuple[float, float, float]
    flip: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        if self.crop:
            return self.crop
        assert isinstance(self.resize, tuple)  # `from_config` takes nothing else
        return self.resize

    @property
    def background(self) -> tuple[int, int, int]:
        """The colour that normalises to 0."""
        red, green, blue = (
            round(min(max(-b / a, 0), 255)) for a, b in zip(self.scale, self.shift, strict=True)
        )
        return red, green, blue

    @classmethod
    def from_config(cls, config: Mapping[str, Any], spec: str) -> Preprocessing:
        """Understand a preprocessor_config.json.

        Raises
        ------
        EncoderError
            It asks for a step that is not known here, or leaves open how large the pictures become.

        """
        try:
            return cls._understood(config)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise EncoderError(f"{spec}: {CONFIG} cannot be used: {error}") from error

    @classmethod
    def _understood(cls, config: Mapping[str, Any]) -> Preprocessing:
        wanted = [name for name, value in config.items() if name.startswith("do_") and value is True]
        if unknown := sorted(set(wanted) - _KNOWN_STEPS):
            raise ValueError(f"it asks for {unknown[0]}, which is not supported")
        kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
        resize, crop = _sizes(config, kind)
        if not crop and not isinstance(resize, tuple):
            raise ValueError("it does not say what height and width all pictures get (size, crop_size)")
        default = 3 if kind.startswith(_BICUBIC_TYPES) else 2
        resample = config.get("resample", default)
        if resample not in range(6):
            raise ValueError(f"resample is {resample!r}; it takes 0 to 5")
        scale, shift = _arithmetic(config)
        flip, pad = config.get("do_flip_channel_order") is True, config.get("do_pad") is True
        return cls(pad, resize, crop, int(resample), scale, shift, flip)

    def to_config(self) -> dict[str, Any]:
        """A preprocessor_config.json that `from_config` understands as just this."""
        sides = ("height", "width")
        size: dict[str, int] | None = None
        if self.resize:
            fixed = isinstance(self.resize, tuple)
            size = dict(zip(sides, self.resize, strict=True)) if fixed else {"shortest_edge": self.resize}  # type: ignore[arg-type,dict-item]
        return {
            "do_pad": self.pad,
            "do_resize": self.resize is not None,
            **({"size": size} if size else {}),
            "do_center_crop": self.crop is not None,
            **({"crop_size": dict(zip(sides, self.crop, strict=True))} if self.crop else {}),
            "resample": self.resample,
            "do_rescale": False,
            "do_normalize": True,
            "image_mean": [-b / a for a, b in zip(self.scale, self.shift, strict=True)],
            "image_std": [1 / a for a in self.scale],
            "do_flip_channel_order": self.flip,
        }

    def pixels(self, image: Image) -> NDArray[np.uint8]:
        """A picture as uint8 [height, width, 3], resized and cropped; may be called on any thread."""
        if image.mode != "RGB":
            image = image.convert("RGB")
        if self.pad and image.width != image.height:
            image = _squared(image, self.background)
        if self.resize:
            target = _target(image, self.resize)
            if target != image.size:
                # two steps when shrinking a lot: much cheaper, and not to be told from one
                image = image.resize(target, self.resample, reducing_gap=3.0)
        if self.crop and self.crop != (image.height, image.width):
            height, width = self.crop
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        return np.asarray(image)

    def planes(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """What `pixels` gave as one batch, normalised, float32 [pictures, 3, height, width]."""
        from shelfwise.features.preprocessing_kernels import normalise_kernel

        batch = np.empty((len(pictures), 3, *self.size), np.float32)
        scale, shift = np.array(self.scale, np.float32), np.array(self.shift, np.float32)
        for picture, planes in zip(pictures, batch, strict=True):
            normalise_kernel(picture[:, :, ::-1] if self.flip else picture, scale, shift, planes)
        return batch


def _sizes(
    config: Mapping[str, Any], kind: str
) -> tuple[tuple[int, int] | int | None, tuple[int, int] | None]:
    """What to resize to and what to crop, from a configuration."""
    resize: tuple[int, int] | int | None = None
    if config.get("do_resize", True):
        resize = _size(config["size"], "size", kind.startswith(_SHORT_EDGE_TYPES))
    crop = None
    if config.get("do_center_crop", bool(config.get("crop_size"))):
        cropped = _size(config.get("crop_size", config.get("size")), "crop_size", False)
        crop = (cropped, cropped) if isinstance(cropped, int) else cropped
    if kind.startswith("ConvNext") and isinstance(resize, int):
        edge = resize
        if edge >= _CONVNEXT_WARPS_FROM:
            return (edge, edge), None
        return int(edge / float(config.get("crop_pct") or 224 / 256)), (edge, edge)
    return resize, crop


def _size(value: Any, name: str, short_edge: bool) -> tuple[int, int] | int:  # noqa: ANN401 - from JSON
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        height, width = int(value["height"]), int(value["width"])
    elif isinstance(value, Mapping) and set(value) == {"shortest_edge"}:
        height = width = int(value["shortest_edge"])
        short_edge = True
    elif isinstance(value, list) and len(value) == 2:
        height, width = int(value[0]), int(value[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        height = width = value
    else:
        raise ValueError(f"{name} is {value!r}")
    if not 0 < min(height, width) <= max(height, width) <= 4096:
        raise ValueError(f"{name} is {value!r}")
    return height if short_edge and height == width else (height, width)


def _arithmetic(
    config: Mapping[str, Any],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Rescaling and normalising as one factor and one offset a channel."""
    factor = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
    offset = -1.0 if config.get("rescale_offset") and factor != 1.0 else 0.0
    mean, deviation = [0.0] * 3, [1.0] * 3
    if config.get("do_normalize", True):
        mean, deviation = (_channels(config[name]) for name in ("image_mean", "image_std"))
    scale = [factor / d for d in deviation]
    shift = [(offset - m) / d for m, d in zip(mean, deviation, strict=True)]
    if config.get("include_top") and config.get("do_normalize", True):  # EfficientNet divides twice
        scale = [a / d for a, d in zip(scale, deviation, strict=True)]
        shift = [b / d for b, d in zip(shift, deviation, strict=True)]
    if not np.isfinite([*scale, *shift]).all():
        raise ValueError("image_mean and image_std are no usable numbers")
    return (scale[0], scale[1], scale[2]), (shift[0], shift[1], shift[2])


def _channels(value: Any) -> list[float]:  # noqa: ANN401 - from JSON
    numbers = [float(value)] * 3 if isinstance(value, int | float) else [float(number) for number in value]
    if len(numbers) != 3:
        raise ValueError("image_mean and image_std take three numbers, for red, green and blue")
    return numbers


def _target(image: Image, resize: tuple[int, int] | int) -> tuple[int, int]:
    """Width and height to resize a picture to."""
    if isinstance(resize, tuple):
        return resize[1], resize[0]
    short, long = sorted(image.size)
    longer = min(max(int(resize * long / short), 1), 64 * resize)
    return (resize, longer) if image.width <= image.height else (longer, resize)


def _squared(image: Image, colour: tuple[int, int, int]) -> Image:
    from PIL import Image as Pillow

    side = max(image.size)
    square = Pillow.new("RGB", (side, side), colour)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
