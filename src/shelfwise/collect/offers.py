"""Offers: what structured data says of the price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from shelfwise.collect.amount import by_machine
from shelfwise.collect.currencies import iso
from shelfwise.collect.page import Page
from shelfwise.collect.structured import Node, listed, words_of

_PRICES = ("price", "lowprice", "minprice")
_DEEPEST = 5


@dataclass(frozen=True)
class Stated:
    """A price that a page states for machines.

    readings: what the number can mean, likeliest first; currency: ISO, or nothing; weight: how much to
    trust it; kind: nothing for the price of now, otherwise `list`, `net`, `member` or `unit`.
    """

    readings: tuple[Decimal, ...]
    currency: str
    weight: float
    kind: str = ""


def stated_prices(page: Page, products: list[Node]) -> list[Stated]:
    """The prices of the product's nodes, then those of meta tags."""
    found: list[Stated] = []
    for node in products:
        weight = {"json-ld": 3.0, "microdata": 3.0}.get(str(node.get("@source")), 2.5)
        found += _of_product(page, node, weight)
    return [price for price in found if price.readings] + _of_meta(page)


def _of_product(page: Page, node: Node, weight: float) -> list[Stated]:
    offers = [offer for offer in listed(node.get("offers")) if isinstance(offer, dict)]
    own = [found for offer in offers for found in _of_offer(page, offer, weight, 0)]
    if not own and node.get("price") is not None:
        own = list(
            _of_offer(page, {key: node.get(key) for key in ("price", "pricecurrency")}, weight - 0.5, 0)
        )
    variants = [inner for inner in listed(node.get("hasvariant")) if isinstance(inner, dict)]
    asked = [variant for variant in variants if any(_asked_for(page, offer) for offer in _offers(variant))]
    of_variants = []
    for variant in (asked or variants)[:60]:
        for found in _of_product(page, {"offers": variant.get("offers")}, weight + (1 if asked else -0.2)):
            of_variants.append(found)
    return own + of_variants


def _offers(node: Node) -> list[Node]:
    return [offer for offer in listed(node.get("offers")) if isinstance(offer, dict)]


def _asked_for(page: Page, offer: Node) -> bool:
    """Whether an offer is the variant that the page's address asks for."""
    asked = parse_qs(urlsplit(page.url).query).get("variant")
    return bool(asked) and any(
        parse_qs(urlsplit(page.absolute(text)).query).get("variant") == asked
        for text in words_of(offer.get("url"), "@id")
    )


def _of_offer(page: Page, offer: Node, weight: float, deep: int) -> Iterator[Stated]:
    if deep > _DEEPEST:
        return
    currency = iso(next(iter(words_of(offer.get("pricecurrency"))), ""))
    weight += 1 if _asked_for(page, offer) else 0
    if any("condition" in key and "used" in str(value).lower() for key, value in offer.items()):
        weight -= 0.3
    kind = _kind(offer)
    for key in _PRICES:
        value = offer.get(key)
        if isinstance(value, dict):
            yield from _of_offer(page, value, weight, deep + 1)
        else:
            for single in listed(value)[:3]:
                text = next(iter(words_of(single)), "") if isinstance(single, str) else single
                yield Stated(by_machine(text, currency), currency or _inside(text), weight, kind)
    specifications = [part for part in listed(offer.get("pricespecification"))[:20] if isinstance(part, dict)]
    only = len(specifications) == 1 and not any(offer.get(key) for key in _PRICES)
    for specification in specifications:
        inner = {"pricecurrency": currency, **specification}
        if only:  # the price of the whole, whose quantity it tells
            inner.pop("referencequantity", None)
        yield from _of_offer(page, inner, weight - 0.1, deep + 1)
    for inner in listed(offer.get("offers"))[:40]:
        if isinstance(inner, dict):
            yield from _of_offer(page, {"pricecurrency": currency, **inner}, weight - 0.2, deep + 1)


def _inside(text: object) -> str:
    """The currency inside of a price such as `EUR 12.00`."""
    if not isinstance(text, str):
        return ""
    from shelfwise.collect.amount import amounts

    return next((iso(found.symbol) for found in amounts(text) if found.symbol), "")


def _kind(node: Node) -> str:
    said = " ".join(str(node.get(key, "")) for key in ("pricetype", "name", "@type")).lower()
    if any(
        word in said
        for word in ("listprice", "strikethrough", "msrp", "srp", "regularprice", "minimumadvertised")
    ):
        return "list"
    if node.get("validformembertier") or "member" in said:
        return "member"
    specifications = [inner for inner in listed(node.get("pricespecification")) if isinstance(inner, dict)]
    taxed = [str(part.get("valueaddedtaxincluded", "")).lower() for part in (node, *specifications)]
    if "false" in taxed and "true" not in taxed:
        return "net"
    unit = "unitpricespecification" in said and (
        node.get("referencequantity") or node.get("unittext") or node.get("unitcode")
    )
    if unit and node.get("@source") != "rdfa":
        return "unit"
    return ""


def _of_meta(page: Page) -> list[Stated]:
    found = []
    codes = page.said(
        *("product:sale_price:currency", "product:price:currency", "og:price:currency", "pricecurrency"),
        *("product:currency", "currency", "twitter:data1:currency"),
    )
    currency = next((iso(code) for code in codes if iso(code)), "")
    for weight, names in (
        (2.6, ("product:sale_price:amount", "product:sale_price")),
        (2.0, ("product:price:amount", "og:price:amount", "product:price", "price")),
    ):
        for text in page.said(*names):
            found.append(Stated(by_machine(text, currency), currency or _inside(text), weight))
    return [price for price in found if price.readings]
