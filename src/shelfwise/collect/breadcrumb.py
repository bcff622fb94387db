"""Breadcrumbs: the way through the shop's categories as the page shows it, without home and the product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from shelfwise.collect.levels import MOST_ITEMS, Crumb, bare, levels_of
from shelfwise.collect.page import Element, Page, small, text_of
from shelfwise.collect.structured import Node, listed, walk, words_of
from shelfwise.collect.way_home import chains, filed, runs, ways_from_home
from shelfwise.collect.wording import clean, fold, marked
from shelfwise.collect.zones import ASIDE_ZONE, Zones

_MARKS = re.compile(
    r"brea\w{0,2}[-_]?c?rumb|\bcrumbs?\b|crumbs?[-_]|[-_]crumbs?|crumbs_|pathway|ariane|ariadne|kr(?:ü|"
    r"ue?)mel|\bmigas|rastro|"
    r"nav-?path|navi-?pfad|wayfinding|headcategory|topic-?path|pankuzu|you-?are-?here|briciole|kruimel|"
    r"murupolku|"
    r"br(?:ø|o)dsmul|smulor|okruszk|page-?path|drobeckov|location-path|category-?path|bct?rail|"
    r"page-?trail|\btrail\b|location_nav|sciezk|percorso|nav-?chain|\bhleb|hlebn|breadline|cat-?path|(?:^|\s)path(?:area|list|box)?(?:\s|$)"
)
_LABELLED = re.compile(
    r"breadcrumb|brotkr|fil d.ariane|migas de|miga de|briciole|kruimel|okruszk|brödsmul|brødsmul|"
    r"brødkrumm|murupol|хлебн|"
    r"хлібн|навигационная цепочка|drobečkov|pod?robn|navigációs|パンくず|面包屑|麵包屑|نتيב|מסלול|"
    r"נתיב ניווט|מסר|مسار|you are here|"
    r"emplacement|sie sind hier|ψίχουλ|ekmek kırınt|navigationspfad|sti\b|vị trí",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(
    r"\s*(?:[>›»❯→▸▶⟩〉＞→➔⇒|｜•·\\⟶☛◀‹«❮←<]|::|&gt;|(?<!\w)/|/(?!\w)|(?:^|(?<=\s))[-–—](?=\s|$))\s*"
)
_STRONG = re.compile(r"\s*(?:[>›»❯→▸▶＞➔⇒]|::)\s*")
_CHAT = re.compile(r"chat|share|print|wish|help|popup|modal")
_CURRENT = re.compile(r"current|active|last|\bproduct|selected|actual|aktiv")
_MENU = re.compile(r"drop-?down|sub-?menu|siblings|flyout|popup|tooltip")
_SIGNS = re.compile(r"material-(?:icons|symbols)")  # fonts that draw `chevron_right`
_NO_STEPS = frozenset(("select", "button", "form", "meta", "link", "h1", "input", "label"))
_NEVER = frozenset(
    ("body", "html", "head", "main", "meta", "link", "a", "script", "img", "button", "section")
)


def find_path(page: Page, zones: Zones, crumbs: list[Node], titles: list[str], shops: list[str]) -> list[str]:
    """The levels of the category path; empty where the page has none.

    What is shown wins over what structured data says, which shops often fill from another path; a guess by
    separators alone does not.
    """
    shown = [
        (weight, levels_of(page, found, titles, shops)) for weight, found in _in_markup(page, zones, titles)
    ]
    shown = [(weight + min(len(path), 6) * 0.2, path) for weight, path in shown if path]
    stated = [path for node in crumbs if (path := levels_of(page, _of_node(page, node), titles, shops))]
    best_stated = max(stated, key=len, default=[])
    if shown:
        weight, path = max(
            shown, key=lambda entry: (entry[0] + 0.8 * _agrees(entry[1], best_stated), -len(entry[1]))
        )
        if weight >= 1.5 or not best_stated or _agrees(path, best_stated) > 0.5:
            return path
    return best_stated


def _agrees(path: list[str], other: list[str]) -> float:
    if not path or not other:
        return 0.0
    folded = {fold(text) for text in other}
    return sum(fold(text) in folded for text in path) / max(len(path), len(other))


def _of_node(page: Page, node: Node) -> list[Crumb]:
    """The steps of a BreadcrumbList.

    Or of the older chain of Breadcrumb nodes, in the order of their positions.
    """
    steps: list[tuple[float, int, Crumb]] = []
    members = listed(node.get("itemlistelement")) or listed(node.get("child"))
    if not members and "breadcrumb" in node["@type"]:
        members = [inner for inner in walk(node) if "breadcrumb" in inner.get("@type", [])]
    for at, member in enumerate(members[: 2 * MOST_ITEMS]):
        if isinstance(member, dict):
            inner = next((item for item in listed(member.get("item")) if isinstance(item, dict)), {})
            name = next(
                iter(
                    words_of(member.get("name")) + words_of(inner.get("name")) + words_of(member.get("title"))
                ),
                "",
            )
            address = next(iter(words_of(member.get("item"), "@id", "url") + words_of(member.get("url"))), "")
            try:
                position = float(next(iter(words_of(member.get("position"))), at))
            except ValueError:
                position = float(at)
            steps.append((position, at, Crumb(name, page.absolute(address) if "/" in address else "")))
    steps.sort(key=lambda step: step[:2])
    return [crumb for _, _, crumb in steps if crumb.text]


def _in_markup(page: Page, zones: Zones, titles: list[str]) -> Iterator[tuple[float, list[Crumb]]]:
    """What looks like breadcrumbs, with a weight: by its name, by its label, by separators between links."""
    found = 0
    for at, element in enumerate(page.elements):
        if element.tag in _NEVER or element in zones.holders:
            continue
        named = page.marks(element)
        weight = 0.0
        kind = (element.get("itemtype") or element.get("typeof") or "").lower()
        if "breadcrumb" in kind and ("list" in kind or _holds_scoped(element)):
            weight = 2.6
        elif (marked(_MARKS, named) and not _inside_named(page, element)) or (
            element.get("aria-label") and _LABELLED.search(element.get("aria-label"))
        ):
            weight = 2.5
        if weight:
            steps = _steps(page, element)
            way = any(step.link for step in steps) or _SEPARATORS.search(text_of(element, 600))
            if way and _plausible(steps):
                yield weight - _late(zones, element, at), steps
                found += 1
        if found > 12:
            break
    for box, weight in (*_scoped_alone(page), *ways_from_home(page, titles, zones.heading)):
        steps = _steps(page, box)
        if _plausible(steps):
            yield weight - _late(zones, box, page.order[box]), steps
    for chain in chains(page, titles):
        yield 2.8, chain
    for run in runs(page, zones.heading):
        yield 1.3, run
    for box in filed(page):
        if zones.levels[page.order[box]] < ASIDE_ZONE and _plausible(steps := _steps(page, box)):
            yield 0.8, steps


def _plausible(steps: list[Crumb]) -> bool:
    return 0 < len(steps) <= MOST_ITEMS + 4 and sum(len(step.text) for step in steps) < 900


def _late(zones: Zones, element: Element, at: int) -> float:
    """What is taken from steps far behind the product's name, or in the foot of a page."""
    late = zones.heading is not None and at > zones.heading + 150
    return 1.5 if late or element.tag == "footer" or _in_footer(element) else 0.0


def _is_scoped(element: Element) -> bool:
    """Whether an element is one step of the older vocabularies, which have no list of steps."""
    kind = element.get("itemtype") or element.get("typeof")
    return bool(kind) and "breadcrumb" in kind.lower() and "list" not in kind.lower()


def _holds_scoped(element: Element) -> bool:
    """Whether one step of the older vocabularies holds the ones that follow, or all of them."""
    return len(list(islice(element.iter("a"), 3))) > 1


def _scoped_alone(page: Page) -> Iterator[tuple[Element, float]]:
    """What holds the steps of the older vocabularies, each of which stands for itself."""
    seen: set[Element] = set()
    for element in page.elements:
        if element.tag == "a" or not _is_scoped(element) or _holds_scoped(element):
            continue
        box = element.getparent()
        for wider in page.up(element, 4)[1:]:
            if not small(wider, 80):
                break
            if sum(_is_scoped(inner) for inner in wider.iter()) > sum(_is_scoped(i) for i in box.iter()):
                box = wider
        if box is not None and box not in seen and box.tag not in ("body", "html"):
            seen.add(box)
            yield box, 2.55


def _inside_named(page: Page, element: Element) -> bool:
    """Whether an element is only one step of breadcrumbs.

    What holds it is already called so and has links.
    """
    parent = element.getparent()
    if parent is None or parent.tag in ("body", "main") or not marked(_MARKS, page.marks(parent)):
        return False
    return len(list(islice(parent.iter("a"), 30))) > len(list(islice(element.iter("a"), 30)))


def _in_footer(element: Element) -> bool:
    return element.tag == "footer" or any(one.tag == "footer" for one in element.iterancestors())


def _steps(page: Page, element: Element) -> list[Crumb]:
    """The steps that an element shows: every link is one, and so is text between separators."""
    steps: list[Crumb] = []
    if not len(element):
        return [Crumb(bare(piece)) for piece in _SEPARATORS.split(text_of(element, 600)) if bare(piece)]
    _collect(page, element, steps, 0)
    return [step for step in steps if step.text or step.link]


def _collect(page: Page, element: Element, steps: list[Crumb], deep: int) -> None:
    if deep > 12 or len(steps) > 3 * MOST_ITEMS:
        return
    before = len(steps)
    _own_text(element.text, steps)
    for child in element:
        tag = child.tag
        if tag == "a":
            text = (
                text_of(child, 400)
                or clean(child.get("title") or child.get("aria-label") or "")
                or _picture(child)
            )
            if not _crossed(child) and (child.get("href") or "").strip() != "#":
                steps.append(Crumb(bare(text), child.get("href") or "", _marked(page, child)))
            elif not _crossed(child) and tag == "a" and not _CHAT.search(page.marks(child)):
                steps.append(Crumb(bare(text), "", _marked(page, child)))
        elif tag in _NO_STEPS or _crossed(child) or _SIGNS.search(child.get("class") or ""):
            pass
        elif deep and len(steps) > before and (_MENU.search(page.marks(child)) or tag in ("ul", "ol")):
            pass  # what else there is beside a step
        elif tag in ("li", "span", "strong", "b", "em", "p", "dd", "bdi") and not any(
            True for _ in child.iter("a", "li")
        ):
            text = bare(text_of(child, 400))
            pieces = _STRONG.split(text) if _STRONG.search(text) else [text]
            steps += [Crumb(bare(piece), "", _marked(page, child)) for piece in pieces if bare(piece)]
        else:
            _collect(page, child, steps, deep + 1)
        _own_text(child.tail, steps)


def _own_text(text: str | None, steps: list[Crumb]) -> None:
    """Text between links: split where its first separator stands again, and at arrows."""
    text = clean((text or "")[:1_000])
    if not fold(text):
        return
    edge = _SEPARATORS.match(text)
    mark = edge.group().strip() if edge else ""
    for whole in _STRONG.split(text):
        pieces = whole.split(f" {mark} ") if mark and mark not in "-–—" else [whole]
        steps += [Crumb(bare(piece)) for piece in pieces if bare(piece)]


def _crossed(element: Element) -> bool:
    """Whether an element is not to be seen."""
    marks = f"{element.get('class') or ''} {element.get('style') or ''}".lower()
    return element.get("hidden") is not None or bool(
        re.search(r"displaynone|display\s*:\s*none|\bd-none\b(?! d-)", marks)
    )


def _marked(page: Page, element: Element) -> bool:
    return element.get("aria-current") is not None or bool(_CURRENT.search(page.marks(element)))


def _picture(link: Element) -> str:
    return next((clean(image.get("alt")) for image in link.iter("img") if image.get("alt")), "")
