"""Pictures: addresses of the product's pictures, the main one first."""

from __future__ import annotations

import json
import re
from itertools import islice
from urllib.parse import unquote, urlsplit

from shelfwise.collect.page import Element, Page
from shelfwise.collect.structured import Node, listed
from shelfwise.collect.wording import alike, clean, marked
from shelfwise.collect.zones import ASIDE_ZONE, CLEAR, Zones

_NONE = re.compile(
    r"logo|placeholder|no[-_]?(?:image|photo|pic)|default[-_]?(?:image|share|og|product)?\.|"
    r"og[-_]default|share[-_](?:default|card|image|img)|"
    r"/share\.|social[-_]?(?:share|image)|sprite|pixel|spacer|blank\.|transparent|loading|spinner|"
    r"favicon|icon|badge|payment|visa|"
    r"mastercard|paypal|klarna|trustpilot|\bstars?\b|rating|flag[-_/]|/flags/|banner|avatar|basket|"
    r"/cart\.|btn[-_]|button|captcha|"
    r"arrow|og[-_]?image\.(?:png|jpe?g)|opengraph|fallback|dummy|coming[-_]soon|brand[-_]?logo|"
    r"qr[-_]?code|1x1|ghost|watermark|fb[-_]share",
    re.IGNORECASE,
)
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
_SIZES = re.compile(r"[-_/.](\d{2,4})x(\d{2,4})?(?!\d)")
_ONLY_SIZE = re.compile(r"\d{2,4}x\d{2,4}$|(?:file|original|large|full)$")
_ZOOMED = ("data-zoom-image", "data-large_image", "data-zoom-src", "data-zoom", "data-old-hires",
           "data-img-large", "data-large",
           "data-full", "data-original", "data-image", "data-magnifier-src",
           "data-hires", "data-big")  # fmt: skip
_CARRIED = frozenset(_ZOOMED[:8])
_LAZY = ("data-src", "data-lazy", "data-lazy-src", "data-original", "data-ll-src", "data-echo", "data-image")
_CARRIERS = frozenset(("a", "span", "div", "figure", "link"))
_PAINTED = re.compile(r"background(?:-image)?\s*:[^;(]{0,40}url\(\s*['\"]?([^'\")]{4,500})")
_FILE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:[?#@!_].*)?$", re.IGNORECASE)
_MOST = 30


def find_pictures(page: Page, zones: Zones, products: list[Node], state: list[str], title: str) -> list[str]:
    """The addresses, absolute, the main picture first.

    Structured data first; then the page's own picture for sharing, unless it is one of the whole shop; then
    what the product's part of the page shows, large and well named ones first; then embedded state.
    """
    shown = _shown(page, zones, title)
    stated = [address for node in products for address in addresses(page, node.get("image"))]
    stated = [address for address in stated if _is_picture(address)]
    shared = [
        page.absolute(text)
        for text in page.said(
            "og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"
        )
    ]
    linked = [page.absolute(link.get("href")) for link in page.root.iter("link")
              if (link.get("rel") or "").lower() == "image_src" or _preloads(link)]  # fmt: skip
    shared = [address for address in shared if address and _is_picture(address)]
    told = [page.absolute(address) for address in state]
    if not stated and shared and shown and not _of_product(shared[0], shown, told):
        shared = _trusted(page, shared, title)
    elif not stated and shared:
        shared = _secured(shared)
    elif stated and shared and _stem(stated[0]) == _stem(shared[0]) and _is_small(stated[0]):
        stated = [shared[0], *stated]  # the same picture, larger
    order = [*stated, *shared, *[address for address in told if not shown], *shown, *told, *linked]
    found = list(dict.fromkeys(address for address in order if address and _is_picture(address)))
    return found[:_MOST]


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


def _is_picture(address: str) -> bool:
    """Whether an address may be of a product's picture: no logo, placeholder, icon or page."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    if path in ("", "/") or path.lower().endswith(
        (".svg", ".ico", ".html", ".php", ".js", ".css", ".mp4", ".pdf", ".webm")
    ):
        return False
    tail = "/".join(path.split("/")[-2:])
    return not _NONE.search(tail)


def _is_small(address: str) -> bool:
    sizes = [int(size) for pair in _SIZES.findall(address) for size in pair if size]
    return bool(sizes) and max(sizes) < 400


def _secured(shared: list[str]) -> list[str]:
    """Of two addresses that differ only in http and https, one."""
    seen: dict[str, str] = {}
    for address in shared:
        key = re.sub(r"^https?:", "", address)
        if key not in seen or address.startswith("https:"):
            seen.setdefault(key, address)
            seen[key] = address if address.startswith("https:") else seen[key]
    return list(seen.values())


def _stem(address: str) -> str:
    """The name of a picture's file without sizes: the same for its small and large versions."""
    name = unquote(urlsplit(address).path).rsplit("/", 1)[-1].lower()
    name = re.sub(r"\.(?:jpe?g|png|webp|avif|gif)$", "", name)
    if _ONLY_SIZE.match(name):  # `photos/4711/550x536.jpg`
        name = "/".join(urlsplit(address).path.split("/")[-3:-1])
    return re.sub(
        r"[-_.@](?:\d{2,4}x\d{0,4}|\d{2,4}w|small|large|medium|grande|master|thumb|big|orig\w*|"
        r"\d{1,2}x|s-l\d+|[wh]_?\d{2,4})+",
        "",
        name,
    )


def _of_product(address: str, shown: list[str], told: list[str]) -> bool:
    """Whether the picture for sharing is one of those that the product's part shows, in whatever size."""
    stem = _stem(address)
    others = {_stem(other) for other in [*shown, *told]}
    if not stem or stem in others:
        return True
    if any(len(other) > 5 and (other in stem or stem in other) and len(stem) > 5 for other in others):
        return True
    return any(_folder(address) == _folder(other) for other in [*shown, *told])


def _folder(address: str) -> str:
    """The part of a path that is a number or a key of its own: `/products/112/375/` and the like."""
    pieces = [
        piece for piece in urlsplit(address).path.split("/")[:-1] if re.search(r"\d{3,}|[0-9a-f]{8,}", piece)
    ]
    return "/".join(pieces[-2:]) or address


def _trusted(page: Page, shared: list[str], title: str) -> list[str]:
    """A picture for sharing that none of the shown ones confirms: only if it is named like the product."""
    types = " ".join(page.said("og:type"))
    names = [re.sub(r"[^\w]+|_", " ", _stem(address)) for address in shared]
    return [
        address
        for address, name in zip(shared, names, strict=True)
        if alike(name, title) > 0.3 or "product" in types
    ]


def _preloads(link: Element) -> bool:
    return (link.get("rel") or "").lower() == "preload" and (link.get("as") or "").lower() == "image"


def _shown(page: Page, zones: Zones, title: str) -> list[str]:
    """Pictures that the product's part of the page shows, the likeliest first."""
    found: list[tuple[float, int, str]] = []
    for at, element in enumerate(page.elements):
        painted = element.tag != "img" and "url(" in (element.get("style") or "")
        if element.tag != "img" and not painted and not (element.tag in _CARRIERS and _carries(element)):
            continue
        if zones.levels[at] >= ASIDE_ZONE or (element.tag == "link" and element.get("itemprop") != "image"):
            continue
        address = _best(page, element)
        if not address or not _is_picture(address):
            continue
        score = _score(page, zones, element, at, title)
        if score > 0:
            found.append((score, at, address))
        if len(found) > 300:
            break
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    unique: dict[str, str] = {}
    for _, _, address in found:
        unique.setdefault(_stem(address) or address, address)
    return list(unique.values())


def _carries(element: Element) -> bool:
    return not _CARRIED.isdisjoint(element.keys()) and any(element.get(name) for name in _CARRIED)


def _score(page: Page, zones: Zones, element: Element, at: int, title: str) -> float:
    score = 1.0
    marks = " ".join(page.marks(near) for near in page.up(element, 4) if near not in zones.holders)
    if marked(_GALLERY, marks):
        score += 1.5
    if _THUMB.search(page.marks(element)):
        score -= 0.8
    if _FURTHER.search(marks):
        score -= 1.0
    sizes = [int(size) for pair in _SIZES.findall(_best(page, element)) for size in pair if size]
    if sizes:
        score += 0.5 if max(sizes) >= 400 else -1.2 if max(sizes) < 160 else 0
    if (element.get("itemprop") or "").lower() == "image":
        score += 1.5
    words = clean(element.get("alt") or element.get("title") or "")
    if words:
        score += 2.0 * alike(words, title) + (0.3 if title.startswith(words) else 0)
    if _ZOOMED and any(element.get(name) for name in _ZOOMED):
        score += 0.8
    if zones.levels[at] != CLEAR:
        score -= 0.4
    if zones.heading is not None:
        score -= min(2.0, abs(at - zones.heading) / 150)
    return score + _by_size(element) + _by_link(page, element)


def _by_size(element: Element) -> float:
    score = 0.0
    for side in ("width", "height"):
        size = re.match(r"\d+", element.get(side) or "")
        if size:
            score += (
                -2.5
                if int(size.group()) < 40
                else -1.0
                if int(size.group()) < 100
                else 0.4
                if int(size.group()) >= 250
                else 0
            )
    return score


def _by_link(page: Page, element: Element) -> float:
    """A picture that opens a larger one is the product's; one that leads to another page is not."""
    link = next((near for near in page.up(element, 3) if near.tag == "a"), None)
    if link is not None and link.get("href"):
        if _FILE.search(link.get("href")):
            return 1.0
        elif not page.leads_here(link.get("href")):
            return -2.5
    return 0.0


def _best(page: Page, element: Element) -> str:
    """The address of the largest version of a picture that the element itself shows.

    Then of what it opens.
    """
    candidates: list[str] = []
    for name in ("src", "content", *_LAZY):
        value = element.get(name) or ""
        if (
            value
            and not value.startswith("data:")
            and (name != "content" or "/" in value)
            and element.tag != "a"
        ):
            candidates.append(value)
    opened = element.getparent() if element.tag == "img" else None
    if opened is not None and opened.tag == "a" and _FILE.search(opened.get("href") or ""):
        candidates.insert(0, opened.get("href"))
    candidates += [element.get(name) for name in _ZOOMED if element.get(name) and "/" in element.get(name)]
    painted = _PAINTED.search(element.get("style") or "") if element.tag != "img" else None
    if painted:
        candidates.append(painted.group(1))
    if element.get("href") and element.tag == "link":
        candidates.insert(0, element.get("href"))
    sources = [element.get("srcset") or "", element.get("data-srcset") or ""]
    frame = next((near for near in islice(element.iterancestors(), 4) if near.tag == "picture"), None)
    if frame is not None:
        sources += [one.get("srcset") or one.get("data-srcset") or "" for one in frame.iter("source")]
    for source in sources:
        largest = _largest(source)
        if largest:
            candidates.append(largest)
    dynamic = element.get("data-a-dynamic-image")
    zoomed = element.get("data-old-hires")
    if zoomed:
        candidates.insert(0, zoomed)
    elif dynamic:
        candidates.insert(0, _dynamic(dynamic))
    return next((full for text in candidates if (full := page.absolute(text)) and _is_picture(full)), "")


def _dynamic(text: str) -> str:
    try:
        sizes = json.loads(text)
    except ValueError:
        return ""
    return (
        max(sizes, key=lambda key: sum(n for n in listed(sizes[key]) if isinstance(n, int)), default="")
        if isinstance(sizes, dict)
        else ""
    )


def _largest(srcset: str) -> str:
    """The address of a srcset with the largest width or density."""
    best, size = "", -1.0
    for match in re.finditer(r"(\S*[^\s,])(?:\s+(\d{1,5}(?:\.\d+)?)([wx]))?\s*(?:,|$)", srcset[:20_000]):
        value = float(match.group(2) or 1) * (1 if match.group(3) == "w" else 100)
        if match.group(1) and value > size and not match.group(1).startswith("data:"):
            best, size = match.group(1), value
    return best
