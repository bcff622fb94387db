"""Pretrained encoders: texts or pictures in, vectors out; opened by a short name, or brought along.

    onnx:FOLDER           model.onnx and preprocessor_config.json (pictures) or tokenizer.json (texts)
    hf:NAME_OR_FOLDER     a model of transformers
    st:NAME_OR_FOLDER     a model of sentence-transformers (texts)
    timm:NAME             a model of timm (pictures)
    joint:FOLDER          a joint model of texts and pictures that fine-tuning wrote
    pixels                colours, edges and textures, without any pretrained weights (pictures)
    KIND:NAME             what an installed package offers in the entry point group `shelfwise.encoders`

Any object with `name`, `width` and `encode` is an encoder. With a `fingerprint` as well, its vectors are
cached and a model can tell whether it still has the encoder that it was trained with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, RecipeError, ShelfwiseError

if TYPE_CHECKING:
    from PIL.Image import Image

_TORCH = ("hf", "st", "timm", "joint")
GROUP = "shelfwise.encoders"
"""Entry point group: each entry names a module or object with `open_text_encoder(name, options)`, or
`open_image_encoder(name, options)`, or both; the entry's name is the KIND of the specification."""

Pooling = Literal["auto", "mean", "cls", "pooler"]
Half = Literal["auto", "on", "off"]
_CHOICES = {"pooling": ("auto", "mean", "cls", "pooler"), "half": ("auto", "on", "off")}
_FORMS = {
    "text": "onnx:FOLDER, hf:NAME_OR_FOLDER or st:NAME_OR_FOLDER",
    "image": "onnx:FOLDER, hf:NAME_OR_FOLDER, timm:NAME or pixels",
}


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """What to call it in messages and reports."""

    @property
    def width(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32 [texts, width]."""


@runtime_checkable
class ImageEncoder(Protocol):
    """Turns pictures into vectors."""

    @property
    def name(self) -> str:
        """What to call it in messages and reports."""

    @property
    def width(self) -> int:
        """Length of a vector."""

    def encode(self, images: Sequence[Image | None]) -> NDArray[np.float32]:
        """Vectors float32 [images, width]; a row of zeros for None."""


@dataclass(frozen=True)
class EncoderOptions:
    """How to open and run an encoder.

    Attributes
    ----------
    batch: texts or pictures at once; halved by itself when memory runs out.
    max_tokens: tokens of a text that are read; fewer where the model takes fewer.
    pooling: how the vectors of a text's tokens, or of a picture's patches, become one: their mean, the first
        ("cls"), what the model's own pooling layer makes of them ("pooler"), or as the model's folder says.
    half: half precision; "auto" takes it on a GPU, where it is twice as fast and as exact as the cache.
    threads: processor threads; 0 for all there are.
    device: "auto" for a GPU when there is one, or "cpu", "cuda", "cuda:1", "mps".

    """

    batch: int = 32
    max_tokens: int = 256
    pooling: Pooling = "auto"
    half: Half = "auto"
    threads: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("max_tokens", 2), ("threads", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise RecipeError(f"encoder option {name} is {value!r}; it takes a whole number from {least}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise RecipeError(
                    f"encoder option {name} is {getattr(self, name)!r}; it takes one of {', '.join(choices)}"
                )

    @property
    def cores(self) -> int:
        """Processor threads to use, at least 1."""
        if self.threads:
            return self.threads
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_DEFAULTS = EncoderOptions()
_Encoder = TypeVar("_Encoder", TextEncoder, ImageEncoder)


def open_text_encoder(spec: str, options: EncoderOptions = _DEFAULTS) -> TextEncoder:
    """Open an encoder of texts; `spec` as at the top of this module.

    Raises
    ------
    EncoderError
        There is no such encoder, or its files are missing, damaged or not those of an encoder of texts.
    MissingExtraError
        What it runs on is not installed.

    """
    return cast(TextEncoder, _open("text", spec, options))


def open_image_encoder(spec: str, options: EncoderOptions = _DEFAULTS) -> ImageEncoder:
    """Open an encoder of pictures; `spec` and errors as for `open_text_encoder`."""
    return cast(ImageEncoder, _open("image", spec, options))


def takes_gpu(spec: str) -> bool:
    """Whether an encoder runs on a GPU where there is one; on a processor it takes all of its cores."""
    return spec.partition(":")[0] in _TORCH


def _open(kind: str, spec: str, options: EncoderOptions) -> object:
    if kind == "image" and spec == "pixels":
        from shelfwise.features.pixels import PixelsEncoder

        return PixelsEncoder()
    scheme, colon, name = spec.partition(":")
    opener = _OPENERS.get((kind, scheme)) or _plug_in(kind, scheme)
    if not colon or not name or opener is None:
        hint = f" For a folder write hf:{spec} or onnx:{spec}." if os.path.isdir(spec) else ""
        raise EncoderError(f"no {kind} encoder is called {spec!r}; give {_FORMS[kind]}.{hint}")
    encoder = opener(name, options)
    if not isinstance(encoder, TextEncoder if kind == "text" else ImageEncoder):
        raise EncoderError(f"{spec}: what was opened is no encoder, it lacks name, width or encode")
    return encoder


def _onnx_text(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.onnx import OnnxTextEncoder

    return OnnxTextEncoder.open(name, options)


def _onnx_image(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.onnx import OnnxImageEncoder

    return OnnxImageEncoder.open(name, options)


def _transformers_text(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.transformer import TransformerTextEncoder

    return TransformerTextEncoder.open(name, options)


def _transformers_image(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.transformer import TransformerImageEncoder

    return TransformerImageEncoder.open(name, options)


def _sentence(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.sentence import SentenceEncoder

    return SentenceEncoder.open(name, options)


def _sentence_image(name: str, options: EncoderOptions) -> object:
    raise EncoderError(f"st:{name} encodes texts; for pictures give hf:{name} or {_FORMS['image']}")


def _timm(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.timm import TimmEncoder

    return TimmEncoder.open(name, options)


def _joint_text(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.joint import open_joint_text

    return open_joint_text(name, options)


def _joint_image(name: str, options: EncoderOptions) -> object:
    from shelfwise.features.joint import open_joint_image

    return open_joint_image(name, options)


_OPENERS: dict[tuple[str, str], Callable[[str, EncoderOptions], object]] = {
    ("text", "onnx"): _onnx_text,
    ("image", "onnx"): _onnx_image,
    ("text", "hf"): _transformers_text,
    ("image", "hf"): _transformers_image,
    ("text", "st"): _sentence,
    ("image", "st"): _sentence_image,
    ("image", "timm"): _timm,
    ("text", "joint"): _joint_text,
    ("image", "joint"): _joint_image,
}


def _plug_in(kind: str, scheme: str) -> Callable[[str, EncoderOptions], object] | None:
    """What an installed package offers under that name, if any does."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=scheme):
        try:
            found = entry.load()
        except Exception as error:  # another package's code: whatever it raises is its fault
            raise EncoderError(f"the plug-in {scheme!r} ({entry.value}) cannot be loaded: {error}") from error
        if opener := getattr(found, f"open_{kind}_encoder", None):
            return _guarded(opener, scheme)
    return None


def _guarded(opener: Callable[[str, EncoderOptions], object], scheme: str) -> Callable[..., object]:
    def guarded(name: str, options: EncoderOptions) -> object:
        try:
            return opener(name, options)
        except ShelfwiseError:
            raise
        except Exception as error:
            raise EncoderError(f"the plug-in {scheme!r} cannot open {name!r}: {error}") from error

    return guarded


def fingerprint_of(encoder: Any) -> str | None:  # noqa: ANN401 - either kind of encoder
    """The fingerprint of an encoder, None if it has none (an object of the user's own may not)."""
    found = getattr(encoder, "fingerprint", None)
    return found if isinstance(found, str) and found else None


def check_same(encoder: _Encoder, fingerprint: str | None, width: int) -> None:
    """Check that an encoder is the one that a model was trained with.

    Raises
    ------
    EncoderError
        Its vectors have another width, or its files or options are not those of training.

    """
    if encoder.width != width:
        raise EncoderError(
            f"the encoder {encoder.name} gives vectors of {encoder.width} numbers; the model was trained "
            f"with {width}. Give the encoder of training, or train again."
        )
    now = fingerprint_of(encoder)
    if now != fingerprint:
        raise EncoderError(
            f"the encoder {encoder.name} is not the one that the model was trained with: its files or "
            f"options have changed (fingerprint {(now or 'none')[:12]}, trained with "
            f"{(fingerprint or 'none')[:12]}). "
            "Give the encoder of training, or train again."
        )
