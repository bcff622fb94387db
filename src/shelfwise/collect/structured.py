"""Structured data of a page: JSON-LD, microdata and RDFa, brought into one form.

A node is a dict with lower-case keys; `@type` is a list of lower-case names without their vocabulary;
`@source` says where the node stood, and `@element` which element of the page carried it (microdata and RDFa).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shelfwise.collect.jsonish import values
from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.wording import clean

Node = dict[str, Any]
_DEEPEST = 24
_MOST_VALUES = 300
_MOST_NODES = 20_000
_OF_PRODUCTS = frozenset(("price", "sku", "mpn", "gtin13", "productid", "brand", "categories"))
_ADDRESSES = {"a": "href", "area": "href", "link": "href", "img": "src", "source": "src", "iframe": "src",
              "embed": "src", "video": "src", "audio": "src", "object": "data"}  # fmt: skip


def read_nodes(page: Page) -> list[Node]:
    """All typed nodes of a page, outer ones before those inside them; JSON-LD first."""
    roots = [*_json_ld(page), *_microdata(page), *_rdfa(page)]
    return [node for root in roots for node in walk(root) if node.get("@type")]


def walk(value: object, deep: int = 0) -> Iterator[Node]:
    """The dicts in a value, outer ones first."""
    if deep > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key != "@element":
                yield from walk(inner, deep + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, deep + 1)


def listed(value: object) -> list[Any]:
    """A value as a list: itself, its members (also those of lists in it), or nothing for None."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [value]
    if not any(isinstance(inner, list) for inner in value):
        return value
    return [part for inner in value for part in (inner if isinstance(inner, list) else [inner])]


def words_of(value: object, *keys: str) -> list[str]:
    """The texts in a value: strings and numbers as they are, of dicts what stands under one of the keys."""
    found = []
    for item in listed(value):
        if isinstance(item, dict):
            for key in keys or ("name", "@value", "value"):
                if item.get(key) not in (None, "", {}, []):
                    found += words_of(item[key], *keys)
                    break
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            found.append(clean(item))
    return [text for text in found if text]


def types_of(value: object) -> list[str]:
    """Names of types without their vocabulary, lower case."""
    names = []
    for item in listed(value):
        if isinstance(item, str):
            names += [part.rstrip("/").rsplit("/", 1)[-1].rsplit("#", 1)[-1].rsplit(":", 1)[-1].lower()
                      for part in item.split()]  # fmt: skip
    return names


def _json_ld(page: Page) -> list[Node]:
    found: list[Any] = []
    for script in page.scripts:
        if "ld+json" in script.kind or script.kind == "application/ld":
            found += values(script.text)
    budget = [_MOST_NODES]
    roots = [_lowered(value, budget) for value in found]
    named: dict[str, Node] = {}
    for node in (node for root in roots for node in walk(root)):
        if isinstance(node.get("@id"), str) and len(node) > 2:
            named.setdefault(node["@id"], node)
    flat = [node for root in roots for node in _unwrapped(root)]
    for node in flat:
        _resolve(node, named)
        for inner in walk(node):
            inner["@source"] = "json-ld"
    return flat


def _lowered(value: object, budget: list[int], deep: int = 0) -> Any:  # noqa: ANN401
    """A copy with lower-case keys and short types, of bounded size and depth."""
    if deep > _DEEPEST or budget[0] <= 0:
        return None
    budget[0] -= 1
    if isinstance(value, list):
        return [_lowered(inner, budget, deep + 1) for inner in value]
    if not isinstance(value, dict):
        return value
    node: Node = {}
    for key, inner in value.items():
        short = str(key).rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()
        short = f"@{short}" if short in ("type", "graph") and f"@{short}" not in value and deep < 3 else short
        node.setdefault(short, types_of(inner) if short == "@type" else _lowered(inner, budget, deep + 1))
    return node


def _unwrapped(value: object) -> Iterator[Node]:
    """The nodes of a script: those in lists and graphs stand for themselves."""
    if isinstance(value, list):
        for inner in value:
            yield from _unwrapped(inner)
    elif isinstance(value, dict):
        if "@graph" in value:
            yield from _unwrapped(value["@graph"])
        if value.get("@type"):
            yield {key: inner for key, inner in value.items() if key != "@graph"}


def _resolve(node: Node, named: dict[str, Node], deep: int = 0) -> None:
    """Put nodes in the place of mere references to them."""
    if deep > 6:
        return
    for key, inner in list(node.items()):
        if isinstance(inner, dict):
            if set(inner) <= {"@id", "@type"} and isinstance(inner.get("@id"), str):
                target = named.get(inner["@id"])
                if target is not None and target is not node:
                    node[key] = {
                        k: v
                        for k, v in target.items()
                        if k not in ("ispartof", "isvariantof", "mainentityofpage")
                    }
            else:
                _resolve(inner, named, deep + 1)
        elif isinstance(inner, list):
            for entry in inner:
                if isinstance(entry, dict):
                    _resolve(entry, named, deep + 1)


def _microdata(page: Page) -> list[Node]:
    """Items of microdata. One pass in document order; an item's properties are found by walking up."""
    return _gather(page, "itemprop", "itemtype", "itemscope")


def _rdfa(page: Page) -> list[Node]:
    """Typed resources of RDFa Lite and of the older v: vocabulary."""
    return [node for node in _gather(page, "property", "typeof", "typeof") if node.get("@type")]


def _gather(page: Page, prop: str, kind: str, scope: str) -> list[Node]:
    roots: list[Node] = []
    owners: dict[Element, Node] = {}
    loose: Node = {}
    source = "microdata" if prop == "itemprop" else "rdfa"
    for element in page.carriers(prop, scope, "rel" if source == "rdfa" else prop):
        names = (element.get(prop) or element.get("rel" if source == "rdfa" else prop) or "").lower().split()
        scoped = element.get(scope) is not None
        if not names and not scoped:
            continue
        owner = _owner(element, owners)
        value: Any
        if scoped:
            value = {"@type": types_of(element.get(kind) or ""), "@source": source, "@element": element}
            if element.get("itemid") or element.get("href"):
                value["@id"] = element.get("itemid") or element.get("href")
            owners[element] = value
            if owner is None or not names:
                roots.append(value)
        else:
            value = (
                text_of(element, 5_000) if element.get("rel") and source == "rdfa" else _value(page, element)
            )
        if owner is None and source == "microdata":
            owner = loose
            holder = element.getparent()
            if holder is not None and names == ["name"] and "brand" in (holder.get("itemprop") or ""):
                names = ["brand"]
        if owner is not None and value not in ("", None):
            for name in names:
                _add(owner, name.rsplit(":", 1)[-1].rsplit("/", 1)[-1], value)
    return [*roots, *_of_loose(loose, roots)]


def _of_loose(loose: Node, roots: list[Node]) -> list[Node]:
    """A product of properties that stand in no item: shops that forget `itemscope` mean one.

    Only where no item is a product, and name and another property of products are given.
    """
    given = {name: value[0] if isinstance(value, list) else value for name, value in loose.items()}
    typed = {name for root in roots for name in root["@type"]}
    if "name" not in given or not _OF_PRODUCTS & given.keys() or "product" in typed:
        return []
    given = {**given, "image": loose.get("image"), "@type": ["product"], "@source": "microdata"}
    offer = {name: given[name] for name in ("price", "pricecurrency", "availability") if given.get(name)}
    return [{**given, "offers": {"@type": ["offer"], **offer}} if "price" in offer else given]


def _owner(element: Element, owners: dict[Element, Node]) -> Node | None:
    parent = element.getparent()
    for _ in range(60):
        if parent is None:
            return None
        if parent in owners:
            return owners[parent]
        parent = parent.getparent()
    return None


def _add(node: Node, name: str, value: object) -> None:
    """Add one of several values. An empty one never hides a full one."""
    if name in node and name != "@type":
        if not isinstance(node[name], list):
            node[name] = [node[name]]
        if len(node[name]) < _MOST_VALUES:
            node[name].append(value)
    else:
        node[name] = value


def _value(page: Page, element: Element) -> str:
    """A property's value: its content, an address, a machine's value, or its text."""
    content = element.get("content")
    if content is not None and (content.strip() or element.tag == "meta"):
        return clean(content)
    if element.tag == "meta" and element.get("href"):
        return clean(element.get("href"))
    attribute = _ADDRESSES.get(element.tag)
    if attribute and element.get(attribute):
        return clean(element.get(attribute))
    for name in ("datetime", "data-src", "value"):
        if element.get(name):
            return clean(element.get(name))
    return text_of(element, 5_000)
