"""The model card: what a model was trained on and how good it is, for people (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shelfwise.catalogue.taxonomy import Taxonomy


def write_card(state: Mapping[str, Any], taxonomy: Taxonomy) -> str:
    """Write the card of a model as Markdown from its `model.json`."""
    training = state["training"]
    tested = training["out_of_fold"]
    roles = state["roles"]
    lines = [
        f"# Category model: {len(taxonomy.labels):,} categories",
        "",
        "Made by Shelfwise. It puts products on the shelves of one shop's category tree, from their text.",
        "",
        "## What it was trained on",
        "",
        f"- {training['learned']:,} of {training['rows']:,} products; {training['unlabelled']:,} had no category, "
        f"{training['empty']:,} no text, {training['unreadable']:,} could not be read, {training['left_out']:,} were "
        "kept for testing.",
        f"- {training['categories']:,} categories on up to {training['depth']} levels; {training['singletons']:,} of them "
        "have one product.",
        f"- Categories from the column `{roles['label']}`; text from {', '.join(training['fields'])}.",
        f"- SHA-256 of what was learned from: `{training['data_sha256']}`.",
        "",
        "## How good it is",
        "",
        f"On {tested['rows']:,} products that were held back, near-duplicates with them, {tested['accuracy']:.1%} landed on "
        "the right shelf.",
        "",
        "| level | right |",
        "|---:|---:|",
        *(f"| {depth} | {share:.1%} |" for depth, share in enumerate(tested["levels"], 1)),
        "",
        "| promise | accepts | threshold |",
        "|---:|---:|---:|",
        *(_promise_row(promise) for promise in training["promises"]),
        "",
        f"A promise is kept with a probability of {1 - state['delta']:.0%} over the draw of the products held back, for new "
        "products of the same kind; it says nothing about kinds of goods that were not there.",
        "",
        "## What to watch",
        "",
        *(f"- {note}" for note in training["notes"] or ["Nothing out of the ordinary was found."]),
        "",
    ]
    return "\n".join(lines)


def _promise_row(promise: Mapping[str, Any]) -> str:
    if promise["refused"]:
        return f"| {promise['asked']:.0%} | cannot be promised | |"
    return f"| {promise['asked']:.0%} | {promise['coverage']:.1%} | {promise['threshold']:.4f} |"
