"""The chaos shop's products: what they are, where their pages are, and how those pages tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from chaos_shop import robots
from chaos_shop.faults import draw, pick
from shelfwise.demo.site import tree
from shelfwise.demo.site.goods import make_goods
from shelfwise.demo.site.sheet import Sheet, to_frame

FORMS = {"json-ld": 60, "microdata": 25, "open-graph": 15}
CHARSETS = {
    "utf-8": 79, "lying-utf-8": 3, "header-wrong": 4, "meta-wrong": 4, "none": 4, "meta-only": 4, "bom": 2,
}  # fmt: skip
PRICES = {"plain": 60, "german": 15, "english": 10, "french": 8, "swiss": 7}
JSON_FAULTS = {
    "": 50, "graph": 10, "list": 10, "trailing-comma": 6, "entities": 6, "comments": 6, "newline": 6,
    "cdata": 6,
}  # fmt: skip
PLACES = {
    "/p/": 90, "/private/p/": 2, "secret": 1, "/private/open/p/": 1, "/not-for-{}/p/": 1,
    "/only-for-{}/p/": 1,
    "/reserved/p/": 1, "noindex-header": 1, "noindex-meta": 1, "tdm-header": 0.5, "tdm-meta": 0.5,
}  # fmt: skip
FOUND = {"sitemap+links": 70, "links": 25, "sitemap": 5}
RUSSIAN = ("Сапоги", "Кастрюля", "Светильник", "Рубашка", "Лопата", "Наушники", "Кукла", "Шампунь")
TAIL = {"en": " – Édition spéciale", "de": " – für Größe"}


@dataclass(frozen=True)
class Product:
    """One product; the names are keys of the tables above.

    policy: why it may not be taken although it can be read: "" for most, "noindex", or "tdm" (text and data
    mining is reserved). since, until: versions of the shop in which it is there.
    """

    number: int
    sheet: Sheet
    path: str
    form: str
    charset: str
    price_form: str
    json_fault: str
    policy: str
    where: str
    found: str
    since: int
    until: int


class Stock:
    """All products of all versions of the shop."""

    def __init__(self, settings, address):
        self.settings, self.address = settings, address
        goods = make_goods(settings.products, settings.seed)
        self.products = {one.number: self._product(one) for one in goods}
        self.shelves = {}
        for one in self.products.values():
            if "links" in one.found:
                for depth in range(len(one.sheet.category) + 1):
                    self.shelves.setdefault(one.sheet.category[:depth], []).append(one)

    def _product(self, goods):
        seed, number = self.settings.seed, goods.number
        language = next(iter(goods.wordings))
        wording = goods.wordings[language]
        charset = pick(CHARSETS, seed, "charset", number)
        title = wording.title
        if charset == "lying-utf-8":
            title = f"{RUSSIAN[number % len(RUSSIAN)]} {number}"
        elif charset != "utf-8":
            title += TAIL[language]
        form = pick(FORMS, seed, "form", number) if charset != "lying-utf-8" else "microdata"
        if draw(seed, "javascript", number) < self.settings.javascript:
            form, charset = "script", "utf-8"
            title = wording.title
        where = pick(PLACES, seed, "place", number)
        path = self._path(where, goods.slug(language))
        social = form == "open-graph"
        sheet = Sheet(
            product_id=f"CH-{number:06d}",
            url=self.address + path,
            title=title,
            description=wording.description,
            brand=goods.brand,
            price=goods.price,
            currency="EUR",
            rating=None if social else goods.rating,
            category=tree.names(goods.given, "en"),
            attributes=wording.attributes,
            images=(f"{self.address}/pictures/{number}.jpg",),
            language=language,
            audience=None if social else wording.audience,
        )
        policy = "tdm" if where in ("/reserved/p/", "tdm-header", "tdm-meta") else ""
        return Product(
            number, sheet, path, form, charset,
            price_form=pick(PRICES, seed, "price", number) if form != "script" else "plain",
            json_fault=pick(JSON_FAULTS, seed, "json", number) if form == "json-ld" else "",
            policy="noindex" if where.startswith("noindex") else policy,
            where=where,
            found=pick(FOUND, seed, "found", number),
            since=2 if draw(seed, "since", number) < 0.01 else 1,
            until=1 if draw(seed, "until", number) < 0.02 else 1_000_000,
        )  # fmt: skip

    def _path(self, where, slug):
        folder = where.format(self.settings.agent) if where.startswith("/") else "/p/"
        return f"{folder}{slug}-secret.html" if where == "secret" else f"{folder}{slug}"

    def there(self, product, version):
        return product.since <= version <= product.until

    def changed(self, product, version):
        """The last version in which the page was changed."""
        later = (
            v for v in range(version, 1, -1) if draw(self.settings.seed, "change", product.number, v) < 0.05
        )
        return max(next(later, 1), product.since)

    def sheet(self, product, version):
        """The product's facts in a version of the shop: changed pages have another price."""
        changed = self.changed(product, version)
        if changed == product.since:
            return product.sheet
        return replace(product.sheet, price=f"{float(product.sheet.price) + changed:.2f}")

    def truth(self, version, agent):
        """What a perfect scrape by an agent finds in a version of the shop: see the README of this folder."""
        there = [one for one in self.products.values() if self.there(one, version)]
        free = [robots.allowed(self.settings, agent, one.path) for one in there]
        names = ("form", "charset", "price_form", "json_fault", "policy", "found")
        return to_frame([self.sheet(one, version) for one in there]).with_columns(
            *(pl.Series(name, [getattr(one, name) for one in there], dtype=pl.String) for name in names),
            pl.Series("allowed", free, dtype=pl.Boolean),
            pl.Series(
                "expected",
                [ok and not one.policy for ok, one in zip(free, there, strict=True)],
                dtype=pl.Boolean,
            ),
            pl.Series("changed", [self.changed(one, version) for one in there], dtype=pl.Int64),
        )
