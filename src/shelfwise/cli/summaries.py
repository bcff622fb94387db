"""What each command says about its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shelfwise.cli.tables import count, heading, lines, percent, remarks, seconds, table
from shelfwise.workspace import in_units

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from shelfwise.catalogue.inspect import Inspection
    from shelfwise.catalogue.label_counts import Labels
    from shelfwise.catalogue.picture_report import PictureInspection
    from shelfwise.demo import DemoShop
    from shelfwise.evaluate import Outcome, Scores
    from shelfwise.evaluate.metrics import Headline
    from shelfwise.lesson import Training
    from shelfwise.scale.bulk import BulkReport
    from shelfwise.search.study import Search, Trial
    from shelfwise.workspace import Workspace
    from shelfwise.writing import Written

_SHELVES_SHOWN = 5


# -- inspect -------------------------------------------------------------------------------------------------


def show_inspection(console: Console, name: str, found: Inspection, page: Path | None = None) -> None:
    """Columns and their roles, categories, text, and what is wrong with them."""
    files = f", {found.files:,} files" if found.files > 1 else ""
    console.print(f"{name}: {count(found.rows, 'product')} ({found.format}{files})", style="bold")
    heading(console, "Columns")
    table(
        console,
        ["column", "role", ">filled", "why", "example"],
        [(c.name, c.role, percent(c.filled, 0), c.why, "; ".join(c.examples[:1])) for c in found.columns],
    )
    heading(console, "Text")
    table(
        console,
        ["field", ">filled", ">median characters", ">longest"],
        [
            (f.name, percent(f.filled, 0), f"{f.lengths[2]:,}", f"{f.lengths[-1]:,}")
            for f in found.fields
            if f.lengths
        ],
    )
    scripts = ", ".join(f"{script} {percent(share, 0)}" for script, share in found.scripts)
    lines(console, [f"Script: {scripts or 'none'}. Mark-up in {percent(found.html, 0)} of the products."])
    if found.pictures is not None:
        _show_pictures(console, found.pictures)
    if found.labels is not None:
        _show_labels(console, found.labels)
    if found.splits:
        told = ", ".join(f"{name} {rows:,}" for name, rows in found.splits)
        lines(console, [f"Split: {told}."])
    if found.warnings or found.notes:
        heading(console, "Worth knowing")
        remarks(console, [*found.warnings, *found.notes])
    if page is not None:
        lines(console, ["", f"Page: {page}"])


def _show_pictures(console: Console, pictures: PictureInspection) -> None:
    told = pictures.report
    heading(console, "Pictures")
    has = f"{told.found:,} of {count(told.products, 'product')} have a picture"
    formats = ", ".join(f"{name} {number:,}" for name, number in pictures.formats)
    sizes = [f"{name} {values[2]:,}" for name, values in (("width", pictures.widths), ("height",
    pictures.heights))
             if values]  # fmt: skip
    lines(console, [f"{has}. Looked at {pictures.decoded:,}: {', '.join([formats, *sizes]) or 'none'}."])


def _show_labels(console: Console, labels: Labels) -> None:
    levels = ", ".join(f"{number:,} of depth {depth}" for depth, number in labels.levels)
    heading(console, f"Categories: {labels.categories:,} ({levels})")
    table(
        console,
        [">products", "largest"],
        [(f"{rows:,}", path) for path, rows in labels.largest[:_SHELVES_SHOWN]],
    )
    small = f"{labels.under_ten:,} have fewer than ten products, {labels.singletons:,} just one."
    lines(console, [f"{count(labels.labelled_rows, 'product')} have a category. {small}"])


def show_tracked(console: Console, places: Mapping[str, str], notes: Sequence[str]) -> None:
    """Where a run was kept, and what went wrong with that."""
    lines(console, [f"Tracked: {place}" for place in places.values()])
    remarks(console, notes)


# -- train ---------------------------------------------------------------------------------------------------


def show_space(console: Console, space: Workspace) -> None:
    """What lay in files because the memory that may be filled was too small for it; nothing otherwise."""
    if space.filed:
        allowed, filed = in_units(space.limit), in_units(space.filed)
        lines(console, [f"Memory: {allowed} may be filled, so {filed} were put into work files meanwhile."])


def show_training(console: Console, told: Training, steps: Sequence[str]) -> None:
    """What was read and learned, how good that is, what can be promised, and what to try next."""
    learned, total = count(told.learned, "product"), seconds(told.timings["total"])
    shelves = f"{count(told.categories, 'category', 'categories')} ({count(told.depth, 'level')})"
    console.print(f"Learned {shelves} from {learned} in {total}.", style="bold")
    text = f"Text: {', '.join(told.fields)}." if told.fields else "No text."
    pictures = f" Pictures: {told.pictures:,}." if told.pictures else ""
    lines(console, [f"Read {count(told.rows, 'row')}{_left_out(told)}. {text}{pictures}"])
    remarks(console, told.notes)
    tested = told.out_of_fold
    heading(console, f"On {count(tested['rows'], 'product')} that were held out while learning")
    levels = ", ".join(percent(share) for share in tested["levels"][:-1])
    above = f" (on the levels above: {levels})" if levels else ""
    sure = f"confidence was {percent(tested['mean_confidence'])} on average"
    lines(console, [f"{percent(tested['accuracy'])} landed on exactly the right shelf{above}; {sure}."])
    if told.view_weights:
        lines(console, [f"Shares: {', '.join(f'{name} {w:.2f}' for name, w in told.view_weights.items())}."])
    for members, exponents in told.exponents.items():
        weighed = ", ".join(f"{name} {value:.2f}" for name, value in exponents.items())
        lines(console, [f"Where {members.replace('+', ' and ')} speak: exponents {weighed}."])
    heading(console, "What can be promised")
    columns = [">precision", ">accepted", ">or a parent shelf", "from confidence, or why not"]
    table(console, columns, [_promise_row(promise) for promise in told.promises], wrap=True)
    spent = ", ".join(f"{name} {seconds(took)}" for name, took in told.timings.items() if name != "total")
    lines(console, ["", f"Time: {spent}.", "Next:"])
    for step in steps:
        console.print(f"  {step}", soft_wrap=True)  # a command that is broken in two cannot be copied


def _left_out(told: Training) -> str:
    """Rows that were not learned from, by reason."""
    reasons = {
        "kept for testing": told.left_out,
        "not in the sample": told.left_out_by_sample,
        "on a doubted shelf": told.left_out_as_doubted,
        "without a category": told.unlabelled,
        "with nothing to go by": told.empty,
        "unreadable": told.unreadable,
    }
    listed = [f"{rows:,} {reason}" for reason, rows in reasons.items() if rows]
    return f": {', '.join(listed)}" if listed else ""


def _promise_row(promise: Mapping[str, Any]) -> tuple[str, str, str, str]:
    shelf = promise["shelf"]
    asked = f"{100 * promise['asked']:g} %"
    at_least = percent(shelf["coverage"]) if shelf and not shelf.get("refused") else "-"
    if promise["refused"]:
        return asked, "refused", at_least, promise["refused"]
    return asked, percent(promise["coverage"]), at_least, f"{promise['threshold']:.3f}"


# -- evaluate ------------------------------------------------------------------------------------------------


def show_scores(console: Console, outcome: Outcome, scores: Scores, report: Path | None) -> None:
    """The headline in words, the scores of every level and view, and what became of the promise."""
    from shelfwise.evaluate import wording
    from shelfwise.evaluate.reliability import measure_coverage

    console.print(wording.tell_headline(scores), style="bold")
    promised = wording.tell_promise(scores.promise, measure_coverage(outcome.sure, outcome.right))
    verdict = wording.judge_promise(scores.promise)
    told = f" {verdict.text[0].upper()}{verdict.text[1:]}." if verdict else ""
    lines(console, [wording.tell_top(scores), f"{promised}{told}", ""])
    levels = [
        (f"level {level.depth}", f"{level.categories:,}", *_shares(level.headline)) for level in scores.levels
    ]
    whole = ("whole path", f"{len(outcome.taxonomy.labels):,}", *_shares(scores.overall))
    columns = ["", ">categories", ">accuracy", ">weighted F1", ">macro F1"]
    table(console, columns, [whole, *(levels if len(levels) > 1 else [])])
    if len(scores.by_view) > 1:
        views = [(name, f"{view.rows:,}", *_shares(view)) for name, view in scores.by_view.items()]
        console.print()
        table(console, ["one part alone", ">products", *columns[2:]], views)
    if scores.left_out:
        rest = [(name, f"{view.rows:,}", *_shares(view)) for name, view in scores.left_out.items()]
        console.print()
        table(console, ["one part left out", ">products", *columns[2:]], rest)
    calibration = f"Confidence is off by {percent(scores.calibration.expected)} on average."
    lines(console, ["", calibration, *wording.note_data(outcome, scores)])
    if report is not None:
        lines(console, [f"Report: {report}"])


def _shares(headline: Headline) -> tuple[str, str, str]:
    """The three scores, each with its 95 % interval."""
    names = ("accuracy", "weighted_f1", "macro_f1")
    values = [(percent(getattr(headline, name)), headline.intervals.get(name)) for name in names]
    shown = [
        f"{value} ({100 * ends[0]:.1f}-{100 * ends[1]:.1f})" if ends else value for value, ends in values
    ]
    return shown[0], shown[1], shown[2]


# -- predict, recipes, demo ----------------------------------------------------------------------------------


def show_predictions(console: Console, output: str, written: Written) -> None:
    """How many products were sorted, how many of them for sure, and where they are."""
    rate = written.rows / max(written.seconds, 1e-9)
    told = f"{count(written.rows, 'product')} in {seconds(written.seconds)} ({rate:,.0f} a second): {output}"
    lines(console, [told])
    statuses = ", ".join(f"{status} {rows:,}" for status, rows in written.by_status.items())
    lines(console, [f"Status: {statuses or 'no rows'}."])
    if written.accepted is not None and written.rows:
        share = percent(written.accepted / written.rows)
        lines(console, [f"Accepted without a person: {written.accepted:,} ({share})."])
    if written.accepted == 0:
        lines(
            console,
            ["No category is sure enough for this promise; the column shelf may have a parent that is."],
        )


def show_bulk(console: Console, output: str, report: BulkReport) -> None:
    """What `show_predictions` tells, what was there before, and how the catalogue has changed."""
    show_predictions(console, output, report.written)
    if report.resumed:
        lines(console, [f"An earlier run had done {report.resumed:,} of them."])
    if report.changes is not None:
        told = ", ".join(f"{rows:,} {name}" for name, rows in vars(report.changes).items())
        lines(console, [f"Since the last run: {told}."])
    if report.note:
        remarks(console, [report.note])


def show_recipes(console: Console, recipes: Mapping[str, str]) -> None:
    """Names of the recipes with what each is for."""
    table(console, ["recipe", "for"], list(recipes.items()), wrap=True)
    lines(
        console,
        ["", "`shelfwise recipes NAME` prints all settings; a file with those that differ goes to --recipe."],
    )


def show_shop(console: Console, shop: DemoShop) -> None:
    """Where the generated shop lies, and what for."""
    table(
        console,
        ["file", "what it is"],
        [
            (str(shop.catalogue), "products with categories, and a split to test on"),
            (str(shop.new_arrivals), "new products without a category"),
            (str(shop.images), "pictures of nearly all of them, by product id"),
            (str(shop.planted), "which products were put on a wrong shelf"),
        ],
    )


# -- search --------------------------------------------------------------------------------------------------


def show_trial(console: Console, trial: Trial) -> None:
    """One try as it ends."""
    settings = (
        ", ".join(f"{name} = {value}" for name, value in trial.settings.items()) or "the recipe as it is"
    )
    came = f"{100 * trial.value:.2f}" if trial.value is not None else f"failed: {trial.reason}"
    console.print(f"{trial.number:>4}  {came}  {settings}", soft_wrap=True)


def show_search(console: Console, found: Search, folder: Path) -> None:
    """What the search came to."""
    better = f"weighted F1 {100 * found.value:.2f}, and {100 * found.baseline:.2f} as it was"
    learned, judged = found.rows
    console.print(f"Best of {len(found.trials):,}: trial {found.best}, {better}.", style="bold")
    lines(console, [f"Learned from {learned:,} products, judged on {judged:,} others."])
    remarks(console, found.notes)
    lines(console, [f"The best recipe is {folder / 'best.toml'}."])
