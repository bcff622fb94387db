"""A small shop with a doubts file, for tests of the review page and for whoever works on the page.

    python tests/review_shop.py FOLDER [PRODUCTS]

writes FOLDER/catalogue.parquet, FOLDER/images/ and FOLDER/doubts.parquet, as `shelfwise audit` would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

TREE = {
    "Clothing": {
        "Shoes": ["Boots", "Sandals", "Sneakers", "Pumps"],
        "Tops": ["Shirts", "Sweaters", "Blouses", "T-Shirts"],
        "Trousers": ["Jeans", "Shorts", "Chinos"],
    },
    "Elektronik": {
        "Küche": ["Kaffeemühlen", "Wasserkocher", "Toaster"],
        "Büro": ["Drucker", "Monitore", "Tastaturen"],
        "Ton": ["Kopfhörer", "Lautsprecher"],
    },
    "Maison & Jardin": {
        "Mobilier": ["Chaises", "Tables basses", "Étagères"],
        "Éclairage": ["Lampes de chevet", "Guirlandes"],
    },
    "Книги": {"Детям": ["Сказки", "Раскраски"], "Наука": ["Математика", "История"]},
    "食品": {"飲料": ["お茶", "コーヒー"], "菓子": ["チョコレート", "クッキー"]},
    "Sports": {"Outdoor": ["Tents", "Sleeping bags"], "Balls": ["Footballs", "Basketballs"]},
}
SEPARATOR = " > "
SHELVES = [
    SEPARATOR.join((a, b, c)) for a, inner in TREE.items() for b, leaves in inner.items() for c in leaves
]
SELLERS = [
    f"{name} {end}" for name in ("Acme", "Nordlicht", "Atelier", "Sakura") for end in ("GmbH", "& Co", "Shop")
]
ADJECTIVES = ["rot", "bleu", "grey", "classic", "soft", "крепкий", "新しい", "light", "petit", "gross"]
KINDS = ["mislabelled", "outlier", "duplicate", "ambiguous"]
NEIGHBOUR = pl.Struct(
    {"product_id": pl.String, "title": pl.String, "category": pl.String, "similarity": pl.Float32}
)
CANDIDATE = pl.Struct({"category": pl.String, "confidence": pl.Float32})


def make_shop(
    folder: Path, products: int = 300, seed: int = 0, pictures: bool = True
) -> tuple[Path, Path, Path]:
    """Write a shop of so many labelled products; return its doubts file, its catalogue and its pictures.

    One row in twenty more has no category, so that rows of the catalogue and of the doubts differ.
    """
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    catalogue, images, doubts = folder / "catalogue.parquet", folder / "images", folder / "doubts.parquet"
    frame, true = _catalogue(products, chance)
    images.mkdir(exist_ok=True)
    if pictures:
        for number, shelf in zip(frame["number"].to_list(), true.tolist(), strict=True):
            if number % 10 != 9:  # some have none
                _draw(images / f"SKU-{number:06d}.jpg", int(shelf), int(number))
    frame = frame.drop("number")
    frame.write_parquet(catalogue)
    about = {
        "version": 1, "catalogue": str(catalogue), "files": [catalogue.name], "roles": _roles(),
        "images": str(images) if pictures else "", "label": "category", "separator": SEPARATOR,
        "data_sha256": "0" * 64, "rows": frame.height, "shelfwise": "0.1.0", "model": "",
    }  # fmt: skip
    _doubts(frame, true, chance).write_parquet(doubts, metadata={"shelfwise.audit": json.dumps(about)})
    return doubts, catalogue, images


def _roles() -> dict[str, object]:
    return {
        "product_id": "sku", "title": "title", "description": "description", "brand": "brand",
        "shop": "seller", "url": "url", "image": "image", "attributes": ["attributes"], "label": "category",
        "separator": SEPARATOR,
    }  # fmt: skip


def _catalogue(products: int, chance: np.random.Generator) -> tuple[pl.DataFrame, np.ndarray]:
    total = products + products // 20
    weight = 1 / np.arange(1, len(SHELVES) + 1) ** 0.5
    true = chance.choice(len(SHELVES), total, p=weight / weight.sum())
    wrong = chance.random(total) < 0.1
    other = (true + chance.integers(1, 5, total)) % len(SHELVES)
    given = np.where(wrong, other, true)
    labelled = np.ones(total, bool)
    labelled[chance.choice(total, total - products, replace=False)] = False
    words = chance.integers(0, len(ADJECTIVES), (total, 2))
    rows = []
    for n in range(total):
        leaf = SHELVES[true[n]].rsplit(SEPARATOR, 1)[1]
        adjectives = " ".join(ADJECTIVES[w] for w in words[n])
        rows.append(
            {
                "number": n,
                "sku": f"SKU-{n:06d}",
                "title": f"{leaf} {adjectives} No. {n}",
                "description": f"<p>A {adjectives} <b>{leaf}</b>.</p><ul><li>With care</li></ul>",
                "attributes": json.dumps({"colour": ADJECTIVES[words[n][0]], "size": n % 50}),
                "brand": f"Brand {n % 17}",
                "seller": SELLERS[n * 7 % len(SELLERS)],
                "url": f"https://shop.example/p/{leaf.replace(' ', '-')}-{n}.html",
                "image": f"SKU-{n:06d}.jpg",
                "price": round(5 + n % 97 * 1.1, 2),
                "category": SHELVES[given[n]] if labelled[n] else None,
            }
        )
    return pl.DataFrame(rows, schema_overrides={"category": pl.String}), true


def _doubts(frame: pl.DataFrame, true: np.ndarray, chance: np.random.Generator) -> pl.DataFrame:
    given = frame["category"].to_list()
    titles, ids = frame["title"].to_list(), frame["sku"].to_list()
    members: dict[str, list[int]] = {}
    for row, shelf in enumerate(given):
        if shelf is not None:
            members.setdefault(shelf, []).append(row)
    there = [shelf for shelf in SHELVES if shelf in members]
    centres = chance.normal(0, 6, (len(SHELVES), 2))
    rows = []
    for row, shelf in enumerate(given):
        if shelf is None:
            continue
        truth = SHELVES[true[row]]
        right = truth == shelf
        others = [one for one in there if one != shelf] or [shelf]
        suggested = truth if not right and truth in members else others[int(chance.integers(0, len(others)))]
        doubt = float(np.clip(chance.beta(1, 8) if right else chance.beta(6, 2), 0.001, 0.999))
        near = [_near(other, members, chance, row) for other in (shelf, suggested)]
        spot = centres[true[row]] + chance.normal(0, 1, 2)
        rows.append(
            {
                "product_id": ids[row], "row": row, "given": shelf, "suggested": suggested, "doubt": doubt,
                "kind": KINDS[0] if not right else KINDS[int(chance.integers(0, len(KINDS)))],
                "reasons": [
                    f"The words of the title speak for {suggested}.",
                    f"{len(near[1])} of the nearest products are on {suggested}.",
                ],
                "neighbours": [
                    {"product_id": ids[n], "title": titles[n], "category": given[n], "similarity": s}
                    for side in near
                    for n, s in side
                ],
                "distance": _distance(shelf, suggested),
                "confidence": 1 - doubt / 2,
                "candidates": [
                    {"category": suggested, "confidence": 0.6 * doubt + 0.2},
                    {"category": shelf, "confidence": 0.5 * (1 - doubt)},
                    {"category": there[(true[row] + 7) % len(there)], "confidence": 0.05},
                ],
                "x": float("nan") if row % 97 == 0 else float(spot[0]), "y": float(spot[1]),
            }
        )  # fmt: skip
    return pl.DataFrame(
        rows,
        schema={
            "product_id": pl.String, "row": pl.UInt32, "given": pl.String, "suggested": pl.String,
            "doubt": pl.Float32, "kind": pl.String, "reasons": pl.List(pl.String),
            "neighbours": pl.List(NEIGHBOUR), "distance": pl.UInt8, "confidence": pl.Float32,
            "candidates": pl.List(CANDIDATE), "x": pl.Float32, "y": pl.Float32,
        },
    ).sort("doubt", "row", descending=[True, False])  # fmt: skip


def _near(
    shelf: str, members: dict[str, list[int]], chance: np.random.Generator, row: int
) -> list[tuple[int, float]]:
    there = members.get(shelf, [])
    picked = {there[int(n)] for n in chance.integers(0, len(there), 3)} - {row} if there else set()
    return [(n, round(0.9 - 0.1 * place, 2)) for place, n in enumerate(sorted(picked))]


def _distance(a: str, b: str) -> int:
    one, other = a.split(SEPARATOR), b.split(SEPARATOR)
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    return len(one) + len(other) - 2 * common


def _draw(path: Path, shelf: int, number: int) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (240, 180), (235, 235, 228))
    draw = ImageDraw.Draw(image)
    colour = (shelf * 67 % 200, shelf * 131 % 200, number * 29 % 200)
    box = (30 + number % 20, 25, 200, 150)
    (draw.ellipse if shelf % 3 == 0 else draw.rectangle)(box, fill=colour)
    draw.line((0, 165, 240, 165), fill=(120, 120, 120), width=3)
    image.save(path, quality=80)


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    for made in make_shop(Path(sys.argv[1]), count, pictures=count <= 20_000):
        print(made)
