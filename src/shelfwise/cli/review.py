"""The commands about doubts: review them on a page, and put the decisions into the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.review.correct import Corrected
    from shelfwise.review.desk import Desk, DeskOptions


@click.command(short_help="Work through the doubts of an audit on a local web page.")
@click.argument("doubts", type=click.Path())
@click.option("--catalogue", metavar="FILE", help="The catalogue; the one that was audited otherwise.")
@options.images()
@click.option(
    "--model", metavar="MODEL", help="A model folder or mlflow:RUN_ID; its candidates are offered, too."
)
@click.option(
    "--decisions", metavar="FILE", type=click.Path(), help="Where decisions are kept; beside DOUBTS."
)
@click.option(
    "--port", metavar="N", default=0, type=click.IntRange(0, 65535), help="Port; a free one otherwise."
)
@click.option("--host", metavar="ADDR", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--allow-remote", is_flag=True, help="Let other machines see and decide; needed for such a --host."
)
@click.option("--look-only", is_flag=True, help="Show everything and let nobody decide.")
@click.option(
    "--open/--no-browser", "browser", default=True, help="Open the page in the browser.  [default: open]"
)
@options.as_json()
def review(
    doubts: str,
    catalogue: str | None,
    images: str | None,
    model: str | None,
    decisions: str | None,
    port: int,
    host: str,
    allow_remote: bool,
    look_only: bool,
    browser: bool,
    as_json: bool,
) -> None:
    """Work through DOUBTS, a file that `shelfwise audit` wrote, on a web page of this machine.

    Every decision is kept at once, in DOUBTS.decisions.sqlite. Several people can work at a time. Ctrl-C ends
    the server; started again, the page goes on where it was. `shelfwise correct` puts the decisions into the
    catalogue.
    """
    import signal

    from shelfwise.review import server
    from shelfwise.review.desk import DeskOptions

    server.check_extra()
    where = server.ServerOptions(host, port, allow_remote)
    chosen = DeskOptions(catalogue, images, decisions, model or "", look_only)
    bound = server.open_socket(where)  # a port that is taken is told before the reading
    try:
        desk = _opened(doubts, chosen)
    except BaseException:
        bound.close()
        raise
    if not server.is_loopback(host):
        click.echo(
            f"Warning: everybody who reaches {host} can see and decide; there is no password.", err=True
        )

    def ready(address: str) -> None:
        _tell(desk, address, as_json)
        if browser:
            import webbrowser

            webbrowser.open(address)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped is to be interrupted
    try:
        server.serve(desk, bound, where, ready)
    except KeyboardInterrupt:  # how such a server ends; every decision is on the disk
        click.echo("Stopped. All decisions are kept.", err=True)


def _opened(doubts: str, chosen: DeskOptions) -> Desk:
    """The desk, with the model where one was named."""
    from shelfwise.review.opening import open_desk

    with terminal.telling_steps() as notify:
        notify("Reading the doubts and the catalogue")
        return open_desk(doubts, chosen)


def _tell(desk: Desk, address: str, as_json: bool) -> None:
    """Where the page is, and what is to be known first."""
    if as_json:
        told = {
            "address": address, "products": len(desk.doubts), "decisions": str(desk.store.path),
            "decided": desk.ledger.progress()["decided"], "notes": desk.notes,
        }  # fmt: skip
        terminal.write_json(told)
        return
    progress = desk.ledger.progress()
    for note in desk.notes:
        click.echo(terminal.printable(note))
    click.echo(
        f"{progress['products']:,} products, {progress['decided']:,} decided; kept in {desk.store.path}"
    )
    click.echo(f"The review page is at {address} (Ctrl-C ends it)")


@click.command(short_help="Put the decisions of a review into the catalogue.")
@click.argument("decisions", type=click.Path())
@options.catalogue()
@options.output()
@options.label()
@options.as_json()
def correct(decisions: str, catalogue: str, output: str, label: str | None, as_json: bool) -> None:
    """Write CATALOGUE with the DECISIONS of a review in it: the file that the page exports, or its .sqlite.

    Only the category of products that were decided is changed, and only where it is still the one that the
    decision was about.
    """
    from shelfwise.review.correct import correct as put

    told = put(decisions, catalogue, output, label)
    if as_json:
        terminal.write_json(told.to_dict())
        return
    for line in _in_words(told):
        click.echo(terminal.printable(line))


def _in_words(told: Corrected) -> list[str]:
    """What became of the decisions, a line each; what did not happen is not told."""
    lines = [f"{told.output}: {told.rows:,} products, {told.changed:,} on another shelf than before."]
    meanings = {
        "kept": "were confirmed on their shelf",
        "already": "have the chosen category already",
        "undecided": "were left open (unsure or skipped)",
        "disagreements": "were decided differently by two reviewers; the latest decision counts",
        "stale": "have another category by now than when they were decided; left alone",
        "unknown": "are not in this catalogue",
        "ambiguous": "share their id with others, and stand in another row by now; left alone",
        "unwritable": "got a category that the catalogue's columns cannot hold; left alone",
        "unreadable": "rows could not be read and are empty in the output",
    }
    for kind, meaning in meanings.items():
        count = getattr(told, kind)
        if count:
            first = told.examples.get(kind)
            lines.append(f"{count:,} {meaning}" + (f" (first {', '.join(first)})." if first else "."))
    return lines
