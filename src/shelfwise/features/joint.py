"""Joint encoders: a text and a picture of a product as one vector, from a folder that fine-tuning wrote.

    FOLDER/text/               an encoder of texts, as `hf:` opens it
    FOLDER/picture/            an encoder of pictures, likewise
    FOLDER/joint.safetensors   how their vectors become one

vector = gelu(sum over the two sides of W norm(v) + b, or of what was learned to stand for it where a product
has no text or no picture). As `joint:FOLDER` it is an encoder of texts and an encoder of pictures, each with
the other side missing: their vectors lie in one space. `JointEncoder` takes both at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encoder_folder import folder_of
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from shelfwise.features.encoding import batched

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]

SIDES = ("text", "picture")
FILE = "joint.safetensors"
_BLOCK = 256  # rows at a time, always as many: a row's numbers must not depend on how many there are
_DEFAULTS = EncoderOptions()
_EPSILON = 1e-5  # that of torch's layer normalisation
_PARTS = ("norm.weight", "norm.bias", "project.weight", "project.bias", "missing.weight")


class JointProjection:
    """Vectors of texts and of pictures as joint vectors, by numpy alone."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._tensors = tensors

    @classmethod
    def open(cls, folder: Path) -> JointProjection:
        """Read joint.safetensors of a folder; EncoderError if it is missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = folder / FILE
        try:
            tensors = load_file(str(path))
        except FileNotFoundError:
            raise EncoderError(f"{folder} is no joint encoder: it has no {FILE}") from None
        except (OSError, SafetensorError) as error:
            raise EncoderError(f"{path} cannot be read: {error}") from error
        wanted = [f"{side}_{part}" for side in SIDES for part in _PARTS]
        if absent := [name for name in wanted if name not in tensors]:
            raise EncoderError(f"{path} is no joint projection: it has no {absent[0]}")
        widths = {tensors[f"{side}_project.weight"].shape[0] for side in SIDES}
        if len(widths) != 1 or not all(np.isfinite(tensors[name]).all() for name in wanted):
            raise EncoderError(f"{path} is damaged: its numbers do not fit together")
        return cls({name: np.asarray(tensors[name], np.float32) for name in wanted})

    @property
    def width(self) -> int:
        """Length of a joint vector."""
        return int(self._tensors["text_project.weight"].shape[0])

    def joined(self, vectors: Mapping[str, Floats | None], known: Mapping[str, NDArray[np.bool_]]) -> Floats:
        """Joint vectors float32 [rows, width]; zeros for a row of which neither side is known.

        Parameters
        ----------
        vectors
            By side ("text", "picture") float32 [rows, its width]; None for a side that no row has.
        known
            By side bool [rows].

        """
        from scipy.special import erf

        rows = len(known["text"])
        out = np.zeros((rows, self.width), np.float32)
        for side in SIDES:
            mask = known[side][:, None].astype(np.float32)
            out += (1 - mask) * self._tensors[f"{side}_missing.weight"][:, 0]
            given = vectors[side]
            if given is not None:
                out += mask * self._projected(side, given)
        out = (0.5 * out * (1 + erf(out / np.float32(np.sqrt(2))))).astype(np.float32)
        out[~(known["text"] | known["picture"])] = 0
        return np.asarray(out, np.float32)

    def _projected(self, side: str, vectors: Floats) -> Floats:
        scale, shift, matrix, bias = (self._tensors[f"{side}_{part}"] for part in _PARTS[:4])
        out = np.empty((len(vectors), self.width), np.float32)
        block = np.zeros((_BLOCK, vectors.shape[1]), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            part = vectors[start : start + _BLOCK]
            block[: len(part)], block[len(part) :] = part, 0
            mean = block.mean(axis=1, keepdims=True)
            deviation = np.sqrt(block.var(axis=1, keepdims=True) + np.float32(_EPSILON))
            normal = (block - mean) / deviation * scale + shift
            out[start : start + len(part)] = (normal @ matrix.T + bias)[: len(part)]
        return out


class JointEncoder:
    """Texts and pictures together; `open` makes one.

    Attributes
    ----------
    text, picture: the encoders of the two sides, of which the vectors may be cached.
    projection: makes one vector of the two.

    """

    def __init__(self, name: str, sides: tuple[Any, Any], projection: JointProjection, mark: str) -> None:
        self.name = name
        self.text, self.picture = sides
        self.projection = projection
        self.fingerprint = mark

    @classmethod
    def open(cls, name: str, options: EncoderOptions = _DEFAULTS) -> JointEncoder:
        """Open a folder that fine-tuning wrote; EncoderError where that gives no joint encoder."""
        spec = f"joint:{name}"
        folder = folder_of(spec, name)
        projection = JointProjection.open(folder)
        text = open_text_encoder(f"hf:{folder / 'text'}", options)
        picture = open_image_encoder(f"hf:{folder / 'picture'}", options)
        digest = hashlib.sha256((folder / FILE).read_bytes())
        for side in (text, picture):
            digest.update(str(getattr(side, "fingerprint", "")).encode())
        return cls(spec, (text, picture), projection, digest.hexdigest())

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self.projection.width

    def encode(self, texts: Sequence[str], images: Sequence[Image | None]) -> Floats:
        """Joint vectors float32 [products, width]; "" and None where there is no text or picture."""
        if len(texts) != len(images):
            raise EncoderError(
                f"{self.name}: {len(texts)} texts and {len(images)} pictures: give one of each"
            )
        known = {
            "text": np.array([bool(text.strip()) for text in texts], np.bool_),
            "picture": np.array([image is not None for image in images], np.bool_),
        }
        vectors = {"text": self.text.encode(list(texts)), "picture": self.picture.encode(list(images))}
        return self.projection.joined(vectors, known)


class JointSide(BatchedEncoder[Any, Any]):
    """One side of a joint encoder alone, the other one missing."""

    def __init__(self, joint: JointEncoder, side: str) -> None:
        inner = batched(joint.text if side == "text" else joint.picture)
        self.name, self.width, self.batch = joint.name, joint.width, inner.batch
        self.concurrency = inner.concurrency
        self.fingerprint = hashlib.sha256(f"{joint.fingerprint}\0{side}".encode()).hexdigest()
        self._inner, self._side, self._projection = inner, side, joint.projection

    def prepare(self, values: Sequence[Any]) -> list[Any]:
        """What the encoder of that side makes of values."""
        return self._inner.prepare(values)

    def length(self, item: Any) -> int:  # noqa: ANN401 - what `prepare` gave
        """As the encoder of that side has it."""
        return self._inner.length(item)

    def run(self, items: Sequence[Any]) -> Floats:
        """Joint vectors float32 [items, width]."""
        vectors: dict[str, Floats | None] = dict.fromkeys(SIDES)
        vectors[self._side] = self._inner.run(items)
        known = {side: np.full(len(items), side == self._side, np.bool_) for side in SIDES}
        return self._projection.joined(vectors, known)


def open_joint_text(name: str, options: EncoderOptions) -> JointSide:
    """The text side of `joint:NAME`."""
    return JointSide(JointEncoder.open(name, options), "text")


def open_joint_image(name: str, options: EncoderOptions) -> JointSide:
    """The picture side of `joint:NAME`."""
    return JointSide(JointEncoder.open(name, options), "picture")
