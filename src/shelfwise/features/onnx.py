"""`onnx:` encoders: a folder with model.onnx, run by ONNX Runtime; no torch, no transformers.

On a processor, batches run side by side with one thread each instead of one batch with all threads: nothing
waits for the slowest thread of a layer, and results are the same for any number of them.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features import tokens
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encoder_folder import (
    files_of,
    fingerprint,
    folder_of,
    read_json,
    read_json_if_there,
)
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.pooling import configured, pooled
from shelfwise.features.preprocessing import CONFIG, Preprocessing
from shelfwise.features.tokens import Tokenizer, Tokens

if TYPE_CHECKING:
    from PIL.Image import Image

_WEIGHTS = ("model.onnx", "model.onnx_data", "model.onnx.data", "*.onnx_data", "*.onnx.data")
_MOST_AT_ONCE = 8  # batches side by side: more only take memory
_ROWWISE = b"DynamicQuantizeLinear"  # its scale is that of the whole batch
_POOLED_NAMES = ("sentence_embedding", "text_embeds", "image_embeds", "features", "pooler_output")


@dataclass(frozen=True)
class _Graph:
    """A loaded model.onnx."""

    spec: str
    session: Any
    path: Path
    files: list[Path]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    concurrency: int
    rowwise: bool

    def batch(self, asked: int) -> int:
        """How many rows may run at once."""
        first = next(iter(self.inputs.values())).shape[0]
        if isinstance(first, int) and first != 1:
            raise EncoderError(
                f"{self.spec}: {self.path} takes exactly {first} rows at once; export it with a free "
                "batch size"
            )
        return 1 if self.rowwise or first == 1 else asked

    def output(self, pooling: str) -> str:
        """The output to read: one vector a row if there is one, unless tokens or patches were asked for."""
        names = list(self.outputs)
        if pooling in ("mean", "cls"):
            names = [name for name in names if len(self.outputs[name].shape) == 3]
        else:
            flat = [name for name in names if len(self.outputs[name].shape) in (2, 4)]
            named = [name for name in _POOLED_NAMES if name in flat]
            names = named or ([] if pooling == "pooler" else flat or names)
        if not names:
            raise EncoderError(
                f"{self.spec}: {self.path} has no output for the pooling {pooling!r}; it has "
                + ", ".join(f"{name} {list(value.shape)}" for name, value in self.outputs.items())
            )
        return names[0]

    def run(self, output: str, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """One output for the inputs that the model takes, each in its own type."""
        typed = {
            name: value.astype(_numpy_type(self.inputs[name].type), copy=False)
            for name, value in feeds.items()
        }
        return np.asarray(self.session.run([output], typed)[0])


def _numpy_type(name: str) -> type[np.generic]:
    types: dict[str, type[np.generic]] = {
        "tensor(float)": np.float32,
        "tensor(float16)": np.float16,
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
    }
    return types[name]


def _load(folder: Path, spec: str, options: EncoderOptions) -> _Graph:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError(spec, "onnx") from None
    path = next((p for p in (folder / "model.onnx", folder / "onnx" / "model.onnx") if p.is_file()), None)
    if path is None:
        raise EncoderError(f"{spec}: {folder} has no model.onnx; copy or export the model there")
    settings, providers, concurrency = _settings(onnxruntime, options)
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # its errors share no base class of their own
        raise EncoderError(f"{spec}: {path} cannot be loaded: {_short(error)}") from error
    inputs = {value.name: value for value in session.get_inputs()}
    for value in inputs.values():
        if value.type not in ("tensor(float)", "tensor(float16)", "tensor(int64)", "tensor(int32)"):
            raise EncoderError(f"{spec}: {path}: input {value.name} is {value.type}, no encoder's")
    outputs = {value.name: value for value in session.get_outputs() if "float" in value.type}
    files = files_of(path.parent, _WEIGHTS)
    return _Graph(spec, session, path, files, inputs, outputs, concurrency, _mentions(path, _ROWWISE))


def _settings(onnxruntime: Any, options: EncoderOptions) -> tuple[Any, list[str], int]:  # noqa: ANN401
    """Settings of a session, where it runs, and how many batches may run at once."""
    available = onnxruntime.get_available_providers()
    wants_gpu = options.device.startswith("cuda")
    if wants_gpu and "CUDAExecutionProvider" not in available:
        raise EncoderError(
            f"device {options.device!r}: the installed ONNX Runtime has no CUDA; install onnxruntime-gpu"
        )
    gpu = wants_gpu or (options.device == "auto" and "CUDAExecutionProvider" in available)
    concurrency = 1 if gpu else min(options.cores, _MOST_AT_ONCE)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors; warnings about the graph are its maker's business
    settings.intra_op_num_threads = max(1, options.cores // concurrency)
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    cpu = "CPUExecutionProvider"
    return settings, ["CUDAExecutionProvider", cpu] if gpu else [cpu], concurrency


def _mentions(path: Path, word: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(word) >= 0


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]


def _width_of(spec: str, once: Callable[[], NDArray[np.float32]]) -> int:
    """The width of an encoder's vectors, from running it once."""
    try:
        vectors = once()
    except EncoderError:
        raise
    except Exception as error:
        raise EncoderError(f"{spec}: the model cannot be run: {_short(error)}") from error
    if vectors.ndim != 2 or len(vectors) != 1 or not vectors.shape[1]:
        raise EncoderError(f"{spec}: the model gives an array {list(vectors.shape)} for one row, no vector")
    return int(vectors.shape[1])


class OnnxImageEncoder(BatchedEncoder["Image", NDArray[np.uint8]]):
    """A folder with model.onnx and preprocessor_config.json; `open` makes one."""

    def __init__(self, graph: _Graph, preprocessing: Preprocessing, options: EncoderOptions) -> None:
        self.name = graph.spec
        self.path = graph.path
        self.preprocessing = preprocessing
        self.batch = graph.batch(options.batch)
        self.concurrency = graph.concurrency
        self._graph = graph
        self._pooling = "cls" if options.pooling == "cls" else "mean"
        self._output = graph.output(options.pooling)

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> OnnxImageEncoder:
        """Open the folder `name`; EncoderError where it lacks something or does not fit together."""
        spec = f"onnx:{name}"
        folder = folder_of(spec, name)
        config = read_json(folder / CONFIG, spec)
        preprocessing = Preprocessing.from_config(config, spec)
        graph = _load(folder, spec, options)
        _check_picture_input(graph, preprocessing)
        encoder = cls(graph, preprocessing, options)
        encoder.width = _width_of(
            spec, lambda: encoder.run([np.full((*preprocessing.size, 3), 127, np.uint8)])
        )
        told = {"kind": "onnx", "pooling": options.pooling}
        encoder.fingerprint = fingerprint(folder, [folder / CONFIG, *graph.files], told)
        return encoder

    def prepare(self, values: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """Pictures as pixels of the size that the model takes."""
        return [self.preprocessing.pixels(value) for value in values]

    def run(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Vectors float32 [items, width]."""
        (name,) = self._graph.inputs
        found = self._graph.run(self._output, {name: self.preprocessing.planes(items)})
        return pooled(found, None, self._pooling)


def _check_picture_input(graph: _Graph, preprocessing: Preprocessing) -> None:
    (name, value), *others = graph.inputs.items()
    if others or len(value.shape) != 4 or "float" not in value.type:
        raise EncoderError(
            f"{graph.spec}: {graph.path} is no encoder of pictures: it takes "
            + ", ".join(f"{name} {list(value.shape)}" for name, value in graph.inputs.items())
        )
    size = (3, *preprocessing.size)
    for got, wanted in zip(size, value.shape[1:], strict=True):
        if isinstance(wanted, int) and wanted != got:
            raise EncoderError(
                f"{graph.spec}: {CONFIG} makes pictures of {list(size)}, but {name} of {graph.path.name} "
                f"takes {list(value.shape[1:])}. Take both files from the same place."
            )


class OnnxTextEncoder(BatchedEncoder[str, Tokens]):
    """A folder with model.onnx and tokenizer.json; `open` makes one."""

    def __init__(
        self, graph: _Graph, tokenizer: Tokenizer, options: EncoderOptions, pooling: str = "mean"
    ) -> None:
        self.name = graph.spec
        self.path = graph.path
        self.batch = graph.batch(options.batch)
        self.concurrency = graph.concurrency
        self._graph = graph
        self._tokenizer = tokenizer
        self._pooling = pooling
        self._output = graph.output(options.pooling)

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> OnnxTextEncoder:
        """Open the folder `name`; EncoderError where it lacks something or does not fit together."""
        spec = f"onnx:{name}"
        folder = folder_of(spec, name)
        config = read_json_if_there(folder / "config.json", spec)
        most, padded = tokens.limits(folder, spec, config, options.max_tokens)
        tokenizer = Tokenizer(folder, spec, most, padded)
        graph = _load(folder, spec, options)
        if unknown := sorted(set(graph.inputs) - {"input_ids", "attention_mask", "token_type_ids"}):
            raise EncoderError(f"{spec}: {graph.path} is no encoder of texts: it takes {', '.join(unknown)}")
        encoder = cls(graph, tokenizer, options, configured(folder, spec, options.pooling) or "mean")
        encoder.width = _width_of(spec, lambda: encoder.run(encoder.prepare(["a"])))
        told = {"kind": "onnx", "pooling": options.pooling, "max_tokens": tokenizer.max_tokens}
        files = [*files_of(folder, (*tokens.FILES, "config.json", "1_Pooling/config.json")), *graph.files]
        encoder.fingerprint = fingerprint(folder, files, told)
        return encoder

    def prepare(self, values: Sequence[str]) -> list[Tokens]:
        """The tokens of texts."""
        return self._tokenizer(values)

    def length(self, item: Tokens) -> int:
        """Tokens of a text."""
        return len(item)

    def run(self, items: Sequence[Tokens]) -> NDArray[np.float32]:
        """Vectors float32 [items, width] of texts of equally many tokens."""
        feeds = tokens.stacked(items)
        given = {name: feeds[name] for name in self._graph.inputs}
        return pooled(self._graph.run(self._output, given), feeds["attention_mask"], self._pooling)
