"""The model card: what a model was trained on and how good it is (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shelfwise.catalogue.taxonomy import Taxonomy


def write_card(state: Mapping[str, Any], taxonomy: Taxonomy) -> str:
    """Write the card of a model as Markdown from its `model.json`."""
    training, roles = state["training"], state["roles"]
    lines = [
        f"# Category model: {len(taxonomy.labels):,} categories",
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
