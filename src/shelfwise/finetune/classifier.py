"""A fine-tuned classifier as it was trained: probabilities of categories, without fitting anything again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.features.encode import encode_pictures, encode_texts
from shelfwise.features.encoder_folder import folder_of
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from shelfwise.features.joint import JointEncoder
from shelfwise.finetune.folder import HEAD, read_about

if TYPE_CHECKING:
    from shelfwise.catalogue.pictures import Picture
    from shelfwise.features.cache import VectorCache

_DEFAULTS = EncoderOptions()
Floats = NDArray[np.float32]
_BLOCK = 256  # rows at a time, always as many: a row's numbers must not depend on how many there are


@dataclass(frozen=True)
class Head:
    """The classifier on vectors: weight [classes, width], bias [classes], temperature of its softmax."""

    weight: Floats
    bias: Floats
    temperature: float

    @classmethod
    def open(cls, folder: Path) -> Head:
        """Read the head of a folder that fine-tuning wrote; EncoderError if it is missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        about = read_about(folder)
        try:
            tensors = load_file(str(folder / HEAD))
            head = cls(tensors["weight"], tensors["bias"], float(about["temperature"]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise EncoderError(f"{folder / HEAD} cannot be read: {error}") from error
        shape = (len(about["classes"]), about["width"])
        if head.weight.shape != shape or head.bias.shape != shape[:1] or not head.temperature > 0:
            raise EncoderError(f"{folder / HEAD} does not fit what is written beside it: train again")
        return head

    def scores(self, vectors: Floats) -> Floats:
        """Probabilities float32 [rows, classes] of vectors float32 [rows, width]."""
        out = np.empty((len(vectors), len(self.bias)), np.float32)
        block = np.zeros((_BLOCK, vectors.shape[1]), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            part = vectors[start : start + _BLOCK]
            block[: len(part)], block[len(part) :] = part, 0
            margins = (block @ self.weight.T + self.bias) / np.float32(self.temperature)
            np.exp(margins - margins.max(axis=1, keepdims=True), out=margins)
            out[start : start + len(part)] = (margins / margins.sum(axis=1, keepdims=True))[: len(part)]
        return out


class FinetunedClassifier:
    """A folder that fine-tuning wrote, as a classifier of products; `open` makes one.

    Attributes
    ----------
    classes: names of the categories, in the order of the columns of probabilities.
    modality: "text", "picture" or "joint".

    """

    def __init__(self, classes: tuple[str, ...], modality: str, encoder: Any, head: Head) -> None:  # noqa: ANN401
        self.classes, self.modality = classes, modality
        self.encoder, self.head = encoder, head

    @classmethod
    def open(cls, folder: str, options: EncoderOptions = _DEFAULTS) -> FinetunedClassifier:
        """Open a folder; EncoderError if it is none that fine-tuning wrote, or damaged."""
        where = folder_of(f"hf:{folder}", folder)
        about = read_about(where)
        openers: dict[str, Callable[..., Any]] = {
            "text": lambda: open_text_encoder(f"hf:{where}", options),
            "picture": lambda: open_image_encoder(f"hf:{where}", options),
            "joint": lambda: JointEncoder.open(str(where), options),
        }
        return cls(tuple(about["classes"]), about["modality"], openers[about["modality"]](), Head.open(where))

    def probabilities(
        self,
        texts: Sequence[str] | None = None,
        pictures: Sequence[Picture | None] | None = None,
        cache: VectorCache | None = None,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Probabilities float32 [products, classes], and bool [products]: whether there was anything to see.

        Probabilities of a product that shows nothing are equal. Vectors are kept in `cache`.
        """
        vectors, known = self.vectors(texts, pictures, cache)
        scores = self.head.scores(vectors)
        scores[~known] = np.float32(1 / len(self.classes))
        return scores, known

    def vectors(
        self,
        texts: Sequence[str] | None,
        pictures: Sequence[Picture | None] | None,
        cache: VectorCache | None = None,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Vectors float32 [products, width] that the classifier sees, and which are known."""
        if self.modality == "text":
            found = encode_texts(self.encoder, self._given(texts, "texts"), cache)
            return found.vectors, found.known
        if self.modality == "picture":
            found = encode_pictures(self.encoder, self._given(pictures, "pictures"), cache)
            return found.vectors, found.known
        said = encode_texts(self.encoder.text, self._given(texts, "texts"), cache)
        seen = encode_pictures(self.encoder.picture, self._given(pictures, "pictures"), cache)
        known = {"text": said.known, "picture": seen.known}
        joined = self.encoder.projection.joined({"text": said.vectors, "picture": seen.vectors}, known)
        return joined, said.known | seen.known

    def _given(self, values: Sequence[Any] | None, name: str) -> Sequence[Any]:
        if values is None:
            raise EncoderError(f"a {self.modality} classifier needs {name}, and none were given")
        return values
