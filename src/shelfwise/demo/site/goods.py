"""What the web shop sells: products in two languages, each with the facts that its page tells."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from shelfwise.demo.offers import COLOUR_WORD, FOR_WORD, MATERIAL_WORD, SIZE_WORD
from shelfwise.demo.shop import FEWEST, MISPLACED_SHARE, shelf_sizes, wrong_shelf
from shelfwise.demo.site.tree import LANGUAGES, slug
from shelfwise.demo.words import Shelf, vocabulary
from shelfwise.errors import RecipeError

BOTH_SHARE, ENGLISH_SHARE = 0.7, 0.2  # sold in both languages, in English only; the others in German only
RATED_SHARE = 0.7
DEAR_SHARE = 0.08  # with prices in thousands, which are written with a separator
CURRENCY = "EUR"


@dataclass(frozen=True)
class Wording:
    """A product as it is told in one language; `attributes` are names to values, `audience` is for whom."""

    title: str
    description: str
    attributes: Mapping[str, str]
    audience: str | None


@dataclass(frozen=True)
class Goods:
    """One product.

    Attributes:
        number: Unique in the shop.
        true: The shelf where it belongs.
        given: The shelf where the shop put it; another one than `true` where an error was planted.
        brand: Its maker.
        cents: Its price in hundredths of a euro.
        rating: Mean of the customers' stars and how many gave some; None without any.
        pictures: How many pictures it has.
        wordings: By language, for the languages that it is sold in.

    """

    number: int
    true: Shelf
    given: Shelf
    brand: str
    cents: int
    rating: tuple[float, int] | None
    pictures: int
    wordings: Mapping[str, Wording]

    @property
    def product_id(self) -> str:
        """The article number that stands on the page."""
        return f"SW-{self.number:06d}"

    @property
    def price(self) -> str:
        """The price as a decimal, such as 1249.90."""
        return f"{self.cents // 100}.{self.cents % 100:02d}"

    def slug(self, language: str) -> str:
        """Return the last part of the address of its page."""
        return f"{slug(self.wordings[language].title)}-{self.number}"


def make_goods(count: int, seed: int) -> list[Goods]:
    """Return `count` products in random order; the same seed makes the same.

    Raises:
        RecipeError: Fewer products were asked for than the shelves need.

    """
    if count < FEWEST:
        raise RecipeError(f"products: a demo shop needs at least {FEWEST} products, not {count}")
    chance = random.Random(f"web/{seed}")
    shelves = [
        shelf
        for shelf, size in zip(vocabulary().shelves, shelf_sizes(count), strict=True)
        for _ in range(size)
    ]
    chance.shuffle(shelves)
    return [_invent(shelf, number, chance) for number, shelf in enumerate(shelves, start=1)]


def _invent(shelf: Shelf, number: int, chance: random.Random) -> Goods:
    misplaced = shelf.share > 0 and chance.random() < MISPLACED_SHARE
    brand = chance.choice(vocabulary().departments[shelf.path[0]].brands)
    cents = 100 * chance.randint(3, 249) + chance.choice((0, 49, 90, 95, 99))
    if chance.random() < DEAR_SHARE:
        cents += 100_000 * chance.randint(1, 4)
    rated = chance.random() < RATED_SHARE
    return Goods(
        number=number,
        true=shelf,
        given=wrong_shelf(shelf, chance) if misplaced else shelf,
        brand=brand,
        cents=cents,
        rating=(chance.randint(20, 50) / 10, chance.randint(1, 900)) if rated else None,
        pictures=chance.choice((1, 1, 2, 3)),
        wordings=_wordings(shelf, brand, chance),
    )


def _wordings(shelf: Shelf, brand: str, chance: random.Random) -> dict[str, Wording]:
    """The same facts in each language that the product is sold in."""
    department = vocabulary().departments[shelf.path[0]]
    kind, material = chance.choice(shelf.kinds), chance.choice(department.materials)
    colour, size = chance.choice(vocabulary().colours), chance.choice(department.sizes)
    remark = chance.choice(shelf.remarks)
    praise = chance.sample(department.praise, k=min(2, len(department.praise)))
    sentences = [remark, *praise, chance.choice(vocabulary().boilerplate)]
    model, shape = chance.choice(department.models), chance.randrange(3)
    told = [chance.random() < share for share in (0.8, 0.7, 0.7)]
    sold = chance.random()
    spoken = (
        LANGUAGES if sold < BOTH_SHARE else LANGUAGES[:1] if sold < BOTH_SHARE + ENGLISH_SHARE else ("de",)
    )
    found = {}
    for language in spoken:
        side = LANGUAGES.index(language)
        name = f"{kind[side]} {FOR_WORD[side]} {shelf.wearer[side]}" if shelf.wearer else kind[side]
        title = (
            f"{brand} {model} {name} {colour[side]}, {size}",
            f"{name} {material[side]} {colour[side]} {brand} {model}",
            f"{brand} {name} {model}, {material[side]}, {size}",
        )[shape]
        facts = zip(
            (MATERIAL_WORD, COLOUR_WORD, SIZE_WORD), (material[side], colour[side], size), told, strict=True
        )
        found[language] = Wording(
            title=title[0].upper() + title[1:],
            description=" ".join(sentence[side] for sentence in sentences),
            attributes={word[side]: value for word, value, said in facts if said},
            audience=shelf.wearer[side].capitalize() if shelf.wearer else None,
        )
    return found
