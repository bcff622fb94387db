"""Levels of the tree that decide nothing: shelves with only one shelf below them."""

from __future__ import annotations

import numpy as np

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Finding, count

_LONG = 2
"""From that many levels without a choice, one after the other, a chain is told by itself."""
_SHOWN = 5


def find_chains(answers: Answers) -> list[Finding]:
    """Long chains, one finding each; single levels without a choice together in one."""
    tree = answers.taxonomy
    children = np.bincount(tree.parent[tree.parent >= 0], minlength=len(tree.nodes))
    direct = np.bincount(tree.node_of_label, minlength=len(tree.nodes))
    idle = (children == 1) & (direct == 0)
    found, single = [], []
    for node in np.flatnonzero(idle).tolist():
        above = int(tree.parent[node])
        if above >= 0 and idle[above]:
            continue  # told with the one that begins the chain
        length, end = 0, node
        while idle[end]:
            length, end = length + 1, _only_child(answers, end)
        if length >= _LONG:
            found.append(_chain(answers, node, end, length))
        else:
            single.append((node, end))
    return found + ([_singles(answers, single)] if single else [])


def _only_child(answers: Answers, node: int) -> int:
    return int(np.flatnonzero(answers.taxonomy.parent == node)[0])


def _labels(answers: Answers, node: int) -> list[int]:
    tree = answers.taxonomy
    return tree.order[tree.first[node] : tree.last[node]].tolist()  # type: ignore[no-any-return]


def _chain(answers: Answers, node: int, end: int, length: int) -> Finding:
    tree, codes = answers.taxonomy, _labels(answers, node)
    products = int(answers.sizes[codes].sum())
    says = (
        f'Below "{tree.name(node)}" {length} levels follow with nothing to choose, down to '
        f'"{tree.name(end)}" '
        f"({count(products, 'product')})."
    )
    advice = "Leave those levels out, or add the shelves that were meant to stand beside them."
    labels = tuple(tree.labels[code] for code in codes)
    return Finding("chain", labels, products, says, advice, {"levels": length})


def _singles(answers: Answers, single: list[tuple[int, int]]) -> Finding:
    tree = answers.taxonomy
    codes = [code for node, _ in single for code in _labels(answers, node)]
    products = int(answers.sizes[codes].sum())
    order = sorted(single, key=lambda pair: (-int(answers.sizes[_labels(answers, pair[0])].sum()), pair))
    names = ", ".join(f'"{tree.name(node)}"' for node, _ in order[:_SHOWN])
    more = f" and {len(single) - _SHOWN:,} more" if len(single) > _SHOWN else ""
    says = (
        f"{count(len(single), 'shelf')} {'has' if len(single) == 1 else 'have'} only one shelf below and no "
        f"products of {'its' if len(single) == 1 else 'their'} own ({count(products, 'product')}): "
        f"{names}{more}."
    )
    advice = "A level without a choice costs a click: leave it out, or add what is missing beside it."
    labels = tuple(tree.labels[code] for code in sorted(codes))
    return Finding("chain", labels, products, says, advice, {"shelves": len(single)})
