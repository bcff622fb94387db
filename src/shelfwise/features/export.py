"""Export of an encoder to a folder for `onnx:`, in 8-bit integers for serving on a processor, with its loss.

Matrix products of transformers are quantised dynamically (weights ahead, activations as they come). Networks
of convolutions are quantised statically, their ranges taken from half of the sample, since integer
convolutions with ranges found on the way are slower than floating point. What that costs is measured on the
other half.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features import tokens
from shelfwise.features.encoder_folder import files_of
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from shelfwise.features.preprocessing import CONFIG, Preprocessing

Precision = Literal["int8", "float32"]
_LEAST_SAMPLE = 16
_OPSET = 17
_FAITHFUL = 0.999  # cosine of what was exported, before it is quantised: less is a fault of the export
_TEXT_FILES = (*tokens.FILES, "config.json", "sentence_bert_config.json")


@dataclass(frozen=True)
class Exported:
    """What an export gave, measured on rows of the sample that it did not see.

    Attributes
    ----------
    folder: what to give as onnx:FOLDER.
    precision: of the weights.
    width: length of a vector.
    megabytes, megabytes_before: size of the weights.
    cosine, cosine_least: likeness of a vector to the original's, on average and at worst.
    same_nearest: share of rows whose nearest other row is the same with both.
    speedup: rows a second over the original's, on this machine.
    rows: rows it was measured on.

    """

    folder: str
    precision: str
    width: int
    megabytes: float
    megabytes_before: float
    cosine: float
    cosine_least: float
    same_nearest: float
    speedup: float
    rows: int


def export_encoder(
    kind: Literal["text", "image"],
    spec: str,
    folder: Path,
    sample: Sequence[Any],
    precision: Precision = "int8",
) -> Exported:
    """Export an encoder to a new folder.

    Parameters
    ----------
    kind
        Of texts or of pictures.
    spec
        An encoder of onnx:, hf:, st: or timm:.
    folder
        Where to; must not be there yet.
    sample
        At least 16 texts, or pictures as `PIL.Image.Image`, like those to be encoded; some hundred are good.
    precision
        "int8", or "float32" for no quantisation.

    Raises
    ------
    EncoderError
        The folder is there, the sample too small, or the encoder of a kind that cannot be exported.
    MissingExtraError
        onnx is not installed.

    """
    target = Path(folder)
    if target.exists():
        raise EncoderError(f"{target} exists; give a new folder to export to")
    if len(sample) < _LEAST_SAMPLE:
        raise EncoderError(f"an export needs a sample of at least {_LEAST_SAMPLE} rows, not {len(sample)}")
    try:
        import onnx  # noqa: F401 - for its absence
        import onnxruntime.quantization  # noqa: F401
    except ImportError:
        raise MissingExtraError("exporting an encoder", "export") from None
    open_encoder: Any = open_text_encoder if kind == "text" else open_image_encoder
    options = EncoderOptions(device="cpu", half="off")
    encoder = open_encoder(spec, options)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as box:
        building = Path(box) / "encoder"
        building.mkdir()
        _write_settings(encoder, building)
        whole = Path(box) / "float.onnx"
        _write_graph(encoder, whole)
        halves = list(sample[::2]), list(sample[1::2])
        _check_faithful(encoder, whole, building, halves[1], open_encoder)
        if precision == "int8":
            _quantise(encoder, whole, building / "model.onnx", halves[0])
        report = _measured(encoder, open_encoder(f"onnx:{building}", options), halves[1])
        found = Exported(
            str(target),
            precision,
            encoder.width,
            _megabytes(building / "model.onnx"),
            _megabytes(whole),
            **report,
        )
        (building / "export.json").write_text(json.dumps(asdict(found) | {"source": spec}, indent=1) + "\n")
        building.rename(target)
    return found


def _megabytes(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 3)


def _write_settings(encoder: Any, building: Path) -> None:  # noqa: ANN401 - any encoder
    """Copy or write what says how values are prepared."""
    preprocessing = getattr(encoder, "preprocessing", None)
    if isinstance(preprocessing, Preprocessing):
        (building / CONFIG).write_text(json.dumps(preprocessing.to_config(), indent=1) + "\n")
        return
    source = getattr(encoder, "folder", None)
    if source is None:
        raise EncoderError(f"{encoder.name} cannot be exported; onnx:, hf:, st: and timm: can")
    if not (source / "tokenizer.json").is_file():
        raise EncoderError(f"{encoder.name} cannot be exported: {source} has no tokenizer.json")
    for path in files_of(source, _TEXT_FILES):
        shutil.copyfile(path, building / path.name)


def _write_graph(encoder: Any, path: Path) -> None:  # noqa: ANN401 - any encoder
    """Write the encoder as a graph in single precision."""
    if hasattr(encoder, "path"):
        shutil.copyfile(encoder.path, path)  # it is one
        return
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.module = encoder.module  # weights become weights of the graph, not constants within it

        def forward(self, *given: Any) -> Any:  # noqa: ANN401
            return encoder.features(**dict(zip(names, given, strict=True)))

    if hasattr(encoder, "preprocessing"):
        names: tuple[str, ...] = ("planes",)
        example: tuple[Any, ...] = (torch.zeros(2, 3, *encoder.preprocessing.size),)
        free = {"planes": {0: "rows"}}
    else:
        names = encoder.inputs
        example = tuple(torch.ones(2, 5, dtype=torch.int64) for _ in names)
        free = {name: {0: "rows", 1: "tokens"} for name in names}
    inputs, options = list(names), {"features": {0: "rows"}}
    with _hushed(), torch.no_grad():
        try:
            torch.onnx.export(
                Whole().eval(),
                example,
                str(path),
                input_names=inputs,
                output_names=["features"],
                dynamic_axes=free | options,
                opset_version=_OPSET,
                dynamo=False,
            )
        except Exception as error:
            raise EncoderError(f"{encoder.name} cannot be exported: {str(error).strip()[:300]}") from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without the remarks of exporters and quantisers: the result is checked against the original."""
    level = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(level)


def _check_faithful(
    encoder: Any,  # noqa: ANN401
    whole: Path,
    building: Path,
    values: Sequence[Any],
    open_encoder: Any,  # noqa: ANN401
) -> None:
    """See that the graph gives the original's vectors, for rows of other lengths than the example's, too."""
    shutil.copyfile(whole, building / "model.onnx")
    exported = open_encoder(f"onnx:{building}", EncoderOptions(device="cpu"))
    likeness = _cosines(encoder.encode(values), exported.encode(values))
    if exported.width != encoder.width or likeness.min() < _FAITHFUL:
        raise EncoderError(
            f"{encoder.name} cannot be exported faithfully: the graph's vectors differ (cosine down to "
            f"{likeness.min():.4f})"
        )


def _cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    if first.shape != second.shape:
        return np.full(len(first), -1, np.float32)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(lengths, 1e-30), np.float32)


def _quantise(encoder: Any, whole: Path, target: Path, values: Sequence[Any]) -> None:  # noqa: ANN401
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    nodes = [node.op_type for node in onnx.load(str(whole), load_external_data=False).graph.node]
    convolutional = nodes.count("Conv") > nodes.count("MatMul") + nodes.count("Gemm")
    ready = whole.with_name("ready.onnx")
    with _hushed():
        if not convolutional:
            quantization.quantize_dynamic(
                str(whole),
                str(target),
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
                per_channel=True,
                weight_type=quantization.QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
            return
        quant_pre_process(str(whole), str(ready))
        name = onnx.load(str(whole), load_external_data=False).graph.input[0].name
        planes = [encoder.preprocessing.planes(encoder.prepare([value])) for value in values]
        quantization.quantize_static(
            str(ready),
            str(target),
            _reader(quantization, name, planes),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )


def _reader(quantization: Any, name: str, planes: Sequence[NDArray[np.float32]]) -> Any:  # noqa: ANN401
    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self.rest = iter(planes)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            found = next(self.rest, None)
            return None if found is None else {name: found}

    return Reader()


def _measured(encoder: Any, exported: Any, values: Sequence[Any]) -> dict[str, Any]:  # noqa: ANN401
    began = time.perf_counter()
    first = encoder.encode(values)
    between = time.perf_counter()
    second = exported.encode(values)
    ended = time.perf_counter()
    likeness = _cosines(first, second)
    return {
        "cosine": round(float(likeness.mean()), 6),
        "cosine_least": round(float(likeness.min()), 6),
        "same_nearest": round(float((_nearest(first) == _nearest(second)).mean()), 4),
        "speedup": round((between - began) / max(ended - between, 1e-9), 3),
        "rows": len(values),
    }


def _nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -2)
    return np.asarray(likeness.argmax(axis=1), np.int64)
