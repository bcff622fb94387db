"""What stands in the report: plain values for the page's template and compact JSON for its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import split_path
from shelfwise.evaluate import plots, wording
from shelfwise.evaluate.intervals import Interval
from shelfwise.evaluate.matrix import Matrix, build_matrices
from shelfwise.evaluate.metrics import Scores
from shelfwise.evaluate.mistakes import CategoryScores, Confusions, find_confusions, score_categories
from shelfwise.evaluate.outcome import Outcome
from shelfwise.evaluate.reliability import Coverage, measure_coverage, measure_reliability

_BEST = 10
_ENOUGH = 5  # products that a category needs to be called best or worst
_CONFUSIONS = 20
_READABLE = 80  # categories of a matrix whose names can still be read
_EXAMPLES = 4
_SUREST = 15
_GUESSES = 3
_UNSEEN = 50


@dataclass(frozen=True)
class Name:
    """A category as the page shows it, from the levels of its path."""

    path: tuple[str, ...]

    @property
    def full(self) -> str:
        """The whole path."""
        return " › ".join(self.path)

    @property
    def above(self) -> str:
        """Ancestors, each clipped; "" at the top."""
        return " › ".join(_clip(name, 34) for name in self.path[:-1])

    @property
    def leaf(self) -> str:
        """The last level, clipped."""
        return _clip(self.path[-1], 60)

    @property
    def short(self) -> str:
        """Ancestors and leaf on one line."""
        return f"{self.above} › {self.leaf}" if self.above else self.leaf


@dataclass(frozen=True, eq=False)
class Evaluation:
    """An outcome, its scores, and what several parts of the report are made from."""

    outcome: Outcome
    scores: Scores

    @cached_property
    def categories(self) -> CategoryScores:
        """Scores of each category."""
        return score_categories(self.outcome)

    @cached_property
    def confusions(self) -> Confusions:
        """Pairs of true and answered category, the dearest first."""
        return find_confusions(self.outcome)

    @cached_property
    def coverage(self) -> Coverage:
        """Coverage against precision."""
        return measure_coverage(self.outcome.sure, self.outcome.right)

    @cached_property
    def names(self) -> NDArray[np.object_]:
        """Text of every code of `Outcome.truth`, and "" at the end, where -1 finds it."""
        codes = len(self.outcome.taxonomy.labels) + len(self.outcome.unseen_names)
        return np.array([self.outcome.label_name(code) for code in [*range(codes), -1]], object)

    @cached_property
    def matrices(self) -> list[Matrix]:
        """Confusion matrices of every level and department; none where there is no confusion."""
        return list(build_matrices(self.outcome)) if len(self.confusions.rows) else []

    @cached_property
    def level_names(self) -> list[str]:
        """What to call each level of the tree, top first."""
        depth = self.outcome.taxonomy.depth
        if depth == 1:
            return ["category"]
        return ["1 · department", *(str(level) for level in range(2, depth)), f"{depth} · full path"]

    def name(self, code: int) -> Name:
        """Name of a code of `Outcome.truth`; "no answer" for -1."""
        return Name(
            split_path(self.names[code], self.outcome.taxonomy.separator) if code >= 0 else ("no answer",)
        )


def describe(evaluation: Evaluation) -> dict[str, Any]:
    """Return the template's values, other than title, notes and assets."""
    outcome, scores = evaluation.outcome, evaluation.scores
    described = _describe_categories(evaluation) | _describe_errors(evaluation)
    promise = scores.promise
    kept = [("categories", promise), ("shelves", promise.shelves)] if promise else []
    views = [{"name": name, "headline": headline} for name, headline in scores.by_view.items()]
    views += [{"name": f"without {name}", "headline": headline} for name, headline in scores.left_out.items()]
    levels = zip(evaluation.level_names, scores.levels, strict=True)
    return described | {
        "scores": scores,
        "lead": wording.tell_headline(scores),
        "verdict": wording.judge_promise(promise),
        "more": [wording.tell_promise(promise, evaluation.coverage), wording.tell_top(scores)],
        "cards": _describe_cards(scores),
        "contents": _list_contents(evaluation),
        "levels": [
            {"name": name, "headline": level.headline, "categories": level.categories}
            for name, level in levels
        ],
        "views": [*views, {"name": "all together", "headline": scores.overall}] if views else [],
        "promise_rows": [{"name": name, "kept": one} for name, one in kept if one is not None],
        "grouped": outcome.groups is not None,
        "unseen": [
            (Name(split_path(name, outcome.taxonomy.separator)), rows)
            for name, rows in sorted(scores.unseen.items(), key=lambda item: (-item[1], item[0]))[:_UNSEEN]
        ],
    }


def pack(evaluation: Evaluation) -> dict[str, Any]:
    """Return what the page's script needs: the tree, the figures, the matrices, the table of categories."""
    outcome, scores = evaluation.outcome, evaluation.scores
    figures = {
        "shared": plots.layout("", ""),
        "levels": plots.draw_levels(scores.levels, evaluation.level_names),
        "coverage": plots.draw_coverage(evaluation.coverage, scores.promise),
        "reliability": plots.draw_reliability(measure_reliability(outcome.sure, outcome.right), outcome),
        "sizes": plots.draw_class_sizes(outcome),
        "views": plots.draw_views(scores.overall, scores.by_view) if scores.by_view else None,
    }
    return {
        "node": [path[-1] for path in outcome.taxonomy.nodes],
        "parent": outcome.taxonomy.parent.tolist(),
        "figures": {name: figure for name, figure in figures.items() if figure is not None},
        "matrices": [plots.draw_matrix(matrix) for matrix in evaluation.matrices],
        "categories": _pack_categories(evaluation),
    }


def _describe_cards(scores: Scores) -> list[dict[str, str]]:
    overall = scores.overall

    def card(name: str, value: float, interval: Interval | None, about: str = "") -> dict[str, str]:
        ends = f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}" if interval else about
        return {"name": name, "value": f"{100 * value:.1f} %", "range": ends}

    cards = [card("exactly right", overall.accuracy, overall.intervals.get("accuracy"))]
    if len(scores.levels) > 1:
        top = scores.levels[0].headline
        cards.append(card("right department", top.accuracy, top.intervals.get("accuracy")))
    cards += [
        card("weighted F1", overall.weighted_f1, overall.intervals.get("weighted_f1")),
        card("macro F1", overall.macro_f1, overall.intervals.get("macro_f1")),
        card("in the first three", scores.top_k[3], None, "guesses"),
        {
            "name": "confidence is off by",
            "value": f"{100 * scores.calibration.expected:.1f} points",
            "range": "on average",
        },
    ]
    return cards


def _list_contents(evaluation: Evaluation) -> list[tuple[str, str]]:
    wrong = len(evaluation.confusions.rows) > 0
    parts = [
        ("levels", "levels", True),
        ("views", "views", bool(evaluation.scores.by_view)),
        ("promise", "accepting", True),
        ("confidence", "confidence", True),
        ("categories", "categories", True),
        ("confusions", "confusions", wrong),
        ("examples", "examples", wrong),
        ("notes", "data", True),
    ]
    return [(place, name) for place, name, there in parts if there]


def _describe_categories(evaluation: Evaluation) -> dict[str, Any]:
    table, outcome = evaluation.categories, evaluation.outcome
    known = table.codes < len(outcome.taxonomy.labels)
    candidates = np.flatnonzero(known & (table.support >= _ENOUGH))
    few = len(candidates) < 2
    if few:
        candidates = np.flatnonzero(known & (table.support > 0))
    ranked = candidates[
        np.lexsort((table.codes[candidates], -table.support[candidates], table.f1[candidates]))
    ]
    # Among equally good ones the largest tell most, so the best are ranked anew and not read from the end.
    best = candidates[
        np.lexsort((table.codes[candidates], -table.support[candidates], -table.f1[candidates]))
    ]
    most = min(_BEST, max(1, len(candidates) // 2))

    def rows(places: NDArray[np.intp]) -> list[dict[str, Any]]:
        return [
            {
                "name": evaluation.name(table.codes[i]),
                "support": int(table.support[i]),
                "f1": float(table.f1[i]),
            }
            for i in places
        ]

    note = "By F1, the balance of finding all of a category's products and of putting nothing else there."
    columns = [("name", "category", ""), ("support", "products", "n"), ("learned", "learned from", "n"),
               ("precision", "precision", "n"), ("recall", "recall", "n"), ("f1", "F1", "n")]  # fmt: skip
    return {
        "worst": rows(ranked[:most]),
        "best": rows(best[:most]),
        "category_note": note
        if few
        else f"{note} Best and worst are of those with at least {_ENOUGH} products here.",
        "columns": [
            column for column in columns if column[0] != "learned" or outcome.train_counts is not None
        ],
        "class_sizes": outcome.train_counts is not None,
    }


def _describe_errors(evaluation: Evaluation) -> dict[str, Any]:
    outcome, found = evaluation.outcome, evaluation.confusions
    errors = max(1, int((~outcome.right).sum()))
    wrong = np.flatnonzero(~outcome.right & (outcome.y >= 0) & (outcome.answer >= 0))
    by_sureness = wrong[np.argsort(-outcome.sure[wrong], kind="stable")]
    examples = _find_examples(evaluation, by_sureness)
    departments = sorted({one.department for one in evaluation.matrices if one.department is not None})
    return {
        "confusions": [
            {
                "true": evaluation.name(found.true[i]),
                "answer": evaluation.name(found.answer[i]),
                "rows": int(found.rows[i]),
                "distance": int(found.distance[i]),
                "share": found.rows[i] / errors,
                "examples": examples[i],
            }
            for i in range(len(examples))
        ],
        "surest": [_show(evaluation, row) for row in by_sureness[:_SUREST].tolist()],
        "matrix_depth": _choose_depth(evaluation.scores),
        "depths": list(enumerate(evaluation.level_names, start=1)),
        "departments": [(node, _clip(outcome.taxonomy.name(node), 60)) for node in departments],
    }


def _choose_depth(scores: Scores) -> int:
    """Return the deepest level whose matrix can still be read; the top where none can."""
    return max((level.depth for level in scores.levels if level.categories <= _READABLE), default=1)


def _find_examples(evaluation: Evaluation, ranked: NDArray[np.intp]) -> list[list[dict[str, Any]]]:
    """Surest errors of each of the dearest confusions; `ranked`: wrong rows, surest first."""
    outcome, found = evaluation.outcome, evaluation.confusions
    labels = len(outcome.taxonomy.labels)
    pair_of_row = outcome.y[ranked].astype(np.int64) * labels + outcome.answer[ranked]
    pairs = (found.true * labels + found.answer)[:_CONFUSIONS]
    return [
        [_show(evaluation, row) for row in ranked[np.flatnonzero(pair_of_row == pair)[:_EXAMPLES]].tolist()]
        for pair in pairs.tolist()
    ]


def _show(evaluation: Evaluation, row: int) -> dict[str, Any]:
    outcome = evaluation.outcome
    candidates = zip(outcome.codes[row, :_GUESSES].tolist(), outcome.confidence[row].tolist(), strict=False)
    product_id = _text(outcome.product_ids, row)
    return {
        "title": _text(outcome.titles, row) or product_id or f"row {row}",
        "id": product_id,
        "given": evaluation.name(outcome.truth[row]),
        "guesses": [
            {"name": evaluation.name(code), "sure": _tell_sure(sure), "right": code == outcome.y[row]}
            for code, sure in candidates
            if code >= 0
        ],
    }


def _pack_categories(evaluation: Evaluation) -> dict[str, Any]:
    table, outcome = evaluation.categories, evaluation.outcome
    packed: dict[str, Any] = {
        "name": [_reference(evaluation, code) for code in table.codes.tolist()],
        "support": table.support.tolist(),
        "precision": table.precision.round(4).tolist(),
        "recall": table.recall.round(4).tolist(),
        "f1": table.f1.round(4).tolist(),
        "mistaken_for": [_reference(evaluation, code) for code in table.mistaken_for.tolist()],
        "mistaken_rows": table.mistaken_rows.tolist(),
    }
    if outcome.train_counts is not None:
        packed["learned"] = learned_from(outcome, table.codes).tolist()
    return packed


def learned_from(outcome: Outcome, codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Products that each code of `Outcome.truth` was learned from; 0 for an unseen label."""
    labels = len(outcome.taxonomy.labels)
    counts = np.zeros(labels, np.int64) if outcome.train_counts is None else np.asarray(outcome.train_counts)
    return np.where(codes < labels, np.append(counts, 0)[np.minimum(codes, labels)], 0).astype(np.int64)


def _reference(evaluation: Evaluation, code: int) -> int | str:
    """Return a node where the tree names the code, its text elsewhere; 0 for none."""
    tree = evaluation.outcome.taxonomy
    if code < 0:
        return 0
    if code < len(tree.labels) and evaluation.names[code] == tree.name(int(tree.node_of_label[code])):
        return int(tree.node_of_label[code])
    return str(evaluation.names[code])


def _tell_sure(confidence: float) -> str:
    if 0.995 <= confidence < 1:
        return "> 99 %"
    return "< 1 %" if 0 < confidence < 0.005 else f"{100 * confidence:.0f} %"


def _text(texts: Sequence[str] | None, row: int) -> str:
    return "" if texts is None else str(texts[row] or "")


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
