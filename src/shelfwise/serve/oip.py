"""The Open Inference Protocol, version 2, as plain values: tensors in and out of requests and answers.

Inputs are the fields of products, one tensor a field, one element a product: text as BYTES (a picture in
base64 over HTTP, as it is over gRPC), numbers as they are. Outputs are the columns of the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

import shelfwise
from shelfwise.serve import tensors
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import PredictAnswer, PredictRequest
from shelfwise.serve.models import Loaded
from shelfwise.serve.refusal import RefusedError, invalid, too_many

PLATFORM = "shelfwise"
EXTENSIONS = ["binary_tensor_data"]


class Tensor(msgspec.Struct, frozen=True):
    """A tensor of the protocol; of several dimensions the data are flat or nested.

    Without `data` its bytes follow the JSON, as many as `parameters` says in `binary_data_size`.
    """

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType | None = UNSET


class Wanted(msgspec.Struct, frozen=True):
    """An output that is asked for; `binary_data` in `parameters`: as bytes after the JSON."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True):
    """POST /v2/models/NAME/infer."""

    inputs: Annotated[list[Tensor], msgspec.Meta(min_length=1, description="The fields of the products.")]
    id: str = ""
    parameters: dict[str, Any] | None = None
    outputs: list[Wanted] | None = None


class InferAnswer(msgspec.Struct, frozen=True):
    """What comes back."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Tensor]


OUTPUTS = {
    "product_id": ("BYTES", [-1]), "category": ("BYTES", [-1]), "confidence": ("FP32", [-1]),
    "accepted": ("BOOL", [-1]), "shelf": ("BYTES", [-1]), "shelf_confidence": ("FP32", [-1]),
    "candidates": ("BYTES", [-1, -1]), "candidate_confidences": ("FP32", [-1, -1]),
    "status": ("BYTES", [-1]), "reason": ("BYTES", [-1]),
}  # fmt: skip
"""Names, types and shapes of what comes back; "" and 0 stand where a prediction has nothing."""


def server_metadata() -> dict[str, Any]:
    """What there is to know of the server."""
    return {"name": PLATFORM, "version": shelfwise.__version__, "extensions": EXTENSIONS}


def model_metadata(loaded: Loaded) -> dict[str, Any]:
    """What there is to know of a model."""
    inputs = [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in loaded.answerer.intake.fields]
    outputs = [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in OUTPUTS.items()]
    named = loaded.named
    return {
        "name": named.name, "versions": [named.version], "platform": PLATFORM, "inputs": inputs,
        "outputs": outputs,
    }  # fmt: skip


def check_version(loaded: Loaded, version: str) -> None:
    """Raise RefusedError where another version than the one that answers is asked for."""
    if version and version != loaded.named.version:
        told = f"{loaded.name} has version {loaded.named.version}, not {version[:60]!r}"
        raise RefusedError("unknown", "unknown_version", told)


def to_request(model: str, asked: InferRequest, limits: Limits) -> PredictRequest:
    """Return the request that tensors ask; RefusedError where they do not fit."""
    if not asked.inputs:
        raise invalid("inputs", "there are no inputs: send the products' fields as tensors, such as title")
    for tensor in asked.inputs:
        check_shape(tensor.name, tensor.shape, limits)
    columns = {tensor.name: _elements(tensor) for tensor in asked.inputs}
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1:
        raise invalid(
            "inputs", f"the inputs are of {', '.join(map(str, sorted(counts)))} products: send one number"
        )
    unknown = sorted({wanted.name for wanted in asked.outputs or ()} - set(OUTPUTS))
    if unknown:
        raise invalid("outputs", f"there is no output {unknown[0][:60]!r}; there is {', '.join(OUTPUTS)}")
    parameters = asked.parameters or {}
    products = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    about = {name: value for name, value in parameters.items() if name in ("top", "promise")}
    try:
        return msgspec.convert({"products": products, "model": model, **about}, PredictRequest)
    except msgspec.ValidationError as error:
        raise invalid("parameters", f"the parameters do not fit: {error}") from error


def check_shape(name: str, shape: Sequence[int], limits: Limits) -> int:
    """How many products an input is of; RefusedError where there are too many, or other dimensions."""
    if not 1 <= len(shape) <= 2 or min(shape) < 0 or (len(shape) == 2 and shape[1] != 1):
        told = f"input {name[:60]!r} has the shape {list(shape[:8])}; it is [products] or [products, 1]"
        raise invalid("inputs", told)
    if shape[0] > limits.items:
        raise too_many(shape[0], limits.items)
    return shape[0]


def to_outputs(answer: PredictAnswer, wanted: Sequence[Wanted] | None) -> list[Tensor]:
    """Return the predictions as tensors, those that were asked for or all."""
    names = [one.name for one in wanted or ()] or list(OUTPUTS)
    rows = answer.predictions
    wide = max((len(one.candidates or ()) for one in rows), default=0)
    return [_output(name, rows, wide) for name in names]


def _output(name: str, rows: Sequence[Any], wide: int) -> Tensor:
    kind = OUTPUTS[name][0]
    nothing: Any = {"BYTES": "", "FP32": 0.0, "BOOL": False}[kind]
    if name.startswith("candidate"):
        field = "category" if name == "candidates" else "confidence"
        flat: list[Any] = []
        for one in rows:
            values = [getattr(candidate, field) for candidate in one.candidates or ()]
            flat += values + [nothing] * (wide - len(values))
        return Tensor(name, kind, [len(rows), wide], flat)
    values = [getattr(one, name) for one in rows]
    return Tensor(name, kind, [len(rows)], [nothing if value is None else value for value in values])


def _elements(tensor: Tensor) -> list[Any]:
    """The elements of an input, one a product."""
    tensors.check_type(tensor.name, tensor.datatype)
    if tensor.data is UNSET:
        raise invalid("inputs", f"input {tensor.name[:60]!r} has no data")
    data = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in tensor.data]
    if len(data) != tensor.shape[0]:
        told = f"input {tensor.name[:60]!r} has {len(data)} elements and the shape {tensor.shape[:8]}"
        raise invalid("inputs", told)
    return data
