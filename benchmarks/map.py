"""The map of a catalogue: how long it takes, what two dimensions keep of many, whether it stays.

    python benchmarks/map.py                      instacart and fashion, with and without its pictures
    python benchmarks/map.py --million            also a million products, made of instacart's titles

Labels are looked at only here: the share of a product's ten nearest products that stand on its own shelf, by
the vectors and on the map. Trustworthiness is that of Venna and Kaski (2001), of 3,000 products. A map that
grew by 1 % is laid over the old one by the best rotation and scale; how far points moved is given as a share
of the map's radius.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np
import polars as pl
from scipy.spatial import KDTree, procrustes

from record import DATA, circumstances, in_words, store, table
from shelfwise.audit.embedding import content_keys, embed
from shelfwise.audit.layout import lay_out
from shelfwise.catalogue.read import open_source
from shelfwise.lesson import Lesson, Training, read_lesson
from shelfwise.recipe import Recipe

SETS = (("instacart", False), ("fashion", False), ("fashion", True))
NEAREST = 10
ASKED = 3_000
MILLION = 1_000_000


def read(name: str, pictures: bool) -> Lesson:
    """The labelled products of a catalogue: titles, and vectors of the pictures."""
    folder = DATA / name
    recipe = {
        "catalogue": {"label": "category_path", "fields": ["title"]},
        "pictures": {"folder": str(folder / "images"), "encoder": "pixels"}
        if pictures
        else {"encoder": "none"},
    }
    return read_lesson(
        open_source(str(folder / "products.parquet")), Recipe.from_dict(recipe, "map"), None, Training()
    )


def purity(near: np.ndarray, y: np.ndarray, asked: np.ndarray) -> float:
    """The share of the nearest products that stand on the same shelf."""
    return float((y[near] == y[asked][:, None]).mean())


def measure(name: str, pictures: bool) -> dict[str, Any]:
    """Time, quality and steadiness of one catalogue's map."""
    lesson = read(name, pictures)
    products, random = lesson.products, np.random.default_rng(0)
    began = time.perf_counter()
    vectors = embed(products, lesson.fields, lesson.dense)
    embedded, spent = time.perf_counter(), time.process_time()
    keys = content_keys(products, lesson.fields, lesson.dense)
    places = lay_out(vectors, keys=keys, threads=2)
    done, spent = time.perf_counter(), time.process_time() - spent
    there = np.flatnonzero(~np.isnan(places[:, 0]))
    asked = there[random.permutation(len(there))[:ASKED]]
    alike = vectors[asked] @ vectors[there].T
    alike[asked[:, None] == there[None]] = -np.inf
    near = there[np.argpartition(-alike, NEAREST, axis=1)[:, :NEAREST]]
    flat = there[KDTree(places[there]).query(places[asked], NEAREST + 1)[1][:, 1:]]
    print(f"{name}: {embedded - began:.1f} s + {done - embedded:.1f} s", flush=True)
    return {
        "catalogue": name + (" + pictures" if pictures else ""),
        "products": products.height,
        "width": vectors.shape[1],
        "nowhere": products.height - len(there),
        "embed_seconds": round(embedded - began, 1),
        "layout_seconds": round(done - embedded, 1),
        "layout_processor_seconds": round(spent, 1),
        "purity_vectors": round(purity(near, lesson.y, asked), 4),
        "purity_map": round(purity(flat, lesson.y, asked), 4),
        "trustworthiness": round(_trust(vectors[asked], places[asked]), 4),
        "same_bits": bool(np.array_equal(places, lay_out(vectors, keys=keys), equal_nan=True)),
        "moved": round(_moved(lesson, places), 4),
    }


def _trust(vectors: np.ndarray, places: np.ndarray) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(vectors, places, n_neighbors=NEAREST))


def _moved(lesson: Lesson, places: np.ndarray) -> float:
    """The median distance by which products move once 1 % more have come, as a share of the radius."""
    random = np.random.default_rng(1)
    fewer = np.sort(random.permutation(lesson.products.height)[lesson.products.height // 100 :])
    part = lesson.products[fewer.tolist()]
    before = lay_out(
        embed(part, lesson.fields, lesson.dense), keys=content_keys(part, lesson.fields, lesson.dense)
    )
    both = ~np.isnan(before[:, 0]) & ~np.isnan(places[fewer, 0])
    old, new, _ = procrustes(before[both], places[fewer][both])
    return float(np.median(np.linalg.norm(old - new, axis=1)) / np.sqrt((old**2).sum(axis=1).mean()))


def million() -> dict[str, Any]:
    """A catalogue of a million: each product of instacart twenty times, with words of others."""
    products = read("instacart", False).products
    random = np.random.default_rng(0)
    titles = products["title"].to_numpy()
    rows = random.integers(len(titles), size=(MILLION, 2))
    texts = titles[rows[:, 0]] + " " + np.array([title.split(" ")[0] for title in titles[rows[:, 1]]], object)
    frame = pl.DataFrame({"title": texts.tolist()})
    began = time.perf_counter()
    vectors = embed(frame, ["title"], [])
    embedded = time.perf_counter()
    lay_out(vectors, keys=content_keys(frame, ["title"], []), threads=2)
    done = time.perf_counter()
    return {
        "products": MILLION,
        "embed_seconds": round(embedded - began, 1),
        "layout_seconds": round(done - embedded, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def write(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    head = ["catalogue", "products", "vectors, s", "map, s", "map, processor s", "purity of vectors"]
    head += ["of the map", "trustworthiness", "same bits again", "moved by 1 % more"]
    rows = [
        [
            one["catalogue"], f"{one['products']:,}", one["embed_seconds"], one["layout_seconds"],
            one["layout_processor_seconds"],
            f"{one['purity_vectors']:.3f}", f"{one['purity_map']:.3f}", f"{one['trustworthiness']:.3f}",
            "yes" if one["same_bits"] else "no", f"{one['moved']:.3f}",
        ]
        for one in results["sets"]
    ]  # fmt: skip
    text = table(head, rows)
    if big := results.get("million"):
        text += (
            f"\n\nA million products: vectors in {big['embed_seconds']:.0f} s, the map in "
            f"{big['layout_seconds']:.0f} s, {big['peak_gb']:.1f} GB at the peak, the catalogue itself "
            f"included."
        )
    return f"{text}\n\n{in_words(results['where'])}"


def main() -> None:
    """Measure and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--million", action="store_true", help="also a catalogue of a million products")
    options = parser.parse_args()
    results: dict[str, Any] = {"where": circumstances()}
    results["sets"] = [measure(name, pictures) for name, pictures in SETS]
    if options.million:
        results["million"] = million()
    text = write(results)
    store("map", results, text)
    print(text)


if __name__ == "__main__":
    main()
