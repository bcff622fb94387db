"""`shelfwise predict`: products sorted by a model, from file to file, with as many workers as there are."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

import shelfwise
from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.categorizer import Categorizer


@click.command(short_help="Sort products with a model, from file to file.")
@options.model()
@options.catalogue()
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="File to write: .parquet, .csv or .jsonl; with / at its end a folder, of numbered Parquet files.",
)
@options.split("Predict the rows that this column marks test; all rows otherwise.")
@options.images()
@options.encoders()
@click.option(
    "--top",
    metavar="K",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Candidates for each product.",
)
@options.promise(
    "Accept only what is right this often, such as 0.98; name the surest parent shelf for the rest."
)
@click.option(
    "--explain", is_flag=True, help="Give the words, similar products and votes behind each answer."
)
@click.option("--ids-only", is_flag=True, help="Write product_id and predicted_category_id alone.")
@options.engine()
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(),
    help="Keep the answers in DIR, and next time predict only products that are new or changed.",
)
@options.work("the shards meanwhile; beside the output")
@options.threads()
@options.as_json()
def predict(
    model: str,
    catalogue: str,
    output: str,
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - what the answers hold and who gives them, as click hands it over
) -> None:
    """Put each product of CATALOGUE on a shelf of MODEL: one row out for each row in, in the same order.

    A run that was stopped goes on where it was: run the same command again. What comes out is the same for
    any number of workers and every engine.
    """
    from shelfwise.cli.summaries import show_bulk
    from shelfwise.scale.bulk import Bulk, BulkOptions
    from shelfwise.track.model import resolve_model

    top, promise, explain, ids = (asked.pop(name) for name in ("top", "promise", "explain", "ids_only"))
    wanted = shelfwise.PredictOptions(top, promise, explain, "ids" if ids else "full")
    chosen = BulkOptions(wanted, **{**asked, "threads": asked["threads"] or 0})
    bulk = Bulk.load(resolve_model(model))
    source = shelfwise.open_source(catalogue)
    recipe = options.with_encoders(bulk.model.recipe, images, text_encoder, image_encoder)
    bulk.model.recipe = replace(recipe, threads=chosen.threads)
    mind_vectors(bulk.model)
    with terminal.counting_rows("Predicting", source.rows) as notify:
        report = bulk.predict(source, output, chosen, notify)
    if as_json:
        told = {"output": output, **vars(report.written), "resumed": report.resumed}
        changes = {} if report.changes is None else {"changes": asdict(report.changes)}
        terminal.write_json({**told, **changes})
    else:
        show_bulk(terminal.stdout(), output, report)


def mind_vectors(model: Categorizer) -> None:
    """Tell where pictures are looked for, if the model listens to them and no folder was given.

    And what else there is to know about its vectors, such as an index that cannot be used here.
    """
    for note in model.views_.notes_:
        click.echo(note, err=True)
    if {"pictures", "pixels"} & set(model.views_.dense) and not model.recipe.pictures.folder:
        told = "This model looks at pictures, too. Without --images they are taken from the catalogue itself"
        click.echo(f"{told}, or from beside it.", err=True)
