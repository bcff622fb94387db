r"""Rules: a shop's own CSS selectors for what cannot be found by itself.

A file of rules is TOML; each table is a host (`[default]` for all), each key a field of the catalogue:

    ["www.shop.example"]
    title = "h1.name"
    price = { css = ".buy .now", regex = '([\d.,]+)' }
    brand = { css = "meta[property='product:brand']", attribute = "content" }
    images = [".gallery a::attr(href)", ".gallery img::attr(src)"]
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cssselect import SelectorError
from lxml import etree
from lxml.cssselect import CSSSelector

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.wording import clean
from shelfwise.errors import ShelfwiseError

FIELDS = (
    *(
        "product_id",
        "title",
        "description",
        "brand",
        "price",
        "currency",
        "rating",
        "rating_count",
        "category_path",
    ),
    *("attributes", "images", "language", "audience"),
)
MANY = frozenset(("category_path", "images", "attributes"))
_ATTRIBUTE = re.compile(r"^(.*)::attr\(([\w:-]+)\)$|^(.*)::text$")


class RulesError(ShelfwiseError):
    """A file of rules is not as it has to be."""


@dataclass(frozen=True)
class Rule:
    """One selector: its CSS.

    The attribute to take in place of the text, a pattern whose first group is kept.
    """

    css: str
    attribute: str = ""
    regex: str = ""


@dataclass(frozen=True)
class Rules:
    """The rules of all shops: host to field to selectors, tried in order."""

    hosts: dict[str, dict[str, tuple[Rule, ...]]] = field(default_factory=dict)
    source: str = "rules"

    def of(self, url: str) -> dict[str, tuple[Rule, ...]]:
        """The rules for a page: those of its host, then those of all."""
        host = (urlsplit(url).hostname or "").lower()
        found = dict(self.hosts.get("default", {}))
        for name in (host.removeprefix("www."), host):
            found.update(self.hosts.get(name, {}))
        return found


def read_rules(path: str | os.PathLike[str]) -> Rules:
    """Read a file of rules.

    Raises:
        RulesError: there is no such file, it is no TOML, a field is unknown, or a selector or a pattern is
        wrong.

    """
    try:
        data = msgspec.toml.decode(Path(path).read_bytes())
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: is not TOML: {error}") from error
    return make_rules(data, str(path))


def make_rules(data: object, source: str = "rules") -> Rules:
    """Rules from host to field to selector(s); fields at the top are for all hosts.

    Raises:
        RulesError: see `read_rules`.

    """
    if not isinstance(data, dict):
        raise RulesError(f"{source}: has to map hosts to fields, not be a {type(data).__name__}")
    hosts: dict[str, dict[str, tuple[Rule, ...]]] = {}
    for host, fields in data.items():
        if host in FIELDS:
            hosts.setdefault("default", {})[host] = _of_field(fields, f"{source}: {host}")
            continue
        if not isinstance(fields, dict):
            raise RulesError(f"{source}: {host}: neither a field ({', '.join(FIELDS)}) nor a table of a host")
        for name, value in fields.items():
            if name not in FIELDS:
                raise RulesError(
                    f"{source}: {host}: there is no field {name!r}; there are {', '.join(FIELDS)}"
                )
            hosts.setdefault(str(host).lower(), {})[name] = _of_field(value, f"{source}: {host}: {name}")
    return Rules(hosts, source)


def _of_field(value: object, where: str) -> tuple[Rule, ...]:
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise RulesError(f"{where}: has no selector")
    return tuple(_of_entry(entry, where) for entry in entries)


def _of_entry(entry: object, where: str) -> Rule:
    if isinstance(entry, str):
        entry = {"css": entry}
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("css"), str)
        or set(entry) - {"css", "attribute", "regex"}
    ):
        raise RulesError(
            f"{where}: a rule is a selector, or a table of css and, if wanted, attribute and regex"
        )
    if not all(isinstance(part, str) for part in entry.values()):
        raise RulesError(f"{where}: css, attribute and regex are texts")
    css, attribute, regex = entry["css"], entry.get("attribute", ""), entry.get("regex", "")
    match = _ATTRIBUTE.match(css)
    if match:
        css, attribute = (match.group(1) or match.group(3) or "").strip(), match.group(2) or attribute
    try:
        CSSSelector(css, translator="html")
    except (SelectorError, etree.XPathSyntaxError) as error:
        raise RulesError(f"{where}: {css!r} is no CSS selector: {error}") from error
    try:
        re.compile(regex)
    except re.error as error:
        raise RulesError(f"{where}: {regex!r} is no regular expression: {error}") from error
    return Rule(css, attribute, regex)


def apply_rules(rules: Rules, page: Page) -> tuple[dict[str, Any], list[str]]:
    """What the rules find on a page, and notes on those that find nothing.

    Texts for most fields, lists for `images` (absolute) and `category_path`, a dict for `attributes`
    (of elements with a label and a value: rows, pairs, `label: value`).
    """
    found: dict[str, Any] = {}
    notes = []
    for name, chain in rules.of(page.url).items():
        values: list[Any] = []
        for rule in chain:
            values = _matches(rule, page, name)
            if values:
                break
        if not values:
            notes.append(
                f"{rules.source}: {name}: {' or '.join(rule.css for rule in chain)!r} matches nothing here"
            )
        elif name == "images":
            found[name] = list(dict.fromkeys(full for value in values if (full := page.absolute(value))))
        elif name == "attributes":
            found[name] = dict(values)
        else:
            found[name] = values if name in MANY else values[0]
    return found, notes


def _matches(rule: Rule, page: Page, name: str) -> list[Any]:
    values: list[Any] = []
    for element in CSSSelector(rule.css, translator="html")(page.root):
        if name == "attributes":
            pair = _pair(element)
            values += [pair] if pair else []
            continue
        text = _text(element, rule, name)
        if rule.regex and text:
            match = re.search(rule.regex, text[:10_000])
            text = clean(match.group(1) if match and match.re.groups else match.group() if match else "")
        if text:
            values.append(text)
    return values


def _text(element: Element, rule: Rule, name: str) -> str:
    attribute = rule.attribute
    if not attribute and element.tag == "meta":
        attribute = "content"
    if not attribute and name == "images":
        attribute = next((one for one in ("data-src", "src", "href") if element.get(one)), "src")
    return clean(element.get(attribute) or "") if attribute else text_of(element)


def _pair(element: Element) -> tuple[str, str] | None:
    parts = [text for child in element if (text := text_of(child, 2_000))]
    if len(parts) != 2:
        parts = [part.strip() for part in re.split(r"[:：]", text_of(element, 2_000), maxsplit=1)]
    return (parts[0].rstrip(":： "), parts[1]) if len(parts) == 2 and parts[0] and parts[1] else None
