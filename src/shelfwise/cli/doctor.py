"""The command `shelfwise doctor`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shelfwise.cli import options, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from shelfwise.audit.doctor import Answers, Finding

_SHOWN = 3  # of each kind
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Find the sick parts of a category tree, and what would cure them.")
@options.catalogue()
@click.option(
    "--output", metavar="FILE", type=_FILE, help="Write the findings: .parquet, .csv, .json or .jsonl."
)
@click.option("--page", metavar="FILE", type=_FILE, help="Write the findings as an HTML page.")
@click.option(
    "--mapping", metavar="FILE", type=_FILE, help="Write the merges that are safe, for train --mapping."
)
@options.label()
@options.roles()
@options.images()
@options.encoders()
@options.recipe()
@options.threads()
@options.as_json()
def doctor(
    catalogue: str,
    output: Path | None,
    page: Path | None,
    mapping: Path | None,
    label: str | None,
    roles: dict[str, object],
    images: str | None,
    text_encoder: str | None,
    image_encoder: str | None,
    recipe: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Find the sick parts of CATALOGUE's category tree, with evidence and advice.

    Shelves that overlap (and what merging them gains), shelves nobody can learn, dumping grounds, shelves
    that hide two groups, equal and nearly equal names, levels without a choice. Every product is answered
    for by models that never saw it.
    """
    from shelfwise.audit.doctor import examine, safe_merges
    from shelfwise.audit.doctor.consultation import consult
    from shelfwise.catalogue.read import open_source

    _check(output, page, mapping)
    chosen = options.build_recipe(recipe, {"threads": threads}, label=label, roles=roles)
    chosen = options.with_encoders(chosen, images, text_encoder, image_encoder)
    with terminal.telling_steps() as notify:
        answers = consult(open_source(catalogue), chosen, chosen.threads or os.cpu_count() or 1, notify)
    findings = examine(answers)
    merges = safe_merges(answers, findings)
    texts = _texts(answers, findings, merges, (catalogue, page, mapping))
    files = _write(findings, output, texts)
    if as_json:
        terminal.write_json(_as_dict(answers, findings, merges, files))
    else:
        show_findings(terminal.stdout(), findings, merges, files)


def _check(output: Path | None, page: Path | None, mapping: Path | None) -> None:
    """Refuse, before any work, what could not be written after it."""
    from shelfwise.audit.doctor.files import check_places, check_table
    from shelfwise.audit.doctor.page import check_page

    check_table(output)
    check_places(output, page, mapping)
    if page is not None:
        check_page()


def _texts(
    answers: Answers,
    findings: Sequence[Finding],
    merges: Mapping[str, str],
    asked: tuple[str, Path | None, Path | None],
) -> dict[Path, str]:
    """The page and the mapping, where they were asked for, by their files."""
    from shelfwise.audit.doctor import render_page, write_mapping

    catalogue, page, mapping = asked
    texts = {page: render_page(answers, findings, merges, f"Doctor: {catalogue}")} if page else {}
    return texts | ({mapping: write_mapping(merges)} if mapping else {})


def _write(findings: Sequence[Finding], output: Path | None, texts: Mapping[Path, str]) -> list[str]:
    """Write the files; return their names."""
    from shelfwise.audit.doctor.files import write_findings, write_text

    if output is not None:
        write_findings(findings, output)
    for path, text in texts.items():
        write_text(path, text)
    return [str(path) for path in ([output] if output else []) + list(texts)]


def _as_dict(
    answers: Answers, findings: Sequence[Finding], merges: Mapping[str, str], files: Sequence[str]
) -> dict[str, Any]:
    """The result for programs."""
    from shelfwise.audit.doctor import tabulate

    return {
        "products": len(answers.y),
        "shelves": answers.shelves,
        "accuracy": round(float(answers.right.sum()) / max(len(answers.y), 1), 5),
        "findings": tabulate(findings).to_dicts(),
        "merges": dict(merges),
        "files": list(files),
    }


def show_findings(
    console: Console, findings: Sequence[Finding], merges: Mapping[str, str], files: Sequence[str]
) -> None:
    """The findings for people: how many of each kind, and the first of each."""
    from shelfwise.audit.doctor.findings import KINDS
    from shelfwise.cli.tables import heading, lines, remarks

    if not findings:
        console.print("Nothing was found that is sick.")
    numbers = Counter(one.kind for one in findings)
    for kind, name in KINDS.items():
        if not numbers[kind]:
            continue
        heading(console, f"{name}: {numbers[kind]:,}")
        first = [one for one in findings if one.kind == kind][:_SHOWN]
        remarks(console, [terminal.printable(f"{one.says} {one.advice}") for one in first])
    if merges:
        heading(console, f"Merges that are safe: {len(merges):,}")
        pairs = list(merges.items())[:_SHOWN]
        remarks(console, [terminal.printable(f"{source} becomes {target}") for source, target in pairs])
    if files:
        lines(console, [f"Written: {', '.join(files)}."])
