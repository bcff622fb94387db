"""Rating: how buyers rate the product, and how many of them."""

from __future__ import annotations

from shelfwise.collect.amount import by_machine
from shelfwise.collect.structured import Node, listed, words_of


def find_rating(products: list[Node]) -> tuple[float | None, int | None]:
    """The average rating in the shop's own scale and the number of ratings; None where it is not stated."""
    for node in products:
        for rating in listed(node.get("aggregaterating")):
            if not isinstance(rating, dict):
                continue
            value = by_machine(next(iter(words_of(rating.get("ratingvalue"))), ""))
            counts = [
                by_machine(text.replace(" ", ""))
                for key in ("ratingcount", "reviewcount")
                for text in words_of(rating.get(key))
            ]
            count = next((max(numbers) for numbers in counts if numbers), None)
            if value:
                return float(value[-1] if len(value) > 1 else value[0]), int(
                    count
                ) if count is not None else None
    return None, None
