"""The review page as commands open it: where it listens, what is said, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import terminal

if TYPE_CHECKING:
    from shelfwise.review.desk import Desk

Told = tuple[dict[str, Any], list[str]]
"""What is said of a desk: for programs, and as lines."""


@dataclass(frozen=True)
class Window:
    """Where the page is shown, and to whom it is told: see the options."""

    host: str
    port: int
    allow_remote: bool
    browser: bool
    as_json: bool


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the page's server."""
    for option in reversed(
        (
            click.option(
                "--port",
                metavar="N",
                default=0,
                type=click.IntRange(0, 65535),
                help="Port; a free one otherwise.",
            ),
            click.option(
                "--host", metavar="ADDR", default="127.0.0.1", show_default=True, help="Address to listen on."
            ),
            click.option(
                "--allow-remote",
                is_flag=True,
                help="Let other machines see and decide; needed for such a --host.",
            ),
            click.option(
                "--open/--no-browser",
                "browser",
                default=True,
                help="Open the page in the browser.  [default: open]",
            ),
        )
    ):
        command = option(command)
    return command


def show(opened: Callable[[], Desk], window: Window, told: Callable[[Desk], Told]) -> None:
    """Open a desk and serve its page until the command is interrupted."""
    import signal

    from shelfwise.review import server

    server.check_extra()
    where = server.ServerOptions(window.host, window.port, window.allow_remote)
    bound = server.open_socket(where)  # a port that is taken is told before the reading
    try:
        desk = opened()
    except BaseException:
        bound.close()
        raise
    if not server.is_loopback(window.host):
        click.echo(
            f"Warning: everybody who reaches {window.host} can see and decide; there is no password.",
            err=True,
        )

    def ready(address: str) -> None:
        _tell(told(desk), address, window.as_json)
        if window.browser:
            import webbrowser

            webbrowser.open(address)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped is to be interrupted
    try:
        server.serve(desk, bound, where, ready)
    except KeyboardInterrupt:  # how such a server ends; every decision is on the disk
        click.echo("Stopped. All decisions are kept." if desk.can_decide else "Stopped.", err=True)


def _tell(told: Told, address: str, as_json: bool) -> None:
    """Where the page is, and what is to be known first."""
    if as_json:
        terminal.write_json({"address": address, **told[0]})
        return
    for line in told[1]:
        click.echo(terminal.printable(line))
    click.echo(f"The page is at {address} (Ctrl-C ends it)")
