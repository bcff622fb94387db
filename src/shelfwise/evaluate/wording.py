"""What a report says in words: shares that a person can picture, and whether the promise was kept."""

from __future__ import annotations

from dataclasses import dataclass

from shelfwise.evaluate.metrics import Scores
from shelfwise.evaluate.outcome import Outcome
from shelfwise.evaluate.reliability import Coverage, Kept


@dataclass(frozen=True)
class Verdict:
    """Whether a promise was kept: `kind` is "kept", "close" (chance explains the gap) or "broken"."""

    kind: str
    text: str


def of_hundred(share: float) -> str:
    """Return a share as a number of 100; never 100 or 0 for what is only nearly so."""
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return "more than 99"
    return "fewer than 1" if rounded == 0 and share > 0 else str(rounded)


def tell_headline(scores: Scores) -> str:
    """Return the one sentence that stands on top."""
    exact = of_hundred(scores.overall.accuracy)
    lead = f"{exact[0].upper()}{exact[1:]} of 100 products land on exactly the right shelf"
    if len(scores.levels) > 1:
        lead += f", {of_hundred(scores.levels[0].headline.accuracy)} in the right department"
    return lead + "."


def tell_promise(kept: Kept | None, curve: Coverage) -> str:
    """Return what can be accepted without a person, and how right that was."""
    if kept is None:
        share = of_hundred(curve.coverage_at(0.95))
        return f"Looking back, {share} of 100 could have been accepted without a person at 95 % precision."
    asked = f"{100 * kept.asked:g} %"
    if kept.kept is None:
        return f"At {asked} precision nothing can be accepted without a person."
    share = of_hundred(kept.coverage)
    told = (
        f"At {asked} precision {share} of 100 can be accepted without a person;"
        f" {100 * kept.kept:.1f} % of them are right."
    )
    shelves = kept.shelves
    if shelves is not None and shelves.kept is not None:
        told += (
            f" For {of_hundred(shelves.coverage)} of 100 at least a parent shelf is sure enough"
            f" ({100 * shelves.kept:.1f} % right)."
        )
    return told


def judge_promise(kept: Kept | None) -> Verdict | None:
    """Return the verdict on a promise; None without one, or when nothing was accepted."""
    if kept is None or kept.kept is None:
        return None
    if kept.kept >= kept.asked:
        return Verdict("kept", "promise kept")
    if kept.interval[1] >= kept.asked:
        return Verdict("close", "just below the promise, within chance")
    return Verdict("broken", "promise not kept")


def tell_top(scores: Scores) -> str:
    """Return how often the right category is among the first guesses."""
    three, five = (of_hundred(scores.top_k[k]) for k in (3, 5))
    return (
        f"The right one is among the first three guesses for {three} of 100, among the first five for {five}."
    )


def note_data(outcome: Outcome, scores: Scores) -> list[str]:
    """Return what a reader should know about the rows behind the scores."""
    tree = outcome.taxonomy
    tested = len(set(outcome.y[outcome.y >= 0].tolist()))
    notes = [
        f"{outcome.rows:,} products were scored, of {tested:,} of the {len(tree.labels):,} categories that"
        " the model knows. Categories without a product here are not scored, unless they were predicted."
    ]
    if outcome.groups is not None:
        notes.append(f"They form {len(set(outcome.groups.tolist())):,} groups of near-duplicates.")
    if scores.unseen:
        rows = sum(scores.unseen.values())
        labels = _count(len(scores.unseen), "category")
        notes.append(f"{_count(rows, 'product')} of {labels} that the model never saw; they count as wrong.")
    if outcome.empty is not None and outcome.empty.any():
        notes.append(
            f"{_count(int(outcome.empty.sum()), 'product')} with nothing to go by: no text, no picture."
        )
    silent = int((outcome.answer < 0).sum())
    if silent:
        notes.append(f"{_count(silent, 'product')} without an answer; they count as wrong.")
    return notes


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
