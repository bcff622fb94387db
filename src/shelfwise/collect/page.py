"""A page: its tree, parsed once, and what everything else asks of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree

from shelfwise.collect.charset import decode
from shelfwise.collect.wording import clean

Element = Any  # lxml has no types of its own
LARGEST = 16_000_000  # bytes; what is longer is read up to here
MOST_ELEMENTS = 60_000
_LONGEST_TEXT = 20_000
_MARKS = frozenset((
    *("id", "class", "itemprop", "data-testid", "data-test", "data-test-id", "data-qa", "data-hook"),
    *("data-role", "data-widget", "data-box-name", "data-name", "data-component", "data-ui-id",
    "data-price-type", "data-qaid", "data-tid", "data-marker", "data-meta-name", "data-cro", "data-e2e"),
    *("data-automation-id", "data-auto", "data-zone-name", "data-selenium", "data-at", "data-cy", "name"),
))  # fmt: skip
_DATA = frozenset(("itemprop", "itemscope", "property", "rel", "typeof"))
_BLOCKS = frozenset((
    *("address", "article", "aside", "blockquote", "br", "button", "dd", "div", "dl", "dt", "figcaption"),
    *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav"),
    *("ol", "option", "p", "pre", "section", "select", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    *("ul", "body", "html"),
))  # fmt: skip
_CENTS = re.compile(r"cent|decimal|fraction|penn|penny|kopek|grosz|superscript|\bsup\b", re.IGNORECASE)


@dataclass(frozen=True)
class Script:
    """A script of the page: its type and id attributes, lower case, and its text."""

    kind: str
    name: str
    text: str


@dataclass
class Page:
    """A parsed page.

    Scripts, styles, templates and drawings are taken out of the tree; scripts are kept beside it.
    `elements` is the tree in document order, `order` the place of each in it.
    """

    url: str
    root: Element
    scripts: list[Script]
    elements: list[Element] = field(default_factory=list)
    order: dict[Element, int] = field(default_factory=dict)
    _seen: dict[Element, str] = field(default_factory=dict)
    _full: dict[tuple[str, str], str] = field(default_factory=dict)
    _here: dict[str, bool] = field(default_factory=dict)
    _carriers: dict[str, list[Element]] = field(default_factory=lambda: {name: [] for name in _DATA})

    def keep(self, element: Element) -> None:
        """Remember what an element is called, and that it carries structured data."""
        called: list[str] = []
        for name, value in element.items():
            if name in _MARKS:
                called.append(value)
            if name in _DATA:
                self._carriers[name].append(element)
        self._seen[element] = " ".join(called).lower()[:500] if called else ""

    def carriers(self, *names: str) -> list[Element]:
        """The elements that have one of some attributes of structured data, in document order."""
        found = dict.fromkeys(element for name in names for element in self._carriers[name])
        return sorted(found, key=self.order.__getitem__)

    @cached_property
    def base(self) -> str:
        """What relative addresses are relative to."""
        for found in self.root.iter("base"):
            if (found.get("href") or "").strip():
                return self.absolute(found.get("href"), self.url) or self.url
        return self.url

    @cached_property
    def meta(self) -> dict[str, list[str]]:
        """Meta tags: lower-case name or property to its contents, in order, cleaned."""
        found: dict[str, list[str]] = {}
        for tag in self.root.iter("meta"):
            content = clean((tag.get("content") or "")[:_LONGEST_TEXT])
            if not content:
                continue
            for attribute in ("property", "name", "itemprop", "http-equiv"):
                for name in (tag.get(attribute) or "").lower().split():
                    if attribute != "itemprop" or _in_head(tag):
                        found.setdefault(name, []).append(content)
        return found

    def said(self, *names: str) -> list[str]:
        """The contents of meta tags of these names, in the order of the names."""
        return [content for name in names for content in self.meta.get(name, [])]

    @cached_property
    def title_tag(self) -> str:
        """The text of the title element in the head."""
        for tag in self.root.iter("title"):
            text = clean("".join(tag.itertext())[:2_000])
            if text:
                return text
        return ""

    @cached_property
    def canonical(self) -> str:
        """The address that the page calls its own, or the one it was read from."""
        for link in self.root.iter("link"):
            if "canonical" in (link.get("rel") or "").lower().split() and link.get("href"):
                return self.absolute(link.get("href")) or self.url
        return self.url

    @cached_property
    def body(self) -> Element:
        """The body of the page, or all of it."""
        return next(self.root.iter("body"), self.root)

    def absolute(self, address: str | None, base: str = "") -> str:
        """A full address, or nothing where it is not one of the web."""
        key = (address or "", base)
        known = self._full.get(key)
        if known is None:
            known = self._full[key] = _completed(key[0], base or self.base)
        return known

    def leads_here(self, address: str | None) -> bool:
        """Whether a link leads to this very page (or to a part of it, or nowhere)."""
        raw = (address or "").strip()
        known = self._here.get(raw)
        if known is None:
            known = not raw or raw.startswith("#") or raw.lower().startswith("javascript:")
            known = known or _place(self.absolute(raw)) in self._places
            self._here[raw] = known
        return known

    @cached_property
    def _places(self) -> tuple[tuple[str, str, str], ...]:
        return _place(self.url), _place(self.canonical)

    def marks(self, element: Element) -> str:
        """How an element is called: id, class, itemprop and the data attributes that name it, lower case."""
        if element not in self._seen:  # one beyond what is read of a page
            self.keep(element)
        return self._seen[element]

    def up(self, element: Element, levels: int) -> list[Element]:
        """An element and the nearest of what it lies in, below the body."""
        found: list[Element] = []
        while element is not None and len(found) < levels and element.tag not in ("body", "html"):
            found.append(element)
            element = element.getparent()
        return found


def _completed(address: str, base: str) -> str:
    address = re.sub(r"[\s\x00-\x1f]+", "%20", address.strip())
    if not address or address.lower().startswith(
        ("data:", "javascript:", "mailto:", "tel:", "about:", "blob:")
    ):
        return ""
    try:
        full = urljoin(base, address)
        return full if urlsplit(full).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _in_head(tag: Element) -> bool:
    parent = tag.getparent()
    return parent is not None and parent.tag == "head"


def _place(address: str) -> tuple[str, str, str]:
    """Host, path and the query of an address, as far as they tell pages apart."""
    parts = urlsplit(address)
    query = parts.query if "=" in parts.query and parts.path.count("/") <= 2 and "." in parts.path else ""
    return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/").lower(), query


def parse(html: bytes, url: str) -> Page:
    """Parse a page. Never fails; of what is no HTML an empty page is made, of what is no address none."""
    return page_of(tree_of(html, url), url)


def tree_of(html: bytes, url: str, charset: str = "") -> Element:
    """The tree of a page as it stands there, scripts and all; never fails. charset: what its server says."""
    return _tree(decode(html[:LARGEST], url, charset))


def page_of(root: Element, url: str) -> Page:
    """The page with this tree (see `tree_of`), which is changed by it."""
    try:
        urlsplit(url)
    except ValueError:
        url = ""
    scripts = []
    for tag in root.iter("script"):
        text = tag.text or ""
        if text.strip():
            kind, name = (tag.get("type") or "").lower().strip(), (tag.get("id") or "").lower()
            scripts.append(Script(kind, name, text))
    for tag in list(root.iter("template")):
        if tag.get("shadowrootmode") or tag.get("shadowroot"):
            tag.tag = "div"
    etree.strip_elements(root, "script", "style", "template", "svg", with_tail=False)
    page = Page(url, root, scripts)
    for at, element in enumerate(islice(root.iter(), MOST_ELEMENTS)):
        page.order[element] = at
        page.elements.append(element)
        page.keep(element)
    return page


def _tree(text: str) -> Element:
    parser = etree.HTMLParser(
        encoding="utf-8", recover=True, remove_comments=True, remove_pis=True, huge_tree=True, no_network=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        root = None
    return etree.fromstring(b"<html><body/></html>", parser) if root is None else root


def text_of(element: Element, longest: int = _LONGEST_TEXT) -> str:
    """What an element shows, on one line; words of different blocks do not run together."""
    return clean(_joined(element, longest) if len(element) else _alone(element, longest))


def _alone(element: Element, longest: int) -> str:
    """What an element that holds no other one shows, as `_joined` has it: most do not."""
    text = element.text or ""
    return ((" " + text) if element.tag in _BLOCKS else text)[: longest + 1]


def _joined(element: Element, longest: int) -> str:
    parts: list[str] = []
    length = 0
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            text = node.text
        elif node is element:
            break
        else:
            text = node.tail
        if node.tag in _BLOCKS:
            parts.append(" ")
            length += 1
        if text:
            parts.append(text)
            length += len(text)
        if length > longest:
            break
    return "".join(parts)[: longest + 1]


def is_cents(element: Element) -> bool:
    """Whether an element is one of those in which prices show their cents in small type."""
    return element.tag == "sup" or bool(_CENTS.search(element.get("class") or ""))


def small(element: Element, most: int) -> bool:
    """Whether an element holds at most so many elements, itself included."""
    return sum(1 for _ in islice(element.iter(), most + 1)) <= most


def figures_of(element: Element, longest: int = 160) -> str:
    """What an element shows, with cents in small type (`12<sup>99</sup>`) made decimals."""
    if not len(element):
        text = _alone(element, longest)
        return text + " " if element.tag in _BLOCKS and len(text) <= longest else text
    parts: list[str] = []
    length = 0
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            text = node.text or ""
            small = node.tag == "sup" or _CENTS.search(node.get("class") or "")
            before = "".join(parts[-3:]).rstrip()[-1:]
            if small and before.isdigit() and re.fullmatch(r"\s*\d\d\s*\D{0,4}", text):
                parts[-1] = parts[-1].rstrip()
                whole = "".join(parts[-6:]).rsplit(" ", 1)[-1]
                text = ("," if "." in whole else ".") + text.strip()  # 12.999 and 50 are 12.999,50
            elif node.tag in _BLOCKS:
                text = " " + text
        else:
            text = (" " if node.tag in _BLOCKS else "") + ((node.tail or "") if node is not element else "")
        parts.append(text[: longest - length + 1])
        length += len(parts[-1])
        if length > longest:
            break
    return "".join(parts)
