"""Fine-tuning on a catalogue: its rows as a lesson, and which of them the model must still be new to.

A classifier on top of the encoder is calibrated on products that neither has seen. So a part of the products
(whole groups of near-duplicates) is never trained on; it serves to stop early, and its ids lie in the folder
for `train`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.read import Source
from shelfwise.errors import RecipeError
from shelfwise.features.vectors import HELD_OUT, joined_texts
from shelfwise.finetune.lesson import Lesson
from shelfwise.finetune.report import FinetuneReport
from shelfwise.finetune.run import MetricsTracker, finetune
from shelfwise.finetune.settings import FinetuneSettings
from shelfwise.lesson import Training, open_pictures, read_lesson
from shelfwise.recipe import Recipe

_NONE = ("", "none")
_CALIBRATED = 200
"""Rows that calibration should have at least."""


@dataclass(frozen=True)
class Plan:
    """What a recipe's table [finetune] asks for."""

    settings: FinetuneSettings
    sides: tuple[str, ...]


def plan_of(recipe: Recipe) -> Plan | None:
    """What a recipe wants fine-tuned; None: nothing.

    Its table [finetune] names the sides in `sides` ("text", "picture" or both, then as one joint model); the
    base models are the encoders of [encoder] and [pictures]. All other entries are `FinetuneSettings`.

    Raises
    ------
    RecipeError
        An entry has a wrong name, type or value, or a base model is missing.

    """
    plain = dict(recipe.finetune)
    if not plain:
        return None
    sides = plain.pop("sides", ["text"])
    if not isinstance(sides, list) or not sides or any(side not in ("text", "picture") for side in sides):
        raise RecipeError('finetune.sides is a list of "text" and "picture"')
    known = {field.name for field in fields(FinetuneSettings)} - {"text", "picture"}
    for name in plain:
        if name not in known:
            raise RecipeError(
                f"there is no setting 'finetune.{name}'. Known are: {', '.join(sorted(known))}."
            )
    bases = {"text": recipe.encoder.encoder, "picture": recipe.pictures.encoder}
    for side in sides:
        if bases[side] in _NONE or not bases[side].startswith("hf:"):
            table = "encoder" if side == "text" else "pictures"
            raise RecipeError(
                f"fine-tuning the {side} side needs a base model: give {table}.encoder as hf:NAME_OR_FOLDER, "
                f"not {bases[side]!r}"
            )
    settings: dict[str, Any] = {side: bases[side] for side in sides}
    settings |= {
        "seed": recipe.seed,
        "threads": recipe.threads,
        "max_tokens": recipe.encoder.max_tokens,
        **plain,
    }
    try:
        return Plan(msgspec.convert(settings, FinetuneSettings), tuple(sides))
    except msgspec.ValidationError as error:
        raise RecipeError(f"finetune: {error}") from error


@dataclass(frozen=True)
class Work:
    """Where the result goes, and who is told: `notify` line by line, `tracker` of numbers."""

    output: Path
    notify: Callable[[str], None] | None = None
    tracker: MetricsTracker | None = None


def finetune_catalogue(source: Source, recipe: Recipe, split: str | None, work: Work) -> FinetuneReport:
    """Fine-tune on a catalogue what a recipe's table [finetune] asks for; errors as `finetune` and `fit`."""
    plan = plan_of(recipe)
    if plan is None:
        raise RecipeError("nothing to fine-tune: the recipe has no table [finetune]")
    bare = replace(
        recipe,
        encoder=replace(recipe.encoder, encoder="none"),
        pictures=replace(recipe.pictures, encoder="pixels" if "picture" in plan.sides else "none"),
        table=replace(recipe.table, columns=[]),
    )
    rows = read_lesson(source, bare, split, Training(), work.notify)
    names = recipe.encoder.fields or rows.fields
    pictures: PictureFolder | None = None
    if "picture" in plan.sides:
        pictures = open_pictures(source, rows.products, recipe.pictures.folder)
    held = _hold_out(rows.groups, recipe)
    lesson = Lesson(
        rows.y,
        tuple(rows.taxonomy.labels),
        joined_texts(rows.products, names, recipe.encoder.join) if "text" in plan.sides else None,
        pictures.find(rows.products) if pictures is not None else None,
        rows.groups,
        held,
    )
    report = finetune(lesson, plan.settings, work.output, work.notify, work.tracker)
    ids = rows.products["product_id"].filter(held.tolist()).to_list()
    _write_ids(work.output / HELD_OUT, ids)
    return report


def with_finetuned(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the fine-tuned encoder in place of the base models."""
    plan = plan_of(recipe)
    assert plan is not None
    scheme = "joint" if len(plan.sides) > 1 else "hf"
    spec = f"{scheme}:{os.path.abspath(folder)}"
    changed: Mapping[str, Any] = {
        "encoder": replace(recipe.encoder, encoder=spec) if "text" in plan.sides else recipe.encoder,
        "pictures": replace(recipe.pictures, encoder=spec) if "picture" in plan.sides else recipe.pictures,
    }
    return replace(recipe, **changed)


def _hold_out(
    groups: np.ndarray[Any, np.dtype[np.int64]], recipe: Recipe
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows the encoder must not see, bool [rows]: a tenth to a fifth, more of few; whole groups."""
    rows = max(len(groups), 1)
    share = min(max(recipe.decision.rows / rows, 0.1), 0.2)
    share = max(share, min(_CALIBRATED / rows, 0.4))  # with fewer, no view but text could be given a say
    rank = np.random.default_rng(recipe.seed).permutation(int(groups.max()) + 1)
    held: np.ndarray[Any, np.dtype[np.bool_]] = rank[groups] < share * len(rank)
    return held


def _write_ids(path: Path, ids: list[str]) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(ids, ensure_ascii=False), "utf-8", "backslashreplace")
    beside.replace(path)
