"""Zones: which parts of a page are about its product, and which about the shop or about other products."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.vocabulary import ASIDE, ASIDE_FOR_PRICES, ASIDE_HEADINGS, BUY
from shelfwise.collect.wording import marked

_ASIDE_TAGS = frozenset(("nav", "footer", "header", "dialog", "select", "datalist", "iframe"))
_HEADINGS = frozenset(("h2", "h3", "h4", "h5", "h6"))
_LABELS = frozenset(("div", "p", "span", "strong", "b"))
_BUTTONS = frozenset(("button", "input", "a", "span", "div", "img"))
CLEAR, NO_PRICES, ASIDE_ZONE = 0, 1, 2


@dataclass(frozen=True)
class Zones:
    """What every element of a page lies in.

    levels: by place in the page, 0 where the product may be shown, 1 where its price is not, 2 where
    nothing of it is; heading: the place of its name, or None; buys: places of buttons to buy it; holders:
    the heading and all that it lies in.
    """

    levels: list[int]
    heading: int | None
    buys: list[int]
    holders: frozenset[Element]


def find_zones(page: Page, heading: Element | None) -> Zones:
    """Tell the product's part of a page from the rest; what holds its name is never the rest."""
    kept = set() if heading is None else {heading, *heading.iterancestors()}
    own = " ".join(page.marks(one) for one in kept)
    excused = frozenset(found.group() for found in ASIDE.finditer(own)) if marked(ASIDE, own) else frozenset()
    levels: list[int] = []
    raised: dict[Element, int] = {}
    place = None if heading is None else page.order.get(heading)
    for at, element in enumerate(page.elements):
        parent = element.getparent()
        level = levels[page.order[parent]] if parent is not None and parent in page.order else CLEAR
        level = max(level, raised.get(element, CLEAR))
        if element not in kept and level < ASIDE_ZONE:
            level = max(level, _own(page, element, excused))
            if place is not None and at > place and _announces_others(element):
                block = _raise_around(element, kept, raised)
                if block is not element:
                    levels[page.order[block]] = ASIDE_ZONE
                level = ASIDE_ZONE
        levels.append(CLEAR if element in kept else level)
    buys = [at for at, element in enumerate(page.elements) if levels[at] == CLEAR and _buys(page, element)]
    return Zones(levels, place, buys, frozenset(kept))


def _own(page: Page, element: Element, excused: frozenset[str]) -> int:
    """What an element is by its names; words in the names of what holds the product's name are excused."""
    if element.tag in _ASIDE_TAGS:
        return ASIDE_ZONE
    marks = page.marks(element)
    if not marks:
        return CLEAR
    if marked(ASIDE, marks) and not (excused and _excused(marks, excused)):
        return ASIDE_ZONE
    return NO_PRICES if marked(ASIDE_FOR_PRICES, marks) else CLEAR


def _excused(marks: str, excused: frozenset[str]) -> bool:
    return all(found.group() in excused for found in ASIDE.finditer(marks))


def _announces_others(element: Element) -> bool:
    """Whether an element is a heading such as *You may also like*."""
    if element.tag in _HEADINGS:
        text = text_of(element, 100)
    elif element.tag in _LABELS and not len(element):
        text = (element.text or "").strip()
    else:
        return False
    return 2 < len(text) < 80 and bool(ASIDE_HEADINGS.search(text))


def _raise_around(element: Element, kept: set[Element], raised: dict[Element, int]) -> Element:
    """What stands under a heading of others: the rest of the block that it opens."""
    block = element
    for _ in range(3):
        parent = block.getparent()
        if parent is None or parent in kept:
            break
        block = parent
    if block in raised:
        return block
    if block is not element and block not in kept:
        raised[block] = ASIDE_ZONE
        for inner in block:
            raised[inner] = ASIDE_ZONE
    current = element.getnext()
    while (
        current is not None and current not in kept and (block is not element or current.tag != element.tag)
    ):
        raised[current] = ASIDE_ZONE
        current = current.getnext()
    return block


def _buys(page: Page, element: Element) -> bool:
    """Whether an element is a button that puts the product into the cart."""
    if element.tag not in _BUTTONS or len(element) > 4:
        return False
    text = element.get("value") or element.get("alt") or element.get("title") or ""
    if element.tag in ("button", "a") or (element.tag in ("span", "div") and not len(element)):
        text = f"{text_of(element, 60)} {text}"
    elif element.tag not in ("input", "img"):
        return False
    return (
        len(text) < 90
        and bool(text.strip())
        and bool(BUY.search(text.strip()))
        and not _sells_another(page, element)
    )


def in_card(page: Page, near: list[Element]) -> bool:
    """Whether something stands in one of several like boxes that lead to other pages."""
    for element in near:
        if element.tag == "a" and element.get("href") and not page.leads_here(element.get("href")):
            return not (element.get("href") or "").startswith(("#", "/cart", "?"))
        parent = element.getparent()
        if parent is None or element.tag in ("td", "tr", "span", "bdi", "strong", "b"):
            continue
        if _has_twin(element) and any(
            link.get("href") and not page.leads_here(link.get("href")) and len(link.get("href")) > 1
            for link in islice(element.iter("a"), 20)
        ):
            return True
    return False


def _has_twin(element: Element) -> bool:
    """Whether one of the nearest siblings has the same tag and the same first class."""
    name = (element.get("class") or "").split()[:1]
    near = [*islice(element.itersiblings(), 6), *islice(element.itersiblings(preceding=True), 6)]
    return any(other.tag == element.tag and (other.get("class") or "").split()[:1] == name for other in near)


def _sells_another(page: Page, button: Element) -> bool:
    """Whether a button stands in one of several like boxes, each with its own link and button."""
    own = button.tag == "a" and not page.leads_here(button.get("href"))
    return any(
        _has_twin(box)
        and sum(
            1
            for link in islice(box.iter("a"), 20)
            if link.get("href") and not page.leads_here(link.get("href"))
        )
        > own
        for box in page.up(button, 5)[1:]
        if box.tag in ("li", "div", "article", "td", "form", "section")
    )
