"""The command `queue`: which products people should label next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.audit.queue import Queue
    from shelfwise.categorizer import Categorizer

_SHOWN = 8


@click.command(short_help="Choose the unlabelled products that people should label next.")
@options.catalogue()
@click.option(
    "--model", metavar="MODEL", required=True, help="What is to learn: a model folder or mlflow:RUN_ID."
)
@click.option("--output", metavar="FILE", required=True, type=click.Path(), help="File to write: .parquet.")
@click.option(
    "--count",
    metavar="N",
    default=500,
    show_default=True,
    type=click.IntRange(min=1),
    help="Products to choose.",
)
@options.images()
@options.label()
@options.layout()
@options.seed("Seed of every random choice.")
@options.threads()
@options.as_json()
def queue(
    catalogue: str,
    model: str,
    output: str,
    count: int,
    images: str | None,
    label: str | None,
    layout: bool | None,
    seed: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Choose the products of CATALOGUE without a category whose category would teach MODEL most.

    Rows that have a category are left alone. Label the chosen ones with shelfwise review FILE, then put the
    decisions into the catalogue with shelfwise correct and train again.
    """
    from shelfwise.audit.doubts import check_doubts
    from shelfwise.audit.queue import QueueOptions, find_queue

    check_doubts(output)
    loaded = _load(model, images, seed, threads)
    wanted = options.map_is_there() if layout is None else layout
    with terminal.telling_steps() as notify:
        found = find_queue(catalogue, loaded, QueueOptions(count, label, wanted, model), notify)
        found.write(output)
    if not wanted and layout is None:
        found.counts.notes.append(options.NO_MAP)
    if as_json:
        terminal.write_json({"output": output, **found.to_dict()})
    else:
        _show(found, output)


def _load(model: str, images: str | None, seed: int | None, threads: int | None) -> Categorizer:
    """The model, with the pictures, the seed and the threads of the options."""
    from dataclasses import replace

    import shelfwise
    from shelfwise.track.model import resolve_model

    loaded = shelfwise.load(resolve_model(model))
    own = loaded.recipe
    loaded.recipe = replace(
        own,
        seed=own.seed if seed is None else seed,
        threads=own.threads if threads is None else threads,
    )
    return loaded.use_pictures(images) if images else loaded


def _show(found: Queue, output: str) -> None:
    counts = found.counts
    said = (
        f"{found.table.height:,} products to label of {counts.unlabelled:,} without a category "
        f"({counts.labelled:,} have one, {counts.rows:,} rows)."
    )
    examples = (
        f"{row['doubt']:.2f}  {row['product_id']}: {' '.join(row['reasons'][:2])}"
        for row in found.table.head(_SHOWN).iter_rows(named=True)
    )
    terminal.write_findings([said], examples, counts.notes, output)
