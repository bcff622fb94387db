"""Files of pictures: which addresses may be a product's, which are the same in other sizes, which is best."""

from __future__ import annotations

import json
import re
from itertools import islice
from urllib.parse import unquote, urlsplit

from shelfwise.collect.page import Element, Page
from shelfwise.collect.structured import listed

_NONE = re.compile(
    r"logo|placeholder|no[-_]?(?:image|photo|pic)|default[-_]?(?:image|share|og|product)?\.|"
    r"og[-_]default|share[-_](?:default|card|image|img)|"
    r"/share\.|social[-_]?(?:share|image)|sprite|pixel|spacer|blank\.|transparent|loading|spinner|"
    r"favicon|icon|badge|payment|visa|"
    r"mastercard|paypal|klarna|trustpilot|\bstars?\b|rating|flag[-_/]|/flags/|banner|avatar|basket|"
    r"/cart\.|btn[-_]|button|captcha|"
    r"arrow|og[-_]?image\.(?:png|jpe?g)|opengraph|fallback|dummy|coming[-_]soon|brand[-_]?logo|"
    r"qr[-_]?code|1x1|ghost|watermark|fb[-_]share|[-_]social\.|energ(?:y|ie)[-_]?(?:label|class|klasse)",
    re.IGNORECASE,
)
FILE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:[?#@!_].*)?$", re.IGNORECASE | re.DOTALL)
_SIZES = re.compile(r"[-_/.](\d{2,4})x(\d{2,4})?(?!\d)")
_SIDES = re.compile(r"(?:^|[,/_?&-])(?:[wh]|width|height|imwidth|s[wh]|wid|hei|size)[_=](\d{2,4})(?!\d)")
_ONLY_SIZE = re.compile(r"\d{2,4}x\d{2,4}$|(?:file|original|large|full)$")
_ZOOMED = ("data-zoom-image", "data-large_image", "data-zoom-src", "data-zoom", "data-old-hires",
           "data-img-large", "data-large",
           "data-full", "data-original", "data-image", "data-magnifier-src",
           "data-hires", "data-big")  # fmt: skip
_LAZY = ("data-src", "data-lazy", "data-lazy-src", "data-original", "data-ll-src", "data-echo", "data-image")
_SETS = ("srcset", "data-srcset", "data-lazy-srcset", "data-bgset")
_CARRIED = frozenset((*_ZOOMED[:8], "data-bgset", "data-bg", "data-background-image"))
_CARRIERS = frozenset(("a", "span", "div", "figure", "link"))
_PAINTED = re.compile(r"background(?:-image)?\s*:[^;(]{0,40}url\(\s*['\"]?([^'\")]{4,500})")
_PLAIN = frozenset(("src", "href", "srcset", "alt", "title", "class", "id", "style", "sizes"))
_BLANK = re.compile(r"\{[^{}/]{0,30}\}")  # `lamp_{width}x.jpg`, for a script to fill in


def is_picture(address: str) -> bool:
    """Whether an address may be of a product's picture: no logo, placeholder, icon or page."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    if path in ("", "/") or path.lower().endswith(
        (".svg", ".ico", ".html", ".php", ".js", ".css", ".mp4", ".pdf", ".webm")
    ):
        return False
    tail = "/".join(path.split("/")[-2:])
    return not _NONE.search(tail)


def sizes_of(address: str) -> list[int]:
    """The pixels that an address names: `lamp_300x300.jpg`, `w_300,h_300/lamp.jpg`, `lamp.jpg?width=300`."""
    pairs = [*_SIZES.findall(address), *_SIDES.findall(address)]
    return [int(size) for pair in pairs for size in ([pair] if isinstance(pair, str) else pair) if size]


def is_small(address: str) -> bool:
    """Whether an address says that its picture is a small one."""
    sizes = sizes_of(address)
    return bool(sizes) and max(sizes) < 400


def stem(address: str) -> str:
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


def folder(address: str) -> str:
    """The part of a path that is a number or a key of its own: `/products/112/375/` and the like."""
    pieces = [
        piece for piece in urlsplit(address).path.split("/")[:-1] if re.search(r"\d{3,}|[0-9a-f]{8,}", piece)
    ]
    return "/".join(pieces[-2:]) or address


def shows(element: Element) -> bool:
    """Whether an element may show a picture: as one, painted behind it, or for a script to put there."""
    if element.tag == "img" or "url(" in (element.get("style") or ""):
        return True
    return element.tag in _CARRIERS and any(element.get(name) for name in _CARRIED & set(element.keys()))


def is_zoomed(element: Element) -> bool:
    """Whether an element names a larger version of its picture."""
    return any(element.get(name) for name in _ZOOMED)


def best(page: Page, element: Element) -> str:
    """The address of the largest version of a picture that the element itself shows.

    Then of what it opens. One that says it is small comes after all others.
    """
    found = [
        full
        for text in _candidates(element)
        if (full := page.absolute(_filled(element, text))) and is_picture(full)
    ]
    return next((full for full in found if not is_small(full)), next(iter(found), ""))


def _candidates(element: Element) -> list[str]:
    """All addresses that an element has for its picture, in the order of trust."""
    found: list[str] = []
    if element.tag != "a":
        names = ("src", "content", *_LAZY)
        if ".gif" in (element.get("src") or ""):  # a wheel that turns until a script puts the picture there
            names = (*_LAZY, "content", "src")
        found += [
            text
            for name in names
            if (text := element.get(name) or "")
            and not text.startswith("data:")
            and (name != "content" or "/" in text)
        ]
    opened = element.getparent() if element.tag == "img" else None
    if opened is not None and opened.tag == "a" and FILE.search(opened.get("href") or ""):
        found.insert(0, opened.get("href"))
    found += [element.get(name) for name in _ZOOMED if element.get(name) and "/" in element.get(name)]
    painted = _PAINTED.search(element.get("style") or "") if element.tag != "img" else None
    if painted:
        found.append(painted.group(1))
    if element.get("href") and element.tag == "link":
        found.insert(0, element.get("href"))
    sources = [element.get(name) or "" for name in _SETS]
    frame = next((near for near in islice(element.iterancestors(), 4) if near.tag == "picture"), None)
    if frame is not None:
        sources += [one.get("srcset") or one.get("data-srcset") or "" for one in frame.iter("source")]
    found += [text for source in sources if (text := largest(source))]
    holders = [element] if opened is None or opened.tag != "a" else [element, opened]
    found += [text for one in holders for name, text in one.items() if name not in _PLAIN and _is_file(text)]
    if element.get("data-old-hires"):
        found.insert(0, element.get("data-old-hires"))
    elif element.get("data-a-dynamic-image"):
        found.insert(0, _dynamic(element.get("data-a-dynamic-image")))
    return [text for text in found if text]


def _is_file(text: str) -> bool:
    return len(text) < 2_000 and "/" in text and not re.search(r"[\s,]", text) and bool(FILE.search(text))


def _filled(element: Element, text: str) -> str:
    """An address with its blank filled in: the largest of the widths that the element lists."""
    if "{" not in text:
        return text
    widths = re.findall(r"\d{2,4}", element.get("data-widths") or "")
    return _BLANK.sub(max(widths, key=int, default="1024"), text)


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


def largest(srcset: str) -> str:
    """The address of a srcset with the largest width or density."""
    found, size = "", -1.0
    for match in re.finditer(
        r"(?<![^\s,|\[])(\S{0,2000}[^\s,|])(?:\s+(\d{1,5}(?:\.\d+)?)([wx]))?\s*(?:,|\||\[|$)",
        srcset[:8_000],
    ):
        value = float(match.group(2) or 1) * (1 if match.group(3) == "w" else 100)
        if match.group(1) and value > size and not match.group(1).startswith("data:"):
            found, size = match.group(1), value
    return found
