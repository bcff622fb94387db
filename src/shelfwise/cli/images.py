"""The command `images`: the pictures of a catalogue, fetched or checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.images.outcome import Report

_SHOWN = 10
_STEPS = {
    "reading": "Reading the catalogue",
    "asking": "Asking the hosts",
    "writing": "Writing the index",
    "packing": "Packing",
}


@click.command(short_help="Fetch the pictures of a catalogue from their addresses, or check them.")
@options.catalogue()
@click.option(
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to fetch into; that of an earlier run is gone on with.",
)
@click.option("--check", is_flag=True, help="Only look which addresses have a picture, and fetch none.")
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(min=1),
    help="Make pictures smaller whose longer side is longer than this; they stay as they are otherwise.",
)
@click.option(
    "--rate",
    metavar="N",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Pictures a second from one host.",
)
@click.option("--allow-private", is_flag=True, help="Also fetch from hosts in private networks.")
@click.option("--all", "every", is_flag=True, help="Every picture of a product, not its main one alone.")
@click.option(
    "--pack",
    metavar="FORM",
    type=click.Choice(["parquet", "webdataset", "imagefolder"]),
    help="Also write shards, parquet or webdataset, or an imagefolder to publish.",
)
@click.option("--refresh", is_flag=True, help="Ask again for all, and fetch what has changed.")
@click.option(
    "--tries",
    metavar="N",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="How often an address is asked that fails for a passing reason.",
)
@click.option(
    "--time",
    "seconds",
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Silence after which a host is given up.",
)
@click.option("--contact", metavar="TEXT", help="Who asks, for the hosts: an address of mail or of a page.")
@options.roles()
@options.as_json()
def images(
    catalogue: str,
    output: Path,
    check: bool,
    size: int | None,
    rate: float,
    allow_private: bool,
    every: bool,
    pack: str | None,
    refresh: bool,
    tries: int,
    seconds: float,
    contact: str | None,
    roles: dict[str, str | list[str]],
    as_json: bool,
) -> None:
    """Fetch the pictures that CATALOGUE has addresses of, for shelfwise train --images DIR.

    Run it again after an interruption, or for a longer catalogue: only what is new, or failed for a reason
    that passes, is asked.
    """
    from shelfwise.images.asking import AskingOptions, check_contact
    from shelfwise.images.lanes import LaneOptions
    from shelfwise.images.run import ImageOptions, download

    if check and pack:
        raise click.UsageError("--check fetches nothing that --pack could pack; leave one of them out")
    asking = AskingOptions(allow_private, seconds, contact=check_contact(contact or ""))
    lanes = LaneOptions(rate, tries)
    chosen = ImageOptions(
        check, pack, every, size or 0, refresh=refresh, roles=roles, asking=asking, lanes=lanes
    )
    with _telling() as notify:
        report = download(catalogue, output, chosen, notify)
    if as_json:
        terminal.write_json({"output": str(output), **report.to_dict()})
    else:
        _show(report, output, check, catalogue)


@contextmanager
def _telling() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how far the step is; it shows nothing where nobody looks."""
    with terminal.telling_steps() as tell:

        def notify(step: str, done: int, total: int) -> None:
            words = _STEPS[step]
            tell(f"{words}: {done:,} of {total:,}" if total and done else words)

        yield notify


def _show(report: Report, output: Path, check: bool, catalogue: str) -> None:
    from shelfwise.cli import tables
    from shelfwise.images.codes import meaning
    from shelfwise.images.outcome import CHECKED, DEAD

    console = terminal.stdout()
    verb = "have a picture" if check else "stored"
    said = [f"{report.links:,} addresses: {report.stored:,} {verb}, {report.failed:,} failed."]
    if not check:
        said.append(f"{tables.count(report.contents, 'file')}, {report.bytes / 1e6:,.1f} MB.")
    for number, what in (
        (report.without, "without a picture"),
        (report.inside, "with their picture in the catalogue itself"),
        (report.local, "with a file and no address"),
    ):
        if number:
            said.append(f"{number:,} of {report.rows:,} rows {what}.")
    tables.lines(console, said)
    if report.codes:
        tables.heading(console, "Why addresses failed")
        tables.table(
            console, ("code", ">addresses", "meaning"),
            [(code, f"{count:,}", meaning(code)) for code, count in report.codes.items()],
        )  # fmt: skip
        tables.heading(console, "Hosts with most failures")
        tables.table(
            console, ("host", ">addresses", ">failed", "mostly"),
            [(host or "(none)", f"{links:,}", f"{failed:,}", code)
             for host, links, failed, code in report.hosts[:_SHOWN]],
        )  # fmt: skip
    written = output / (CHECKED if check else DEAD)
    following = "" if check else f" Next: shelfwise train {catalogue} --images {output} --model MODEL"
    tables.lines(console, [f"Written to {written}.{following}"])
