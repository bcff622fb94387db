"""Products: which of a page's structured nodes is the product that the page is about."""

from __future__ import annotations

from dataclasses import dataclass, field

from shelfwise.collect.page import Element, Page
from shelfwise.collect.structured import Node, listed, walk, words_of
from shelfwise.collect.wording import alike, same

PRODUCTS = frozenset(
    [
        "product",
        "productgroup",
        "individualproduct",
        "productmodel",
        "someproducts",
        "vehicle",
        "car",
        "book",
        "movie",
        "musicalbum",
        "game",
        "videogame",
        "softwareapplication",
        "mobileapplication",
        "webapplication",
        "course",
        "hotel",
        "event",
        "tirestore",
        "productcollection",
        "dietarysupplement",
        "drug",
    ]
)
_PLAIN = frozenset(
    ("product", "productgroup", "individualproduct", "productmodel", "someproducts", "vehicle", "car")
)
_OTHERS = (
    *(
        "isrelatedto",
        "issimilarto",
        "isaccessoryorsparepartfor",
        "isconsumablefor",
        "itemlistelement",
        "itemreviewed",
    ),
    *(
        "review",
        "reviews",
        "hasvariant",
        "isvariantof",
        "model",
        "itemoffered",
        "offers",
        "relatedlink",
        "significantlink",
    ),
)

_MAKERS = ("brand", "manufacturer", "author", "publisher")


@dataclass(frozen=True)
class Facts:
    """What structured data says of the page's product.

    products: its nodes, the most trusted first; crumbs: breadcrumb nodes; shops: names of the shop;
    several: how many other products stand beside it.
    """

    products: list[Node] = field(default_factory=list)
    crumbs: list[Node] = field(default_factory=list)
    shops: list[str] = field(default_factory=list)
    several: int = 0
    lists: bool = False

    def words(self, *keys: str) -> list[str]:
        """The texts of a property in all nodes of the product, without doubles."""
        found = [text for node in self.products for key in keys for text in words_of(node.get(key))]
        return list(dict.fromkeys(found))


def read_facts(page: Page, nodes: list[Node], heading: Element | None, titles: list[str]) -> Facts:
    """Choose the page's product among all nodes.

    Args:
        page: the page.
        nodes: all typed nodes.
        heading: the element that seems to show the product's name.
        titles: texts that seem to be its name.

    """
    within = {id(inner) for node in nodes for key in _OTHERS for inner in _members(node.get(key))}
    candidates = [node for node in nodes if PRODUCTS & set(node["@type"]) and id(node) not in within]
    offered = [
        inner
        for node in nodes
        if "offer" in node["@type"]
        for inner in _members(node.get("itemoffered"))
        if not candidates and words_of(inner.get("name"))
    ]
    if not candidates and not offered:
        offered = _offers_alone(nodes)
    scored = [
        (_score(page, node, heading, titles), -at, node) for at, node in enumerate(candidates + offered)
    ]
    scored.sort(key=lambda entry: entry[:2], reverse=True)
    chosen = [node for score, _, node in scored if score > 0]
    if chosen:
        named = next((words_of(node.get("name"))[:1] for node in chosen if words_of(node.get("name"))), [])
        chosen = [node for node in chosen if _belongs(node, chosen[0], named)]
    types = {name for node in nodes for name in node["@type"]}
    return Facts(
        products=chosen,
        crumbs=[node for node in nodes if any("breadcrumb" in name for name in node["@type"])],
        shops=_shops(nodes),
        several=len(candidates) - len(chosen),
        lists=bool(types & {"itemlist", "collectionpage", "searchresultspage", "offercatalog"}),
    )


def _offers_alone(nodes: list[Node]) -> list[Node]:
    """A product without a name for the only offer of a page that says of nothing that it is a product."""
    offers = [node for node in nodes if {"offer", "aggregateoffer"} & set(node["@type"])]
    priced = [node for node in offers if node.get("price") or node.get("lowprice")]
    if len(priced) != 1:
        return []
    return [{"@type": ["product"], "@source": priced[0].get("@source"), "offers": priced[0]}]


def _members(value: object) -> list[Node]:
    return [inner for inner in walk(listed(value)) if inner.get("@type")]


def _belongs(node: Node, first: Node, named: list[str]) -> bool:
    """Whether a node is about the same product as the first one."""
    names = words_of(node.get("name"))
    if node is first or not names or not named:
        return True
    return same(names[0], named[0]) or alike(names[0], named[0]) >= 0.6


def _score(page: Page, node: Node, heading: Element | None, titles: list[str]) -> float:
    """How much speaks for a node being the page's product; not above 0 if it is another one."""
    score = 1.0 if _PLAIN & set(node["@type"]) else -0.5
    names = words_of(node.get("name"))
    if names and titles:
        agreement = max(1.0 if same(names[0], title) else alike(names[0], title) for title in titles)
        score += 3 * agreement - (1.2 if agreement < 0.3 else 0)
    if node.get("offers"):
        score += 1
    addresses = [
        page.absolute(text)
        for key in ("url", "@id", "mainentityofpage")
        for text in words_of(node.get(key), "@id", "url")
    ]
    if any(address and page.leads_here(address) for address in addresses):
        score += 1
    elif names and any(address and "#" not in address and "?" not in address for address in addresses[:1]):
        score -= 0.3
    element = node.get("@element")
    if element is not None and heading is not None:
        around = element in heading.iterancestors() or element is heading
        score += 2 if around else -0.4
        if not around and not names:
            score -= 1
    return score


def _shops(nodes: list[Node]) -> list[str]:
    names = []
    makers = {id(inner) for owner in nodes for key in _MAKERS for inner in listed(owner.get(key))}
    for node in nodes:
        types = set(node["@type"])
        if types & {
            "organization",
            "website",
            "onlinestore",
            "store",
            "localbusiness",
            "corporation",
            "onlinebusiness",
        }:
            holder = node.get("@element")
            prop = (holder.get("itemprop") or "").lower() if holder is not None else ""
            if not any(word in prop for word in ("brand", "manufacturer")) and id(node) not in makers:
                names += words_of(node.get("name")) + words_of(node.get("legalname"))
    return list(dict.fromkeys(names))
