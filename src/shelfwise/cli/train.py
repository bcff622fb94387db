"""`shelfwise train`: a model of a catalogue, from nothing or from the model of an earlier dump."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

import shelfwise
from shelfwise.cli import encoders, options, terminal

if TYPE_CHECKING:
    from shelfwise.categorizer import Categorizer
    from shelfwise.evaluate.change import Compared


@click.command(short_help="Learn the categories of a catalogue and save a model.")
@options.catalogue()
@options.model_folder()
@options.label()
@options.split("Learn from the rows that this column marks train or val, and leave those marked test.")
@options.fields()
@options.roles()
@click.option(
    "--mapping", metavar="FILE", help="Rename, merge or drop categories first: CSV with from and to."
)
@click.option(
    "--doubts",
    metavar="FILE",
    help="Do not learn what this file of an audit doubts, unless it was decided on.",
)
@click.option(
    "--least-doubt", metavar="D", type=float, help="Doubt from which on that holds, 0..1.  [default: 0.5]"
)
@options.images()
@options.encoders()
@options.recipe(" Or a model folder: all settings of that model.")
@click.option(
    "--from",
    "start",
    metavar="DIR",
    type=click.Path(),
    help="Start from the model of an earlier dump: a fraction of the time, its settings, its corrections.",
)
@options.seed("Seed of every random choice; the same seed makes the same model.")
@options.threads()
@options.memory()
@options.track()
@options.as_json()
def train(
    catalogue: str,
    model: str,
    split: str | None,
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    recipe: str | None,
    start: str | None,
    seed: int | None,
    threads: int | None,
    memory: int | None,
    work: Path | None,
    track: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> None:
    """Learn the categories of CATALOGUE and save a model."""
    from shelfwise.cli.changes import show_update
    from shelfwise.cli.summaries import show_space, show_tracked, show_training
    from shelfwise.track.record import record_training
    from shelfwise.track.tracker import open_trackers
    from shelfwise.workspace import Workspace, folder_beside, usual_limit

    old = _load(start)
    given = {"seed": seed, "threads": threads}
    chosen = options.build_recipe(recipe, given, old.recipe if old else None, **settings)
    chosen = options.with_encoders(chosen, images, text_encoder, image_encoder)
    with terminal.telling_steps() as notify, open_trackers(track, notify) as tracker:
        if chosen.finetune and old is None:
            with open_trackers(track, notify) as losses:  # a run of its own: curves of the encoder
                chosen = encoders.finetuned(catalogue, chosen, split, Path(model), (notify, losses))
        space = Workspace(memory or usual_limit(), work or folder_beside(model))
        categorizer = shelfwise.Categorizer(chosen)
        categorizer.fit(catalogue, split=split, notify=notify, space=space, start=old)
        _account(categorizer, old, (catalogue, split, recipe), notify)
        categorizer.save(model)
        told = categorizer.training_.to_dict()
        if tracker:
            tracker.begin(Path(model).name, chosen.to_dict(), told["data_sha256"], {"catalogue": catalogue})
            record_training(tracker, told, Path(model))
    if as_json:
        about = {"memory": space.to_dict(), "tracked": tracker.places}
        terminal.write_json({"model": model, **told, **about})
        return
    show_space(terminal.stdout(), space)
    show_update(terminal.stdout(), told["update"])
    show_training(terminal.stdout(), categorizer.training_, _next_steps(model, catalogue, split))
    show_tracked(terminal.stdout(), tracker.places, tracker.notes)


def compared(against: str | None, model: Categorizer, catalogue: str, split: str | None) -> Compared | None:
    """Return how the answers of a model differ from those of another, where one is named."""
    from shelfwise.evaluate.change import compare

    old = _load(against)
    if old is None:
        return None
    _look_where(model, old)
    return compare(old, model, catalogue, split=split)


def _look_where(model: Categorizer, other: Categorizer) -> None:
    """Let another model find pictures where a model does, and use as many threads."""
    pictures = replace(other.recipe.pictures, folder=model.recipe.pictures.folder)
    other.recipe = replace(other.recipe, threads=model.recipe.threads, pictures=pictures)


def _load(folder: str | None) -> Categorizer | None:
    """The model that is named, if one is."""
    from shelfwise.track.model import resolve_model

    return None if folder is None else shelfwise.load(resolve_model(folder))


def _account(
    model: Categorizer,
    old: Categorizer | None,
    run: tuple[str, str | None, str | None],
    notify: Callable[[str], None],
) -> None:
    """Tell the model how far it has moved, and whether the data are those that it is made after.

    `run`: the catalogue, the column of the split, and the recipe that was named.
    """
    from shelfwise.evaluate.change import FEW, compare
    from shelfwise.recipe import trained_on

    catalogue, split, recipe = run
    training = model.training_
    if old is not None:
        notify("change")
        _look_where(model, old)
        training.update["change"] = compare(old, model, catalogue, split=split, most=FEW).to_dict()
    before = trained_on(recipe) if recipe else None
    if before and before != training.data_sha256:
        training.notes.append(
            f"this is not what {recipe} learned from: its fingerprint is {before[:12]}..., that of this "
            f"catalogue {training.data_sha256[:12]}... . The settings are the same, the model is another."
        )


def _next_steps(model: str, catalogue: str, split: str | None) -> list[str]:
    """The commands to try after training."""
    evaluate = ["evaluate", model, catalogue, "--split", split or "", "--report", "report"]
    predict = ["predict", model, "NEW_PRODUCTS", "--output", "sorted.csv", "--promise", "0.95", "--explain"]
    return [shlex.join(["shelfwise", *words]) for words in ([evaluate, predict] if split else [predict])]
