"""The demo shop: a generated catalogue with the faults of a real one, and the truth about the planted ones.

About 3,000 offers in 68 categories of one to three levels. Three in a hundred lie on a wrong shelf, some have
no category, some repeat what another seller offers, three shelves hold a single product, and one offer in
seven is written in German. Most have a picture. The catalogue comes with a `split` column that keeps offers
of one thing together.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import polars as pl

from shelfwise.demo.offers import Offer, offer_again, write_offer
from shelfwise.demo.pictures import Subject, write_pictures
from shelfwise.demo.words import Shelf, vocabulary
from shelfwise.errors import RecipeError

SEPARATOR = " > "
FEWEST = 300  # below this, most shelves would hold a product or two and nothing could be learned
TEST_SHARE = 0.2
AGAIN_SHARE = 0.08  # offers that repeat another seller's
MISPLACED_SHARE = 0.03
NEARBY_SHARE = 0.7  # of the misplaced: on a shelf of the same department
UNLABELLED_SHARE = 0.01
ARRIVALS_SHARE = 0.05  # newcomers without a category, on top


@dataclass(frozen=True)
class DemoShop:
    """Where the generated shop lies.

    Attributes:
        catalogue: Parquet with all products, their categories (`category`) and a `split` column.
        new_arrivals: CSV with products of the same shelves that have no category yet.
        planted: CSV that names the products that were put on a wrong shelf: `product_id`, `given`, `true`.
        images: Folder with a picture of nearly every product, in the catalogue or new: `PRODUCT_ID.jpg`.

    """

    catalogue: Path
    new_arrivals: Path
    planted: Path
    images: Path


@dataclass(frozen=True)
class _Row:
    """An offer with its place in the tree; `thing` is the same for all offers of one thing."""

    offer: Offer
    true: Shelf
    thing: int


def generate(folder: Path, products: int = 3000, seed: int = 0) -> DemoShop:
    """Write a demo shop into `folder`, which is made where needed; files of an earlier run are replaced.

    Args:
        folder: Where the three files and the folder of pictures go.
        products: Rows of the catalogue, at least 300.
        seed: Another seed makes another shop; the same seed makes the same files.

    Returns:
        The paths of the files and of the pictures' folder.

    Raises:
        RecipeError: Fewer products were asked for than the shelves need.

    """
    if products < FEWEST:
        raise RecipeError(f"products: a demo shop needs at least {FEWEST} products, not {products}")
    chance = random.Random(seed)
    counter = itertools.count()
    rows = _rows(products, chance, counter)
    newcomers = _rows(round(products * ARRIVALS_SHARE), chance, counter)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("catalogue.parquet", "new-arrivals.csv", "planted.csv", "images")
    shop = DemoShop(*(folder / name for name in names))
    frame = _frame(rows, first=1).with_columns(pl.Series("category", [_name(row.true) for row in rows]))
    given = _misplace(rows, chance)
    frame = frame.with_columns(
        true=pl.col("category"), category=pl.Series(given), split=pl.Series(_split(rows, chance))
    )
    frame.drop("true").write_parquet(shop.catalogue)
    _frame(newcomers, first=products + 1).write_csv(shop.new_arrivals)
    moved = frame.filter(pl.col("category") != pl.col("true"))
    moved.select("product_id", given="category", true="true").write_csv(shop.planted)
    shown = enumerate([*rows, *newcomers], start=1)
    subjects = [Subject(_identifier(number), row.true, row.thing) for number, row in shown]
    write_pictures(shop.images, subjects, seed)
    return shop


def _rows(count: int, chance: random.Random, counter: itertools.count[int]) -> list[_Row]:
    """`count` offers in random order, on every shelf at least one while there is room."""
    rows: list[_Row] = []
    for shelf, size in zip(vocabulary().shelves, shelf_sizes(count), strict=True):
        for _ in range(size):
            number = next(counter)
            earlier = rows[-1] if rows and rows[-1].true is shelf else None
            if earlier and chance.random() < AGAIN_SHARE:
                rows.append(_Row(offer_again(earlier.offer, number, chance), shelf, earlier.thing))
            else:
                rows.append(_Row(write_offer(shelf, number, chance), shelf, number))
    chance.shuffle(rows)
    return rows


def shelf_sizes(count: int) -> list[int]:
    """Return how many products each shelf gets: by its share, one where that is 0; the largest is rounded."""
    total = sum(shelf.share for shelf in vocabulary().shelves)
    singles = sum(shelf.share == 0 for shelf in vocabulary().shelves)
    spread = [max(1, int(shelf.share / total * (count - singles))) for shelf in vocabulary().shelves]
    largest = max(range(len(spread)), key=spread.__getitem__)
    spread[largest] += count - sum(spread)
    return spread


def _misplace(rows: list[_Row], chance: random.Random) -> list[str | None]:
    """Give the categories as the sellers did: some wrong, some none."""
    given: list[str | None] = []
    for row in rows:
        draw = chance.random()
        if draw < UNLABELLED_SHARE:
            given.append(chance.choice((None, "")))
        elif draw < UNLABELLED_SHARE + MISPLACED_SHARE and row.true.share > 0:
            given.append(_name(wrong_shelf(row.true, chance)))
        else:
            given.append(_name(row.true))
    return given


def wrong_shelf(true: Shelf, chance: random.Random) -> Shelf:
    """Return a shelf where a thing is put by mistake: mostly one of the same department."""
    others = [shelf for shelf in vocabulary().shelves if shelf is not true and shelf.share > 0]
    nearby = [shelf for shelf in others if shelf.path[0] == true.path[0]]
    return chance.choice(nearby if nearby and chance.random() < NEARBY_SHARE else others)


def _split(rows: list[_Row], chance: random.Random) -> list[str]:
    """`train` or `test` by thing, so that no offer is tested on that another seller's offer gives away."""
    side: dict[int, str] = {}
    for row in rows:
        if row.thing not in side:
            side[row.thing] = "test" if chance.random() < TEST_SHARE and row.true.share > 0 else "train"
    return [side[row.thing] for row in rows]


def _frame(rows: list[_Row], first: int) -> pl.DataFrame:
    names = [field.name for field in fields(Offer)]
    offers = pl.DataFrame(
        [astuple(row.offer) for row in rows], schema=dict.fromkeys(names, pl.String), orient="row"
    )
    identifiers = [_identifier(number) for number in range(first, first + len(rows))]
    return offers.insert_column(0, pl.Series("product_id", identifiers))


def _identifier(number: int) -> str:
    return f"SKU-{number:06d}"


def _name(shelf: Shelf) -> str:
    return SEPARATOR.join(shelf.path)
