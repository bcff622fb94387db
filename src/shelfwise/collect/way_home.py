"""Ways that no name tells: links that begin with home and lead, step by step, to the product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice, pairwise, takewhile
from urllib.parse import urlsplit

from lxml import etree

from shelfwise.collect.levels import LONGEST_ITEM, MOST_ITEMS, Crumb, bare, is_root
from shelfwise.collect.page import Element, Page, small, text_of
from shelfwise.collect.vocabulary import HOME
from shelfwise.collect.wording import clean, fold, marked, same

_STRONG = re.compile(r"^(?:>>?|»|›|→|::|＞|❯|▸|►|->|&gt;|⟩|➔|⇒)$")
_WEAK = re.compile(r"^(?:/{1,2}|\\|\||[-–—•·~]|)$")
_ARROW = re.compile(r"separator|\bsep\b|[-_]sep\b|arrow|chevron|angle|delimit|divider|navigation-pipe|next")
_TAGS = frozenset((
    *("div", "p", "td", "th", "ul", "ol", "nav", "span", "b", "strong", "font", "small", "center"),
    *("h2", "h3", "h4", "h5", "section", "dl", "tr", "table", "tbody", "li", "em", "i", "form", "header"),
))  # fmt: skip
_MENU = re.compile(r"menu|\bnav|nav\b|header|footer|toolbar|top-?bar|lang|tabs|account")
_FILED = re.compile(r"categor|kategor")
_NEAR = 40  # elements between a way without any other sign and the product's name
_MOST_LINKS, _MOST_HOMES, _LEVELS = 9, 30, 5


def ways_from_home(page: Page, titles: list[str], heading: int | None) -> Iterator[tuple[Element, float]]:
    """What holds such links, each with a weight by what speaks for it.

    A menu begins with home too. What tells a way from it: that it ends with the product, that arrows stand
    between its links, or that each address lies in the one before or the page's own lies in them.
    """
    homes = 0
    for link in page.elements:
        if link.tag != "a" or not _is_home(page, link):
            continue
        homes += 1
        if homes > _MOST_HOMES:
            return
        for box in islice(link.iterancestors(), _LEVELS):
            if box.tag not in _TAGS or not small(box, 70):
                break
            links = [one for one in islice(box.iter("a"), _MOST_LINKS + 2) if fold(_words(one))]
            if len(links) > _MOST_LINKS or (links and links[0] is not link and _words(link)):
                break
            weight = _evidence(page, box, link, titles)
            if not weight and len(links) > 2 and fold(_words(link)) in HOME and _close(page, box, heading):
                weight = 1.0
            if weight:
                yield box, weight
            if weight or marked(_MENU, page.marks(box)):
                break


def chains(page: Page, titles: list[str]) -> Iterator[list[Crumb]]:
    """Like boxes side by side, each with one link: the first leads home, the last is the product."""
    for link in page.elements:
        box = link.getparent() if link.tag == "a" else None
        if box is None or box.tag in ("li", "td", "body", "p") or not _like(box, box.getnext()):
            continue
        if _like(box, box.getprevious()):
            continue  # home is the first
        if fold(_words(link)) not in HOME or len(list(islice(box.iter("a"), 2))) != 1:
            continue
        boxes = [box, *takewhile(partial(_like, box), islice(box.itersiblings(), MOST_ITEMS))]
        links = [next(one.iter("a"), None) for one in boxes]
        last = boxes[-1] if links[-1] is None else links[-1]
        here = last.tag == "a" and page.leads_here(last.get("href"))
        if len(boxes) > 2 and (here or any(same(text_of(boxes[-1], 300), title) for title in titles)):
            yield [
                Crumb(bare(text_of(one, 200)), "" if way is None else way.get("href") or "")
                for one, way in zip(boxes, links, strict=True)
            ]


_MOST_FILED = 30  # places that are looked at; a page may have any number


def filed(page: Page) -> Iterator[Element]:
    """What stands under a product's name as the shelf that it is on: `Category: Tea > Green`, each a link."""
    tried = 0
    for element in page.elements:
        if not marked(_FILED, page.marks(element)) or marked(_MENU, page.marks(element)):
            continue
        if element.tag not in _TAGS or not small(element, 40):
            continue
        tried += 1
        if tried > _MOST_FILED:
            return
        boxes = [box for box in element.iter("li", "p", "dd", "td", "div", "span") if _is_arrowed(page, box)]
        yield from islice((box for box in boxes if not set(boxes) & set(islice(box.iter(), 1, None))), 1)


def _is_arrowed(page: Page, box: Element) -> bool:
    gaps, _ = _gaps(page, box)
    return bool(gaps) and all(_STRONG.match(clean(gap)) for gap in gaps)


def _like(box: Element, other: Element | None) -> bool:
    return other is not None and other.tag == box.tag and other.get("class") == box.get("class")


def _close(page: Page, box: Element, heading: int | None) -> bool:
    """Whether links stand right before the product's name, and neither are called a menu nor lie in one."""
    at = page.order[box]
    if heading is None or not heading - _NEAR < at < heading or len(text_of(box, 500)) > 400:
        return False
    if box in page.elements[heading].iterancestors():
        return False
    return not any(
        near.tag in ("nav", "header", "footer") or marked(_MENU, page.marks(near))
        for near in (box, *islice(box.iterancestors(), 4))
    )


def runs(page: Page, heading: int | None) -> Iterator[list[Crumb]]:
    """Links that follow one another with one and the same separator between them, as hand-written pages have.

    Only those before the product's name, and not in the foot.
    """
    for at, element in enumerate(page.elements):
        if heading is not None and at > heading + 5:
            return
        if element.tag in ("a", "ul", "ol", "head") or len(element) < 2 or marked(_MENU, page.marks(element)):
            continue
        run = _run(element)
        if run and not any(one.tag == "footer" for one in (element, *element.iterancestors())):
            yield run


def _run(element: Element) -> list[Crumb]:
    links = list(islice(element.iterchildren("a"), MOST_ITEMS + 2))
    if len(links) < 2:
        return []
    steps: list[Crumb] = []
    mark = ""
    for link in links[: MOST_ITEMS + 1]:
        tail = clean((link.tail or "")[:400])
        if not steps:
            mark = tail if _STRONG.match(tail) or (_WEAK.match(tail) and _words(link)) else ""
            if not mark or (not _STRONG.match(mark) and fold(_words(link)) not in HOME):
                mark = ""
                continue
        steps.append(Crumb(bare(text_of(link, 200)), link.get("href") or ""))
        if tail != mark:
            last = tail.removeprefix(mark).strip() if tail.startswith(mark) else ""
            following = link.getnext()
            if last and len(last) < LONGEST_ITEM:
                steps.append(Crumb(bare(last)))
            elif (
                following is not None
                and tail.startswith(mark)
                and following.tag in ("span", "b", "strong", "em")
            ):
                steps.append(Crumb(bare(text_of(following, 200))))
            break
    return steps if (len(steps) > 1 and fold(steps[0].text) in HOME) or len(steps) > 2 else []


def _words(link: Element) -> str:
    text = text_of(link, 120) if len(link) else clean((link.text or "")[:200])
    return text or clean(link.get("title") or link.get("aria-label") or "")


def _is_home(page: Page, link: Element) -> bool:
    """Whether a link leads home by its words, or by its address and a small sign; a logo does not count."""
    address = link.get("href") or ""
    text = fold(_words(link))
    if text:
        return text in HOME or (len(text.split()) < 4 and _short(address) and is_root(page, address))
    if not address or not _short(address) or not is_root(page, address):
        return False
    pictures = [fold(image.get("alt") or "") for image in link.iter("img")]
    return any(alt in HOME for alt in pictures if alt) or "home" in page.marks(link) or not pictures


def _short(address: str) -> bool:
    """Whether an address may be that of a shop's first page, at a glance."""
    return address.count("/") < 3 + 2 * ("//" in address) and "?" not in address


def _evidence(page: Page, box: Element, home: Element, titles: list[str]) -> float:
    """How much speaks for a box being the way to the product; 0 where it may as well be a menu."""
    links = [one for one in box.iter("a") if one is not home and fold(_words(one))]
    gaps, rest = _gaps(page, box)
    marks = [clean(gap) for gap in gaps]
    arrows = bool(marks) and all(_STRONG.match(mark) for mark in marks)
    tail = fold(rest)
    last = (links[-1].get("href") or "#") if links else "#"
    ends = any(tail == fold(title) or tail.endswith(f" {fold(title)}") for title in titles if tail)
    ends = ends or (not last.startswith("#") and page.leads_here(last))
    odd = any(not _STRONG.match(mark) and not _WEAK.match(mark) for mark in marks[1:])
    if odd or (not links and not ends) or len(rest) > LONGEST_ITEM:
        return 0.0
    if ends:
        return 2.2 if arrows or len(links) < 6 else 1.6
    paths = [urlsplit(page.absolute(link.get("href"))).path.rstrip("/") for link in links]
    here = urlsplit(page.url).path
    nested = len(paths) > 1 and all(later.startswith(f"{first}/") for first, later in pairwise(paths))
    above = any(path and here.startswith(f"{path}/") for path in paths) and len(links) < 6
    if arrows and links:
        return 1.9 if nested or above else 1.4
    return 1.3 if nested or (above and bool(links) and here.startswith(f"{paths[-1]}/")) else 0.0


def _gaps(page: Page, box: Element) -> tuple[list[str], str]:
    """What stands between the links of a box, and behind the last one.

    An empty element that is called an arrow counts as one.
    """
    gaps: list[str] = []
    current: list[str] = []
    link: Element | None = None
    started = False
    for event, node in etree.iterwalk(box, events=("start", "end")):
        if link is not None and node is not link:
            continue
        if event == "start" and node.tag == "a" and fold(_words(node) or "home"):
            if started:
                gaps.append(" ".join(current))
            started, current, link = True, [], node
        elif event == "start":
            if not len(node) and not clean(node.text or "") and marked(_ARROW, page.marks(node)):
                current.append(">")
            current.append(node.text or "")
        else:
            link = None
            if node is not box:
                current.append(node.tail or "")
    rest = re.sub(r"^[\s>»›→:＞❯/|\\•·~–—-]+|[\s>»›→:＞❯/|\\•·~–—-]+$", "", clean(" ".join(current)))
    return gaps, rest
