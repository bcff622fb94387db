"""Attributes: what a page lists of its product as label and value."""

from __future__ import annotations

import re

from shelfwise.collect.page import Element, Page, small, text_of
from shelfwise.collect.structured import Node, listed, words_of
from shelfwise.collect.vocabulary import GENDER_LABELS, GENDERS
from shelfwise.collect.wording import clean, fold
from shelfwise.collect.zones import ASIDE_ZONE, Zones

_MOST = 120
_LABEL, _VALUE = 60, 400
_PAIR = re.compile(r"^([^:：]{2,60}?)\s*[:：]\s*(\S.{0,300})$")
_ROW = re.compile(
    r"propert|attribut|spec|feature|param|charact|dictionary|option-?row|detail-?row|data-?row|\brow\b|info"
)
_OTHER = re.compile(
    r"price|preis|shipping|versand|cart|basket|quantity|\bqty|review|rating|share|cookie", re.IGNORECASE
)


def find_attributes(page: Page, zones: Zones, products: list[Node]) -> dict[str, str]:
    """Labels and values in the order of the page: of structured data, tables, lists and pairs of elements."""
    found: dict[str, str] = {}
    for node in products:
        for entry in listed(node.get("additionalproperty"))[:_MOST]:
            if isinstance(entry, dict):
                unit = next(iter(words_of(entry.get("unittext"))), "")
                value = ", ".join(words_of(entry.get("value")))
                _put(found, next(iter(words_of(entry.get("name"))), ""), f"{value} {unit}".strip())
        for key in (
            "color",
            "colour",
            "size",
            "material",
            "model",
            "mpn",
            "gtin13",
            "gtin",
            "gtin14",
            "gtin8",
            "gtin12",
            "weight",
        ):
            text = next(iter(words_of(node.get(key), "name", "value")), "")
            if text:
                found.setdefault(key, text[:_VALUE])
    for at, element in enumerate(page.elements):
        if zones.levels[at] >= ASIDE_ZONE or len(found) >= _MOST:
            continue
        if zones.heading is not None and at < zones.heading - 200:
            continue
        for label, value in _pairs(page, element):
            _put(found, label, value)
    return found


def _put(found: dict[str, str], label: str, value: str) -> None:
    """Keep a pair that can be one; the first of a label wins."""
    label, value = clean(label).strip(" :：-–•*"), clean(value).strip(" :：")
    if not (1 < len(label) <= _LABEL and 0 < len(value) <= _VALUE and re.search(r"[^\W\d_]", label)):
        return
    if (
        len(found) < _MOST
        and fold(label) != fold(value)
        and not any(fold(label) == fold(known) for known in found)
    ):
        found[label] = value


def _pairs(page: Page, element: Element) -> list[tuple[str, str]]:
    tag = element.tag
    if tag == "tr":
        cells = [child for child in element if child.tag in ("td", "th") and text_of(child, 500)]
        if len(cells) == 2 and not any(True for cell in cells for _ in cell.iter("table")):
            return [(text_of(cells[0], 200), text_of(cells[1], 500))]
    elif tag == "dt":
        value = element.getnext()
        if value is not None and value.tag == "dd":
            return [(text_of(element, 200), text_of(value, 500))]
    elif tag == "li" and small(element, 8):
        return _of_line(element)
    elif (
        tag in ("div", "p")
        and len(element) in (2, 3)
        and _ROW.search(page.marks(element))
        and small(element, 8)
    ):
        parts = [text_of(child, 500) for child in element]
        parts = [part for part in parts if part]
        if len(parts) == 2 and not _OTHER.search(page.marks(element)):
            return [(parts[0], parts[1])]
    elif tag in ("p", "td", "span") and not len(element):
        return [pair for pair in _of_line(element) if len(pair[1]) < 60]
    return []


def _of_line(element: Element) -> list[tuple[str, str]]:
    match = _PAIR.match(text_of(element, 400))
    if match and not match.group(2).startswith("//") and not match.group(1)[-1].isdigit():
        return [(match.group(1), match.group(2))]
    return []


def find_audience(products: list[Node], attributes: dict[str, str]) -> str:
    """For whom the product is.

    In one English word (women, men, unisex, girls, boys, kids, ...), or nothing.
    """
    said: list[str] = []
    for node in products:
        for key in ("audience", "gender"):
            for entry in listed(node.get(key)):
                said += words_of(entry, "suggestedgender", "audiencetype", "name", "gender")
    said += [value for label, value in attributes.items() if fold(label) in GENDER_LABELS]
    for text in said:
        words = clean(text).rsplit("/", 1)[-1].casefold().replace("'", "").replace("’", "")
        if words in GENDERS:
            return GENDERS[words]
        known = {GENDERS[word] for word in re.findall(r"[^\W\d_]+", words) if word in GENDERS}
        if len(known) == 1:
            return known.pop()
        if known == {"women", "men"}:
            return "unisex"
    return ""
