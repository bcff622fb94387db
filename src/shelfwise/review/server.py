"""The server of the review page: one process, on this machine alone unless it is asked for more."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.review.desk import Desk
from shelfwise.review.security import LOOPBACK


@dataclass(frozen=True)
class ServerOptions:
    """Where to listen.

    host: an address of this machine. port: 0 takes a free one. allow_remote: a host that other machines
    reach is taken; without it, it is refused.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False


def check_extra() -> None:
    """Raise MissingExtraError where the page's server is not installed."""
    try:
        import starlette
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("The review page", "review") from error
    del starlette, uvicorn


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_socket(options: ServerOptions) -> socket.socket:
    """Return a socket that is bound and tells its port.

    Raises
    ------
    RecipeError
        Other machines could reach it and that was not allowed, or the address is taken or not this machine's.

    """
    if not is_loopback(options.host) and not options.allow_remote:
        raise RecipeError(
            f"--host {options.host} lets everybody in your network see and decide: the page asks for no "
            "password. If that is wanted, say so with --allow-remote."
        )
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        bound.close()
        told = getattr(error, "strerror", None) or error
        raise RecipeError(
            f"cannot listen on {options.host}, port {options.port}: {told}. Take another port with --port, "
            "or --port 0 for a free one."
        ) from error
    return bound


def address_of(bound: socket.socket) -> str:
    """Return the address to open in a browser."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(
    desk: Desk, bound: socket.socket, options: ServerOptions, ready: Callable[[str], None] | None = None
) -> None:
    """Answer until the process is interrupted or terminated; requests that run are finished first.

    Parameters
    ----------
    desk
        What is shown and decided; closed at the end.
    bound
        From `open_socket`.
    options
        As for `open_socket`.
    ready
        Told the address as soon as it can be opened.

    """
    import uvicorn

    from shelfwise.review.app import build_app

    remote = not is_loopback(options.host)
    names = [options.host, socket.gethostname(), socket.getfqdn()] if remote else [options.host]
    app = build_app(desk, names, remote)
    settings = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, server_header=False, date_header=False,
        timeout_graceful_shutdown=5, http="h11", ws="none", loop="asyncio",
    )  # fmt: skip
    bound.listen(settings.backlog)  # from here on a browser may connect; it is answered as soon as all is up
    if ready is not None:
        ready(address_of(bound))
    try:
        uvicorn.Server(settings).run(sockets=[bound])
    finally:
        bound.close()
        desk.close()
