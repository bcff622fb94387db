"""The command that makes a shop to try everything on: as files, or as a web shop to scrape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.demo.site import WebShop

FILES, PAGES = 3000, 400  # products of the catalogue, and of the web shop


@click.command(short_help="Generate a shop to try everything on.")
@click.option(
    "--output",
    metavar="DIR",
    default="demo-shop",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to write to.",
)
@click.option(
    "--products",
    metavar="N",
    type=int,
    help=f"Products in the catalogue ({FILES:,} otherwise) or in the web shop ({PAGES} otherwise).",
)
@click.option(
    "--serve", is_flag=True, help="Be a web shop to scrape; what a scrape has to find is written to --output."
)
@click.option(
    "--port",
    metavar="N",
    default=0,
    type=click.IntRange(0, 65535),
    help="With --serve; a free one otherwise.",
)
@click.option(
    "--host", metavar="ADDR", default="127.0.0.1", show_default=True, help="With --serve: where to listen."
)
@options.seed("Another seed makes another shop.")
@options.as_json()
def demo(
    output: Path, products: int | None, serve: bool, port: int, host: str, seed: int | None, as_json: bool
) -> None:
    """Generate a shop to try everything on: a catalogue with planted faults, and new arrivals.

    With --serve it is a web shop instead: pages in two languages with their facts in JSON-LD, microdata or
    only by JavaScript, pictures, robots.txt, sitemaps, and what goes wrong in real shops. `truth.parquet`
    has what a perfect scrape finds, `hazards.csv` what has to be left alone. Ctrl-C ends it.
    """
    if serve:
        from shelfwise.demo.site import ShopOptions, WebShop

        wanted = ShopOptions(PAGES if products is None else products, seed or 0, host, port)
        _serve(WebShop(wanted), output, as_json)
        return
    from shelfwise.cli.summaries import show_shop
    from shelfwise.demo import generate

    shop = generate(output, FILES if products is None else products, seed or 0)
    if as_json:
        terminal.write_json({name: str(path) for name, path in vars(shop).items()})
    else:
        show_shop(terminal.stdout(), shop)


def _serve(shop: WebShop, output: Path, as_json: bool) -> None:
    """Tell where the shop is, and answer until the command is interrupted or terminated."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped is to be interrupted
    try:
        truth, hazards = shop.write_truth(output)
        address = f"{shop.stock.base}/"
        if as_json:
            terminal.write_json({"address": address, "truth": str(truth), "hazards": str(hazards)})
        else:
            click.echo(f"What a scrape has to find is in {truth}, what it has to leave alone in {hazards}.")
            click.echo(f"The shop is at {address} (Ctrl-C ends it)")
        shop.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:  # how such a server ends
        click.echo("Stopped.", err=True)
    finally:
        shop.server_close()
