"""The commands that change a trained model's shelves, or correct products, without training it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.categorizer import Categorizer


@click.group(short_help="Correct a trained model, and change its shelves.")
def shelves() -> None:
    """Correct a trained MODEL and change its shelves, without training it again.

    What is changed counts from the next prediction on, and the model's card says it. Training on the
    corrected catalogue folds it in.
    """


def _output() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    meaning = "Save the changed model in this folder instead of in MODEL itself."
    return click.option("--output", metavar="DIR", type=click.Path(), callback=_free, help=meaning)


def _free(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A folder that a model may be saved in, or none."""
    from shelfwise.artifact import is_replaceable

    if value is not None and Path(value).exists() and not is_replaceable(Path(value)):
        raise click.BadParameter(f"{value} exists and is not a Shelfwise model; choose another folder")
    return value


@shelves.command("list", short_help="List the shelves, and what was changed since training.")
@options.model()
@options.as_json()
def list_shelves(model: str, as_json: bool) -> None:
    """List the categories of MODEL with the products known of each, and what was changed since training."""
    loaded = _load(model)
    counts, labels = loaded.counts_.tolist(), loaded.taxonomy_.labels
    now = loaded.corrections_
    if as_json:
        rows = [{"category": label, "products": count} for label, count in zip(labels, counts, strict=True)]
        terminal.write_json({"model": model, "shelves": rows, "changes": now.summary(), "log": list(now.log)})
        return
    for label, count in zip(labels, counts, strict=True):
        click.echo(f"{count:>9,}  {terminal.printable(label)}")
    _tell(now.summary())


@shelves.command(short_help="Add a category, predicted at once.")
@options.model()
@click.argument("path")
@click.option("--examples", metavar="CATALOGUE", type=click.Path(), help="Products that belong there.")
@click.option(
    "--words", metavar="TEXT", default="", help="Words that speak for it, beside those of its name."
)
@click.option("--label", metavar="ID", help="Its id, where categories are ids; PATH is its name.")
@options.images()
@_output()
@options.as_json()
def add(
    model: str,
    path: str,
    examples: str | None,
    words: str,
    label: str | None,
    images: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Add the category PATH to MODEL; it is known by the words of its name, and by examples."""
    loaded = _load(model, images)
    loaded.add_shelf(path, examples, words=words, label=label)
    _save(loaded, output or model, as_json)


@shelves.command(short_help="Rename or move a category.")
@options.model()
@click.argument("old")
@click.argument("new")
@_output()
@options.as_json()
def rename(model: str, old: str, new: str, output: str | None, as_json: bool) -> None:
    """Rename the category OLD of MODEL, or a shelf with all below it; another path is another place."""
    _save(_load(model).rename_shelf(old, new), output or model, as_json)


@shelves.command(short_help="Make one category of several.")
@options.model()
@click.argument("names", metavar="SHELF...", nargs=-1, required=True)
@click.option("--into", metavar="SHELF", required=True, help="What it is then called; one of them, or new.")
@_output()
@options.as_json()
def merge(model: str, names: tuple[str, ...], into: str, output: str | None, as_json: bool) -> None:
    """Make one category of the SHELVES of MODEL; its probability is the sum of theirs."""
    _save(_load(model).merge_shelves(names, into), output or model, as_json)


@shelves.command(short_help="Split new categories off one.")
@options.model()
@click.argument("shelf")
@click.argument("catalogue", type=click.Path())
@click.option("--column", metavar="COL", required=True, help="Column of CATALOGUE with the new category.")
@options.images()
@_output()
@options.as_json()
def split(
    model: str, shelf: str, catalogue: str, column: str, images: str | None, output: str | None, as_json: bool
) -> None:
    """Split off SHELF the new categories that a column of CATALOGUE names for example products."""
    import shelfwise
    from shelfwise.errors import CatalogueError

    source = shelfwise.open_source(catalogue)
    if column not in source.columns:
        raise CatalogueError(
            f"{catalogue}: there is no column {column!r}; columns are: {', '.join(source.columns)}"
        )
    frame = source.frame()
    frame = frame.filter(frame[column].is_not_null() & (frame[column] != shelf))
    parts = {str(name): part for (name,), part in frame.partition_by(column, as_dict=True).items()}
    _save(_load(model, images).split_shelf(shelf, parts), output or model, as_json)


@shelves.command(short_help="Put products on their right shelves, as people decided.")
@options.model()
@click.argument("decisions", type=click.Path())
@options.catalogue()
@click.option(
    "--new-shelves", is_flag=True, help="Add categories that MODEL does not know; else that is an error."
)
@options.images()
@_output()
@options.as_json()
def correct(
    model: str,
    decisions: str,
    catalogue: str,
    new_shelves: bool,
    images: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Correct MODEL by DECISIONS of the review page (Parquet, CSV, JSON lines) on products of CATALOGUE."""
    import shelfwise
    from shelfwise.corrections.decisions import read_decisions, rows_of

    decided = read_decisions(decisions)
    loaded = _load(model, images)
    rows = rows_of(decided, decisions, shelfwise.open_source(catalogue), loaded.roles_.product_id)
    report = loaded.correct(rows, decided.categories, new_shelves=new_shelves)
    told = {**vars(report), "undecided": decided.undecided}
    _save(loaded, output or model, as_json, told)


def _load(model: str, images: str | None = None) -> Categorizer:
    import shelfwise

    loaded = shelfwise.load(model)
    return loaded.use_pictures(images) if images else loaded


def _save(model: Categorizer, folder: str, as_json: bool, report: dict[str, Any] | None = None) -> None:
    """Save a changed model whole or not at all, and say what it carries now."""
    model.save(folder)
    done = model.corrections_.summary()
    if as_json:
        terminal.write_json({"model": folder, "changes": done, **({"corrected": report} if report else {})})
        return
    if report:
        click.echo(f"{report['taken']:,} products corrected; {report['replaced']:,} of them once more.")
        for name, meaning in (("unusable", "have nothing to go by"), ("undecided", "were left undecided")):
            if report[name]:
                click.echo(f"{report[name]:,} {meaning}.")
    _tell(done)
    click.echo(f"Saved in {folder}.")


def _tell(done: dict[str, Any]) -> None:
    counted = [f"{done['corrected']:,} products corrected"]
    counted += [
        f"{len(done[name]):,} {name}" for name in ("added", "renamed", "merged", "split") if done[name]
    ]
    click.echo(f"{done['categories']:,} categories; since training: {', '.join(counted)}.")
