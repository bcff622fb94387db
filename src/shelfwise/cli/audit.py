"""The command `audit`: find the products on the wrong shelf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from shelfwise.audit import Audit
    from shelfwise.audit.evidence import Elsewhere
    from shelfwise.recipe import Recipe
    from shelfwise.track.tracker import Trackers

_SHOWN = 8


@click.command(short_help="Find the products that seem to lie on the wrong shelf.")
@options.catalogue()
@click.option("--output", metavar="FILE", required=True, type=click.Path(), help="File to write: .parquet.")
@options.images()
@options.label()
@options.fields()
@options.roles()
@options.settings_of("audit with its settings; it is not asked itself.")
@options.recipe()
@options.encoders()
@options.layout()
@options.seed("Seed of every random choice.")
@options.threads()
@options.engine()
@options.work("what passes between workers; beside the output")
@options.track()
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
    engine: Any,  # noqa: ANN401 - one of the choices
    workers: int,
    work: str | None,
    track: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> None:
    """Find the products of CATALOGUE that seem to lie on the wrong shelf: a doubt for each, and why.

    Every product is judged by models that never saw it. Look at what was found with shelfwise review FILE.
    """
    from shelfwise.audit import AuditOptions
    from shelfwise.audit import audit as find
    from shelfwise.audit.doubts import check_doubts
    from shelfwise.cli.summaries import show_tracked
    from shelfwise.track.tracker import open_trackers

    if model and recipe:
        raise click.UsageError("--model brings its own recipe; give --model or --recipe, not both")
    check_doubts(output)
    chosen = options.build_recipe(recipe, {"seed": seed, "threads": threads}, **settings)
    if model:
        chosen = _recipe_of(model, {"seed": seed, "threads": threads}, settings)
    chosen = options.with_encoders(chosen, images, text_encoder, image_encoder)
    wanted = options.map_is_there() if layout is None else layout
    asked = AuditOptions(wanted, model or "", _elsewhere((engine, workers), work, output, chosen.threads))
    with terminal.telling_steps() as notify, open_trackers(track, notify) as tracker:
        found = find(catalogue, chosen, asked, notify)
        found.write(output)
        if not wanted and layout is None:
            found.report.notes.append(options.NO_MAP)
        if tracker:
            _track(tracker, found, chosen, {"catalogue": catalogue, "output": output, "model": model or ""})
    if as_json:
        terminal.write_json({**_summary(found, output), "tracked": tracker.places})
    else:
        _show(found, output)
        show_tracked(terminal.stdout(), tracker.places, tracker.notes)


def _elsewhere(asked: tuple[Any, int], work: str | None, output: str, threads: int) -> Elsewhere | None:
    """Who answers the folds besides this process: an engine with so many workers; None: nobody."""
    from pathlib import Path

    from shelfwise.features.encoders import EncoderOptions
    from shelfwise.scale.folds import FoldEngine

    engine, workers = asked
    if engine == "local" and workers <= 1:
        return None
    cores = EncoderOptions().cores if engine == "local" else 1
    name = f".{Path(output).name}.folds"
    where = f"{work.rstrip('/')}/{name}" if work else str(Path(output).with_name(name))
    return FoldEngine(engine, workers, threads or cores, where)


def _track(tracker: Trackers, found: Audit, recipe: Recipe, tags: dict[str, str]) -> None:
    """Keep the audit as a run; one of a tracked model's is tagged with the model's run."""
    from pathlib import Path

    from shelfwise.track.doubts import record_audit

    output = Path(tags.pop("output"))
    told = {name: value for name, value in tags.items() if value}
    tracker.begin(output.stem, recipe.to_dict(), found.report.data_sha256, told)
    record_audit(tracker, found, output)


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
    said = [
        f"{found.doubts.height:,} labelled products of {found.report.rows:,} rows; "
        f"about {found.expected:,.0f} labels are wrong.",
        f"Rather wrong than right: {doubts.height:,} ({kinds}).",
    ]
    examples = (
        f"{row['doubt']:.2f}  {row['product_id']}: {row['given']} -> {row['suggested']}"
        for row in found.doubts.head(_SHOWN).iter_rows(named=True)
    )
    terminal.write_findings(said, examples, found.report.notes, output)
