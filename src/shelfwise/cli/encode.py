"""The command `encode`: vectors of texts and pictures ahead of the commands that need them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.categorizer import Categorizer
    from shelfwise.recipe import Recipe
    from shelfwise.scale.encode import EncodeReport


@click.command(short_help="Encode texts and pictures ahead, on as many machines as there are.")
@options.catalogue()
@options.images()
@options.label()
@options.fields()
@options.roles()
@options.settings_of("encode what its predict will ask for.")
@options.recipe()
@options.encoders()
@options.engine()
@options.work("the shards meanwhile; in the folder of the vectors")
@options.threads()
@options.as_json()
def encode(
    catalogue: str,
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    model: str | None,
    recipe: str | None,
    engine: Any,  # noqa: ANN401 - one of the choices
    workers: int,
    work: str | None,
    threads: int | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Encode the texts and pictures of CATALOGUE, so that train, audit, explore and predict find the vectors.

    They are kept by content in the folder SHELFWISE_CACHE, or in the user's cache. What is there already is
    not encoded again, so a run that was stopped goes on where it was: run the same command again.
    """
    import shelfwise
    from shelfwise.scale.encode import EncodeOptions, encode_catalogue

    chosen = EncodeOptions(engine, workers, threads or 0, work)
    asked = _asked(model, recipe, settings)
    wanted = options.with_encoders(_recipe_of(asked), images, text_encoder, image_encoder)
    wanted = replace(wanted, threads=threads or wanted.threads)
    if isinstance(asked, shelfwise.Categorizer):
        asked.recipe = wanted
    source = shelfwise.open_source(catalogue)
    with terminal.counting_rows("Encoding", source.rows) as notify:
        report = encode_catalogue(source, asked if model else wanted, chosen, notify)
    if as_json:
        terminal.write_json(report.to_dict())
    else:
        _show(report)


def _asked(model: str | None, recipe: str | None, settings: dict[str, object]) -> Recipe | Categorizer:
    """The model that will ask for vectors, or the settings of a training to come."""
    import shelfwise
    from shelfwise.track.model import resolve_model

    if model is None:
        return options.build_recipe(recipe, {}, **settings)
    if recipe or any(settings.values()):
        raise click.UsageError(
            "--model says how a catalogue is read: leave out --recipe, --label, --fields and --role"
        )
    return shelfwise.load(resolve_model(model))


def _recipe_of(asked: Recipe | Categorizer) -> Recipe:
    return getattr(asked, "recipe", asked)  # type: ignore[arg-type]


def _show(report: EncodeReport) -> None:
    from shelfwise.cli import tables

    console = terminal.stdout()
    rate = f"{report.rows / max(report.seconds, 1e-9):,.0f} a second"
    said = [f"{report.rows:,} products in {tables.seconds(report.seconds)} ({rate})."]
    if report.fields:
        said.append(f"Texts are {', '.join(report.fields)}.")
    tables.lines(console, said)
    tables.table(
        console, ("encoder", ">products", ">different", ">known", ">encoded", ">failed"),
        [(one.encoder, *(f"{n:,}" for n in (one.products, one.contents, one.cached, one.encoded,
                                            sum(one.failed.values())))) for one in report.encoders],
    )  # fmt: skip
    bad = [("cannot be read", code, count) for code, count in report.unread.items()]
    bad += [(one.encoder, code, count) for one in report.encoders for code, count in one.failed.items()]
    if bad:
        tables.heading(console, "What has no vector")
        tables.table(
            console, ("where", "code", ">pictures or texts"), [(a, code, f"{n:,}") for a, code, n in bad]
        )
        tables.lines(console, [f"Such as: {reason}" for reason in report.examples])
    tables.remarks(console, report.notes)
    tables.lines(console, [f"Vectors are in {report.cache}."])
