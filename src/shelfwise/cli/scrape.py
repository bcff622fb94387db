"""The command that makes a catalogue from a shop's pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.collect.crawl import Scraped

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Make a catalogue from the pages of a shop.")
@click.argument("url")
@click.option(
    "--output", metavar="FILE", required=True, type=_FILE, help="Parquet file to write or to update."
)
@click.option(
    "--urls", metavar="FILE", type=_FILE, help="Take these pages, an address a line, and look for no others."
)
@click.option(
    "--rules", metavar="FILE", type=_FILE, help="Selectors for fields that are not found by themselves: TOML."
)
@click.option(
    "--limit", metavar="N", type=click.IntRange(0), default=0, help="Products at most; all otherwise."
)
@click.option(
    "--delay",
    metavar="SECONDS",
    type=click.FloatRange(0.0, 300.0),
    default=1.0,
    show_default=True,
    help="Time between requests to a host; never less than robots.txt asks for.",
)
@click.option(
    "--browser",
    type=click.Choice(["auto", "never", "always"]),
    default="auto",
    show_default=True,
    help="When to open pages in Chromium; auto: those that a script has to fill.",
)
@click.option("--allow-private", is_flag=True, help="Let URL be in a private network or on this machine.")
@click.option(
    "--contact", metavar="TEXT", help="Address of yours in the user agent, for the shop to write to."
)
@click.option(
    "--status", is_flag=True, help="Tell how far the crawl is, and what failed and why; ask for nothing."
)
@options.as_json()
def scrape(url: str, output: Path, as_json: bool, status: bool, **asked: Any) -> None:  # noqa: ANN401
    """Make a catalogue from the shop at URL: one row for each product.

    Products are found by sitemaps, links, paging and lists that load more. robots.txt and opt-outs are kept,
    a host is asked once a second. A crawl that was ended goes on where it was when the same command is run
    again; one that was complete is looked through for what is new, changed or gone. Its state is kept in
    FILE.crawl.
    """
    if status:
        _status(output, as_json)
        return
    from shelfwise.collect.crawl import Options
    from shelfwise.collect.crawl import scrape as run

    wanted = Options(**{name: value for name, value in asked.items() if value is not None})
    found = run(url, output, wanted, _tell)
    if as_json:
        terminal.write_json(found.to_dict())
    else:
        _show(found)
    if found.stopped == "interrupted":
        click.echo("Interrupted; run the same command again to go on.", err=True)
        click.get_current_context().exit(terminal.INTERRUPTED)


def _tell(words: str) -> None:
    for line in words.splitlines():
        click.echo(terminal.printable(line), err=True)


def _show(found: Scraped) -> None:
    tally = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.tally.items() if count)
    lines = [
        f"{found.products:,} products in {found.output} ({tally}); {found.requests:,} requests, "
        f"{found.browser_pages:,} of them with a browser, in {found.seconds:,.0f} s."
    ]
    for state in ("failed", "skipped"):
        told = ", ".join(f"{why or 'other'} {count:,}" for why, count in found.pages.get(state, {}).items())
        lines += [f"Pages {state}: {told}."] if told else []
    lacking = ", ".join(f"{name} {count:,}" for name, count in found.missing.items() if count)
    lines += [f"Without a field, of the first {min(found.products, 1000):,}: {lacking}."] if lacking else []
    lines += [f"Rule {one.told(found.products)}." for one in found.rules_in_vain]
    if found.unrendered:
        lines.append(f"Pages that need a browser, which was not used: {found.unrendered:,}.")
    if found.stopped == "limit":
        lines.append("Stopped at --limit; without it, the same command goes on.")
    elif not found.complete:
        lines.append("Not complete: run the same command again to go on.")
    for line in lines:
        click.echo(terminal.printable(line))


def _status(output: Path, as_json: bool) -> None:
    """What the file of a crawl says."""
    from shelfwise.collect.crawl import state_file
    from shelfwise.collect.frontier import Frontier
    from shelfwise.errors import CatalogueError

    path = state_file(output)
    if not path.is_file():
        raise CatalogueError(f"there is no crawl of {output}: {path} does not exist")
    frontier = Frontier(path, look=True)
    try:
        failed = list(frontier.listed(("failed", "later")))
        told = {
            "run": frontier.run,
            "products": frontier.products.count(),
            "pages": frontier.counts(),
            "failed": failed,
        }
    finally:
        frontier.close()
    if as_json:
        terminal.write_json(told)
        return
    click.echo(f"Crawl {told['run']}: {told['products']:,} products.")
    for state, reasons in _counts(told):
        each = ", ".join(f"{why or 'plain'} {count:,}" for why, count in reasons.items())
        click.echo(f"{state}: {sum(reasons.values()):,} ({each})")
    for one in failed[:50]:
        click.echo(
            terminal.printable(f"  {one['state']} {one['reason']}, {one['attempts']} attempts: {one['url']}")
        )


def _counts(told: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """States with their reasons, in the order of a crawl."""
    order = ("waiting", "working", "later", "done", "skipped", "failed")
    return [(state, told["pages"][state]) for state in order if state in told["pages"]]
