"""Explanations: the words that spoke for an answer, the most similar labelled products, what each view said.

Words are weighed by occlusion (Zeiler & Fergus 2014, arXiv:1311.2901; for text, Robnik-Sikonja & Kononenko
2008): a word's weight is how much the log-odds of the answer fall when the word is taken out of the product.
That needs no second reading of the model: the shortened products go the same way as every other product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.corrections.similar import find_similar
from shelfwise.corrections.state import Corrections
from shelfwise.decide.fusion import FACTORS, Fusion
from shelfwise.decide.pool import DEPARTMENTS
from shelfwise.predictions import EVIDENCE
from shelfwise.scoring import probabilities_of
from shelfwise.views.panel import Views

_WORDS = 40
"""At most that many words (or attributes) of a product are tried, titles first."""
_SHOWN = 6
_NEIGHBOURS = 3


@dataclass(frozen=True)
class Witnesses:
    """Whom an answer and its explanation ask: the fusion of the views, and what people changed since."""

    fusion: Fusion
    corrections: Corrections

    @property
    def views(self) -> Views:
        """The trained views."""
        return self.corrections.learned.views

    def ask(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Probabilities of a block and where there is anything to go by; see `scoring.probabilities_of`."""
        return probabilities_of(self.views, self.fusion, products, self.corrections)


def explain(products: pl.DataFrame, codes: NDArray[np.int32], asked: Witnesses) -> pl.Series:
    """Evidence for the answers codes [products], as `predictions.EVIDENCE`."""
    words = _weigh_words(products, codes, asked)
    similar = find_similar(products, asked.corrections, _NEIGHBOURS)
    votes = _ask_views(products, asked)
    rows = [{"words": w, "neighbours": n, "views": v} for w, n, v in zip(words, similar, votes, strict=True)]
    return pl.Series("evidence", rows, dtype=EVIDENCE)


def _weigh_words(
    products: pl.DataFrame, codes: NDArray[np.int32], asked: Witnesses
) -> list[list[dict[str, object]]]:
    fields = asked.views.fields
    if not fields:  # a model of pictures alone
        return [[] for _ in codes]
    table, rest = products.select(fields), products.drop(fields)
    weighed: list[list[dict[str, object]]] = []
    for place, (row, code) in enumerate(zip(table.iter_rows(named=True), codes.tolist(), strict=True)):
        pieces = [(field, piece) for field in fields for piece in _pieces(field, row[field])][:_WORDS]
        variants = [row, *({**row, field: _without(field, row[field], piece)} for field, piece in pieces)]
        shortened = pl.DataFrame(variants, schema=table.schema)
        kept = rest[[place] * shortened.height]  # vectors stay: words are weighed beside what else is known
        p = asked.ask(shortened.hstack(kept))[0][:, code].astype(float)
        odds = np.log(np.clip(p, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(p, 1e-6, 1 - 1e-6))
        falls = odds[0] - odds[1:]
        best = [i for i in np.argsort(-falls, kind="stable")[:_SHOWN].tolist() if falls[i] > 0]
        weighed.append(
            [{"field": pieces[i][0], "text": pieces[i][1], "weight": round(float(falls[i]), 4)} for i in best]
        )
    return weighed


def _pieces(field: str, text: str) -> list[str]:
    """The distinct words of a field, or its items for attributes, in order."""
    return list(dict.fromkeys(text.split("\n") if field == "attributes" else text.split()))


def _without(field: str, text: str, piece: str) -> str:
    parts, joint = (text.split("\n"), "\n") if field == "attributes" else (text.split(), " ")
    return joint.join(part for part in parts if part != piece)


def _ask_views(products: pl.DataFrame, asked: Witnesses) -> list[list[dict[str, object]]]:
    """What each view alone would answer, and how surely if it spoke for all of them; and corrections."""
    # Departments answer with no category of their own.
    views, fusion, shelves = asked.views, asked.fusion, asked.corrections.shelves
    scores = views.scores(products, [name for name in views.names if name != DEPARTMENTS])
    votes: list[list[dict[str, object]]] = [[] for _ in range(products.height)]
    for name, part in scores.by_view.items():
        p = shelves.fold(fusion.alone(name).mix({name: part}, {name: scores.speaks[name]}))
        best = p.argmax(axis=1)
        for row, code in enumerate(best.tolist()):
            if name in FACTORS and not scores.speaks[name][row]:
                continue  # no picture, no vote
            label = asked.corrections.taxonomy.labels[code]
            votes[row].append({"view": name, "category": label, "confidence": round(float(p[row, code]), 4)})
    for row, vote in asked.corrections.votes(products):
        votes[row].append(vote)
    return votes
