"""The confusion matrix of a large tree: by level and department, the worst categories, counts as triples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.evaluate.outcome import Outcome

Ints = NDArray[np.int64]

MOST_CATEGORIES = 300  # more than that is narrower than a pixel each
MOST_CELLS = 12_000
MOST_DEPARTMENTS = 40


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts of truth against answer, between nodes of one level.

    `depth`: the level, 1 = top. `department`: the top node that is looked into, None = all. `nodes`: the
    nodes shown, in tree order, `[m]`. `true`, `answer`: places in `nodes`, and `rows`, each `[cells]`; only
    cells above 0. `errors`: wrong answers at this level, shown or not; `shown`: those of them in the cells.
    """

    depth: int
    department: int | None
    nodes: Ints
    true: Ints
    answer: Ints
    rows: Ints
    errors: int
    shown: int


def build_matrix(
    outcome: Outcome, depth: int, department: int | None = None, limit: int = MOST_CATEGORIES
) -> Matrix:
    """Count truth against answer at a level, for the `limit` categories that most wrong answers touch.

    Inside a department the other departments stand as one category each, so that what leaks in and out is
    seen. Labels that the learner never saw and rows without an answer are left out.
    """
    tree = outcome.taxonomy
    both = (outcome.y >= 0) & (outcome.answer >= 0)
    true, answer = (tree.level(codes[both], depth).astype(np.int64) for codes in (outcome.y, outcome.answer))
    if department is not None:
        top_true, top_answer = (tree.level(codes[both], 1) for codes in (outcome.y, outcome.answer))
        touches = (top_true == department) | (top_answer == department)
        true = np.where(top_true == department, true, top_true)[touches]
        answer = np.where(top_answer == department, answer, top_answer)[touches]
    nodes = _worst_nodes(true, answer, len(tree.nodes), limit)
    keys, rows = np.unique(true * len(tree.nodes) + answer, return_counts=True)
    true, answer = np.divmod(keys, len(tree.nodes))
    errors = int(rows[true != answer].sum())
    kept = np.isin(true, nodes) & np.isin(answer, nodes)
    true, answer, rows = true[kept], answer[kept], rows[kept]
    largest = np.sort(np.argsort(-rows, kind="stable")[:MOST_CELLS])
    true, answer, rows = true[largest], answer[largest], rows[largest].astype(np.int64)
    shown = int(rows[true != answer].sum())
    places = np.searchsorted(nodes, true), np.searchsorted(nodes, answer)
    return Matrix(depth, department, nodes, *places, rows, errors, shown)


def build_matrices(outcome: Outcome) -> Iterator[Matrix]:
    """Yield the matrix of every level, then of every department that has errors, worst first."""
    tree = outcome.taxonomy
    for depth in range(1, tree.depth + 1):
        yield build_matrix(outcome, depth)
    if tree.depth == 1:
        return
    wrong = (outcome.y >= 0) & (outcome.answer >= 0) & ~outcome.right
    touched = np.concatenate([tree.level(codes[wrong], 1) for codes in (outcome.y, outcome.answer)])
    mass = np.bincount(touched, minlength=len(tree.nodes))
    worst = np.argsort(-mass, kind="stable")[:MOST_DEPARTMENTS]
    for department in worst[mass[worst] > 0].tolist():
        for depth in range(2, tree.depth + 1):
            yield build_matrix(outcome, depth, department, MOST_CATEGORIES // 2)


def _worst_nodes(true: Ints, answer: Ints, nodes: int, limit: int) -> Ints:
    """Return the nodes that most wrong answers touch, most rows where equal, in tree order."""
    wrong = true != answer
    mass = np.bincount(true[wrong], minlength=nodes) + np.bincount(answer[wrong], minlength=nodes)
    rows = np.bincount(true, minlength=nodes) + np.bincount(answer, minlength=nodes)
    ranked = np.lexsort((np.arange(nodes), -rows, -mass))[:limit]
    return np.sort(ranked[rows[ranked] > 0]).astype(np.int64)
