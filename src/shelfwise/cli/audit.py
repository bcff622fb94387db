"""The command `audit`: find the products on the wrong shelf."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.audit import Audit
    from shelfwise.recipe import Recipe

_SHOWN = 8


@click.command(short_help="Find the products that seem to lie on the wrong shelf.")
@options.catalogue()
@click.option("--output", metavar="FILE", required=True, type=click.Path(), help="File to write: .parquet.")
@options.images()
@options.label()
@options.fields()
@options.roles()
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(),
    help="Audit with this model's settings; it is not asked itself.",
)
@options.recipe()
@options.encoders()
@click.option(
    "--map/--no-map", "layout", default=None, help="Give products a place on the map; if it is installed."
)
@options.seed("Seed of every random choice.")
@options.threads()
@options.as_json()
def audit(
    catalogue: str,
    output: str,
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    model: str | None,
    recipe: str | None,
    seed: int | None,
    threads: int | None,
    layout: bool | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Find the products of CATALOGUE that seem to lie on the wrong shelf: a doubt for each, and why.

    Every product is judged by models that never saw it. Look at what was found with shelfwise review FILE.
    """
    from shelfwise.audit import AuditOptions
    from shelfwise.audit import audit as find
    from shelfwise.audit.doubts import check_doubts

    if model and recipe:
        raise click.UsageError("--model brings its own recipe; give --model or --recipe, not both")
    check_doubts(output)
    chosen = options.build_recipe(recipe, {"seed": seed, "threads": threads}, **settings)
    if model:
        chosen = _recipe_of(model, {"seed": seed, "threads": threads}, settings)
    chosen = options.with_encoders(chosen, images, text_encoder, image_encoder)
    wanted = _map_is_there() if layout is None else layout
    with terminal.telling_steps() as notify:
        found = find(catalogue, chosen, AuditOptions(layout=wanted, model=model or ""), notify)
        found.write(output)
    if not wanted and layout is None:
        found.report.notes.append('there is no map: it needs pip install "shelfwise[map]"')
    if as_json:
        terminal.write_json(_summary(found, output))
    else:
        _show(found, output)


def _recipe_of(model: str, on_top: dict[str, int | None], settings: dict[str, object]) -> Recipe:
    """The settings of a trained model, with those of the options on top."""
    import shelfwise
    from shelfwise.track.model import resolve_model

    trained = shelfwise.load(resolve_model(model))
    given = {name: value for name, value in settings.items() if value}
    plain = trained.recipe.to_dict()
    catalogue = plain["catalogue"] | {"label": trained.roles_.label or ""} | given
    if isinstance(roles := given.get("roles"), dict):
        catalogue["roles"] = plain["catalogue"]["roles"] | roles
    values = {name: value for name, value in on_top.items() if value is not None}
    return trained.recipe.from_dict(plain | {"catalogue": catalogue} | values, "options")


def _map_is_there() -> bool:
    from importlib.util import find_spec

    return find_spec("openTSNE") is not None


def _summary(found: Audit, output: str) -> dict[str, object]:
    import polars as pl

    doubts = found.doubts
    doubted = doubts.filter(pl.col("doubt") >= 0.5)
    report = found.report
    return {
        "output": output,
        "products": doubts.height,
        "doubted": doubted.height,
        "expected_wrong": round(found.expected, 1),
        "kinds": dict(sorted(doubted["kind"].value_counts().iter_rows())),
        "shares": found.shares,
        "rows": report.rows,
        "unlabelled": report.unlabelled,
        "empty": report.empty,
        "unreadable": report.unreadable,
        "left_out": report.left_out_by_sample,
        "notes": report.notes,
    }


def _show(found: Audit, output: str) -> None:
    doubts = found.doubts.filter(found.doubts["doubt"] >= 0.5)
    counts = sorted(doubts["kind"].value_counts().iter_rows())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts) or "none"
    lines = [
        f"{found.doubts.height:,} labelled products of {found.report.rows:,} rows; "
        f"about {found.expected:,.0f} labels are wrong.",
        f"Rather wrong than right: {doubts.height:,} ({kinds}).",
        *(
            f"  {row['doubt']:.2f}  {row['product_id']}: {row['given']} -> {row['suggested']}"
            for row in found.doubts.head(_SHOWN).iter_rows(named=True)
        ),
        *(f"Note: {note}" for note in found.report.notes),
        f"Written to {output}. Next: shelfwise review {output}",
    ]
    for line in lines:
        click.echo(terminal.printable(line))
