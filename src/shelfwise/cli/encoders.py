"""The commands about encoders: fine-tune one on a catalogue, export one for serving on a processor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelfwise.finetune import FinetuneReport
    from shelfwise.recipe import Recipe
    from shelfwise.track.tracker import Trackers

    _Told = tuple[Callable[[str], None] | None, Trackers]
    """Who is told how it goes: line by line, and in numbers."""


@click.command(short_help="Fine-tune an encoder on a catalogue.")
@options.catalogue()
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@options.images()
@options.label()
@options.split("Learn from the rows that this column marks train or val, and leave those marked test.")
@options.encoders()
@options.recipe()
@click.option("--restart", is_flag=True, help="Begin anew, though there are checkpoints of an earlier run.")
@options.track()
@options.as_json()
def finetune(
    catalogue: str,
    output: Path,
    images: str | None,
    label: str | None,
    split: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    recipe: str | None,
    restart: bool,
    track: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fine-tune the encoders of a recipe on CATALOGUE, as its table [finetune] says, into an encoder folder.

    Use the folder as hf:DIR, or joint:DIR where texts and pictures were trained together. A run that was
    stopped goes on from its last checkpoint.
    """
    from shelfwise.finetune import discard
    from shelfwise.track.tracker import open_trackers

    chosen = options.build_recipe(recipe, {}, label=label)
    chosen = options.with_encoders(chosen, images, text_encoder, image_encoder)
    if not chosen.finetune:
        sides = ["text"] * (chosen.encoder.encoder != "none") + ["picture"] * (image_encoder is not None)
        chosen = options.with_finetuning(chosen, sides)
    if restart:
        discard(output)
    with terminal.telling_steps() as notify, open_trackers(track, notify) as tracker:
        report = tune(catalogue, chosen, split, output, (notify, tracker))
    if as_json:
        terminal.write_json({**report.to_dict(), "tracked": tracker.places})
        return
    trained = f"{report.trained:,} of {report.parameters:,} numbers trained on {report.device}"
    click.echo(f"{report.output}: {trained}, {report.rate:.0f} products a second.")
    held = report.best.val
    if held is not None:
        score = f"weighted F1 {100 * held.weighted_f1:.2f} on {report.validated:,} products held out"
        click.echo(f"Epoch {report.best_epoch} of {len(report.curves)} was best: {score}.")
    for note in report.notes:
        click.echo(terminal.printable(note))


def tune(catalogue: str, recipe: Recipe, split: str | None, output: Path, told: _Told) -> FinetuneReport:
    """Fine-tune a recipe's encoders, and track the run where that is wanted."""
    import shelfwise
    from shelfwise.finetune.catalogue import Work, finetune_catalogue

    notify, tracker = told
    if tracker:
        tracker.begin(output.name, recipe.to_dict(), "", {"catalogue": catalogue})
    work = Work(output, notify, tracker or None)
    return finetune_catalogue(shelfwise.open_source(catalogue), recipe, split, work)


def finetuned(catalogue: str, recipe: Recipe, split: str | None, model: Path, told: _Told) -> Recipe:
    """Fine-tune a recipe's encoders into a folder beside the model; the recipe with that folder in it."""
    from shelfwise.finetune.catalogue import with_finetuned

    folder = model.with_name(f"{model.name}-encoder")
    tune(catalogue, recipe, split, folder, told)
    return with_finetuned(recipe, folder)


@click.command(short_help="Export an encoder to ONNX, in 8 bits, for serving on a processor.")
@click.argument("spec")
@options.catalogue()
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option(
    "--kind", type=click.Choice(["text", "image"]), default="text", show_default=True, help="Of what."
)
@click.option(
    "--precision", type=click.Choice(["int8", "float32"]), default="int8", show_default=True, help="Bits."
)
@options.images()
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=16),
    default=400,
    show_default=True,
    help="Products of CATALOGUE to measure the loss on.",
)
@options.as_json()
def export(
    spec: str,
    catalogue: str,
    output: Path,
    kind: Literal["text", "image"],
    precision: Literal["int8", "float32"],
    images: str | None,
    sample: int,
    as_json: bool,
) -> None:
    """Export the encoder SPEC to a folder that onnx:DIR opens, and measure on CATALOGUE what is lost."""
    import shelfwise
    from shelfwise.features.export import export_encoder
    from shelfwise.features.sample import sample_pictures, sample_texts

    source = shelfwise.open_source(catalogue)
    rows = sample_texts(source, sample) if kind == "text" else sample_pictures(source, images, sample)
    done = export_encoder(kind, spec, output, rows, precision)
    if as_json:
        terminal.write_json(vars(done))
        return
    sizes = f"{done.megabytes:.1f} MB instead of {done.megabytes_before:.1f}"
    likeness = f"a cosine of {done.cosine:.4f} to the original's ({done.cosine_least:.4f} at worst)"
    click.echo(f"onnx:{output} is {sizes} and {done.speedup:.1f} times as fast here.")
    click.echo(f"On {done.rows:,} products its vectors have {likeness};")
    click.echo(f"{done.same_nearest:.0%} have the same nearest product.")
