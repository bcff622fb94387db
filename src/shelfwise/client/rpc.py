"""The gRPC door as a client sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shelfwise.errors import MissingExtraError
from shelfwise.serve.messages import (
    Candidate,
    Evidence,
    ModelName,
    Neighbour,
    PredictAnswer,
    Prediction,
    PredictRequest,
    Vote,
    Word,
)
from shelfwise.serve.refusal import GRPC_STATUS, Kind, RefusedError

if TYPE_CHECKING:
    from shelfwise.client.asking import ClientOptions

_METHOD = "/shelfwise.v1.Categorizer/PredictBatch"
_KIND: dict[str, Kind] = {status: kind for kind, status in reversed(GRPC_STATUS.items())}
_KIND |= {"CANCELLED": "unavailable"}  # how a server that ends breaks off what it did not finish
_TEXTS = ("product_id", "title", "description", "brand", "shop", "url", "image", "picture_url")
_SETTINGS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a client's waits are its own, not those of all in the process
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # two minutes by itself: retries would be over before it looks
]


class RpcDoor:
    """Speaks gRPC over one channel."""

    def __init__(self, where: str, secure: bool, options: ClientOptions) -> None:
        grpc, self._pb = _modules()
        self._options, self._grpc = options, grpc
        self._channel = _channel(grpc, grpc, where, secure, options)
        self._method = _method(self._channel, self._pb)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request; RefusedError where it is not answered."""
        try:
            message = self._method(
                to_message(self._pb, request),
                timeout=self._options.timeout,
                metadata=_metadata(self._options),
            )
        except self._grpc.RpcError as error:
            raise _refused(error) from error
        return from_message(message)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class AsyncRpcDoor:
    """Speaks gRPC from an event loop."""

    def __init__(self, where: str, secure: bool, options: ClientOptions) -> None:
        grpc, self._pb = _modules()
        self._options, self._grpc = options, grpc
        self._channel = _channel(grpc, grpc.aio, where, secure, options)
        self._method = _method(self._channel, self._pb)

    async def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request; RefusedError where it is not answered."""
        try:
            message = await self._method(
                to_message(self._pb, request),
                timeout=self._options.timeout,
                metadata=_metadata(self._options),
            )
        except self._grpc.RpcError as error:
            raise _refused(error) from error
        return from_message(message)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _modules() -> tuple[Any, Any]:
    try:
        import grpc

        from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2
    except ImportError as error:
        raise MissingExtraError("The client over gRPC", "client") from error
    return grpc, categorizer_pb2


def _channel(grpc: Any, kind: Any, where: str, secure: bool, options: ClientOptions) -> Any:  # noqa: ANN401
    if not secure:
        return kind.insecure_channel(where, options=_SETTINGS)
    trusted = None if options.certificates is None else Path(options.certificates).read_bytes()
    return kind.secure_channel(where, grpc.ssl_channel_credentials(trusted), options=_SETTINGS)


def _method(channel: Any, pb: Any) -> Any:  # noqa: ANN401 - types of grpc and protobuf
    return channel.unary_unary(
        _METHOD,
        request_serializer=pb.PredictBatchRequest.SerializeToString,
        response_deserializer=pb.PredictBatchResponse.FromString,
    )


def _metadata(options: ClientOptions) -> list[tuple[str, str]]:
    return [] if options.token is None else [("authorization", f"Bearer {options.token}")]


def _refused(error: Any) -> RefusedError:  # noqa: ANN401 - an error of grpc
    kind = _KIND.get(error.code().name, "broken")
    trailing = dict(error.trailing_metadata() or ())
    later = trailing.get("grpc-retry-pushback-ms")
    code = str(trailing.get("shelfwise-code", error.code().name.lower()))
    return RefusedError(kind, code, error.details() or code, float(later) / 1000 if later else None)


def to_message(pb: Any, request: PredictRequest) -> Any:  # noqa: ANN401
    """Return a request as a message."""
    options = pb.Options(
        model=request.model, top=request.top, promise=request.promise, explain=request.explain
    )
    return pb.PredictBatchRequest(products=[_product(pb, one) for one in request.listed], options=options)


def _product(pb: Any, product: dict[str, Any]) -> Any:  # noqa: ANN401
    known: dict[str, Any] = {name: str(product[name]) for name in _TEXTS if product.get(name) is not None}
    rest = {name: value for name, value in product.items() if name not in _TEXTS and value is not None}
    picture, attributes = rest.pop("picture", b""), rest.get("attributes")
    if isinstance(attributes, dict) and all(isinstance(value, str) for value in attributes.values()):
        known["attributes"] = rest.pop("attributes")
    return pb.Product(picture=picture, fields={name: _text(value) for name, value in rest.items()}, **known)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def from_message(message: Any) -> PredictAnswer:  # noqa: ANN401
    """Return an answer of a message."""
    named = ModelName(message.model.name, message.model.version)
    predictions = [_prediction(one) for one in message.predictions]
    return PredictAnswer(named, predictions, list(message.ignored) or msgspec.UNSET)


def _prediction(one: Any) -> Prediction:  # noqa: ANN401
    def known(name: str) -> Any:  # noqa: ANN401 - the value of a field that may be absent
        return getattr(one, name) if one.HasField(name) else None

    sure, shelf_sure = known("confidence"), known("shelf_confidence")
    candidates = [Candidate(c.category, short(c.confidence)) for c in one.candidates]
    return Prediction(
        one.product_id, known("category"), None if sure is None else short(sure), known("accepted"),
        known("shelf"), None if shelf_sure is None else short(shelf_sure), candidates if sure is not None else
        None, one.status, known("reason"), known("code") or msgspec.UNSET, _evidence(one.evidence) if
        one.HasField("evidence") else msgspec.UNSET,
    )  # fmt: skip


def _evidence(evidence: Any) -> Evidence:  # noqa: ANN401
    return Evidence(
        [Word(w.field, w.text, short(w.weight)) for w in evidence.words],
        [Neighbour(n.product_id, n.title, n.category, short(n.similarity)) for n in evidence.neighbours],
        [Vote(v.view, v.category, short(v.confidence)) for v in evidence.views],
    )


def short(value: float) -> float:
    """The shortest number that is this float32: 0.98, as HTTP and files have it."""
    import struct

    packed = struct.pack("<f", value)
    for digits in range(6, 10):
        shorter = float(f"{value:.{digits}g}")
        if struct.pack("<f", shorter) == packed:
            return shorter
    return value
