"""Traces for OpenTelemetry: one span a request, and inside it where its time went.

A request that is part of a trace (W3C `traceparent`) continues it, and is recorded where its caller is.
Spans are collected in memory and sent by a thread of their own: a collector that is slow or gone costs spans,
never a request. Without an endpoint nothing here imports OpenTelemetry.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import shelfwise
from shelfwise.errors import MissingExtraError, RecipeError

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("shelfwise.serve")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PATH = "/v1/traces"
_PROBES = ("/health/", "/v2/health/", "/metrics")
"""Paths that are asked every few seconds, and would be most of all spans."""
_CALLS = ("/shelfwise.v1.", "/inference.GRPCInferenceService/Model")
_READY = "/inference.GRPCInferenceService/ModelReady"
_PARTS = 256
"""Parts of one request that become spans; a stream may have any number."""
_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])
_BROKEN_CALLS = frozenset([2, 4, 12, 13, 14, 15])
"""gRPC's codes that are the server's fault: unknown, deadline, unimplemented, internal, unavailable, loss."""
_CANCELLED = 1
_GRACE = 3.0  # seconds for what was not sent yet when the server ends
_SIGNS = 200  # of a path that somebody sent


class Trace:
    """The span of one request that is recorded, and what is told of it."""

    def __init__(self, tracing: Tracing, span: Span) -> None:
        self._tracing, self._span = tracing, span
        self._parts = self._left_out = 0

    def note(self, **attributes: str | int | float | bool) -> None:
        """Tell something of the request; names are put below `shelfwise.`, with dots for underscores."""
        self._span.set_attributes(_named(attributes))

    def part(self, name: str, begun: int, ended: int, attributes: Mapping[str, Any]) -> None:
        """A part of the request from one moment to another, in nanoseconds of `time.time_ns`."""
        if self._parts >= _PARTS:
            self._left_out += 1
            return
        self._parts += 1
        self._tracing.part_of(self._span, name, begun, _named(attributes)).end(ended)

    def batch(self, times: tuple[float, float, float], requests: int, products: int) -> None:
        """The wait in the queue and the batch that answered.

        Parameters
        ----------
        times
            When the request came into the queue, and when its batch went into the model and came out of it
            (`time.monotonic`).
        requests, products
            Of the whole batch.

        """
        offset = time.time_ns() - time.monotonic_ns()
        queued, begun, ended = (offset + int(seconds * 1e9) for seconds in times)
        self.part("queue", queued, begun, {})
        self.part("model", begun, ended, {"batch_requests": requests, "batch_products": products})

    def end(self, name: str, attributes: Mapping[str, Any], broken: bool) -> None:
        """The request is over; broken: by the server's fault."""
        from opentelemetry.trace import StatusCode

        self._span.update_name(name)
        self._span.set_attributes(attributes)
        if self._left_out:
            self.note(parts_left_out=self._left_out)
        if broken:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


_CURRENT: ContextVar[Trace | None] = ContextVar("shelfwise_trace", default=None)


def current() -> Trace | None:
    """The trace of the request that is being answered; None: it is not recorded."""
    return _CURRENT.get()


def note(**attributes: str | int | float | bool) -> None:
    """Tell something of the request that is being answered, see `Trace.note`."""
    trace = _CURRENT.get()
    if trace is not None:
        trace.note(**attributes)


def part(name: str, **attributes: str | int | float | bool) -> AbstractContextManager[None]:
    """Record what happens within as a part of the request that is being answered."""
    trace = _CURRENT.get()
    return nullcontext() if trace is None else _timed(trace, name, attributes)


@contextmanager
def _timed(trace: Trace, name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    begun = time.time_ns()
    try:
        yield
    finally:
        trace.part(name, begun, time.time_ns(), attributes)


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"shelfwise.{name.replace('_', '.')}": value for name, value in attributes.items()}


# -- on or off -----------------------------------------------------------------------------------------------


def open_tracing(endpoint: str | None) -> Tracing | None:
    """Return what records and sends traces; None where nobody asked for any.

    Parameters
    ----------
    endpoint
        Where a collector takes OTLP over HTTP; None: what the environment says
        (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`).

    Raises
    ------
    RecipeError
        The endpoint is no address, or the environment asks for another protocol or exporter.
    MissingExtraError
        OpenTelemetry is not installed, and an endpoint was given here. One from the environment, which is
        often meant for others as well, is a warning in the log.

    """
    given = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None and given is None:
        return None
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        _LOG.info("no traces are recorded: the environment (OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER) says so")
        return None
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "http/protobuf")
    if exporter != "otlp" or protocol != "http/protobuf":
        raise RecipeError(
            f"traces go out as OTLP over HTTP, and the environment asks for {exporter} as {protocol}: set "
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, and give the collector's port for it (4318)"
        )
    where = _checked(endpoint if endpoint is not None else str(given))
    try:
        return Tracing(where if endpoint is not None else None)
    except ImportError as error:
        missing = MissingExtraError("Tracing", "tracing")
        if endpoint is not None:
            raise missing from error
        _LOG.warning("no traces are recorded, though the environment names a collector: %s", missing)
        return None


def _checked(endpoint: str) -> str:
    """The address for traces of a collector."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RecipeError(f"{endpoint!r} is no address of a collector: give one as http://localhost:4318")
    return endpoint if parts.path.endswith(_PATH) else endpoint.rstrip("/") + _PATH


class Tracing:
    """Records requests and sends them to a collector; see `open_tracing`."""

    def __init__(self, endpoint: str | None) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._exporter = OTLPSpanExporter(endpoint)
        # Sampling, limits and sizes of queues are the SDK's, and so are the variables that set them.
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("shelfwise", shelfwise.__version__)

    def begin(self, name: str, headers: Mapping[str, str], attributes: Mapping[str, Any]) -> Trace | None:
        """Begin the span of a request, with its caller's where `headers` name one; None: not recorded."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(name, extract(headers), SpanKind.SERVER, attributes)
        return Trace(self, span) if span.is_recording() else None

    def part_of(self, span: Span, name: str, begun: int, attributes: Mapping[str, Any]) -> Span:
        """Return a span below another one, begun at a moment (`time.time_ns`)."""
        from opentelemetry.trace import set_span_in_context

        return self._tracer.start_span(
            name, set_span_in_context(span), attributes=attributes, start_time=begun
        )

    def close(self, seconds: float = _GRACE) -> None:
        """Send what was not sent yet, for so long at most: a server ends whatever its collector does."""
        ending = threading.Thread(target=self._provider.shutdown, name="shelfwise-traces", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            _LOG.warning("the last traces could not be sent within %g seconds", seconds)
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # ends its further tries

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose requests are recorded."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            trace = self._begin_request(scope)
            if trace is None:
                await app(scope, receive, send)
                return
            status = 0

            async def told(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            token = _CURRENT.set(trace)
            try:
                await app(scope, receive, told)
            finally:
                _CURRENT.reset(token)
                _end_request(trace, scope, status)

        return traced

    def _begin_request(self, scope: Scope) -> Trace | None:
        if scope["type"] != "http" or scope["path"].startswith(_PROBES):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        about = {
            "http.request.method": method, "url.scheme": scope.get("scheme", "http"),
            "url.path": scope["path"][:_SIGNS],
        }  # fmt: skip
        return self.begin(method, headers, about)

    def wrap_method(self, name: str, handler: Any) -> Any:  # noqa: ANN401 - of grpc, which has no types
        """Return the handler of a method of gRPC, by its whole name, so that calls are recorded."""
        return self._traced(handler) if name.startswith(_CALLS) and name != _READY else handler

    def _traced(self, handler: Any) -> Any:  # noqa: ANN401
        """The handler of a method, recorded; ours take one message or a stream, and answer the same way."""
        import grpc

        async def one(message: Any, context: Any) -> Any:  # noqa: ANN401
            trace = self._begin_call(context)
            try:
                return await handler.unary_unary(message, context)
            finally:
                _end_call(trace, context)

        async def many(messages: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
            trace = self._begin_call(context)
            try:
                async for answer in handler.stream_stream(messages, context):
                    yield answer
            finally:
                _end_call(trace, context)

        codecs = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(one, *codecs)
        return grpc.stream_stream_rpc_method_handler(many, *codecs)

    def _begin_call(self, call: Any) -> Trace | None:  # noqa: ANN401
        """Begin the span of a call. Each call has a task, so its trace need not be taken back."""
        texts = {name: value for name, value in call.metadata if isinstance(value, str)}
        service, _, method = call.method.decode().lstrip("/").partition("/")
        about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        trace = self.begin(f"{service}/{method}", texts, about)
        if trace is not None and "x-request-id" in texts:
            trace.note(request_id=texts["x-request-id"][:_SIGNS])
        _CURRENT.set(trace)
        return trace


def _resource() -> Resource:
    """Who sends: as the environment has it, "shelfwise" where it has nothing."""
    from opentelemetry.sdk.resources import Resource

    found = Resource.create({"service.version": shelfwise.__version__})
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": "shelfwise"}))
    return found


def _end_request(trace: Trace, scope: Scope, status: int) -> None:
    """The span of an HTTP request gets the name of its route, which many paths may share."""
    route = getattr(scope.get("route"), "path", None)
    method = scope["method"] if scope["method"] in _METHODS else "HTTP"
    about: dict[str, Any] = {"http.response.status_code": status} if status else {}
    if route is not None:
        about["http.route"] = route
    if "shelfwise.request_id" in scope:
        trace.note(request_id=scope["shelfwise.request_id"])
    trace.end(f"{method} {route}" if route else method, about, not status or status >= 500)


def _end_call(trace: Trace | None, call: Any) -> None:  # noqa: ANN401
    if trace is None:
        return
    code = _CANCELLED if call.cancelled() else int(getattr(call.code(), "value", (call.code(),))[0] or 0)
    trace.end(call.method.decode().lstrip("/"), {"rpc.grpc.status_code": code}, code in _BROKEN_CALLS)
