"""By how much one model's answers differ from another's: what an update, or any two models, come to.

Both answer for the same products. Where these are marked test and have categories, both are scored as well.
Products that either of them learned from would flatter it: without a split there are no scores, and products
whose ids one of them has learned are left out of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.parts import UNREADABLE
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.splits import given_split
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError, PromiseError
from shelfwise.evaluate.intervals import count_classes, f1_scores
from shelfwise.past import Match
from shelfwise.predictions import PredictOptions
from shelfwise.reading import BATCH

PROMISE = 0.95
"""Precision at which the share of accepted products is compared where nobody asks for another."""
FEW = 5_000
"""As many products are asked about after training."""
_SHOWN = 20


@dataclass(frozen=True)
class Compared:
    """Two models' answers to the same products.

    products: how many were asked about. of: out of how many. held_out: whether they were marked test.
    changed: answers that differ. moves: the most frequent of them, old category, new category, products.
    confidence: mean of the old model's and of the new one's. scores: by "old" and "new" rows, accuracy,
    weighted and macro F1; None where they would flatter. accepted: share that each accepts at the promise;
    None: refused. added, gone: categories. data_sha256: of what each learned from. learned: how many of the
    products that the new one learned are as the old one learned them ("same"), "new", "changed" in what they
    show or "moved" to another category, and how many are "gone"; None: the models keep too little to tell.
    """

    products: int
    of: int
    held_out: bool
    changed: int
    moves: tuple[tuple[str, str, int], ...]
    confidence: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]] | None
    promise: float
    accepted: Mapping[str, float | None]
    added: tuple[str, ...]
    gone: tuple[str, ...]
    data_sha256: Mapping[str, str]
    learned: Mapping[str, int] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; shares are 0..1."""
        told = asdict(self)
        told["share"] = round(self.changed / max(self.products, 1), 6)
        told["moves"] = [{"old": old, "new": new, "products": products} for old, new, products in self.moves]
        return told


def compare(
    old: Categorizer,
    new: Categorizer,
    catalogue: object,
    *,
    split: str | None = None,
    most: int | None = None,
) -> Compared:
    """Let two models answer for the same products of a catalogue.

    Args:
        old: the model before.
        new: the model after; names of categories that it knows as renamed are followed.
        catalogue: a path, a `Source` or a frame.
        split: a column that marks rows; those marked test are asked about, and scored where they have a
            category. None: all rows, and nothing is scored.
        most: as many products at most, drawn by the new model's seed; None: all of them.

    """
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    raw, places, of = _draw((old, new), source, split, most)
    both = {name: _ask(model, source, raw, places) for name, model in (("old", old), ("new", new))}
    renamed = new.renamed_
    before, after = _followed(both["old"]["category"], renamed), both["new"]["category"]
    answered = before.is_not_null() & after.is_not_null()
    differs = answered & (before != after).fill_null(False)
    labels = set(_followed(pl.Series(old.taxonomy_.labels, dtype=pl.String), renamed).to_list())
    return Compared(
        products=int(answered.sum()),
        of=of,
        held_out=split is not None,
        changed=int(differs.sum()),
        moves=_moves(before.filter(differs), after.filter(differs)),
        confidence={name: _mean(told["confidence"]) for name, told in both.items()},
        scores=None if split is None else _scores(_held_out((old, new), both), before, after, renamed),
        promise=PROMISE,
        accepted={name: _accepted(model, both[name]) for name, model in (("old", old), ("new", new))},
        added=tuple(sorted(set(new.taxonomy_.labels) - labels)),
        gone=tuple(sorted(labels - set(new.taxonomy_.labels))),
        data_sha256={"old": old.training_.data_sha256, "new": new.training_.data_sha256},
        learned=_learned(old, new),
    )


def _learned(old: Categorizer, new: Categorizer) -> dict[str, int] | None:
    """How far the products that two models learned are the same; None where they do not keep that.

    Digests of products can be compared where both models read the same fields and vectors, and tell products
    apart by the same.
    """
    models = (old, new)
    read = {(m.roles_.product_id is None, m.views_.fields, tuple(m.training_.fields)) for m in models}
    if old.past_ is None or new.past_ is None or len(read) > 1 or old.marks_ != new.marks_:
        return None
    labels = old.corrections_.learned.taxonomy.labels  # as both call them now
    names = pl.Series([old.corrections_.shelves.names[label] for label in labels], dtype=pl.String)
    codes = new.taxonomy_.codes(_followed(names, new.renamed_))
    match = Match.of(old.past_, new.past_.rows, new.corrections_.shelves.into[new.past_.y], codes)
    return {name: getattr(match, name) for name in ("same", "new", "changed", "moved", "gone")}


def _draw(
    models: tuple[Categorizer, Categorizer], source: Source, split: str | None, most: int | None
) -> tuple[pl.DataFrame, pl.Series, int]:
    """Raw rows to ask about with their places, and out of how many they were drawn."""
    wanted = [name for model in models for name in model.reader(source, split).reading.columns]
    columns = list(dict.fromkeys([*wanted, *([split] if split else [])]))
    rng = np.random.default_rng(models[1].recipe.seed)
    frames, drawn, place, of = [], np.empty((2, 0)), 0, 0
    for raw in source.batches(BATCH, columns):
        asked = np.flatnonzero(_marked(raw, split))
        frames.append(raw[asked.tolist()])
        drawn = np.concatenate([drawn, [place + asked, rng.random(len(asked))]], axis=1)
        place, of = place + raw.height, of + len(asked)
        if most is not None and drawn.shape[1] > most:
            kept = np.sort(np.argsort(drawn[1], kind="stable")[:most])
            frames, drawn = [pl.concat(frames)[kept.tolist()]], drawn[:, kept]
    if not of:
        marked = f" marked test in {split!r}" if split else ""
        raise CatalogueError(f"nothing to compare the models on: there is no row{marked}")
    return pl.concat(frames), pl.Series(drawn[0].astype(np.int64)), of


def _marked(raw: pl.DataFrame, split: str | None) -> NDArray[np.bool_]:
    """Which rows are asked about, bool [rows]."""
    readable = (
        raw[UNREADABLE].is_null().to_numpy() if UNREADABLE in raw.columns else np.ones(raw.height, bool)
    )
    if split is None:
        return readable
    marked = np.zeros(raw.height, bool)
    marked[readable] = given_split(raw[split].filter(pl.Series(readable)))[1]
    return marked


def _ask(model: Categorizer, source: Source, raw: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """Category and confidence of each row with its label; null where there is nothing to go by."""
    reader, asked, options = model.reader(source), model.witnesses(), PredictOptions(top=1)
    parts = []
    for start in range(0, raw.height, BATCH):
        here = slice(start, start + BATCH)
        products = reader.attach(reader.choose(raw[here], places[here]))
        answers = model.predict_products(products, options, None, asked)
        parts.append(
            answers.select("product_id", "category", "confidence", "status").with_columns(products["label"])
        )
    told = pl.concat(parts)
    known = pl.col("status") == "ok"
    return told.with_columns(pl.when(known).then(pl.col("category", "confidence")))


def _followed(names: pl.Series, renamed: Mapping[str, str | None]) -> pl.Series:
    return names.replace(list(renamed), list(renamed.values())) if renamed else names


def _moves(before: pl.Series, after: pl.Series) -> tuple[tuple[str, str, int], ...]:
    counts = Counter(zip(before.to_list(), after.to_list(), strict=True))
    moves = sorted(((old, new, count) for (old, new), count in counts.items()), key=lambda m: (-m[2], m))
    return tuple(moves[:_SHOWN])


def _mean(confidence: pl.Series) -> float:
    mean = confidence.drop_nulls().cast(pl.Float64).mean()
    return round(float(mean), 6) if isinstance(mean, float) else 0.0


def _held_out(models: tuple[Categorizer, ...], both: Mapping[str, pl.DataFrame]) -> pl.Series:
    """The true categories of products, null where there is none or one of the models has learned it."""
    truth = both["new"]["label"]
    for model in models:
        if model.past_ is not None and model.roles_.product_id is not None:
            truth = truth.set(pl.Series(model.past_.knows(both["new"]["product_id"].to_list())), None)
    return truth


def _scores(
    truth: pl.Series, before: pl.Series, after: pl.Series, renamed: Mapping[str, str | None]
) -> dict[str, dict[str, float]] | None:
    """Accuracy and F1 of both on the rows whose category is known; None where there is none."""
    truth = _followed(truth, renamed)
    told = truth.is_not_null()
    if not told.any():
        return None
    names = pl.concat([truth, before, after]).drop_nulls().unique().sort()
    codes = np.arange(len(names), dtype=np.int64)
    y, old, new = (
        column.filter(told).replace_strict(names, codes, default=-1).to_numpy()
        for column in (truth, before, after)
    )
    scores = {}
    for name, answer in (("old", old), ("new", new)):
        weighted, macro = f1_scores(*count_classes(y, answer))
        values = {"accuracy": (y == answer).mean(), "weighted_f1": weighted, "macro_f1": macro}
        scores[name] = {"rows": len(y), **{score: round(float(v), 6) for score, v in values.items()}}
    return scores


def _accepted(model: Categorizer, told: pl.DataFrame) -> float | None:
    """Share of the answers that the promise accepts; None: it is refused."""
    try:
        threshold = model.decision_.promise(PROMISE).threshold
    except PromiseError:
        return None
    sure = (told["confidence"] >= threshold).fill_null(False)
    return round(float(sure.to_numpy().mean()), 6)
