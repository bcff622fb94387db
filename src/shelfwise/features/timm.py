"""`timm:` encoders: picture models of timm, by name, with the preprocessing that they were trained with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError, RecipeError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.preprocessing import Preprocessing
from shelfwise.features.torch_device import chosen, import_torch, one_thread, side_by_side

if TYPE_CHECKING:
    from PIL.Image import Image

_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


class TimmEncoder(BatchedEncoder["Image", NDArray[np.uint8]]):
    """A model of timm without its classifier; `open` makes one."""

    def __init__(self, name: str, model: Any, preprocessing: Preprocessing, options: EncoderOptions) -> None:  # noqa: ANN401
        self.name = name
        self.preprocessing = preprocessing
        self.module = self._model = model
        self._device, self._type = chosen(name, options)
        self.batch, self.concurrency = side_by_side(self._device, options, pictures=True)

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> TimmEncoder:
        """Open a model of timm; EncoderError where there is none of that name or its weights are not had."""
        spec = f"timm:{name}"
        if options.pooling != "auto":
            raise RecipeError(f"{spec} has a pooling of its own; leave out {options.pooling!r}")
        try:
            import timm
        except ImportError:
            raise MissingExtraError(spec, "timm") from None
        try:
            model = timm.create_model(name, pretrained=True, num_classes=0)
            data = timm.data.resolve_model_data_config(model)
        except Exception as error:  # timm and the hub raise what their parts raise
            raise EncoderError(
                f"{spec}: timm cannot open it: {str(error).strip()[:300]}. Without a network, export the "
                "model elsewhere and give it as onnx:FOLDER."
            ) from error
        encoder = cls(spec, model, _preprocessing(data, spec), options)
        encoder.fingerprint = _fingerprint(model, data, options)
        model.eval().requires_grad_(False).to(encoder._device, encoder._type)
        probe = encoder.run([np.full((*encoder.preprocessing.size, 3), 127, np.uint8)])
        encoder.width = int(probe.shape[1])
        return encoder

    def prepare(self, values: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """Pictures as pixels of the size that the model takes."""
        return [self.preprocessing.pixels(value) for value in values]

    def fewest(self, item: NDArray[np.uint8]) -> int:
        """Always a whole batch: some layers see one row a picture."""
        return self.batch

    def run(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Vectors float32 [items, width]."""
        torch = import_torch(self.name)
        planes = torch.from_numpy(self.preprocessing.planes(items)).to(self._device, self._type)
        with one_thread(torch), torch.inference_mode():
            return np.asarray(self.features(planes).float().cpu().numpy(), np.float32)

    def features(self, planes: Any) -> Any:  # noqa: ANN401 - tensors
        """The vectors as a tensor [pictures, width], from a tensor [pictures, 3, height, width]."""
        return self._model(planes)


def _preprocessing(data: Mapping[str, Any], spec: str) -> Preprocessing:
    """What timm's evaluation transform does: the shorter side to size / crop_pct, then the middle."""
    height, width = data["input_size"][1:]
    config: dict[str, Any] = {
        "resample": _RESAMPLE.get(str(data.get("interpolation")), 3),
        "image_mean": list(data["mean"]),
        "image_std": list(data["std"]),
    }
    if data.get("crop_mode") == "squash" or height != width:
        config["size"] = {"height": height, "width": width}
    else:
        config["size"] = {"shortest_edge": int(height / float(data.get("crop_pct") or 1.0))}
        config |= {"do_center_crop": True, "crop_size": {"height": height, "width": width}}
    return Preprocessing.from_config(config, spec)


def _fingerprint(model: Any, data: Mapping[str, Any], options: EncoderOptions) -> str:  # noqa: ANN401
    """SHA-256 over the weights as they are in memory: timm's files may lie anywhere."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.float().cpu().numpy()).tobytes())
    told = {"kind": "timm", "half": options.half == "on", "data": dict(data)}
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    return digest.hexdigest()
