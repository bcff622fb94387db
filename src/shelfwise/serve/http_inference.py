"""The Open Inference Protocol over HTTP: JSON, with the bytes of tensors after it where either side likes.

The binary extension (`binary_tensor_data`): the header Inference-Header-Content-Length says how many bytes of
the body are JSON; an input without data has its bytes behind them, `binary_data_size` in its parameters.
An answer is written in the same way where `binary_data_output` of the request, or `binary_data` of an output,
asks for it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shelfwise.serve import bodies, oip, tensors
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import PredictAnswer
from shelfwise.serve.refusal import RefusedError, invalid
from shelfwise.serve.tracing import part

HEADER = "inference-header-content-length"
_KINDS = ("", "application/json", "application/octet-stream")
"""What clients call such a body; those of Triton say nothing."""


async def read_infer(request: Request, limits: Limits) -> oip.InferRequest:
    """Return what a request asks, with its binary tensors opened; RefusedError where they do not fit."""
    if bodies.content_type(request) not in _KINDS:
        told = "send JSON (Content-Type: application/json), or JSON with binary tensors"
        raise RefusedError("media_type", "content_type", told)
    bodies.check_encoding(request)
    with part("read"):
        return _parsed(await request.body(), request, limits)


def _parsed(body: bytes, request: Request, limits: Limits) -> oip.InferRequest:
    said = request.headers.get(HEADER)
    if said is None:
        return bodies.decode(body, oip.InferRequest)
    length = int(said) if said.isascii() and said.isdigit() and len(said) < 16 else -1
    if not 0 < length <= len(body):
        told = (
            f"Inference-Header-Content-Length is how many of {len(body):,} bytes are JSON; got {said[:40]!r}"
        )
        raise invalid("binary_tensors", told)
    asked = bodies.decode(body[:length], oip.InferRequest)
    return msgspec.structs.replace(asked, inputs=_opened(asked.inputs, memoryview(body)[length:], limits))


def write_infer(answer: PredictAnswer, asked: oip.InferRequest) -> Response:
    """Return an answer, in the form that was asked for."""
    outputs = oip.to_outputs(answer, asked.outputs)
    every = (asked.parameters or {}).get("binary_data_output") is True
    own = {one.name: (one.parameters or {}).get("binary_data", every) is True for one in asked.outputs or ()}
    parts: list[bytes] = []
    for place, tensor in enumerate(outputs):
        if own.get(tensor.name, every):
            part = tensors.pack(tensor.datatype, tensor.data or ())
            parts.append(part)
            size = {"binary_data_size": len(part)}
            outputs[place] = oip.Tensor(tensor.name, tensor.datatype, tensor.shape, parameters=size)
    said = oip.InferAnswer(answer.model.name, answer.model.version, asked.id, outputs)
    content = msgspec.json.encode(said)
    if not parts:
        return Response(content, media_type="application/json")
    head = {HEADER: str(len(content))}
    return Response(b"".join((content, *parts)), 200, head, "application/octet-stream")


def _opened(inputs: list[oip.Tensor], rest: memoryview, limits: Limits) -> list[oip.Tensor]:
    """Inputs with the data that stand behind the JSON, in their order."""
    found, place = [], 0
    for one in inputs:
        size: Any = (one.parameters or {}).get("binary_data_size")
        if size is None:
            found.append(one)
            continue
        left = len(rest) - place
        if type(size) is not int or not 0 <= size <= left:
            told = f"input {one.name[:60]!r} has {size!r:.20} as binary_data_size; {left:,} bytes are left"
            raise invalid("binary_tensors", told)
        tensors.check_type(one.name, one.datatype)
        count = oip.check_shape(one.name, one.shape, limits)
        data = tensors.unpack(one.name, one.datatype, rest[place : place + size], count)
        found.append(msgspec.structs.replace(one, data=data))
        place += size
    if place != len(rest):
        raise invalid("binary_tensors", f"{len(rest) - place:,} bytes stand after the last tensor")
    return found
