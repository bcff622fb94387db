"""Extract: from the saved page of a product to one row of a catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from shelfwise.collect.amount import amounts, by_machine, readings, western, written
from shelfwise.collect.attributes import find_attributes, find_audience
from shelfwise.collect.brand import find_brand
from shelfwise.collect.breadcrumb import find_path
from shelfwise.collect.currencies import iso, resolve
from shelfwise.collect.description import find_description
from shelfwise.collect.kind import Evidence, why_no_product
from shelfwise.collect.language import find_language
from shelfwise.collect.levels import path_from_names, path_from_text
from shelfwise.collect.offers import Stated, stated_prices
from shelfwise.collect.page import Element, Page, page_of, parse
from shelfwise.collect.pictures import find_pictures
from shelfwise.collect.price import Place, country_of, find_price
from shelfwise.collect.products import Facts, read_facts
from shelfwise.collect.rating import find_rating
from shelfwise.collect.rules import Rules, apply_rules
from shelfwise.collect.state import StateProduct, read_state
from shelfwise.collect.structured import Node, read_nodes
from shelfwise.collect.title import (
    Heading,
    choose_title,
    find_heading,
    product_names,
    shop_names,
    without_shop,
)
from shelfwise.collect.wording import clean, fold
from shelfwise.collect.zones import Zones, find_zones

COLUMNS = (
    *("product_id", "url", "title", "description", "brand", "price", "currency", "rating", "rating_count"),
    *("category_path", "attributes", "images", "language", "audience", "fetched_at", "status", "reason"),
)
OK, NO_PRODUCT = "ok", "not a product"
_SURE = 2.2  # a heading's score from which its text is held to be the product's name
_T = TypeVar("_T")


def extract(html: bytes, url: str, rules: Rules | None = None) -> dict[str, Any]:
    """Read one product from the page of a shop.

    Everything a page says is weighed: structured data (JSON-LD, microdata, RDFa, OpenGraph), what it shows,
    and the state that its programs start from. Where they differ, what a buyer sees wins. The page is parsed
    once; nothing is fetched.

    Args:
        html: the page as it was received, in any encoding.
        url: its address; relative addresses are completed with it.
        rules: a shop's own selectors; what they find wins over everything (see `read_rules`).

    Returns:
        The columns of a scraped catalogue as plain values: `title`, `description`, `brand`, `price`
        (decimal as text), `currency` (ISO 4217), `category_path` (levels joined by ` > `, without home and
        the product), `language` (ISO 639-1), `audience`, `product_id` are texts or None; `rating` (in the
        shop's scale) and `rating_count` are numbers or None; `attributes` is a dict of texts; `images` a
        list of absolute addresses, the main one first. `status` is `ok` or `not a product`; `reason` then
        says why, and otherwise names fields that could not be read and rules that matched nothing.
        `fetched_at` is left to who fetched the page.

    Never raises on a page, whatever the bytes are.

    """
    reader = _Reader(url)
    page = reader.guard("the page", lambda: parse(html, url), lambda: parse(b"", url))
    return reader.read(page, rules)


def extract_tree(root: Element, url: str, rules: Rules | None = None) -> dict[str, Any]:
    """As `extract`, from the tree of a page (see `page.tree_of`), which is changed by it."""
    reader = _Reader(url)
    page = reader.guard("the page", lambda: page_of(root, url), lambda: parse(b"", url))
    return reader.read(page, rules)


@dataclass
class _Context:
    """What the fields of one page are read from."""

    page: Page
    nodes: list[Node]
    shops: list[str]
    heading: Heading | None
    zones: Zones
    facts: Facts
    state: list[StateProduct]
    place: Place
    titles: list[str]


@dataclass
class _Reader:
    """Reads a page field by field: what goes wrong with one costs that field alone, and is said."""

    url: str
    notes: list[str] = field(default_factory=list)

    def guard(self, what: str, read: Callable[[], _T], otherwise: Callable[[], _T]) -> _T:
        """A field, or its empty value with a note on the error."""
        try:
            return read()
        except Exception as error:  # a page can break anything; the row says so
            self.notes.append(f"{what} could not be read ({type(error).__name__}: {error})"[:200])
            return otherwise()

    def read(self, page: Page, rules: Rules | None) -> dict[str, Any]:
        """The row of a page."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row.update(url=self.url, attributes={}, images=[], status=OK, reason=None)
        context = self.guard("the page", lambda: _context(page, self), lambda: None)
        if context is not None:
            self._fill(row, context)
        given: dict[str, Any] = {}
        if rules is not None:
            given, notes = self.guard("rules", lambda: apply_rules(rules, page), lambda: ({}, []))
            self.notes += notes
            self._put_rules(row, given, context)
        why = "the page could not be read" if context is None else self._why(row, context)
        if why and not {"title", "price"} <= given.keys():
            row["status"], self.notes = NO_PRODUCT, [why, *self.notes]
        row["reason"] = "; ".join(self.notes) or None
        return row

    def _fill(self, row: dict[str, Any], context: _Context) -> None:
        page, zones, facts = context.page, context.zones, context.facts
        named = facts.words("name")
        row["title"] = (
            self.guard("title", lambda: choose_title(context.heading, named, page, context.shops), str)
            or None
        )
        title = row["title"] or ""
        row["attributes"] = self.guard(
            "attributes", lambda: find_attributes(page, zones, facts.products), dict
        )
        known = (title, context.shops, row["attributes"])
        row["brand"] = (
            self.guard("brand", lambda: find_brand(page, zones, facts, context.state, known), str) or None
        )
        stated: list[Stated] = self.guard("price", lambda: stated_prices(page, facts.products), list)
        price = self.guard(
            "price", lambda: find_price(page, zones, stated, context.state, context.place), lambda: ("", "")
        )
        row["price"], row["currency"] = price[0] or None, (price[1] or None) if price[0] else None
        row["category_path"] = (
            " > ".join(self.guard("category path", lambda: _path(context, title), list)) or None
        )
        pictures = [address for product in context.state for address in product.pictures]
        row["images"] = self.guard(
            "images", lambda: find_pictures(page, zones, facts.products, pictures, title), list
        )
        row["description"] = (
            self.guard("description", lambda: find_description(page, zones, facts, title), str) or None
        )
        row["rating"], row["rating_count"] = self.guard(
            "rating", lambda: find_rating(facts.products), lambda: (None, None)
        )
        row["language"] = context.place.language or None
        row["audience"] = (
            self.guard("audience", lambda: find_audience(facts.products, row["attributes"]), str) or None
        )
        row["product_id"] = self.guard("product id", lambda: _number(context), str) or None

    def _why(self, row: dict[str, Any], context: _Context) -> str:
        evidence = Evidence(
            row["title"] or "", row["price"] or "", bool(row["category_path"]), _sold(context.state)
        )
        return self.guard(
            "status", lambda: why_no_product(context.page, context.zones, context.facts, evidence), str
        )

    def _put_rules(self, row: dict[str, Any], given: dict[str, Any], context: _Context | None) -> None:
        """What rules found, in the form of the catalogue."""
        place = context.place if context else Place("", "")
        for name, value in given.items():
            if name == "price":
                found = next((one for one in amounts(value) if one.readings), None)
                numbers = found.readings if found else readings(western(value))
                code = resolve(found.symbol, place.country, place.language) if found and found.symbol else ""
                if "currency" not in given and code:
                    row["currency"] = code
                row["price"] = written(numbers[0], row["currency"] or "") if numbers else row["price"]
                if not numbers:
                    self.notes.append(f"price: {value[:40]!r} by the rules is no amount")
            elif name == "currency":
                row[name] = iso(value) or resolve(value, place.country, place.language) or row[name]
            elif name in ("rating", "rating_count"):
                numbers = by_machine(value)
                row[name] = (
                    (int(numbers[0]) if name == "rating_count" else float(numbers[0]))
                    if numbers
                    else row[name]
                )
            elif name == "category_path":
                levels = value if len(value) > 1 else re.split(r"\s*[>›»/|]\s*", value[0])
                row[name] = " > ".join(level for level in levels if fold(level)) or row[name]
            else:
                row[name] = value


def _context(page: Page, reader: _Reader) -> _Context:
    nodes: list[Node] = reader.guard("structured data", lambda: read_nodes(page), list)
    first = Facts()
    shops: list[str] = reader.guard(
        "the shop's name", lambda: shop_names(page, read_facts(page, nodes, None, []).shops), list
    )
    names = [*product_names(nodes), *page.said("og:title", "twitter:title")]
    heading = reader.guard("heading", lambda: find_heading(page, names, shops), lambda: None)
    element = heading.element if heading else None
    zones = reader.guard(
        "zones",
        lambda: find_zones(page, element),
        lambda: Zones([0] * len(page.elements), None, [], frozenset()),
    )
    tag = without_shop(page.title_tag, shops)
    sure = heading is not None and (heading.score >= _SURE or not names)
    told = [heading.text] if heading is not None and sure else [tag]
    facts = reader.guard(
        "structured data",
        lambda: read_facts(page, nodes, element, [text for text in [*told, tag] if text]),
        lambda: first,
    )
    known = [*told, *facts.words("name")[:6], *page.said("og:title")[:2], tag]
    titles = [text for text in dict.fromkeys(known) if fold(text)]
    titles += [short for text in titles if (short := without_shop(text, shops)) != text]
    state: list[StateProduct] = reader.guard(
        "embedded state", lambda: read_state(page, [t for t in titles if len(fold(t)) > 2][:4]), list
    )
    language, region = reader.guard("language", lambda: find_language(page), lambda: ("", ""))
    place = Place(language, reader.guard("country", lambda: country_of(page, region), str))
    return _Context(page, nodes, shops, heading, zones, facts, state, place, titles)


def _sold(state: list[StateProduct]) -> bool:
    return any(product.agrees >= 0.95 and product.price for product in state)


def _path(context: _Context, title: str) -> list[str]:
    """The category path: what the page shows or states.

    Else the product's category, else what programs know.
    """
    page, titles, shops = context.page, [title, *context.titles], context.shops
    path = find_path(page, context.zones, context.facts.crumbs, titles, shops)
    if path:
        return path
    for text in [
        *context.facts.words("category", "categories"),
        *page.said("product:category", "og:category"),
    ]:
        if re.search(r"[>›»]|\s/\s|\w/\w.*\w/\w|^\[.*\]$", text) and not text.startswith("http"):
            path = path_from_text(page, text, titles, shops)
            if path:
                return path
    for product in context.state:
        path = path_from_names(page, product.path, titles, shops)
        if path:
            return path
    texts = [
        text
        for text in [*context.facts.words("category", "categories"), *page.said("product:category")]
        if not text.startswith("http")
    ]
    return next(
        (found for text in texts if len(text) < 80 and (found := path_from_text(page, text, titles, shops))),
        [],
    )


def _number(context: _Context) -> str:
    """The shop's number of the product; the last part of the address where the page gives none."""
    for key in ("sku", "productid", "identifier", "mpn", "productgroupid", "gtin13", "gtin", "model"):
        for text in context.facts.words(key):
            if len(text) < 80:
                return text
    for text in context.page.said("product:retailer_item_id", "product:sku", "sku"):
        return text
    for product in context.state:
        if product.number:
            return product.number
    parts = urlsplit(context.page.canonical)
    last = [piece for piece in parts.path.split("/") if piece][-1:]
    return clean(re.sub(r"\.\w{2,5}$", "", last[0])) if last else context.page.url
