"""The process of a server: sockets, both doors in one event loop, signals, an end at which nothing is lost.

On SIGTERM readiness goes first, so that balancers send requests elsewhere; for a moment (`lame_duck`)
requests that come all the same are answered, and connections closed after their answer; then nothing new is
taken, what runs is finished, and the process ends. SIGHUP loads all models anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.serve.limits import LIMITS, Limits

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import uvicorn

    from shelfwise.serve.rpc import RpcDoor
    from shelfwise.serve.service import Service

_LOG = logging.getLogger("shelfwise.serve")
_BACKLOG = 2048
_FOLLOW = 0.2  # seconds between two looks at what the other workers did
_SWITCH = 0.0002  # seconds after which threads take turns: the loop must not wait for a batch's Python


@dataclass(frozen=True)
class ServerOptions:
    """Where and how to serve.

    http_port, grpc_port: 0 takes a free one, None leaves the door shut. token: what requests carry. tls_key,
    tls_certificate: PEM files, both or neither. admin: whether models may be reloaded over HTTP. watch:
    seconds between looks at the model folders, 0 for none. lame_duck: seconds in which a server that ends
    still takes requests. trace: where a collector takes OTLP over HTTP. shared: this is one of several
    workers on the same ports.
    """

    host: str = "127.0.0.1"
    http_port: int | None = 8000
    grpc_port: int | None = 8001
    token: str | None = None
    tls_key: Path | None = None
    tls_certificate: Path | None = None
    admin: bool = False
    log_all: bool = False
    watch: float = 5.0
    lame_duck: float = 1.0
    trace: str | None = None
    shared: bool = False
    limits: Limits = field(default=LIMITS)

    def __post_init__(self) -> None:
        if self.http_port is None and self.grpc_port is None:
            raise RecipeError("both doors are shut: leave HTTP or gRPC open")
        if (self.tls_key is None) != (self.tls_certificate is None):
            raise RecipeError("TLS needs a key and a certificate: give --tls-key and --tls-certificate")
        for file in (self.tls_key, self.tls_certificate):
            if file is not None and not file.is_file():
                raise RecipeError(f"{file}: there is no such file")


@dataclass(frozen=True)
class Addresses:
    """Where a server is reached; None: that door is shut."""

    http: str | None
    grpc: str | None


def check_extra() -> None:
    """Raise MissingExtraError where the server's packages are not installed."""
    # What gRPC's core writes on stderr is no JSON, and quotes what strangers send: read at its first import.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        import aiohttp
        import google.protobuf
        import grpc
        import grpc_health
        import grpc_reflection
        import httptools
        import prometheus_client
        import python_multipart
        import starlette
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("The server", "serve") from error
    del (
        aiohttp,
        google,
        grpc,
        grpc_health,
        grpc_reflection,
        httptools,
        prometheus_client,
        python_multipart,
        starlette,
        uvicorn,
    )


def open_socket(host: str, port: int, shared: bool = False) -> socket.socket:
    """Return a socket that is bound; RecipeError where the address is taken or not this machine's.

    `shared`: several sockets may be bound to the port, and share what comes.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        told = getattr(error, "strerror", None) or error
        raise RecipeError(f"cannot listen on {host}, port {port}: {told}. Take another port") from error
    return bound


def run(
    make: Callable[[], Service],
    options: ServerOptions,
    ready: Callable[[Addresses], None] | None = None,
    line: Connection | None = None,
) -> None:
    """Serve until the process is told to end; what was begun is finished first.

    Parameters
    ----------
    make
        Loads the models and returns the service; called once the ports are known to be free.
    options
        See `ServerOptions`.
    ready
        Told where the server is reached, as soon as it answers.
    line
        To the process above the workers: names of models to reload, both ways. The server ends with it.

    Raises
    ------
    RecipeError
        A port is taken.

    """
    http = None if options.http_port is None else open_socket(options.host, options.http_port, options.shared)
    with contextlib.ExitStack() as stack:
        if http is not None:
            stack.callback(http.close)
        if options.grpc_port:
            # Told before the models are loaded.
            open_socket(options.host, options.grpc_port, options.shared).close()
        signal.signal(signal.SIGTERM, _end_early)
        service = make()
        stack.callback(service.close)
        gc.collect()
        gc.freeze()  # what is loaded stays: no collection need look at it again
        sys.setswitchinterval(_SWITCH)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_Process(service, options, http, ready).live(line))


def _end_early(*_: object) -> None:
    """End while models are loaded: the first process of a container has no way to end but its own."""
    raise SystemExit(128 + signal.SIGTERM)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class _Process:
    """One life of a server."""

    def __init__(
        self,
        service: Service,
        options: ServerOptions,
        http: socket.socket | None,
        ready: Callable[[Addresses], None] | None,
    ) -> None:
        self._service, self._options, self._socket, self._told = service, options, http, ready
        self._end = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def live(self, line: Connection | None) -> None:
        options = self._options
        self._service.ready = False  # until both doors are open
        if line is not None:
            self._service.tell_others = lambda name: line.send(("reload", name))
            asyncio.get_running_loop().add_reader(line.fileno(), self._hear, line)
        web = self._web() if self._socket is not None else None
        serving = None if web is None else asyncio.create_task(web.serve([self._socket]))  # type: ignore[list-item]
        rpc, port = await self._open_rpc()
        self._watch_signals()
        if options.watch:
            self._keep(self._service.models.watch(options.watch))
        if options.shared:
            self._keep(self._service.follow(_FOLLOW))
        while web is not None and serving is not None and not web.started:
            if serving.done():
                await serving
                raise RecipeError("the HTTP server ended before it began; its log says why")
            await asyncio.sleep(0.005)
        self._service.ready = True
        if self._told is not None:
            self._told(self._addresses(port))
        await self._end.wait()
        await self._drain(web, serving, rpc)

    async def _drain(
        self, web: uvicorn.Server | None, serving: asyncio.Task[None] | None, rpc: RpcDoor | None
    ) -> None:
        limit = self._service.limits.drain
        end = time.monotonic() + limit + self._options.lame_duck
        self._service.ready = False
        _LOG.info("ending: requests should go elsewhere now")
        if rpc is not None:
            await rpc.tell_end()
        await asyncio.sleep(self._options.lame_duck)
        stopping = None if rpc is None else asyncio.create_task(rpc.stop(max(end - time.monotonic(), 0)))
        if web is not None:
            web.should_exit = True
        while self._service.under_way and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for task in (stopping, serving):
            if task is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(task, max(end - time.monotonic(), 0.1))
        for kept in self._tasks:
            kept.cancel()
        _LOG.info("ended", extra={"about": {"left": self._service.under_way}})

    def _web(self) -> uvicorn.Server:
        import uvicorn

        from shelfwise.serve.guard import Guard
        from shelfwise.serve.http import HttpOptions, build_app
        from shelfwise.serve.shortcut import door_of

        options = self._options
        app = build_app(self._service, HttpOptions(options.token, options.admin, options.log_all))
        tls: dict[str, Any] = {}
        if options.tls_key is not None and options.tls_certificate is not None:
            tls = {"ssl_keyfile": str(options.tls_key), "ssl_certfile": str(options.tls_certificate)}
        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False,
            # Traces are of ASGI applications, so all that is traced goes the usual way.
            http=door_of(self._service, app) if isinstance(app, Guard) else "httptools",
            proxy_headers=False,
            ws="none", backlog=_BACKLOG, timeout_graceful_shutdown=max(1, round(options.limits.drain)), **tls,
        )  # fmt: skip

        class Server(uvicorn.Server):
            """uvicorn, but for the signals, which end both doors together."""

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        return Server(settings)

    async def _open_rpc(self) -> tuple[RpcDoor | None, int]:
        options = self._options
        if options.grpc_port is None:
            return None, 0
        from shelfwise.serve.rpc import RpcDoor, RpcOptions

        tls = None
        if options.tls_key is not None and options.tls_certificate is not None:
            tls = options.tls_key.read_bytes(), options.tls_certificate.read_bytes()
        door = RpcDoor(
            self._service, RpcOptions(options.host, options.grpc_port, options.token, tls, options.shared)
        )
        try:
            return door, await door.start()
        except OSError as error:
            raise RecipeError(f"{error}. Take another port with --grpc-port") from error

    def _addresses(self, grpc_port: int) -> Addresses:
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        scheme = "http" if self._options.tls_key is None else "https"
        web = None
        if self._socket is not None:
            web = f"{scheme}://{host}:{self._socket.getsockname()[1]}"
        return Addresses(web, f"{host}:{grpc_port}" if grpc_port else None)

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(self._reload()))

    def _interrupted(self) -> None:
        if self._end.is_set():
            raise SystemExit(130)  # Ctrl-C twice: at once
        self._end.set()

    def _hear(self, line: Connection) -> None:
        """Another worker was asked to reload a model; or nobody is above this one any more."""
        try:
            self._keep(self._reload(line.recv()))
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(line.fileno())
            self._end.set()

    async def _reload(self, name: str | None = None) -> None:
        from shelfwise.serve.refusal import RefusedError

        with contextlib.suppress(RefusedError):  # told in the log; the models stay as they were
            await self._service.models.reload(name)

    def _keep(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
