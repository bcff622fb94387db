"""Description: what the page tells of its product in running text."""

from __future__ import annotations

import re

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.products import Facts
from shelfwise.collect.wording import alike, marked, same, within
from shelfwise.collect.zones import ASIDE_ZONE, Zones

_MARKS = re.compile(
    r"desc(?:ription|ripcion|rizione)?\b|description|beschreibung|detail_text|product[-_]?text|"
    r"shortdesc|opis\b|produktinfo|kuvaus|about"
)
_NOT = re.compile(r"meta|title|heading|category|\bcat-|shipping|tab-?link|label|button|image|price")
_LONGEST = 20_000


def find_description(page: Page, zones: Zones, facts: Facts, title: str) -> str:
    """The longest of: structured data's description, and the text of the elements called so.

    Structured data often has only its beginning; the meta tag's text counts where there is nothing else.
    """
    stated = max(facts.words("description"), key=len, default="")
    shown, count = "", 0
    for at, element in enumerate(page.elements):
        if (
            zones.levels[at] >= ASIDE_ZONE
            or element in zones.holders
            or element.tag in ("meta", "a", "button", "h1", "h2", "li")
        ):
            continue
        marks = page.marks(element)
        if marks and marked(_MARKS, marks) and not marked(_NOT, marks):
            count += 1
            if count > 80:
                break
            text = _without_heading(element, title)
            if len(text) > len(shown) and (
                not shown or within(shown, text) > 0.5 or len(text) > 3 * len(shown)
            ):
                shown = text
    if shown and (len(shown) > len(stated) or not stated) and (not stated or within(stated, shown) > 0.5):
        return shown
    if stated and not same(stated, title):
        return stated
    if shown:
        return shown
    meta = [
        text
        for text in page.said("og:description", "description", "twitter:description")
        if not same(text, title)
    ]
    return next((text for text in meta if alike(text, title) < 0.9), "")


def _without_heading(element: Element, title: str) -> str:
    text = text_of(element, _LONGEST)
    return "" if same(text, title) else text
