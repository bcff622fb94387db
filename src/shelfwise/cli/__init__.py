"""The command `shelfwise`: each command parses, calls the library and prints what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import shelfwise
from shelfwise.cli import audit as auditing
from shelfwise.cli import demo as demonstrating
from shelfwise.cli import doctor, encoders, options, terminal
from shelfwise.cli import encode as encoding
from shelfwise.cli import explore as exploring
from shelfwise.cli import images as fetching
from shelfwise.cli import predict as predicting
from shelfwise.cli import queue as queueing
from shelfwise.cli import review as reviewing
from shelfwise.cli import scrape as scraping
from shelfwise.cli import serve as serving
from shelfwise.cli import shelves as shelving
from shelfwise.cli import train as training

# Everything else is imported inside of the commands, so that --help is instant.


@click.group("shelfwise", cls=terminal.Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(shelfwise.__version__, prog_name="shelfwise")
def main() -> None:
    """Put every product on the right shelf.

    Shelfwise learns the category tree of a catalogue, tells how good that is, and sorts new products with
    a promise: what it accepts is right as often as you asked for. A catalogue is a Parquet, CSV, TSV or
    JSON-lines file, a folder of such files, a glob in quotes, or a folder of pictures sorted by category.
    """


@main.command(short_help="Tell what is in a catalogue, and what is wrong with it.")
@options.catalogue()
@options.label()
@options.roles()
@options.images()
@options.recipe()
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all of it, and some products, as an HTML page.",
)
@options.as_json()
def inspect(
    catalogue: str,
    label: str | None,
    roles: dict[str, object],
    images: str | None,
    recipe: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Tell what is in CATALOGUE, which column is what, and what is wrong with it."""
    from shelfwise.audit.overview import check_overview, render_overview, sample_products
    from shelfwise.catalogue import inspect as look
    from shelfwise.catalogue.paths import UNLABELLED
    from shelfwise.catalogue.pictures import PictureFolder
    from shelfwise.cli.summaries import show_inspection
    from shelfwise.unfinished import write_whole

    settings = options.build_recipe(recipe, {}, label=label, roles=roles).catalogue
    source = shelfwise.open_source(catalogue)
    given = {**settings.roles, **({"label": settings.label} if settings.label else {})}
    pictures = PictureFolder.of(source, images) if images or source.format == "pictures" else None
    if html is not None:
        check_overview()
    found_roles = shelfwise.find_roles(source.sample(), given)
    unlabelled = settings.unlabelled or UNLABELLED
    found = look.inspect(source, found_roles, unlabelled, pictures)
    if html is not None:
        samples = sample_products(source, found_roles, unlabelled, pictures)
        write_whole(html, render_overview(found, samples, catalogue).encode())
    if as_json:
        terminal.write_json({**found.to_dict(), **({} if html is None else {"html": str(html)})})
    else:
        show_inspection(terminal.stdout(), catalogue, found, html)


main.add_command(training.train)


@main.command(short_help="Tell how good a model is, and write a report.")
@options.model()
@options.catalogue()
@options.split("Test on the rows that this column marks test; on all labelled rows otherwise.")
@options.images()
@options.encoders()
@click.option(
    "--report", metavar="DIR", type=click.Path(path_type=Path), help="Write report.html and its numbers."
)
@click.option(
    "--against", metavar="DIR", help="Another model, such as the one before: say which answers differ."
)
@options.promise("See what becomes of a promise of this precision, such as 0.95.")
@options.seed("Seed of the samples that the intervals come from.")
@options.track()
@options.as_json()
def evaluate(
    model: str,
    catalogue: str,
    split: str | None,
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    report: Path | None,
    against: str | None,
    promise: float | None,
    seed: int | None,
    track: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell how good MODEL (a folder, or mlflow:RUN_ID) is on the labelled products of CATALOGUE."""
    from shelfwise.cli.changes import show_compared
    from shelfwise.cli.summaries import show_scores, show_tracked
    from shelfwise.track.model import resolve_model
    from shelfwise.track.record import record_evaluation
    from shelfwise.track.tracker import open_trackers

    tracker = open_trackers(track, lambda note: click.echo(note, err=True))
    categorizer = shelfwise.load(resolve_model(model))
    categorizer.recipe = options.with_encoders(categorizer.recipe, images, text_encoder, image_encoder)
    predicting.mind_vectors(categorizer)
    outcome = shelfwise.judge(categorizer, catalogue, split=split, promise=promise)
    scores = shelfwise.score(outcome, seed=seed or 0)
    title = f"{model} on {catalogue}"
    page = shelfwise.write_report(outcome, scores, report, title) if report else None
    compared = training.compared(against, categorizer, catalogue, split)
    if tracker:
        with tracker:
            about = {"catalogue": catalogue, "model": model}
            data = categorizer.training_.data_sha256
            tracker.begin(f"{Path(model).name} evaluated", categorizer.recipe.to_dict(), data, about)
            record_evaluation(tracker, outcome, scores, report)
    if as_json:
        more = {"report": page and str(page), "against": compared and compared.to_dict()}
        terminal.write_json(scores.to_dict() | {name: value for name, value in more.items() if value})
    else:
        show_scores(terminal.stdout(), outcome, scores, page)
        if compared is not None:
            show_compared(terminal.stdout(), compared.to_dict())
        show_tracked(terminal.stdout(), tracker.places, tracker.notes)


@main.command(short_help="List the settings that come along, or print all of them.")
@click.argument("name", required=False)
@options.as_json()
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes that come along, or print all settings of the one called NAME (or in a file)."""
    from shelfwise.cli.summaries import show_recipes
    from shelfwise.recipe import Recipe, built_in

    if name is not None:
        recipe = Recipe.read(name)
        terminal.write_json(recipe.to_dict()) if as_json else click.echo(recipe.to_toml(), nl=False)
        return
    listed = {name: text.partition("\n")[0].lstrip("# ") for name, text in built_in().items()}
    terminal.write_json(listed) if as_json else show_recipes(terminal.stdout(), listed)


@main.command(short_help="Search for better settings on a part of the catalogue held out.")
@options.catalogue()
@click.option(
    "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder of the search."
)
@click.option("--minutes", metavar="M", type=float, default=10.0, show_default=True, help="Time to spend.")
@click.option("--trials", metavar="N", type=int, default=0, help="Tries at most; as many as fit otherwise.")
@click.option("--rows", metavar="N", type=int, default=0, help="Use about that many rows; all otherwise.")
@options.label()
@options.split("Leave the rows that this column marks test alone.")
@options.recipe()
@options.as_json()
def search(
    catalogue: str,
    output: Path,
    label: str | None,
    recipe: str | None,
    as_json: bool,
    **budget: Any,  # noqa: ANN401 - minutes, trials, rows and split, as click hands them over
) -> None:
    """Search the settings of a recipe for CATALOGUE; what was found is a recipe, DIR/best.toml.

    A search that was stopped goes on where it was. The best of many tries flatters on the rows it was chosen
    by: train with it and evaluate on test rows before believing it.
    """
    from shelfwise.cli.summaries import show_search, show_trial
    from shelfwise.search.space import parse_space
    from shelfwise.search.study import search as look
    from shelfwise.search.validation import SearchOptions

    settings = options.build_recipe(recipe, {}, label=label)
    space = parse_space(settings.search.space) if settings.search.space else None
    console = terminal.stdout()
    told = None if as_json else lambda trial: show_trial(console, trial)
    found = look(catalogue, settings, space, SearchOptions(folder=output, **budget), notify=told)
    terminal.write_json(found.to_dict()) if as_json else show_search(console, found, output)


main.add_command(predicting.predict)
main.add_command(encoding.encode)
main.add_command(encoders.finetune)
main.add_command(encoders.export)
main.add_command(scraping.scrape)
main.add_command(auditing.audit)
main.add_command(demonstrating.demo)
main.add_command(doctor.doctor)
main.add_command(exploring.explore)
main.add_command(fetching.images)
main.add_command(queueing.queue)
main.add_command(reviewing.review)
main.add_command(reviewing.correct)
main.add_command(shelving.shelves)
main.add_command(serving.serve)
