"""Whether a flipped bit is noticed before what it damaged is used: in a model folder, in cached vectors.

    python benchmarks/bit_flips.py

A model of the demo shop is trained and loaded again with one bit flipped, anywhere in any of its files, a
thousand times; the same is done to a shard of a thousand cached vectors. A flip in a model has to be refused;
one in a shard may make a vector disappear (it is then encoded again), but never come back changed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from record import circumstances, in_words, store, table
from shelfwise import artifact
from shelfwise.categorizer import Categorizer
from shelfwise.demo import generate
from shelfwise.errors import ModelError
from shelfwise.features.cache import VectorCache, as_keys, key_of, rounded

WIDTH, VECTORS = 384, 1_000
PRINT = "f" * 64


def flip(files: list[Path], chance: np.random.Generator) -> tuple[Path, bytes]:
    """Flip one bit of some files, each bit as likely as any; the file and what it held."""
    sizes = np.array([path.stat().st_size for path in files])
    bit = int(chance.integers(8 * sizes.sum()))
    number = int(np.searchsorted(np.cumsum(8 * sizes), bit, "right"))
    bit -= int(8 * sizes[:number].sum())
    before = files[number].read_bytes()
    content = bytearray(before)
    content[bit // 8] ^= 1 << bit % 8
    files[number].write_bytes(content)
    return files[number], before


def model_flips(box: Path, flips: int, seed: int) -> dict[str, dict[str, int]]:
    """Flips and how many were refused, by file."""
    model = box / "model"
    Categorizer().fit(generate(box / "shop", products=600).catalogue).save(model)
    files, chance = sorted(model.iterdir()), np.random.default_rng(seed)
    made: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    for _ in range(flips):
        path, before = flip(files, chance)
        made[path.name] += 1
        try:
            artifact.read_folder(model)
        except ModelError:
            noticed[path.name] += 1
        path.write_bytes(before)
    artifact.read_folder(model)
    return {f"model, {name}": {"flips": made[name], "noticed": noticed[name]} for name in sorted(made)}


def cache_flips(box: Path, flips: int, seed: int) -> dict[str, dict[str, int]]:
    """Flips, after how many of them a vector was missing (noticed), and after how many one was wrong."""
    chance = np.random.default_rng(seed)
    keys = as_keys(key_of(str(number).encode()) for number in range(VECTORS))
    vectors = chance.standard_normal((VECTORS, WIDTH)).astype(np.float32)
    whole = box / "whole"
    VectorCache(whole).of(PRINT, WIDTH).keep(keys, vectors)
    told = {"flips": flips, "noticed": 0, "wrong": 0}
    for _ in range(flips):
        copy = Path(shutil.copytree(whole, box / "copy"))
        flip(sorted(copy.glob("*/*.safetensors")), chance)
        found, there = VectorCache(copy).of(PRINT, WIDTH).find(keys)
        told["noticed"] += int(not there.all())
        told["wrong"] += int(not np.array_equal(found[there], rounded(vectors)[there]))
        shutil.rmtree(copy)
    return {"cached vectors": told}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flips", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as box:
        found = model_flips(Path(box), asked.flips, asked.seed)
        found |= cache_flips(Path(box), asked.flips, asked.seed)
    where = circumstances()
    rows = [
        [name, f"{told['flips']:,}", f"{told['noticed']:,}", told.get("wrong", 0)]
        for name, told in found.items()
    ]
    text = table(["where a bit was flipped", "flips", "noticed", "wrong content used"], rows)
    store("bit_flips", {"runs": [{"found": found, "circumstances": where}]}, f"{text}\n\n{in_words(where)}")
    print(text)


if __name__ == "__main__":
    main()
