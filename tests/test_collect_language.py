"""What a page is written in."""

from __future__ import annotations

import pytest

from shelfwise.collect.language import find_language
from shelfwise.collect.page import parse

RUSSIAN = "Смеситель для кухни однорычажный с высоким изливом"


def language(html):
    return find_language(parse(html.encode(), "https://shop.example/p"))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<html lang=de-CH>", ("de", "ch")), ("<html lang=nb>", ("no", "")), ("<html lang=zh-Hant-TW>", ("zh", "tw")),
        ('<meta property="og:locale" content="pt_BR">', ("pt", "br")), (f"<html lang=en><p>{RUSSIAN}", ("ru", "")),
        (f"<html lang=uk><p>{RUSSIAN}", ("uk", "")), ("<p>三徳包丁の専門店です</p>" * 3, ("ja", "")), ("", ("", "")),
        ("<html lang=en><p>" + "Der Stuhl ist nicht für die Küche und das Bad, auf der Wiese mit dem Tisch. " * 4, ("de", "")),
    ],
)  # fmt: skip
def test_languages(html, expected):
    assert language(html) == expected
