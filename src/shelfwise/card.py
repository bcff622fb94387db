"""The model card: what a model was trained on and how good it is (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shelfwise.catalogue.taxonomy import Taxonomy


def write_card(
    state: Mapping[str, Any], taxonomy: Taxonomy, corrected: Mapping[str, Any] | None = None
) -> str:
    """Write the card of a model as Markdown from its `model.json`.

    `taxonomy`: the tree of training. `corrected`: what people changed since (`Corrections.summary`).
    """
    training, roles = state["training"], state["roles"]
    categories = corrected["categories"] if corrected else len(taxonomy.labels)
    lines = [
        f"# Category model: {categories:,} categories",
        "",
        "Made by Shelfwise. It puts products on the shelves of one shop's category tree, from "
        f"{_evidence(state)}.",
        "",
        "## What it was trained on",
        "",
        f"- {training['learned']:,} of {training['rows']:,} products; "
        f"{training['unlabelled']:,} had no category, {training['empty']:,} nothing to go by, "
        f"{training['unreadable']:,} could not be read, {training['left_out']:,} were kept for testing.",
        f"- {training['categories']:,} categories on up to {training['depth']} levels; "
        f"{training['singletons']:,} of them have one product.",
        f"- Categories from the column `{roles['label']}`; "
        f"text from {', '.join(training['fields']) or 'no column'}.",
        *_encoders(state),
        f"- SHA-256 of what was learned from: `{training['data_sha256']}`.",
        "",
        *_quality(state),
        "",
        *(_corrected(corrected) if corrected else []),
        *_watch(training["notes"]),
    ]
    return "\n".join(lines)


def _quality(state: Mapping[str, Any]) -> list[str]:
    training = state["training"]
    tested = training["out_of_fold"]
    return [
        "## How good it is",
        "",
        f"On {tested['rows']:,} products that were held back, near-duplicates with them, "
        f"{tested['accuracy']:.1%} landed on the right shelf.",
        "",
        "| level | right |",
        "|---:|---:|",
        *(f"| {depth} | {share:.1%} |" for depth, share in enumerate(tested["levels"], 1)),
        "",
        "| promise | accepts | threshold |",
        "|---:|---:|---:|",
        *(_promise_row(promise) for promise in training["promises"]),
        "",
        f"A promise is kept with probability {_percent(1 - state['delta'])} over the draw of the products "
        "held back, for new products of the same kind; it says nothing about other kinds of goods.",
    ]


def _corrected(done: Mapping[str, Any]) -> list[str]:
    """What was changed since training, and what the numbers above are then worth."""
    lines = ["## What people changed since training", ""]
    if done["corrected"]:
        lines.append(f"- {_count(done['corrected'], 'product')} put on the right shelf.")
    lines += [f"- Added: {_listed(e['shelves'])}{_with(e.get('examples', 0))}." for e in done["added"]]
    lines += [f"- Renamed: {_code(e['old'])} is {_code(e['new'])} now." for e in done["renamed"]]
    lines += [f"- Merged into {_code(e['into'])}: {_listed(e['shelves'])}." for e in done["merged"]]
    lines += [f"- Split off {_code(e['shelf'])}: {_listed(e['parts'])}." for e in done["split"]]
    lines += [
        "",
        "Scores and promises above were made before that and were not made again: they hold for products of "
        "the shelves that nothing was done to. New shelves were never tested, and a merged shelf accepts "
        "more than its parts did. Train again on the corrected catalogue, or evaluate on fresh products, to "
        "know.",
        "",
    ]
    return lines


_MENTIONED = 20


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MENTIONED:,} more" if len(names) > _MENTIONED else ""
    return ", ".join(map(_code, names[:_MENTIONED])) + more


def _code(name: str) -> str:
    """A name as Markdown shows it literally."""
    plain = " ".join(name.split()).replace("`", "'")
    return f"`{plain}`"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _with(examples: int) -> str:
    return f", with {_count(examples, 'example')}" if examples else ""


def _evidence(state: Mapping[str, Any]) -> str:
    kinds = ["their text"] if state["fields"] else []
    kinds += [_KINDS[name] for name in state["dense"]]
    return " and ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)


_KINDS = {
    "encoder": "what a pretrained encoder reads in it",
    "pictures": "their pictures",
    "pixels": "colours and shapes in them",
    "table": "their numbers",
}


def _encoders(state: Mapping[str, Any]) -> list[str]:
    """What made the vectors; a model answers with the very same encoders alone."""
    return [
        f"- {_KINDS[name].capitalize()}: `{state['recipe'][name]['encoder']}`, {sum(mark['widths']):,} wide."
        for name, mark in sorted(state["encoders"].items())
        if name in state["dense"] and name in state["recipe"]
    ]


def _watch(notes: Sequence[str]) -> list[str]:
    listed = [f"- {note}" for note in notes or ["Nothing out of the ordinary was found."]]
    return ["## What to watch", "", *listed, ""]


def _promise_row(promise: Mapping[str, Any]) -> str:
    if promise["refused"]:
        return f"| {_percent(promise['asked'])} | cannot be promised | |"
    return f"| {_percent(promise['asked'])} | {promise['coverage']:.1%} | {promise['threshold']:.4f} |"


def _percent(share: float) -> str:
    return f"{round(100 * share, 4):g}%"  # 99.5% must not be rounded to 100%
