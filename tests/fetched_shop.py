"""A small catalogue whose pictures come from a server of this machine, fetched once."""

import contextlib

import numpy as np
import polars as pl

from hostile_pictures import photo, saved
from picture_answers import answering

COUNT = 80


def pictures():
    """Pictures by number: two colours of goods, the second and third the same bytes."""
    from PIL import Image

    made = []
    for number in range(COUNT):
        rng = np.random.default_rng(max(number, 2))
        tint = np.array([200, 30, 30] if number % 2 else [30, 30, 200])
        pixels = np.clip(np.asarray(photo(rng)) * 0.2 + tint, 0, 255).astype(np.uint8)
        made.append(saved(Image.fromarray(pixels), "PNG" if number % 3 else "JPEG"))
    made[3] = made[1]
    return made


def catalogue(url):
    """Products whose pictures alone tell their category; the last has a dead address."""
    return pl.DataFrame(
        {
            "product_id": [f"sku-{number}" for number in range(COUNT + 1)],
            "title": [f"thing {number // 2 % 5}" for number in range(COUNT + 1)],
            "category": [("blue", "red")[number % 2] for number in range(COUNT + 1)],
            "image": [f"{url}/{number}/main.jpg" for number in range(COUNT + 1)],
        }
    )


@contextlib.contextmanager
def shop(folder):
    """Serve the pictures; gives the catalogue's file."""
    made = pictures()

    def answer(path, headers):
        number = int(path.split("/")[1])
        return (200, {}, made[number]) if number < COUNT else (404, {}, b"gone")

    with answering(answer) as server:
        catalogue(server.url).write_parquet(folder / "products.parquet")
        yield folder / "products.parquet"
