"""Brand: who makes the product."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.products import Facts
from shelfwise.collect.state import StateProduct
from shelfwise.collect.vocabulary import BRAND, NO_BRAND
from shelfwise.collect.wording import clean, fold, marked, same
from shelfwise.collect.zones import ASIDE_ZONE, Zones

_MARKS = re.compile(
    r"(?:^|[\s_-])(?:product|prod|item|pdp|p|detail|info)?[-_]?(?:brand|brandname|manufacturer|vendor|"
    r"marke|marque|marca|"
    r"supplier|hersteller|merk|marka|znacka|byline|bylineinfo|designer|producer)s?(?:[\s_-]|$)|productbrand|"
    r"brandlogo|brand_|_brand|"
    r"divmarka|manufacturers|info_brand|brand-?(?:name|link|title|picture)"
)
_NOT = re.compile(
    r"navbar-?brand|brand-?(?:list|slider|menu|carousel|grid)|branding|site-?brand|"
    r"(?<!product)(?<!product[-_])(?<!pdp[-_])(?<!title[-_])header|footer|"
    r"filter|vendor-?css"
)
_LINK = re.compile(
    r"/(?:brands?|marken?|marques?|marcas?|hersteller|manufacturers?|vendors?|merken|merk|producent|"
    r"producer|vyrobc[ei]|znacka|"
    r"znacky|brend|brendy|fabricantes?|fabricant|brandstore|stores?|b|firm|designers?|proizvoditel|"
    r"info/brands|producator|marki)"
    r"[/=-]|manufacturer(?:s_id)?=|/collections/vendors|[?&](?:brand|marke|vendor|manufacturer)=|"
    r"/firm-|/c/brands?/"
)
_NOISE = re.compile(
    r"^(?:besuche?n? (?:sie )?den |visit the |visiter la boutique |visita (?:la tienda|"
    r"lo store) (?:de |di )?|"
    r"bezoek de |by |von |de la marque |brand|marke|marque|marca|merk|varumärke|бренд|производитель|"
    r"hersteller|manufacturer|vendor|"
    r"weitere artikel von |mehr von |more from |alle artikel von |alles von |"
    r"voir tous les produits (?:de )?|"
    r"shop all |see all |view all |explore |discover |odwiedź sklep |gå till |besök )\s*[:：]?\s*|"
    r"\s*(?:-?store|-?shop|besuchen|logo)$",
    re.IGNORECASE,
)
_LABELS = frozenset(word for word in BRAND if len(word.split()) == 1 and not word.isascii())
"""Labels that no brand begins with: `品牌名稱 象印`; `Label` and `Marke` begin some."""
_BY = re.compile(
    r"^(?:[bB]y|von|de la marque|par|de marca|da marca|della marca|van|door|av|af|przez|marki|od|от|від|"
    r"från)\s+"
    r"([^\W\d_a-zà-ÿ][^|:]{1,40})$"
)
_BY_WORDS = "by von de par da della van door av af przez marki od от від från"
_BY_FIRST = frozenset(_BY_WORDS.split())
_PAIR = re.compile(r"^\s*([^:：]{2,40}?)\s*[:：]\s*(.{1,60}?)\s*$")
_LONGEST = 60


def find_brand(
    page: Page,
    zones: Zones,
    facts: Facts,
    state: list[StateProduct],
    context: tuple[str, list[str], dict[str, str]],
) -> str:
    """The product's brand, or nothing.

    Structured data first, then what the page shows beside a label (*Marke*, *ブランド*) or in a brand's own
    element or link, then embedded state. Fillers (*Generic*) do not count; the shop's own name counts when
    more than one source says so, or the name of the product begins with it.

    Args:
        page: the page.
        zones: which parts are the product's.
        facts: what structured data says of the product.
        state: what embedded state says of it.
        context: the title, what the shop may be called, and the attributes that the page lists.

    """
    title, shops, attributes = context
    candidates: list[tuple[str, float]] = []
    candidates += [(text, 3.0) for text in facts.words("brand")]
    candidates += [
        (text, 2.9)
        for text in page.said("product:brand", "og:brand", "brand", "product.brand", "twitter:brand")
    ]
    candidates += [(value, 2.8) for label, value in attributes.items() if fold(label) in BRAND]
    candidates += [(text, 2.4) for text in facts.words("manufacturer")]
    candidates += [(product.brand, 2.3) for product in state if product.brand]
    candidates += _shown(page, zones)
    candidates += _listed(page, title)
    candidates += [] if candidates else _in_heading(page, zones)
    scores: dict[str, float] = defaultdict(float)
    spelled: dict[str, str] = {}
    votes: Counter[str] = Counter()
    for text, weight in candidates:
        name = _bare(text)
        key = fold(name).replace(" ", "")
        if (
            not key
            or fold(name) in NO_BRAND
            or len(name) > _LONGEST
            or _is_address(name)
            or same(name, title)
        ):
            continue
        spelled.setdefault(key, name)
        votes[key] += 1
        scores[key] = max(scores[key], weight) + (0.4 if scores[key] else 0)
    for key, name in spelled.items():
        if _begins(title, name):
            scores[key] += 0.6
        if any(same(name, shop) for shop in shops) and votes[key] < 2 and not _begins(title, name):
            scores[key] -= 1.3
    best = max(scores, key=lambda key: scores[key], default="")
    return spelled[best] if best and scores[best] >= 1.0 else ""


def _bare(text: str) -> str:
    name = clean(text)
    first, _, rest = name.partition(" ")
    if rest and fold(first) in _LABELS:
        name = rest
    for _ in range(2):
        name = _NOISE.sub("", name).strip(" :：-–|®™")
    return name


def _is_address(name: str) -> bool:
    return name.startswith(("http:", "https:", "/", "#")) or "@" in name or not re.search(r"[^\W\d_]", name)


def _begins(title: str, name: str) -> bool:
    words = fold(name)
    return bool(words) and f" {fold(title)} ".find(f" {words} ") >= 0


def _shown(page: Page, zones: Zones) -> list[tuple[str, float]]:
    """Brands in elements that are called so, beside a label, or behind a link to a brand's page."""
    found: list[tuple[str, float]] = []
    for at, element in enumerate(page.elements):
        if (
            element in zones.holders
        ):  # what is called so is not all that holds the heading; labels in it count
            found += _labelled(element)
            continue
        if zones.levels[at] >= ASIDE_ZONE or element.tag in ("meta", "link", "input", "option"):
            continue
        near = zones.heading is None or -80 < at - zones.heading < 400
        marks = page.marks(element)
        if near and marks and marked(_MARKS, marks) and not marked(_NOT, marks):
            name = _name_in(element)
            if name:
                found.append((name, 2.0))
        if near and element.tag == "a" and _LINK.search(_path(element)):
            name = _name_in(element)
            if name:
                found.append((name, 1.7))
        found += _labelled(element)
        if (
            zones.heading is not None
            and -12 <= at - zones.heading <= 25
            and _first_word(element) in _BY_FIRST
        ):
            line = _BY.match(text_of(element, 80))
            if line:
                found.append((line.group(1), 1.6))
        if len(found) > 60:
            break
    return found


def _first_word(element: Element) -> str:
    return next(iter((element.text or "")[:40].split()), "").lower()


def _in_heading(page: Page, zones: Zones) -> list[tuple[str, float]]:
    """What the heading begins with, in an element of its own: `<h1><strong>Lux</strong> Red Lamp</h1>`."""
    heading = page.elements[zones.heading] if zones.heading is not None else None
    if heading is None or len(heading) < 2 or (heading.text or "").strip() or (heading[0].tail or "").strip():
        return []
    first = heading[0]
    name, whole = text_of(first, 60), text_of(heading, 300)
    if first.tag not in ("strong", "b", "a", "span") or not 0 < len(name.split()) < 4 or name[0].islower():
        return []
    return [(name, 1.1)] if whole.startswith(name) and len(whole) > len(name) + 3 else []


def _path(link: Element) -> str:
    """Path and query of a link as written, lower case."""
    address = (link.get("href") or "").lower().split("#")[0]
    return re.sub(r"^(?:https?:)?//[^/]*", "", address)


def _name_in(element: Element) -> str:
    """A short name in an element: its text, else the words of its picture or its title."""
    text = text_of(element, 200)
    pair = _PAIR.match(text)
    if pair:
        return pair.group(2) if fold(pair.group(1)) in BRAND else ""
    if not text:
        texts = [image.get(name) for image in element.iter("img") for name in ("alt", "title")] + [
            element.get("title")
        ]
        text = next((clean(one) for one in texts if one), "")
    return text if 0 < len(text) <= _LONGEST and len(text.split()) <= 6 else ""


def _labelled(element: Element) -> list[tuple[str, float]]:
    """A brand right behind its label.

    `Producător: <a>Shimano</a>`, `Manufactured by: Wick`, `<b>Brand</b> Wick`.
    """
    found = []
    for text, holder in ((element.text, element), *((child.tail, child) for child in element)):
        if not text or len(text) > 400:
            continue
        text = clean(text)
        if not 2 < len(text) < 100:
            continue
        pair = _PAIR.match(text)
        if pair and fold(pair.group(1)) in BRAND and fold(pair.group(2)):
            found.append((pair.group(2), 2.2))
        elif fold(text) in BRAND:
            following = _following(element, holder)
            if following:
                found.append((following, 2.3 if text.rstrip().endswith((":", "：")) else 1.9))
    return found


def _following(element: Element, holder: Element) -> str:
    """The next short text after a label: behind it in its element, or in the one after."""
    first = (
        element[0]
        if holder is element and len(element)
        else holder.getnext()
        if holder is not element
        else None
    )
    if holder is element and not len(element):
        tail = clean(element.tail or "").lstrip(":： ")
        if tail:
            return tail if len(tail) <= _LONGEST else ""
        current = element
        for _ in range(3):
            first = current.getnext()
            if first is not None:
                break
            current = current.getparent()
            if current is None:
                return ""
    for _ in range(3):
        if first is None:
            return ""
        text = text_of(first, 200)
        if fold(text):
            return text if len(text) <= _LONGEST else ""
        first = first.getnext()
    return ""


def _listed(page: Page, title: str) -> list[tuple[str, float]]:
    """Brands in the shop's own lists of brands that the product's name begins with."""
    beginning = fold(title)
    found = []
    for link in page.root.iter("a"):
        if _LINK.search(_path(link)):
            name = text_of(link, 80)
            if len(fold(name)) > 2 and f"{beginning} ".startswith(f"{fold(name)} "):
                found.append((name, 1.2))
    return sorted(found, key=lambda entry: -len(entry[0]))[:1]
