"""The command that serves models over HTTP and gRPC."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.addresses import Rules
    from shelfwise.serve.server import Addresses, ServerOptions
    from shelfwise.serve.service import Service

_PORT = click.IntRange(0, 65535)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}").fullmatch


_STEADY = "The same once there has been a queue for a while.  [default: a hundredth of --max-delay]"


def _limits() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of how much is taken at once; names and defaults as in `serve.limits`."""
    whole, part = click.IntRange(min=1), click.FloatRange(min=0)
    listed = (
        ("--max-items", "items", whole, 1000, "Products of one request."),
        ("--max-body", "body", whole, 16 * 2**20, "Bytes of one request."),
        ("--max-picture", "picture", whole, 8 * 2**20, "Bytes of one picture."),
        ("--max-pixels", "pixels", whole, 40_000_000, "Width x height of one picture."),
        ("--picture-workers", "picture_workers", whole, 2, "Processes that decode pictures."),
        ("--picture-time", "picture_time", part, 10.0, "Seconds in which a picture has to be decoded."),
        ("--picture-fetches", "fetches", whole, 16, "Pictures that are fetched at a time."),
        ("--fetch-time", "fetch_time", part, 10.0, "Seconds in which a picture has to be fetched."),
        ("--concurrency", "concurrency", whole, 512, "Requests at a time; one more is refused at once."),
        ("--queue", "queue", whole, 4096, "Products that may wait for the model."),
        ("--max-delay", "delay", part, 0.5, "Seconds that a request may wait; longer is refused at once."),
        ("--steady-delay", "steady", part, None, _STEADY),
        ("--batch", "batch", whole, 64, "Products that go through the model together."),
        ("--wait", "wait", part, 0.005, "Seconds that a busy server lets a small batch wait for company."),
        ("--timeout", "timeout", part, 30.0, "Seconds after which nobody waits for an answer any more."),
        ("--drain", "drain", part, 20.0, "Seconds to finish what was begun when the server ends."),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for flag, name, kind, value, meaning in reversed(listed):
            option = click.option(
                flag, name, metavar="N" if kind is whole else "SECONDS", type=kind, default=value,
                show_default=value is not None, help=meaning,
            )  # fmt: skip
            command = option(command)
        return command

    return decorate


@click.command(short_help="Serve models over HTTP and gRPC.")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "--http-port", metavar="N", type=_PORT, default=8000, show_default=True, help="0 for a free one."
)
@click.option(
    "--grpc-port", metavar="N", type=_PORT, default=8001, show_default=True, help="0 for a free one."
)
@click.option("--no-http", is_flag=True, help="Leave the HTTP door shut.")
@click.option("--no-grpc", is_flag=True, help="Leave the gRPC door shut.")
@click.option("--host", metavar="ADDR", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--token", metavar="TOKEN", envvar="SHELFWISE_TOKEN",
    help="What requests have to carry (Authorization: Bearer); better given as SHELFWISE_TOKEN.",
)  # fmt: skip
@click.option("--tls-key", metavar="FILE", type=click.Path(path_type=Path), help="Private key (PEM).")
@click.option(
    "--tls-certificate", metavar="FILE", type=click.Path(path_type=Path), help="Certificates (PEM)."
)
@click.option(
    "--corrections", metavar="FILE", type=click.Path(path_type=Path),
    help="Take corrections at run time, and keep them here.",
)  # fmt: skip
@click.option("--admin", is_flag=True, help="Let models be reloaded over HTTP.")
@click.option(
    "--watch", metavar="SECONDS", type=click.FloatRange(min=0), default=5.0, show_default=True,
    help="Look that often whether a model folder has changed; 0: never.",
)  # fmt: skip
@click.option(
    "--lame-duck", metavar="SECONDS", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="Go on taking requests for so long after SIGTERM, while not ready.",
)  # fmt: skip
@click.option(
    "--picture-urls", is_flag=True,
    help="Fetch pictures whose address is sent (picture_url), from the public internet.",
)  # fmt: skip
@click.option(
    "--picture-hosts", metavar="HOST[:PORT]", multiple=True,
    help="Fetch pictures from this host alone, in a private network too; may be given several times.",
)  # fmt: skip
@click.option(
    "--picture-ports", metavar="N", type=click.IntRange(1, 65535), multiple=True, default=(80, 443),
    show_default=True, help="Port to fetch pictures from; may be given several times.",
)  # fmt: skip
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processes that answer on the same ports.",
)  # fmt: skip
@_limits()
@options.threads()
@click.option(
    "--trace", metavar="URL",
    help="Send OpenTelemetry traces to this collector (OTLP over HTTP), such as http://localhost:4318.",
)  # fmt: skip
@click.option("--log-requests", is_flag=True, help="Write down every request, and not only failures.")
@options.as_json()
def serve(
    models: tuple[str, ...],
    http_port: int,
    grpc_port: int,
    no_http: bool,
    no_grpc: bool,
    host: str,
    corrections: Path | None,
    picture_urls: bool,
    picture_hosts: tuple[str, ...],
    picture_ports: tuple[int, ...],
    workers: int,
    threads: int | None,
    log_requests: bool,
    as_json: bool,
    **settings: Any,  # noqa: ANN401 - as click hands them over
) -> None:
    """Serve MODEL, a folder or mlflow:RUN_ID, over HTTP and gRPC; several as NAME=MODEL.

    SIGTERM ends the server when what was begun is finished; SIGHUP loads all models anew. Where models are
    reached is told on the first line; everything else is logged as JSON on stderr.
    """
    from dataclasses import fields

    from shelfwise.addresses import Rules
    from shelfwise.serve import server
    from shelfwise.serve.limits import Limits
    from shelfwise.serve.logs import log_to_stderr

    server.check_extra()
    limits = Limits(
        **{field.name: settings.pop(field.name) for field in fields(Limits) if field.name in settings}
    )
    chosen = server.ServerOptions(
        host, None if no_http else http_port, None if no_grpc else grpc_port, log_all=log_requests,
        limits=limits, **settings,
    )  # fmt: skip
    rules = Rules(picture_ports, picture_hosts) if picture_urls or picture_hosts else None
    places = _named(models)
    _warn(chosen)

    make = partial(_service, places, chosen, rules, corrections, threads or 0)

    def told(addresses: Addresses) -> None:
        _tell(places, addresses, as_json)

    if workers == 1:
        server.run(make, chosen, told)
        return
    from shelfwise.serve.workers import run_workers

    log_to_stderr()
    if code := run_workers(workers, make, chosen, told):
        raise SystemExit(code)


def _service(
    places: dict[str, str],
    chosen: ServerOptions,
    rules: Rules | None,
    corrections: Path | None,
    threads: int,
) -> Service:
    """The service of models, loaded, in the process that serves them.

    rules: of addresses of pictures, None where none is fetched.
    """
    from shelfwise.serve.corrections import Journal
    from shelfwise.serve.fetching import Fetcher, FetchOptions
    from shelfwise.serve.logs import log_to_stderr
    from shelfwise.serve.metrics import Metrics
    from shelfwise.serve.models import Models
    from shelfwise.serve.service import Service
    from shelfwise.serve.tracing import open_tracing

    log_to_stderr()
    tracing = open_tracing(chosen.trace)
    journal = None if corrections is None else Journal(corrections)
    models = Models(places, chosen.limits, journal, threads)
    models.load_all()
    fetcher = None if rules is None else Fetcher(FetchOptions(rules, chosen.limits))
    return Service(models, chosen.limits, Metrics(), fetcher, tracing)


def _named(models: tuple[str, ...]) -> dict[str, str]:
    """Where each model is, by its name; a folder without a name has its own."""
    places: dict[str, str] = {}
    for given in models:
        name, equals, place = given.partition("=")
        if not equals or os.path.exists(given):
            name, place = _own_name(given), given
        if not _NAME(name) or not place:
            raise click.BadParameter(
                f"{given!r}: a model's name has letters, digits, '.', '_' and '-'; give NAME=MODEL"
            )
        if name in places:
            raise click.BadParameter(f"two models are called {name}: name them, as in a={place} b=...")
        places[name] = place
    return places


def _own_name(place: str) -> str:
    if place.startswith("mlflow:"):
        return place.removeprefix("mlflow:").strip()
    return Path(place).resolve().name


def _warn(chosen: ServerOptions) -> None:
    from ipaddress import ip_address

    try:
        local = ip_address(chosen.host).is_loopback
    except ValueError:
        local = chosen.host == "localhost"
    if not local and chosen.token is None:
        click.echo(
            f"Warning: whoever reaches {chosen.host} may ask; --token makes them say a word.", err=True
        )


def _tell(places: dict[str, str], addresses: Addresses, as_json: bool) -> None:
    if as_json:
        import msgspec

        line = msgspec.json.encode({"http": addresses.http, "grpc": addresses.grpc, "models": places})
        click.echo(line.decode())
        return
    doors = [f"HTTP at {addresses.http}"] if addresses.http else []
    doors += [f"gRPC at {addresses.grpc}"] if addresses.grpc else []
    click.echo(terminal.printable(f"Serving {', '.join(places)}: {', '.join(doors)}. Ctrl-C ends."))
