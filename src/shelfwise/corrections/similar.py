"""The most similar products that have a category: learned ones and remembered ones, as evidence."""

from __future__ import annotations

import polars as pl

from shelfwise.corrections.state import Corrections


def find_similar(products: pl.DataFrame, now: Corrections, count: int) -> list[list[dict[str, object]]]:
    """For each product its `count` most similar labelled ones, best first, as `predictions.NEIGHBOUR`.

    A learned product that was corrected stands there with the category that it has now, and once.
    """
    views, kept = now.learned.views, now.learned.kept
    more = count if len(now.memory) == 0 else 2 * count  # room for those that stand there twice
    found, cosine = views.nearest(products, more)
    labels, into = now.taxonomy.labels, now.shelves.into
    ids, titles, replaced = kept["product_id"], kept["title"], now.replaced
    learned = [
        [
            _neighbour((ids[place], titles[place]), labels[into[views.neighbour_y_[place]]], close)
            for place, close in zip(places, closeness, strict=True)
            if place >= 0 and not replaced[place]
        ]
        for places, closeness in zip(found.tolist(), cosine.tolist(), strict=True)
    ]
    if len(now.memory):
        for row, others in enumerate(_remembered(products, now)):
            learned[row] += others
            learned[row].sort(key=lambda one: -float(str(one["similarity"])))
    return [rows[:count] for rows in learned]


def _remembered(products: pl.DataFrame, now: Corrections) -> list[list[dict[str, object]]]:
    found, cosine = now.reach.nearest(products, now.rows.of(products))
    table = now.memory.table
    ids, titles, labels = table["product_id"], table["title"], table["label"]
    return [
        [
            _neighbour((ids[place], titles[place]), labels[place], close)
            for place, close in zip(places, closeness, strict=True)
            if place >= 0
        ]
        for places, closeness in zip(found.tolist(), cosine.tolist(), strict=True)
    ]


def _neighbour(product: tuple[str, str], label: str, close: float) -> dict[str, object]:
    similarity = round(min(float(close), 1.0), 4)
    return {"product_id": product[0], "title": product[1], "category": label, "similarity": similarity}
