"""The command `explore`: a catalogue as a page to look at."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, page, terminal

if TYPE_CHECKING:
    from shelfwise.audit.explore import Exploration
    from shelfwise.recipe import Recipe
    from shelfwise.review.desk import Desk


@click.command(short_help="Look at a catalogue on a local web page: list, products, map.")
@options.catalogue()
@click.option("--output", metavar="FILE", type=click.Path(), help="Keep what is shown: .parquet, for review.")
@options.images()
@options.label()
@options.roles()
@options.encoders()
@options.layout()
@page.options
@options.seed("Seed of every random choice.")
@options.threads()
@options.as_json()
def explore(
    catalogue: str,
    output: str | None,
    images: str | None,
    label: str | None,
    roles: dict[str, str | list[str]],
    text_encoder: str | None,
    image_encoder: str | None,
    layout: bool | None,
    port: int,
    host: str,
    allow_remote: bool,
    browser: bool,
    seed: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Show CATALOGUE, labelled or not, on a web page of this machine: its products, what is like them, a map.

    Nothing is judged and nothing can be decided: for that there are shelfwise audit and shelfwise queue.
    """
    from shelfwise.audit.doubts import check_doubts

    if output is not None:
        check_doubts(output)
    recipe = options.build_recipe(None, {"seed": seed, "threads": threads}, label=label, roles=roles)
    recipe = options.with_encoders(recipe, images, text_encoder, image_encoder)
    found: list[Exploration] = []

    def opened() -> Desk:
        found.append(_explored(catalogue, recipe, layout))
        return _laid_open(found[0], catalogue, output)

    def told(desk: Desk) -> page.Told:
        counts, notes = found[0].to_dict(), [*found[0].notes, *desk.notes]
        words = f"{counts['labelled']:,} products with a category, {counts['unlabelled']:,} without"
        lost = f"; {counts['unreadable']:,} rows could not be read" if counts["unreadable"] else ""
        kept = [f"Written to {output}; shelfwise review {output} opens it again."] if output else []
        result = {"products": len(desk.doubts), **counts, "output": output, "notes": notes}
        return result, [*notes, f"{words}{lost}.", *kept]

    page.show(opened, page.Window(host, port, allow_remote, browser, as_json), told)


def _explored(catalogue: str, recipe: Recipe, layout: bool | None) -> Exploration:
    from shelfwise.audit.explore import explore as look

    wanted = options.map_is_there() if layout is None else layout
    with terminal.telling_steps() as notify:
        found = look(catalogue, recipe, wanted, notify)
    if not wanted and layout is None:
        found.notes.append(options.NO_MAP)
    return found


def _laid_open(found: Exploration, catalogue: str, output: str | None) -> Desk:
    """The desk of what was found; the file that it is opened from is only kept where one is wanted."""
    from shelfwise.review.desk import DeskOptions
    from shelfwise.review.opening import open_desk

    chosen = DeskOptions(catalogue=catalogue, look_only=True)
    if output is not None:
        found.write(output)
        return open_desk(output, chosen)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{Path(catalogue).stem or 'catalogue'}.parquet"
        found.write(file)
        return open_desk(file, chosen)
