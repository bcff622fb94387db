"""The pictures that the web shop serves: drawn when they are asked for, some of them dead."""

from __future__ import annotations

import io
import random
from functools import lru_cache

from shelfwise.demo.pictures import PAGE, draw
from shelfwise.demo.site.goods import Goods
from shelfwise.demo.words import Shelf

SIDE, SMALL = 240, 96  # pixels
DEAD_SHARE = 0.06
FATES = ("missing", "page", "truncated")


def fate(goods: Goods, place: int, seed: int) -> str:
    """Return what becomes of a product's picture, the first of which has place 1.

    "fine", or one of FATES: there is none, it is a page that calls itself a picture, or it ends early.
    """
    chance = random.Random(f"fate/{seed}/{goods.number}/{place}")
    return chance.choice(FATES) if chance.random() < DEAD_SHARE else "fine"


def photo(goods: Goods, place: int, seed: int, side: int = SIDE) -> bytes | None:
    """Return what the shop sends for a picture: a JPEG file of `side` x `side` pixels if it is fine.

    It shows the thing that the product is, whatever shelf it was put on. None stands for 404.
    """
    became = fate(goods, place, seed)
    if became == "missing":
        return None
    if became == "page":
        return PAGE
    data = _drawn(goods.true, f"photo/{seed}/{goods.number}/{place}", side)
    return data[: len(data) // 3] if became == "truncated" else data


@lru_cache(maxsize=1024)  # about 10 MB
def _drawn(shelf: Shelf, seed: str, side: int) -> bytes:
    buffer = io.BytesIO()
    draw(shelf, random.Random(seed), side).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
