"""The commands about doubts: review them on a page, and put the decisions into the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, page, terminal

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
@page.options
@click.option("--look-only", is_flag=True, help="Show everything and let nobody decide.")
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

    DOUBTS may be mlflow:RUN_ID, too: a tracked audit, or the training of the model that was audited. Every
    decision is kept at once, in DOUBTS.decisions.sqlite (of a run: doubts-RUN_ID.decisions.sqlite here).
    Several people can work at a time. Ctrl-C ends the server; started again, the page goes on where it was.
    `shelfwise correct` puts the decisions into the catalogue.
    """
    from shelfwise.review.desk import DeskOptions

    chosen = DeskOptions(catalogue, images, decisions, model or "", look_only)
    page.show(lambda: _opened(doubts, chosen), page.Window(host, port, allow_remote, browser, as_json), _tell)


def _opened(doubts: str, chosen: DeskOptions) -> Desk:
    """The desk, with the model where one was named; of a run with the model that was audited."""
    from dataclasses import replace

    from shelfwise.review.opening import decisions_beside, open_desk
    from shelfwise.track.model import is_run

    if is_run(doubts):
        from shelfwise.track.doubts import resolve_doubts

        found = resolve_doubts(doubts)
        here = decisions_beside(Path(f"doubts-{found.run}"))  # not in the store, which is others' as well
        chosen = replace(chosen, decisions=chosen.decisions or here, model=chosen.model or found.model)
        doubts = str(found.path)
    with terminal.telling_steps() as notify:
        notify("Reading the doubts and the catalogue")
        return open_desk(doubts, chosen)


def _tell(desk: Desk) -> page.Told:
    """What is to be known first: for programs, and in words."""
    progress = desk.ledger.progress()
    told = {
        "products": len(desk.doubts), "decisions": str(desk.store.path), "decided": progress["decided"],
        "notes": desk.notes,
    }  # fmt: skip
    words = f"{progress['products']:,} products, {progress['decided']:,} decided; kept in {desk.store.path}"
    if not desk.doubts.audit.judged:
        words = f"{progress['products']:,} products to look at"
    return told, [*desk.notes, words]


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
