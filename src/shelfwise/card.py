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
        *_update(training.get("update", {})),
        *_again(state),
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


def _update(told: Mapping[str, Any]) -> list[str]:
    """What it started from, and by how much catalogue and answers moved since."""
    if "from" not in told:
        return []
    lines = [
        "## What changed since the model before",
        "",
        f"- Of its products {told['same']:,} are as they were, {told['new']:,} are new, "
        f"{told['changed']:,} show something else, {told['moved']:,} stand on another shelf, "
        f"{told['gone']:,} are gone.",
    ]
    for name, said in (
        ("categories_added", "New categories"),
        ("categories_gone", "Categories that are gone"),
    ):
        lines += [f"- {said}: {_listed(told[name])}."] if told[name] else []
    lines += _change(told["change"]) if "change" in told else []
    return [*lines, ""]


def _change(told: Mapping[str, Any]) -> list[str]:
    """What two models answer for the same products."""
    kind = "that were held out from both" if told["held_out"] else "of the catalogue"
    confidence, scores, accepted = told["confidence"], told["scores"], told["accepted"]
    lines = [
        f"- Of {_count(told['products'], 'product')} {kind}, {told['changed']:,} get another answer "
        f"({told['share']:.2%}); the mean confidence was {confidence['old']:.1%} and is "
        f"{confidence['new']:.1%}.",
    ]
    if scores:
        pairs = [(name, scores["old"][name], scores["new"][name]) for name in ("accuracy", "weighted_f1")]
        said = ", ".join(f"{name.replace('_f1', ' F1')} {old:.2%}, now {new:.2%}" for name, old, new in pairs)
        lines.append(f"- On {scores['new']['rows']:,} of them with a category: {said}.")
    shares = ["refused" if accepted[name] is None else f"{accepted[name]:.1%}" for name in ("old", "new")]
    lines.append(f"- Accepted at {_percent(told['promise'])}: {shares[0]}, now {shares[1]}.")
    lines += [
        f"- From {_code(move['old'])} to {_code(move['new'])}: {_count(move['products'], 'product')}."
        for move in told["moves"][:_MOVES]
    ]
    return lines


def _again(state: Mapping[str, Any]) -> list[str]:
    """What the same bytes are made of."""
    training = state["training"]
    made_with = sorted(training.get("made_with", {}).items())
    versions = ", ".join(f"{name} {version}" for name, version in made_with)
    before = training.get("update", {}).get("from")
    split = f" --split {state['roles']['split']}" if state["roles"].get("split") else ""
    lines = [
        "## How to make it again",
        "",
        f"- The recipe in `model.json`, with seed {state['recipe']['seed']}, on the data with the SHA-256 "
        f"above: `shelfwise train CATALOGUE{split} --recipe THIS_FOLDER --model NEW` tells if they differ.",
    ]
    if before:
        lines.append(f"- It started (`--from`) from the model whose manifest has the SHA-256 `{before}`.")
    lines += [f"- Made with {versions}."] if versions else []
    return [*lines, ""]


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
_MOVES = 10


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
