"""Answers as the bytes of their protobuf messages, without making the messages.

A message of ten fields with five candidates takes protobuf's Python as long to build and to write as the
model takes for a product, and three times as long as these few lines. The tests hold the bytes to what
protobuf reads in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

import msgspec
from msgspec import UNSET

from shelfwise.serve.messages import Evidence, ModelName, PredictAnswer, Prediction
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

_FLOAT = Struct("<f").pack
_BYTES, _FIXED32 = 2, 5  # types of the wire


def _tag(number: int, kind: int) -> bytes:
    return bytes([number << 3 | kind])  # numbers up to 15


_NAME, _VERSION = _tag(1, _BYTES), _tag(2, _BYTES)
_MODEL, _PREDICTION, _IGNORED = _tag(1, _BYTES), _tag(2, _BYTES), _tag(3, _BYTES)
_ID, _CATEGORY, _CONFIDENCE = _tag(1, _BYTES), _tag(2, _BYTES), _tag(3, _FIXED32)
_ACCEPTED, _SHELF, _SHELF_CONFIDENCE = _tag(4, 0), _tag(5, _BYTES), _tag(6, _FIXED32)
_CANDIDATE, _STATUS, _REASON = _tag(7, _BYTES), _tag(8, _BYTES), _tag(9, _BYTES)
_CODE, _EVIDENCE = _tag(10, _BYTES), _tag(11, _BYTES)
_INNER_CATEGORY, _INNER_CONFIDENCE = _tag(1, _BYTES), _tag(2, _FIXED32)


def write_answer(answer: PredictAnswer) -> bytes:
    """Return a `PredictResponse` (or one of a stream), or a `PredictBatchResponse`, which look the same."""
    model = _model(answer.model)
    parts = [_MODEL, _length(len(model)), model]
    for one in answer.predictions:
        written = write_prediction(one)
        parts += (_PREDICTION, _length(len(written)), written)
    for name in answer.ignored or ():
        parts.append(_text(_IGNORED, name))
    return b"".join(parts)


def write_prediction(one: Prediction) -> bytes:
    """Return a `Prediction`."""
    parts = [_text(_ID, one.product_id)] if one.product_id else []
    if one.category is not None:
        parts.append(_text(_CATEGORY, one.category))
    if one.confidence is not None:
        parts.append(_CONFIDENCE + _FLOAT(one.confidence))
    if one.accepted is not None:
        parts.append(_ACCEPTED + (b"\1" if one.accepted else b"\0"))
    if one.shelf is not None:
        parts.append(_text(_SHELF, one.shelf))
    if one.shelf_confidence is not None:
        parts.append(_SHELF_CONFIDENCE + _FLOAT(one.shelf_confidence))
    for candidate in one.candidates or ():
        # A confidence of 0 is written like any other: readers see the same.
        parts += (_start(candidate.category), _FLOAT(candidate.confidence))
    if one.status:
        parts.append(_text(_STATUS, one.status))
    if one.reason is not None:
        parts.append(_text(_REASON, one.reason))
    if one.code is not UNSET:
        parts.append(_text(_CODE, one.code))
    if one.evidence is not UNSET:
        evidence = _evidence(one.evidence)
        parts += (_EVIDENCE, _length(len(evidence)), evidence)
    return b"".join(parts)


def _model(model: ModelName) -> bytes:
    return _text(_NAME, model.name) + _text(_VERSION, model.version)


def _text(tag: bytes, text: str) -> bytes:
    written = text.encode()
    return tag + _length(len(written)) + written


@lru_cache(4096)
def _start(category: str) -> bytes:
    """A candidate as far as its confidence, which takes four bytes more."""
    inner = (_text(_INNER_CATEGORY, category) if category else b"") + _INNER_CONFIDENCE
    return _CANDIDATE + _length(len(inner) + 4) + inner


def _long(length: int) -> bytes:
    """A length of 128 and more: seven bits a byte, the lowest first."""
    written = bytearray()
    while length > 127:
        written.append(length & 127 | 128)
        length >>= 7
    written.append(length)
    return bytes(written)


_LENGTHS: Sequence[bytes] = [bytes([length]) for length in range(128)]


def _length(length: int) -> bytes:
    return _LENGTHS[length] if length < len(_LENGTHS) else _long(length)


def _evidence(evidence: Evidence) -> bytes:
    plain = msgspec.to_builtins(evidence)
    message = pb.Evidence(
        words=[pb.Word(**word) for word in plain["words"]],
        neighbours=[pb.Neighbour(**near) for near in plain["neighbours"]],
        views=[pb.Vote(**vote) for vote in plain["views"]],
    )
    return bytes(message.SerializeToString())
