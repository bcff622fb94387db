"""Links: what a page or a list says to a crawler: its own address, where it leads, and what it reserves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from lxml import etree, html

from shelfwise.collect.buttons import addresses_of, grows, is_more, next_in_script
from shelfwise.collect.page import tree_of
from shelfwise.collect.traps import absolute, is_paging
from shelfwise.collect.wording import clean

MOST = 2000  # links of a page
LARGEST_PIECE = 2_000_000  # characters
_MORE = (
    "data-next",
    "data-next-url",
    "data-next-page",
    "data-load-more",
    "data-more-url",
    "data-href",
    "data-url",
)
_MORE_NAMES = frozenset(_MORE)
_AGENTS = ("", "*", "shelfwise")
_NOTHING = frozenset(("noindex", "none", "noai"))
_CANONICAL = re.compile(r"<([^<>]*)>\s*;[^,]*\brel\s*=\s*\"?canonical\b", re.IGNORECASE)
_REFRESH = re.compile(r"^\s*\d+\s*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
_WAITING = re.compile(
    r"(?:…|\.\.\.|loading|laden|lädt|please wait|bitte warten|chargement)?[.…\s]*", re.IGNORECASE
)
_KEYS = re.compile(
    r"^(?:url|link|href|permalink|path|canonical|producturl|product_url|next|next_page|nextpage|more)$", re.I
)

_PARSER = {"encoding": "utf-8", "recover": True, "huge_tree": False, "remove_comments": True}


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page leads. paging: on to more of the same. weak: not vouched for."""

    url: str
    paging: bool = False
    weak: bool = False


@dataclass(frozen=True)
class Sight:
    """What a page says to a crawler.

    canonical: its own address, where it names one. opt_out: "noindex" or "tdm_reserved" where it may not be
    kept. follow: whether its links may be followed. hollow: a script has to fill it. button: more of a list
    is shown when a button is pressed, or the page scrolled, and nothing on it says where that comes from.
    """

    canonical: str | None = None
    links: tuple[Link, ...] = ()
    opt_out: str | None = None
    follow: bool = True
    hollow: bool = False
    button: bool = False


def look(body: bytes, url: str, headers: dict[str, str]) -> Sight:
    """Look at a page; `headers` by small names. Never raises on a page."""
    return look_at(tree_of(body, url), url, headers)


def look_at(root: Any, url: str, headers: dict[str, str]) -> Sight:  # noqa: ANN401 - lxml has no types
    """Look at a page whose tree is there (see `tree_of`)."""
    tokens = _header_tokens(headers.get("x-robots-tag", ""))
    reserved = headers.get("tdm-reservation", "").strip() == "1"
    found = _CANONICAL.search(headers.get("link", ""))
    canonical = absolute(found[1], url) if found else None
    base, refresh = url, None
    for element in root.iter("base"):
        base = absolute(element.get("href") or "", url) or url
        break
    for element in root.iter("meta"):
        name = (element.get("name") or element.get("http-equiv") or "").strip().lower()
        content = element.get("content") or ""
        if name in ("robots", "shelfwise"):
            tokens |= set(re.split(r"[\s,]+", content.lower()))
        elif name == "tdm-reservation":
            reserved = reserved or content.strip() == "1"
        elif name == "refresh" and (led := _REFRESH.match(content)):
            refresh = absolute(led[1], base)
    buttons = _buttons(root)
    links = dict.fromkeys((*_links(root, base), *_more(root, buttons, base)))
    for element in root.iter("link"):
        rel = (element.get("rel") or "").lower().split()
        if "canonical" in rel and canonical is None:
            canonical = absolute(element.get("href") or "", base)
    if refresh:
        links[Link(refresh)] = None
    follow = not tokens & {"nofollow", "none"}
    silent = not any(link.paging for link in links) and (bool(buttons) or grows(root))
    return Sight(canonical, tuple(links)[:MOST], _opt_out(tokens, reserved), follow, _hollow(root), silent)


def look_at_data(body: bytes, url: str) -> Sight:
    """Look at a list that is JSON: the addresses in it under names that say so."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sight()
    links: dict[Link, None] = {}
    for key, text in _texts(data):
        if _KEYS.match(key) and (text.startswith(("/", "http")) or "/" in text) and " " not in text:
            led = absolute(text, url)
            if led:
                links[Link(led, paging=key.lower().startswith(("next", "more")))] = None
        elif "<a " in text:  # a piece of a page
            links |= dict.fromkeys(_links_of_piece(text, url))
    return Sight(links=tuple(links)[:MOST])


def _links(root: Any, base: str) -> Iterator[Link]:  # noqa: ANN401 - lxml has no types
    for element in root.iter("a", "area", "link", "button", "div", "section"):
        if element.tag in ("a", "area", "link"):
            rel = (element.get("rel") or "").lower().split()
            if element.tag == "link" and "next" not in rel:
                continue
            led = absolute(element.get("href") or "", base)
            if led:
                yield Link(led, "next" in rel or is_paging(led), "nofollow" in rel)
        if _MORE_NAMES.isdisjoint(element.keys()):
            continue
        for name in _MORE[: 5 if element.tag in ("div", "section") else None]:
            text = element.get(name)
            if text and element.tag != "link" and text.startswith(("/", "http", "?")):
                led = absolute(text, base)
                if led:
                    yield Link(led, paging=True)


def _buttons(root: Any) -> list[Any]:  # noqa: ANN401
    """The buttons of a page that show more of a list."""
    tags = ("button", "a", "div", "span", "input")
    named = (one for one in root.iter(*tags) if one.tag not in ("div", "span") or one.get("role") == "button")
    plain = (one for one in named if (one.get("href") or "#").startswith(("#", "javascript:")))
    return [element for element in plain if is_more(element)]


def _more(root: Any, buttons: list[Any], base: str) -> Iterator[Link]:  # noqa: ANN401
    """Where more of a list comes from, as buttons and scripts of the page name it."""
    for element in buttons:
        yield from (Link(led, paging=True) for led in addresses_of(element, base))
    for script in root.iter("script"):
        yield from (Link(led, paging=True) for led in next_in_script(script.text or "", base))


def _links_of_piece(text: str, url: str) -> Iterator[Link]:
    """The links of a piece of a page that stands in an answer of JSON."""
    try:
        root = html.fragment_fromstring(text[:LARGEST_PIECE], create_parent="div", parser=_parser())
    except (etree.ParserError, ValueError):
        return
    yield from _links(root, url)
    yield from _more(root, _buttons(root), url)


def _parser() -> Any:  # noqa: ANN401
    return html.HTMLParser(**_PARSER)


def _header_tokens(value: str) -> set[str]:
    """What X-Robots-Tag says to everyone and to this crawler."""
    tokens: set[str] = set()
    agent = ""
    for piece in value.lower().split(","):
        name, found, rest = piece.strip().partition(":")
        if found and name not in (
            "max-snippet",
            "max-image-preview",
            "max-video-preview",
            "unavailable_after",
        ):
            agent, piece = name.strip(), rest
        if agent in _AGENTS:
            tokens.add(piece.strip())
    return tokens


def _opt_out(tokens: set[str], reserved: bool) -> str | None:
    if tokens & _NOTHING:
        return "noindex"
    return "tdm_reserved" if reserved else None


def _hollow(root: Any) -> bool:  # noqa: ANN401
    """Whether a script has to fill the page: it has scripts, a place that waits, and little beside links."""
    if next(root.iter("script"), None) is None:
        return False
    for element in root.iter("div", "main", "section", "span"):
        if len(element) or not _WAITING.fullmatch(clean((element.text or "")[:60])):
            continue
        if element.get("id") or any(name.startswith("data-") for name in element.keys()):  # noqa: SIM118
            return len(_words(root)) < 400
    return False


def _words(root: Any) -> str:  # noqa: ANN401
    """The first of the text that stands neither in links nor in scripts."""
    found: list[str] = []
    for element in islice(root.iter(), 3000):
        if element.tag in ("a", "script", "style", "title", "noscript"):
            found.append(element.tail or "")
        elif isinstance(element.tag, str) and not any(one.tag == "a" for one in element.iterancestors()):
            found += [element.text or "", element.tail or ""]
    return clean(" ".join(found))[:2000]


def _texts(data: object, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a JSON document with the names that they stand under."""
    waiting: list[tuple[str, object]] = [(key, data)]
    seen = 0
    while waiting and seen < 100_000:
        name, value = waiting.pop()
        seen += 1
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            waiting += [(str(one), inner) for one, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in reversed(value)]
