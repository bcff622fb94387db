"""Pictures: addresses of the product's pictures, the main one first."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from shelfwise.collect.levels import is_root
from shelfwise.collect.page import Element, Page
from shelfwise.collect.picture_files import (
    FILE,
    best,
    folder,
    is_picture,
    is_small,
    is_zoomed,
    largest,
    shows,
    sizes_of,
    stem,
)
from shelfwise.collect.structured import Node, listed
from shelfwise.collect.wording import alike, clean, marked
from shelfwise.collect.zones import ASIDE_ZONE, CLEAR, Zones

_GALLERY = re.compile(
    r"galler|product[-_ ]?(?:image|img|photo|picture|media|cover)|main[-_]?(?:image|img|photo|picture)|"
    r"zoom|image[-_ ]?(?:main|viewer|slider|"
    r"container|wrapper)|primary[-_]?image|big[-_]?image|bigimage|detail[-_]?(?:image|img|picture)|"
    r"booth|pdp[-_]?(?:image|media)|photo|"
    r"fancybox|swiper-slide|carousel-item|picture|landingimage|imgtag|main-slider|item_?img|itemimg|"
    r"visuel|imagen|bild|foto|media|image"
)
_THUMB = re.compile(r"thumb|small|mini|vignette|swatch|xs\b|tiny|preview")
_FURTHER = re.compile(r"additional|more-?views|alternat|secondary|further|thumbs|thumbnails?-|cloned|clone\b")
_STUCK_ON = re.compile(
    r"(?:^|[\s_-])(?:onsale|badges?|stickers?|ribbons?|product-labels?|pr-label|seals?|warranty|guarantee|"
    r"trust|usps?|brand|manufacturer|supplier|vendor|energy-?label|eprel|tag[-_]img)(?:[\s\d_-]|$)"
)
_LOGO = re.compile(
    r"(?:^|(?<!with)(?<!has)(?<!\bno)[\s_-])(?:shop|site|header|main|store|company|nav|mobile)?[-_]*logo(?![a-z])"
)
_Kind = tuple[Element, str, str]
"""What holds a picture, its tag and its first class."""
_MOST, _STRONG, _LEAST, _MOST_OTHERS = 30, 2.4, -3.0, 80


@dataclass(frozen=True)
class _Others:
    """Pictures that are not the product's. shop: files of its logo. folders: of what else stands around."""

    shop: frozenset[str]
    folders: frozenset[str]


def find_pictures(page: Page, zones: Zones, products: list[Node], state: list[str], title: str) -> list[str]:
    """The addresses, absolute, the main picture first.

    Structured data first; then the page's own picture for sharing, unless it is one of the whole shop; then
    what the product's part of the page shows, large and well named ones first; then embedded state.
    """
    scored = _shown(page, zones, title)
    shown = [address for _, address in scored]
    others = _others(page, zones)
    told = [page.absolute(address) for address in state]
    stated = [address for node in products for address in addresses(page, node.get("image"))]
    stated = [one for one in stated if is_picture(one) and _file(one) not in others.shop]
    shared, doubtful = _shared(page, scored, (told, others), title), []
    if not stated and shared and shown and not _of_product(shared[0], (shown, told), others):
        doubtful = shared
        clear = scored[0][0] >= _STRONG and not is_small(shown[0])
        shared = _trusted(page, shared, title, clear)
    elif not stated and shared:
        shared = _secured(shared)
    elif stated and shared and stem(stated[0]) == stem(shared[0]) and is_small(stated[0]):
        stated = [shared[0], *stated]  # the same picture, larger
    order = [*stated, *shared, *[address for address in told if not shown], *shown, *told]
    order += [*_preloaded(page), *(doubtful if "product" in " ".join(page.said("og:type")) else [])]
    found = dict.fromkeys(one for one in order if one and is_picture(one) and _file(one) not in others.shop)
    return list(found)[:_MOST]


def addresses(page: Page, value: object, deep: int = 0) -> list[str]:
    """The addresses in an image property.

    Texts, lists of them, ImageObjects, texts that hold JSON or commas.
    """
    found: list[str] = []
    if deep > 4:
        return found
    for item in listed(value):
        if isinstance(item, dict):
            for key in ("contenturl", "url", "image", "@id", "src", "thumbnailurl", "thumbnail"):
                inner = addresses(page, item.get(key), deep + 1) if item.get(key) else []
                if inner:
                    found += inner
                    break
        elif isinstance(item, list):
            found += addresses(page, item, deep + 1)
        elif isinstance(item, str) and item.strip():
            text = clean(item)
            if text.startswith(("[", "{")):
                try:
                    found += addresses(page, json.loads(text), deep + 1)
                except ValueError:
                    continue
            elif re.search(r",\s*(?:https?:)?//", text):
                found += [page.absolute(part) for part in re.split(r",\s*(?=(?:https?:)?//)", text)]
            else:
                found.append(page.absolute(text))
    return [address for address in found if address]


def _shared(
    page: Page, scored: list[tuple[float, str]], known: tuple[list[str], _Others], title: str
) -> list[str]:
    """The pictures for sharing, without the shop's own; one that the page confirms before the first."""
    told, others = known
    texts = page.said("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
    found = [address for text in texts if (address := page.absolute(text)) and is_picture(address)]
    found = [address for address in found if _file(address) not in others.shop]
    stems = {stem(address) for _, address in scored} | {stem(address) for address in told}
    if found and stem(found[0]) not in stems and alike(_words(found[0]), title) <= 0.3:
        found.sort(key=lambda address: stem(address) not in stems)
    return found


def _preloaded(page: Page) -> list[str]:
    """Pictures that the page's head links to."""
    found = []
    for link in page.root.iter("link"):
        rel = (link.get("rel") or "").lower()
        if rel == "image_src":
            found.append(page.absolute(link.get("href")))
        elif rel == "preload" and (link.get("as") or "").lower() == "image":
            found.append(page.absolute(link.get("href") or largest(link.get("imagesrcset") or "")))
    return found


def _others(page: Page, zones: Zones) -> _Others:
    """The shop's logo, known by its name or by leading home, and folders of what stands around."""
    shop: set[str] = set()
    folders: set[str] = set()
    at_home = is_root(page, page.url)  # of a shop of one product
    for at, element in enumerate(page.elements):
        if element.tag != "img" or len(folders) > _MOST_OTHERS:
            continue
        near = page.up(element, 4)
        link = next((one for one in near if one.tag == "a"), None)
        logo = any(marked(_LOGO, page.marks(one)) for one in near[:3])
        href = "" if link is None else link.get("href") or ""
        logo = logo or (not at_home and not href.startswith("#") and is_root(page, href))
        if logo or zones.levels[at] >= ASIDE_ZONE:
            source = element.get("src") or element.get("data-src") or largest(element.get("srcset") or "")
            address = page.absolute(source)
            folders.add(folder(address))
            if logo and address:
                shop.add(_file(address))
    return _Others(frozenset(shop), frozenset(folders))


def _file(address: str) -> str:
    """An address without its scheme, and without the query where the path names a file."""
    parts = urlsplit(address)
    query = "" if FILE.search(parts.path) else parts.query
    return f"{parts.netloc}{parts.path}?{query}"


def _words(address: str) -> str:
    """The words in the name of a picture's file."""
    return re.sub(r"[^\w]+|_", " ", stem(address))


def _secured(shared: list[str]) -> list[str]:
    """Of two addresses that differ only in http and https, one."""
    seen: dict[str, str] = {}
    for address in shared:
        key = re.sub(r"^https?:", "", address)
        if key not in seen or address.startswith("https:"):
            seen.setdefault(key, address)
            seen[key] = address if address.startswith("https:") else seen[key]
    return list(seen.values())


def _of_product(address: str, known: tuple[list[str], list[str]], others: _Others) -> bool:
    """Whether the picture for sharing is one of those that the product's part shows, in whatever size."""
    name = stem(address)
    near = [*known[0], *known[1]]
    stems = {stem(other) for other in near}
    if not name or name in stems:
        return True
    if any(len(other) > 5 and (other in name or name in other) and len(name) > 5 for other in stems):
        return True
    own = folder(address)
    return own not in others.folders and any(own == folder(other) for other in near)


def _trusted(page: Page, shared: list[str], title: str, clear: bool) -> list[str]:
    """A picture for sharing that none of the shown ones confirms: only if it is named like the product.

    Or if the page is said to be a product's, unless what it shows is clearly that (`clear`).
    """
    typed = "product" in " ".join(page.said("og:type")) and not clear
    return [address for address in shared if typed or alike(_words(address), title) > 0.3]


def _shown(page: Page, zones: Zones, title: str) -> list[tuple[float, str]]:
    """Pictures that the product's part of the page shows, with how likely they are, the likeliest first.

    Far from the product's name they are less likely, but like pictures side by side are equally near: the
    first of them is the main one.
    """
    found: list[tuple[float, int, str, _Kind]] = []
    away: dict[_Kind, float] = {}
    for at, element in enumerate(page.elements):
        if not shows(element) or zones.levels[at] >= ASIDE_ZONE:
            continue
        address = best(page, element) if element.tag != "link" or element.get("itemprop") == "image" else ""
        if not address:
            continue
        score = _score(page, zones, element, at, title) + _by_size(element, address)
        key = (
            next(reversed(page.up(element, 4)), None),
            element.tag,
            (element.get("class") or "").split(" ")[0],
        )
        far = 0.0 if zones.heading is None else min(2.0, abs(at - zones.heading) / 150)
        away[key] = min(far, away.get(key, far))
        found.append((score, at, address, key))
        if len(found) > 300:
            break
    likely = [(score - away[key], at, address) for score, at, address, key in found]
    likely.sort(key=lambda entry: (-entry[0], entry[1]))
    least = 0.0 if likely and likely[0][0] > 0 else _LEAST  # of a page that shows nothing but small ones
    unique: dict[str, tuple[float, str]] = {}
    for score, _, address in likely:
        if score > least:
            unique.setdefault(stem(address) or address, (score, address))
    return list(unique.values())


def _score(page: Page, zones: Zones, element: Element, at: int, title: str) -> float:
    score = 1.0
    around = [near for near in page.up(element, 4) if near not in zones.holders]
    marks = " ".join(page.marks(near) for near in around)
    if marked(_GALLERY, marks):
        score += 1.5
    if _THUMB.search(page.marks(element)):
        score -= 0.8
    if _FURTHER.search(marks):
        score -= 1.0
    if any(marked(_STUCK_ON, page.marks(near)) for near in around[:3]):
        score -= 2.0
    if (element.get("itemprop") or "").lower() == "image":
        score += 1.5
    words = clean(element.get("alt") or element.get("title") or "")
    if words:
        score += 2.0 * alike(words, title) + (0.3 if title.startswith(words) else 0)
    if is_zoomed(element):
        score += 0.8
    if zones.levels[at] != CLEAR:
        score -= 0.4
    return score + _by_link(page, element)


def _by_size(element: Element, address: str) -> float:
    """What the sizes in a picture's address and in its element speak for."""
    sizes = sizes_of(address)
    score = (0.5 if max(sizes) >= 400 else -1.2 if max(sizes) < 160 else 0.0) if sizes else 0.0
    for side in ("width", "height"):
        size = re.match(r"\d+", element.get(side) or "")
        if size:
            pixels = int(size.group())
            score += -2.5 if pixels < 40 else -1.0 if pixels < 100 else 0.4 if pixels >= 250 else 0
    return score


def _by_link(page: Page, element: Element) -> float:
    """A picture that opens a larger one is the product's; one that leads to another page is not."""
    link = next((near for near in islice(page.up(element, 3), 3) if near.tag == "a"), None)
    if link is not None and link.get("href"):
        if FILE.search(link.get("href")):
            return 1.0
        if not page.leads_here(link.get("href")):
            return -2.5
    return 0.0
