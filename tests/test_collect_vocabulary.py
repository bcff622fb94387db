"""The words of shops."""

from __future__ import annotations

import re

import pytest

from shelfwise.collect import vocabulary
from shelfwise.collect.wording import fold

PATTERNS = {name: value for name, value in vars(vocabulary).items() if isinstance(value, re.Pattern)}


def test_labels_are_folded():
    for name in ("HOME", "HERE", "BACK", "BRAND", "NO_BRAND", "GENDER_LABELS"):
        words = getattr(vocabulary, name)
        assert all(word == fold(word) for word in words)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_patterns_do_not_match_nothing(pattern):
    assert not pattern.search("")


@pytest.mark.parametrize(
    "text",
    [
        "In den Warenkorb",
        "Add to Cart",
        "Купить",
        "カートに入れる",
        "Ajouter au panier",
        "Do košíku",
        "Sepete Ekle",
    ],
)
def test_buttons_to_buy(text):
    assert vocabulary.BUY.search(text)
