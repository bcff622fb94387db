"""The HTTP door: each route reads a request, asks the service, and writes an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shelfwise.serve import bodies, http_inference, oip, openapi, site
from shelfwise.serve.guard import Guard, refusal_body, status_of
from shelfwise.serve.messages import CorrectRequest, ModelName
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOG = logging.getLogger("shelfwise.serve.http")
_JSON = "application/json"
_SOON = 0.1
"""Seconds after which it is worth looking whether the caller is still there."""
_Result = TypeVar("_Result")
_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class HttpOptions:
    """How the door is kept.

    token: what every request has to carry; None: nothing. admin: whether models may be reloaded from here.
    log_all: whether every request is written down.
    """

    token: str | None = None
    admin: bool = False
    log_all: bool = False


def build_app(service: Service, options: HttpOptions | None = None) -> ASGIApp:
    """Return the guarded ASGI application of a service."""
    options = options or HttpOptions()
    routes = _Routes(service, options)
    listed = [
        _post("/v1/predict", routes.predict),  # first: routes are tried in this order
        Route("/", site.page),
        Route("/static/{name}", site.static),
        _get("/docs", routes.docs),
        _get("/openapi.json", routes.openapi),
        _get("/metrics", routes.metrics),
        _get("/health/live", routes.live),
        _get("/health/ready", routes.is_ready),
        _get("/v1/models", routes.models),
        _get("/v1/models/{name}", routes.model),
        _get("/v1/taxonomy", routes.taxonomy),
        _post("/v1/corrections", routes.correct),
        _post("/v1/models/{name}/reload", routes.reload),
        _get("/v2", routes.v2_server),
        _get("/v2/health/live", routes.v2_live),
        _get("/v2/health/ready", routes.v2_is_ready),
    ]
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        listed += [
            _get(path, routes.v2_model),
            _get(f"{path}/ready", routes.v2_ready),
            _post(f"{path}/infer", routes.v2_infer),
        ]
    handlers: dict[Any, Any] = {404: _no_such_page, 405: _no_such_method, 500: _broken}
    app = Starlette(routes=listed, exception_handlers=handlers)
    app.state.refused = service.metrics.refused
    guarded = Guard(app, service, options.token, options.log_all)
    return guarded if service.tracing is None else service.tracing.wrap(guarded)


def _get(path: str, work: Callable[[Request], Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return work(request)
        except RefusedError as error:
            return refused(error, request)
        except Exception as error:
            return await _broken(request, error)

    return Route(path, endpoint, methods=["GET"])


def _post(path: str, work: _Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except RefusedError as error:
            return refused(error, request)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it; the log tells it from an answer
        except Exception as error:
            return await _broken(request, error)

    return Route(path, endpoint, methods=["POST"])


class _Routes:
    """The answers, one method a route."""

    def __init__(self, service: Service, options: HttpOptions) -> None:
        self._service, self._options = service, options

    # -- asking ----------------------------------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        asked = await bodies.read_predict(request, self._service.limits)
        return as_json(await while_there(request, self._service.predict(asked, _timeout(request))))

    async def correct(self, request: Request) -> Response:
        asked = await bodies.read_json(request, CorrectRequest)
        return as_json(await self._service.correct(asked))

    async def reload(self, request: Request) -> Response:
        if not self._options.admin:
            raise RefusedError("forbidden", "admin_off", "models are not reloaded from here (--admin)")
        if bodies.content_type(request) != _JSON:  # what another page cannot send without being asked
            raise RefusedError("media_type", "content_type", "send JSON (Content-Type: application/json)")
        name = request.path_params["name"]
        versions: list[ModelName] = await self._service.models.reload(name)
        self._service.tell_others(name)
        return as_json({"model": versions[0]})

    # -- looking ---------------------------------------------------------------------------------------------

    def models(self, request: Request) -> Response:
        return as_json({"models": [loaded.about() for loaded in self._service.models.all]})

    def model(self, request: Request) -> Response:
        return as_json(self._service.models.get(request.path_params["name"]).about())

    def taxonomy(self, request: Request) -> Response:
        loaded = self._service.models.get(request.query_params.get("model"))
        taxonomy, counts = loaded.answerer.taxonomy, loaded.answerer.model.counts_.tolist()
        listed = [
            {"category": label, "path": path, "products": count}
            for label, path, count in zip(taxonomy.labels, taxonomy.paths, counts, strict=True)
        ]
        return as_json({"model": loaded.named, "separator": taxonomy.separator, "categories": listed})

    def metrics(self, request: Request) -> Response:
        return Response(self._service.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def openapi(self, request: Request) -> Response:
        return as_json(openapi.describe(self._service.limits))

    def docs(self, request: Request) -> Response:
        return Response(openapi.docs_page(self._service.limits), media_type="text/html; charset=utf-8")

    def live(self, request: Request) -> Response:
        return as_json({"status": "live"})

    def is_ready(self, request: Request) -> Response:
        ready = self._service.ready
        return as_json({"status": "ready" if ready else "draining"}, 200 if ready else 503)

    # -- Open Inference Protocol -----------------------------------------------------------------------------

    def v2_live(self, request: Request) -> Response:
        return as_json({"live": True})

    def v2_is_ready(self, request: Request) -> Response:
        return as_json({"ready": self._service.ready}, 200 if self._service.ready else 503)

    def v2_server(self, request: Request) -> Response:
        return as_json(oip.server_metadata())

    def v2_model(self, request: Request) -> Response:
        loaded = self._service.models.get(request.path_params["name"])
        oip.check_version(loaded, request.path_params.get("version", ""))
        return as_json(oip.model_metadata(loaded))

    def v2_ready(self, request: Request) -> Response:
        loaded = self._service.models.get(request.path_params["name"])
        oip.check_version(loaded, request.path_params.get("version", ""))
        return as_json(
            {"name": loaded.name, "ready": self._service.ready}, 200 if self._service.ready else 503
        )

    async def v2_infer(self, request: Request) -> Response:
        name = request.path_params["name"]
        oip.check_version(self._service.models.get(name), request.path_params.get("version", ""))
        asked = await http_inference.read_infer(request, self._service.limits)
        wanted = oip.to_request(name, asked, self._service.limits)
        answer = await while_there(request, self._service.predict(wanted, _timeout(request)))
        return http_inference.write_infer(answer, asked)


def _timeout(request: Request) -> float | None:
    """Seconds that the caller will wait, where the header X-Timeout-Seconds says so."""
    return bodies.seconds_of(request.headers.get("x-timeout-seconds"))


async def while_there(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Return what comes of some work, given up when the caller goes away; then ClientDisconnect."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait((task,), timeout=_SOON)
        if done:
            return task.result()
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def as_json(value: object, status: int = 200) -> Response:
    """Return an answer."""
    return Response(msgspec.json.encode(value), status, media_type=_JSON)


def refused(error: RefusedError, request: Request) -> Response:
    """Return a refusal, and count it."""
    request.app.state.refused(error.code)
    headers = {"retry-after": str(error.seconds)} if error.retry_after is not None else None
    path = request.scope["path"]
    return Response(refusal_body(error, path), status_of(error, path), headers, _JSON)


async def _no_such_page(request: Request, error: Exception) -> Response:
    return refused(RefusedError("unknown", "no_page", "there is no such page; /docs lists all"), request)


async def _no_such_method(request: Request, error: Exception) -> Response:
    told = RefusedError("invalid", "method", f"{request.method} is not answered here")
    body = refusal_body(told, request.scope["path"])
    return Response(body, 405, getattr(error, "headers", None), _JSON)


async def _broken(request: Request, error: Exception) -> Response:
    _LOG.error(
        "a request failed",
        exc_info=error,
        extra={"about": {"request_id": request.scope.get("shelfwise.request_id")}},
    )
    return refused(
        RefusedError("broken", "broken", "something went wrong in the server; its log says what"), request
    )
