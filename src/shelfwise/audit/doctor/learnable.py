"""Shelves that nobody can learn, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Example, Finding, count, examples_of, percent, shown
from shelfwise.audit.doctor.merging import gain_of_merging
from shelfwise.audit.doctor.overlap import NEAR, overlaps

FEWEST = 3
"""A shelf with fewer products that differ is too small to be learned or measured."""
_RARELY = 0.25  # a shelf is not learned if surely less than that of its products are found again
_OWN_WORD = 0.35  # F1 of the best single word, below which a shelf has no words of its own
_SWALLOWED = 0.6  # of a shelf's products, answered with one other: the shelf is part of that one


def find_unlearnable(answers: Answers) -> list[Finding]:
    """Shelves too small (told together for each shelf above), of one offer only, or without words."""
    small = np.flatnonzero((answers.sizes > 0) & (answers.groups_of < FEWEST))
    twins = [
        code for code in small.tolist() if answers.groups_of[code] == 1 and answers.sizes[code] >= FEWEST
    ]
    found = [_one_offer(answers, code) for code in twins]
    found += _too_small(answers, [code for code in small.tolist() if code not in set(twins)])
    alike = overlaps(answers)
    return found + [_lost(answers, code, alike) for code in _unlearned(answers)]


def _unlearned(answers: Answers) -> list[int]:
    """Shelves that have products enough and are hardly ever found again."""
    enough = np.flatnonzero(answers.groups_of >= FEWEST)
    return [
        code
        for code in enough.tolist()
        if _at_most(int(answers.right[code]), int(answers.sizes[code])) < _RARELY
        or (answers.right[code] == 0 and answers.groups_of[code] >= 5)
    ]


def _at_most(right: int, of: int) -> float:
    """The upper end of the 95 % interval of a share (Clopper & Pearson 1934)."""
    return float(stats.beta.ppf(0.975, right + 1, of - right)) if right < of else 1.0


def _too_small(answers: Answers, codes: list[int]) -> list[Finding]:
    """One finding for each shelf above."""
    below = defaultdict(list)
    for code in codes:
        below[answers.taxonomy.paths[code][:-1]].append(code)
    found = []
    for above, inside in sorted(below.items()):
        name = (answers.taxonomy.separator or " > ").join(above)
        place = f'below "{name}"' if above else "at the top"
        rows = np.concatenate([answers.rows_by_shelf[code] for code in inside])
        sisters = sum(path[:-1] == above for path in answers.taxonomy.paths)
        says = (
            f"{len(inside)} of {count(sisters, 'shelf')} {place} {'has' if len(inside) == 1 else 'have'} "
            f"fewer "
            f"than {FEWEST} products that differ: "
            f"{percent((answers.answer[rows] == answers.y[rows]).mean())} of "
            "these products are found again when they are held out, and nothing about them can be measured."
        )
        advice = "Add products, or merge them into a sister" + (
            " or the shelf above (`catalogue.min_products` in a recipe does it)." if above else "."
        )
        labels = tuple(answers.taxonomy.labels[code] for code in inside)
        evidence: dict[str, float] = {"shelves": len(inside), "sisters": sisters}
        found.append(
            Finding("unlearnable", labels, len(rows), says, advice, evidence, examples_of(answers, rows[:4]))
        )
    return found


def _one_offer(answers: Answers, code: int) -> Finding:
    rows = answers.rows_by_shelf[code]
    says = (
        f"All {count(len(rows), 'product')} of {shown(answers, code)} are near-duplicates of one another: "
        "there is one example to learn from, and none is left to test on."
    )
    advice = "Add products that differ, or merge the shelf into a sister."
    return Finding(
        "unlearnable", (answers.taxonomy.labels[code],), len(rows), says, advice, {"groups": 1},
        examples_of(answers, rows[:4]),
    )  # fmt: skip


def _lost(answers: Answers, code: int, alike: sparse.csr_matrix) -> Finding:
    rows = answers.rows_by_shelf[code]
    right, size = int(answers.right[code]), len(rows)
    went, often = np.unique(answers.answer[rows][answers.answer[rows] != code], return_counts=True)
    order = np.lexsort((went, -often))
    first = [f"{shown(answers, int(went[p]))} ({often[p]:,})" for p in order[:3].tolist() if went[p] >= 0]
    word, found, pure = answers.words.own_word(rows)
    own = 2 * found * pure / max(found + pure, 1e-9)
    says = (
        f"Of {count(size, 'product')} of {shown(answers, code)}, {right:,} are found again when they are "
        f"held out; the others go to {count(len(went), 'shelf')}: {', '.join(first)}."
    )
    if len(answers.titles):
        says += _about_words(word, found, pure, own)
    most = often[order[0]] / max(size, 1) if len(often) else 0.0
    evidence = {
        "found": right / max(size, 1),
        "taken_for": len(went),
        "largest_share": float(most),
        "own_word": own,
    }
    advice = "Say what belongs here and move the rest, or close the shelf: its products fit elsewhere."
    labels, examples = (answers.taxonomy.labels[code],), _examples(answers, rows)
    found_out = Finding("unlearnable", labels, size, says, advice, evidence, examples)
    return (
        found_out if most < _SWALLOWED else _swallowed(answers, code, int(went[order[0]]), found_out, alike)
    )


def _swallowed(answers: Answers, code: int, into: int, found: Finding, alike: sparse.csr_matrix) -> Finding:
    """The finding, of a shelf whose products are nearly all taken for those of one other."""
    gain = gain_of_merging(answers, [(code, into)])
    advice = (
        f"Nearly all of it is taken for {shown(answers, into)}: merge it there if it is the same "
        f"({count(gain.products, 'product')} more would be right), or say in its name and its products what "
        "makes it another."
    )
    near = answers.taxonomy.distance(code, into) <= NEAR and gain.products > 0 and gain.weighted_f1 >= 0
    # A small shelf may be swallowed and yet be another, as white wine is by red: only both ways is safe.
    target = answers.taxonomy.labels[into]
    merge_into = target if near and alike[code, into] > 0 else ""
    return replace(found, shelves=(*found.shelves, target), advice=advice, gain=gain, merge_into=merge_into)


def _about_words(word: str, found: float, pure: float, own: float) -> str:
    if own >= _OWN_WORD:
        return (
            f' It has words of its own ("{word}" in {percent(found)} of its titles), so products like these '
            "may stand on other shelves."
        )
    if not word:
        return " No word stands in two of its titles."
    return (
        f' It has no words of its own: the best, "{word}", stands in {percent(found)} of its titles, and '
        f"{percent(1 - pure)} of the titles with it are of other shelves."
    )


def _examples(answers: Answers, rows: NDArray[np.int64]) -> tuple[Example, ...]:
    wrong = rows[answers.answer[rows] != answers.y[rows]]
    order = np.argsort(-answers.probabilities[wrong].max(axis=1), kind="stable")
    return examples_of(answers, wrong[order[:5]])
