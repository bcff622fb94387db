"""What lies where in the web shop: its products with their faults, its tree, its addresses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

from shelfwise.demo.site import tree
from shelfwise.demo.site.goods import CURRENCY, Goods, make_goods
from shelfwise.demo.site.sheet import Sheet
from shelfwise.demo.words import vocabulary

FORMS = {"json-ld": 45, "microdata": 25, "open-graph": 10, "script-data": 8, "script": 12}
"""How product pages tell their facts, of a hundred: the last two are empty without JavaScript."""

QUIRKS = {"slow": 2, "broken": 6, "unlisted": 20, "": 72}
"""Of a hundred pages: answered late; with markup that is not closed; missing in the sitemap."""

FATES = ("outlet", "outlet", "outlet", "outlet", "gone", "gone", "soft-404", "soft-404")
"""The first products of a shop: forbidden by robots.txt, 410, and a page that says so with status 200."""

BUTTON_SHARE = 0.5  # shelves that show more products by a button instead of by pages
SILENT_SHARE = 0.4  # of those with a button: where more comes from, only the script knows
PER_PAGE = 6

Path = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A product as the shop keeps it.

    Attributes:
        goods: What it is.
        form: One of FORMS.
        quirk: One of QUIRKS; empty for most.
        fate: One of FATES; empty for products that are simply there.
        style: A number that chooses between ways to write the same.

    """

    goods: Goods
    form: str
    quirk: str
    fate: str
    style: int


class Stock:
    """All products and where they lie; `base` is the shop's address without a path, such as http://localhost:80.

    The same count and seed make the same shop.
    """

    def __init__(self, count: int, seed: int, base: str) -> None:
        self.seed, self.base = seed, base.rstrip("/")
        chance = random.Random(f"stock/{seed}")
        goods = make_goods(count, seed)
        self._buttons = {
            tree.names(shelf, language)
            for shelf in vocabulary().shelves
            if chance.random() < BUTTON_SHARE
            for language in tree.LANGUAGES
        }
        quiet = random.Random(f"silent/{seed}")
        silent = {shelf for shelf in vocabulary().shelves if quiet.random() < SILENT_SHARE}
        self._silent = {tree.names(shelf, language) for shelf in silent for language in tree.LANGUAGES}
        self.items = {
            one.number: Item(
                one,
                form=chance.choices(list(FORMS), list(FORMS.values()))[0],
                quirk=chance.choices(list(QUIRKS), list(QUIRKS.values()))[0],
                fate=FATES[place] if place < len(FATES) else "",
                style=chance.randrange(1000),
            )
            for place, one in enumerate(goods)
        }

    def url(self, path: str) -> str:
        """Return the whole address of a path."""
        return f"{self.base}{path}"

    def page(self, item: Item, language: str) -> str:
        """Return the path of a product's page."""
        folder = "outlet" if item.fate == "outlet" else "p"
        return f"/{language}/{folder}/{item.goods.slug(language)}"

    def shelf_page(self, path: Path, language: str) -> str:
        """Return the path of a shelf's page, of a parent or of the shop's front ("")."""
        inner = "/".join(tree.slug(name) for name in path)
        return f"/{language}/c/{inner}/" if inner else f"/{language}/"

    def crumbs(self, path: Path, language: str) -> list[tuple[str, str]]:
        """Return the levels down to a shelf with their whole addresses, the front page first."""
        levels = [path[:depth] for depth in range(len(path) + 1)]
        names = [tree.HOME[language], *path]
        return [
            (name, self.url(self.shelf_page(level, language)))
            for name, level in zip(names, levels, strict=True)
        ]

    def given(self, item: Item, language: str) -> Path:
        """Return the way to the shelf that a product was put on."""
        return tree.names(item.goods.given, language)

    def sheet(self, item: Item, language: str) -> Sheet:
        """Return what a product's page tells, in whatever form it does."""
        goods, wording = item.goods, item.goods.wordings[language]
        social = item.form == "open-graph"
        return Sheet(
            product_id=goods.product_id,
            url=self.url(self.page(item, language)),
            title=wording.title,
            description=wording.description,
            brand=goods.brand,
            price=goods.price,
            currency=CURRENCY,
            rating=None if social else goods.rating,
            category=self.given(item, language),
            attributes=wording.attributes,
            images=tuple(self.url(self.picture(goods, place)) for place in range(1, goods.pictures + 1)),
            language=language,
            audience=None if social else wording.audience,
        )

    def picture(self, goods: Goods, place: int, ending: str = ".jpg") -> str:
        """Return the path of a product's picture; `place` counts from 1."""
        return f"/pictures/{goods.product_id.lower()}-{place}{ending}"

    @cached_property
    def shelves(self) -> dict[str, dict[Path, list[Item]]]:
        """By language, every level of the tree (the front is the empty path) and what lies there or below."""
        found: dict[str, dict[Path, list[Item]]] = {language: {} for language in tree.LANGUAGES}
        for item in self.items.values():
            for language in item.goods.wordings:
                path = self.given(item, language)
                for depth in range(len(path) + 1):
                    found[language].setdefault(path[:depth], []).append(item)
        return found

    def children(self, path: Path, language: str) -> list[Path]:
        """Return the levels right below one, sorted."""
        levels = self.shelves[language]
        return sorted(one for one in levels if len(one) == len(path) + 1 and one[: len(path)] == path)

    def is_shelf(self, path: Path, language: str) -> bool:
        """Tell whether products lie on a level itself; other levels show a few from below."""
        return not self.children(path, language)

    def has_button(self, path: Path) -> bool:
        """Tell whether a shelf shows more of its products by a button that needs JavaScript."""
        return path in self._buttons

    def is_silent(self, path: Path) -> bool:
        """Tell whether the page of a shelf with a button says nothing about where more comes from."""
        return self.has_button(path) and path in self._silent

    def listed(self, item: Item) -> bool:
        """Tell whether a product's pages are in the sitemap."""
        return item.quirk != "unlisted"

    def found_by(self, item: Item, language: str) -> str:
        """Return the least that finds a page: the "sitemap", "links", the "button", or to "press" it."""
        if self.listed(item):
            return "sitemap"
        linked = any(
            self._linked(item, spoken) for spoken in item.goods.wordings
        )  # its pages link each other
        if linked:
            return "links"
        told = any(not self.is_silent(self.given(item, spoken)) for spoken in item.goods.wordings)
        return "button" if told else "press"

    def _linked(self, item: Item, language: str) -> bool:
        """Whether some level has a link to a page: its shelf or one above it."""
        path, levels = self.given(item, language), self.shelves[language]
        first = any(item in levels[path[:depth]][:PER_PAGE] for depth in range(len(path) + 1))
        return first or not self.has_button(path)
