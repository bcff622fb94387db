"""The gRPC door: `shelfwise.v1.Categorizer`, health and reflection; messages to values and back."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from shelfwise.serve.calls import Call, Core, Take, in_task
from shelfwise.serve.messages import PredictRequest
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb
from shelfwise.serve.refusal import GRPC_STATUS, Kind, RefusedError, invalid
from shelfwise.serve.service import Service
from shelfwise.serve.wire import write_answer

_LOG = logging.getLogger("shelfwise.serve.grpc")
_WINDOW = 32
"""Products of a stream that are under way at a time."""
_UNSEEN = 512
"""Calls that may wait in the core until the event loop gets to them; of more, some are cancelled there."""
_SERVICES = ("shelfwise.v1.Categorizer", "inference.GRPCInferenceService")
_OPEN = ("/grpc.health.v1.Health/",)
"""What is answered without a token, for probes."""
_BROKEN = "something went wrong in the server; its log says what"
_CODES: dict[Kind, Any] = {kind: grpc.StatusCode[name] for kind, name in GRPC_STATUS.items()}
_Context = Any
_Method = Callable[[Any, _Context], Awaitable[Any]]


@dataclass(frozen=True)
class RpcOptions:
    """How the door is kept. tls: private key and certificates (PEM). shared: others listen there too."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    tls: tuple[bytes, bytes] | None = None
    shared: bool = False


class RpcDoor:
    """A gRPC server in the running event loop.

    Parameters
    ----------
    service: what is asked.
    options: where and how.

    """

    def __init__(self, service: Service, options: RpcOptions) -> None:
        self._service, self._options = service, options
        self._health = health.aio.HealthServicer()
        unseen = max(_UNSEEN, service.limits.concurrency)
        settings = [
            ("grpc.max_receive_message_length", service.limits.body),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(options.shared)),
            ("grpc.max_metadata_size", 16_384),
            ("grpc.server.max_pending_requests", unseen),
            ("grpc.server.max_pending_requests_hard_limit", unseen + unseen // 2),
        ]
        self._core = Core(self._methods(), settings)

    def _methods(self) -> dict[str, Take]:
        """Who takes the calls of each method, by its whole name."""
        from shelfwise.serve.rpc_inference import InferenceMethods
        from shelfwise.serve.rpc_shortcut import short_way

        service = self._service
        every = _Registered()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, every)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
            reflection.aio.ReflectionServicer(names), every
        )
        every.add_registered_method_handlers(_SERVICES[0], _Methods(service).handlers())
        every.add_registered_method_handlers(_SERVICES[1], InferenceMethods(service).handlers())
        if service.tracing is None:
            taken = {name: in_task(handler) for name, handler in every.found.items()}
            taken[f"/{_SERVICES[0]}/Predict"] = short_way(service, pb.PredictRequest, _one)
            taken[f"/{_SERVICES[0]}/PredictBatch"] = short_way(service, pb.PredictBatchRequest, _many)
        else:  # traces are of tasks, so all that is traced goes the usual way
            wrap = service.tracing.wrap_method
            taken = {name: in_task(wrap(name, handler)) for name, handler in every.found.items()}
        return {name: self._guarded(name, take) for name, take in taken.items()}

    def _guarded(self, name: str, take: Take) -> Take:
        """The same, for calls with the server's token alone."""
        if self._options.token is None or name.startswith(_OPEN):
            return take
        wanted = f"Bearer {self._options.token}".encode()

        def check(call: Call) -> None:
            given = next((value for key, value in call.metadata if key == "authorization"), "")
            sent = given if isinstance(given, bytes) else given.encode("utf-8", "replace")
            if hmac.compare_digest(sent, wanted):
                take(call)
            else:
                told = "send the server's token: authorization: Bearer TOKEN"
                call.end(grpc.StatusCode.UNAUTHENTICATED.value[0], told)

        return check

    async def start(self) -> int:
        """Listen; the port. OSError where that cannot be."""
        options = self._options
        where = (
            f"[{options.host}]:{options.port}" if ":" in options.host else f"{options.host}:{options.port}"
        )
        port = self._core.listen(where, options.tls)
        self._core.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return port

    async def tell_end(self) -> None:
        """Say to health checks that requests should go elsewhere."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, seconds: float) -> None:
        """Take no more requests; those that run have so many seconds."""
        await self._core.stop(seconds)

    async def _set_health(self, status: Any) -> None:  # noqa: ANN401 - an enumeration of protobuf
        for name in ("", *_SERVICES):
            await self._health.set(name, status)


class _Registered:
    """Stands for a server where generated code adds methods to one."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Add the methods of a service by their names."""
        self.found |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Add nothing: these are the same methods, for servers that look for them call by call."""


def unary(service: Service, work: _Method, request: Any, response: Any) -> Any:  # noqa: ANN401 - types of protobuf
    """Return the handler of a method with one request and one response, with its refusals.

    `request`, `response`: their types; None for a response that is bytes already.
    """

    async def answer(message: Any, context: _Context) -> Any:  # noqa: ANN401
        begun, status, entered = time.perf_counter(), "OK", False
        try:
            service.enter()
            entered = True
            return await work(parse(request, message), context)
        except RefusedError as error:
            status = GRPC_STATUS[error.kind]
            service.metrics.refused(error.code)
            await refuse(context, error)
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except Exception:
            status = "INTERNAL"
            _LOG.exception("a call failed")
            await context.abort(grpc.StatusCode.INTERNAL, _BROKEN)
        finally:
            if entered:
                service.leave()
            service.metrics.request("grpc", status, time.perf_counter() - begun)

    write = None if response is None else response.SerializeToString
    return grpc.unary_unary_rpc_method_handler(answer, None, write)


def parse(kind: Any, data: bytes) -> Any:  # noqa: ANN401 - types of protobuf
    """Return a message; RefusedError where the bytes are none, which gRPC itself would call UNKNOWN."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise RefusedError("malformed", "message", f"the bytes are no {kind.DESCRIPTOR.full_name}") from error


async def refuse(context: _Context, error: RefusedError) -> None:
    """End a call with a refusal; clients that retry are told when."""
    await context.abort(_CODES[error.kind], str(error), _trailing(error))


def end(call: Call, error: RefusedError | None) -> str:
    """The same at once, None: for something that broke; the name of the status."""
    if error is None:
        call.end(grpc.StatusCode.INTERNAL.value[0], _BROKEN)
        return "INTERNAL"
    call.end(_CODES[error.kind].value[0], str(error), _trailing(error))
    return GRPC_STATUS[error.kind]


def _trailing(error: RefusedError) -> tuple[tuple[str, str], ...]:
    code = ("shelfwise-code", error.code)
    if error.retry_after is None:
        return (code,)
    return code, ("grpc-retry-pushback-ms", str(max(1, round(error.retry_after * 1000))))


class _Methods:
    """`shelfwise.v1.Categorizer`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handlers(self) -> dict[str, Any]:
        """The methods by name."""
        service = self._service
        stream = grpc.stream_stream_rpc_method_handler(self.predict_stream, None, None)
        return {
            "Predict": unary(service, self.predict, pb.PredictRequest, None),
            "PredictBatch": unary(service, self.predict_batch, pb.PredictBatchRequest, None),
            "PredictStream": stream,
            "ListModels": unary(service, self.list_models, pb.ListModelsRequest, pb.ListModelsResponse),
        }

    async def predict(self, message: Any, context: _Context) -> bytes:  # noqa: ANN401
        """Predict one product."""
        return write_answer(await self._service.predict(_one(message), context.time_remaining()))

    async def predict_batch(self, message: Any, context: _Context) -> bytes:  # noqa: ANN401
        """Predict a list of products."""
        return write_answer(await self._service.predict(_many(message), context.time_remaining()))

    async def predict_stream(self, messages: AsyncIterator[Any], context: _Context) -> AsyncIterator[bytes]:
        """Answer products in their order; a window of them is under way, for more the sender waits."""
        window: deque[asyncio.Task[bytes]] = deque()
        try:
            self._service.enter()
        except RefusedError as error:
            await refuse(context, error)
        begun, status = time.perf_counter(), "OK"
        try:
            async for message in messages:
                asked = parse(pb.PredictStreamRequest, message)
                window.append(asyncio.ensure_future(self._patiently(asked, context)))
                if len(window) >= _WINDOW:
                    yield await window.popleft()
            while window:
                yield await window.popleft()
        except RefusedError as error:
            status = GRPC_STATUS[error.kind]
            self._service.metrics.refused(error.code)
            await refuse(context, error)
        finally:
            for task in window:
                task.cancel()
            self._service.leave()
            self._service.metrics.request("grpc", status, time.perf_counter() - begun)

    async def _patiently(self, message: Any, context: _Context) -> bytes:  # noqa: ANN401
        """Answer one product of a stream; a busy server makes the stream wait and does not refuse it."""
        asked = _one(message)
        end = time.monotonic() + min(context.time_remaining() or self._service.limits.timeout, 3600.0)
        while True:
            try:
                return write_answer(await self._service.predict(asked, end - time.monotonic()))
            except RefusedError as error:
                if error.kind != "busy" or time.monotonic() >= end:
                    raise
                await asyncio.sleep(max(error.retry_after or 0, 0.01))

    async def list_models(self, message: Any, context: _Context) -> Any:  # noqa: ANN401
        """Tell which models are served."""
        listed = []
        for loaded in self._service.models.all:
            about = loaded.about()
            model = pb.Model(name=about.name, version=about.version)
            listed.append(
                pb.ModelAbout(
                    model=model, where=about.where, loaded_at=about.loaded_at, categories=about.categories,
                    fields=about.fields, columns=about.columns, pictures=about.pictures,
                )
            )  # fmt: skip
        return pb.ListModelsResponse(models=listed)


def to_request(products: Any, message: Any) -> PredictRequest:  # noqa: ANN401 - messages of protobuf
    """Return what a message asks of products."""
    listed = [_product(product) for product in products]
    if not message.HasField("options"):
        return PredictRequest(listed)
    options = message.options
    promise = options.promise if options.HasField("promise") else None
    if promise is not None and not 0 < promise < 1:
        raise invalid("promise", f"a promise is a precision between 0 and 1, such as 0.98; got {promise:g}")
    return PredictRequest(listed, options.model or None, options.top or 5, promise, options.explain)


def _one(message: Any) -> PredictRequest:  # noqa: ANN401
    return to_request([message.product], message)


def _many(message: Any) -> PredictRequest:  # noqa: ANN401
    return to_request(message.products, message)


def _product(message: Any) -> dict[str, Any]:  # noqa: ANN401
    product: dict[str, Any] = {field.name: value for field, value in message.ListFields()}
    if "attributes" in product:
        product["attributes"] = dict(product["attributes"])
    if "fields" in product:
        product |= product.pop("fields")
    return product
