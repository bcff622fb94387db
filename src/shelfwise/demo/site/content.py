"""Everything that the web shop answers, by path: nothing else is served, no file of the machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import parse_qs, quote, urlsplit

from shelfwise.demo.site import maps, markup, pages, photos, tree
from shelfwise.demo.site.stock import PER_PAGE, Item, Stock

SLOW = 0.5  # seconds that a slow page takes
HTML = "text/html; charset=utf-8"
STATIC = {"shop.js": "text/javascript; charset=utf-8", "shop.css": "text/css; charset=utf-8"}
_NAME = r"[a-z0-9-]{1,200}"


@dataclass(frozen=True)
class Answer:
    """What is sent for a request; `delay` is how long it takes, in seconds."""

    status: int
    body: bytes = b""
    kind: str = HTML
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @property
    def tag(self) -> str:
        """The entity tag of the body."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


class Content:
    """The answers of one shop; asked by several threads at a time."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self._static = {
            name: resources.files("shelfwise.demo.site").joinpath(name).read_bytes() for name in STATIC
        }
        self._levels = {
            stock.shelf_page(path, language): (path, language)
            for language in tree.LANGUAGES
            for path in stock.shelves[language]
        }
        languages = "|".join(tree.LANGUAGES)
        routes: list[tuple[str, Callable[[re.Match[str], dict[str, str]], Answer]]] = [
            (r"/", self._front),
            (rf"/({languages})/(?:c/(?:{_NAME}/){{1,4}})?", self._level),
            (rf"/({languages})/(p|outlet)/({_NAME})-(\d{{1,7}})/?", self._product),
            (rf"/({languages})/deal/(\d{{1,7}})", self._deal),
            (rf"/({languages})/({'|'.join(pages.FOOT)}|outlet/terms)", self._simple),
            (rf"/api/product/({languages})/(\d{{1,7}})\.json", self._facts),
            (r"/api/more", self._more),
            (r"/pictures/sw-(\d{6})-(\d)(-small)?\.jpg", self._picture),
            (r"/static/(shop\.js|shop\.css)", self._file),
            (r"/robots\.txt", lambda *_: Answer(200, maps.robots(stock).encode(), "text/plain")),
            (r"/sitemap\.xml", lambda *_: Answer(200, maps.index(stock).encode(), "application/xml")),
            (rf"/sitemaps/({languages})\.xml(\.gz)?", self._sitemap),
        ]
        self._routes = [(re.compile(pattern), found) for pattern, found in routes]

    def answer(self, target: str) -> Answer:
        """Return the answer to a GET of a path with its query; 404 for all that the shop does not have."""
        try:
            parts = urlsplit(target)
            query = {name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=20).items()}
        except ValueError:
            return Answer(400, b"<h1>400</h1>")
        for pattern, found in self._routes:
            matched = pattern.fullmatch(parts.path)
            if matched:
                return found(matched, query)
        return self._missing()

    def _missing(self) -> Answer:
        return Answer(404, b"<!doctype html><title>404</title><h1>404: there is no such page</h1>")

    def _moved(self, path: str, status: int = 301) -> Answer:
        return Answer(status, headers={"Location": quote(path, safe="/-_~.?=&")})

    def _front(self, _: re.Match[str], __: dict[str, str]) -> Answer:
        return self._moved("/en/", 302)

    def _level(self, matched: re.Match[str], query: dict[str, str]) -> Answer:
        level = self._levels.get(matched[0])
        number = query.get("page", "1")
        if level is None or not re.fullmatch(r"[1-9]\d{0,3}", number):
            return self._missing()
        path, language = level
        pages_there = -(-len(self.stock.shelves[language][path]) // PER_PAGE)
        if int(number) > (pages_there if self.stock.is_shelf(path, language) else 1):
            return self._missing()
        return Answer(200, pages.shelf(self.stock, path, language, int(number)).encode())

    def _item(self, number: str, language: str) -> Item | None:
        item = self.stock.items.get(int(number))
        return item if item is not None and language in item.goods.wordings else None

    def _product(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        item = self._item(matched[4], matched[1])
        if item is None:
            return self._missing()
        language = matched[1]
        path = self.stock.page(item, language)
        if matched[0].rstrip("/") != path:
            return self._moved(path)
        if item.fate == "gone":
            return Answer(410, b"<!doctype html><title>410</title><h1>410: not sold any more</h1>")
        delay = SLOW if item.quirk == "slow" else 0.0
        return Answer(200, pages.product(self.stock, item, language).encode(), delay=delay)

    def _deal(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        item = self._item(matched[2], matched[1])
        return self._moved(self.stock.page(item, matched[1]), 302) if item else self._missing()

    def _simple(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        text = "This shop was generated: nothing here can be bought."
        return Answer(200, pages.simple(self.stock, matched[1], matched[2], text).encode())

    def _facts(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        item = self._item(matched[2], matched[1])
        if item is None or item.form != "script" or item.fate:
            return Answer(404, b"{}", "application/json")
        sheet = self.stock.sheet(item, matched[1])
        return _json(markup.for_script(sheet, self.stock.crumbs(sheet.category, matched[1])))

    def _more(self, _: re.Match[str], query: dict[str, str]) -> Answer:
        """The next products of a shelf with a button, for the script."""
        level, start = self._levels.get(query.get("shelf", "")), query.get("start", "")
        if level is None or not re.fullmatch(r"\d{1,6}", start):
            return Answer(404, b"{}", "application/json")
        path, language = level
        first, items = int(start), self.stock.shelves[language][path]
        if not self.stock.is_shelf(path, language) or not self.stock.has_button(path):
            return Answer(404, b"{}", "application/json")
        shown = [pages.listing(self.stock, item, language) for item in items[first : first + PER_PAGE]]
        more = first + PER_PAGE < len(items)
        following = f"/api/more?shelf={query['shelf']}&start={first + PER_PAGE}" if more else None
        return _json({"items": shown, "next": following})

    def _picture(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        item = self.stock.items.get(int(matched[1]))
        place = int(matched[2])
        if item is None or not 1 <= place <= item.goods.pictures:
            return self._missing()
        side = photos.SMALL if matched[3] else photos.SIDE
        data = photos.photo(item.goods, place, self.stock.seed, side)
        return self._missing() if data is None else Answer(200, data, "image/jpeg")

    def _file(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        return Answer(200, self._static[matched[1]], STATIC[matched[1]])

    def _sitemap(self, matched: re.Match[str], _: dict[str, str]) -> Answer:
        if matched[0] != maps.SITEMAPS[matched[1]]:
            return self._missing()
        kind = "application/gzip" if matched[2] else "application/xml"
        return Answer(200, maps.sitemap(self.stock, matched[1]), kind)


def _json(data: object) -> Answer:
    return Answer(200, json.dumps(data, ensure_ascii=False).encode(), "application/json")
