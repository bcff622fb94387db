"""What five times too many requests do to `shelfwise serve`: single ones and lists over HTTP, and gRPC.

    python benchmarks/serving_overload.py [--seconds 60] [--times 5] [--model FOLDER]

A model of words answers a single product in little more time than it takes to refuse one. `encoder-http` and
`encoder-grpc` ask one with a sentence encoder (see `serving_batching.py`): there the model is the work.

First the peak: 32 clients (8 for lists), each of which asks again once it was answered. Then, at a fixed rate
whatever comes back, 80 % of that for 20 s, `--times` as much for `--seconds`, and 20 % for 15 s. Times count
from when a request was due. The clients run on the same processors as the server. Needs a C compiler and
nghttp2 (see `load.py`). The result goes to `benchmarks/results/serving_overload.json` and `.md` where the
overload lasted 60 s, beside what was measured of the ways that are not asked now; a shorter run only prints.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import load
import record
from load import Traffic, Watch, milliseconds

USUAL, CALM = 0.8, 0.2
USUAL_SECONDS, CALM_SECONDS = 20.0, 15.0
FULL = 60.0
LIST, CLIENTS, LISTS = 32, 32, 8
"""Products of a list; clients that ask for the peak, and those that ask for lists."""
ENCODER = "encoder-"
WAYS = {
    "http": "HTTP, single products",
    "lists": "HTTP, lists of 32",
    "grpc": "gRPC, single products",
    "encoder-http": "encoder, HTTP",
    "encoder-grpc": "encoder, gRPC",
}
CANCELLED = 1
"""What gRPC's own core says where it refuses a call before the server has seen it."""
BARS = {
    "accepted p99, times that at 80 %": 3.0,
    "answered, share of the peak": 0.9,
    "refusals p99, ms": 20.0,
    "refused in due form, share": 1.0,
    "memory, growth in the second half": 0.05,
    "recovery, s": 2.0,
}
MORE_IS_BETTER = {"answered, share of the peak", "refused in due form, share"}


def main() -> None:
    """Measure, print, and keep the result of a full run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=FULL, help="of overload")
    parser.add_argument("--times", type=float, default=5.0, help="the peak")
    parser.add_argument("--model", type=Path, help="folder of a model; one is trained on instacart otherwise")
    parser.add_argument("--doors", default=",".join(WAYS), help="lists: of 32 products, over HTTP")
    parser.add_argument("--connections", type=int, default=1000, help="of HTTP, at most; gRPC has 32")
    parser.add_argument("--serve", default="", help="more options of `shelfwise serve`")
    asked = parser.parse_args()
    load.end_on_sigterm()
    products = record.DATA / "instacart" / "products.parquet"
    titles = load.titles_to_ask(products)
    with tempfile.TemporaryDirectory() as folder:
        ways = asked.doors.split(",")
        models = _models(products, titles, Path(folder), ways, asked.model)
        runs = [overload(way, models[way.startswith(ENCODER)], titles, asked) for way in ways]
    result = {"runs": runs, "where": record.circumstances("uvicorn", "grpcio")}
    if asked.seconds >= FULL:
        result["runs"] = together(runs, str(result["where"]["when"]))
        record.store("serving_overload", result, in_markdown(result))
    print(in_markdown(result))


def together(runs: list[dict[str, Any]], when: str) -> list[dict[str, Any]]:
    """These runs, which were measured then, and the ones that are kept of other ways."""
    every = {run["way"]: run for run in record.stored("serving_overload")["runs"]}
    every |= {run["way"]: run | {"when": when} for run in runs}
    return [every[way] for way in WAYS if way in every]


def _models(
    products: Path, titles: list[str], box: Path, ways: list[str], given: Path | None
) -> dict[bool, Path]:
    """The models that are asked, by whether they have an encoder."""
    models = {}
    if not all(way.startswith(ENCODER) for way in ways):
        models[False] = given or load.trained(products, box / "model")
    if any(way.startswith(ENCODER) for way in ways):
        from serving_batching import with_encoder

        models[True] = with_encoder(products, titles, box, "float32")
    return models


def overload(way: str, model: Path, titles: list[str], asked: argparse.Namespace) -> dict[str, Any]:
    """One way of asking a fresh server through all stretches."""
    door = "grpc" if way.endswith("grpc") else "http"
    requests = asking(way, titles)
    clients = LISTS if way == "lists" else CLIENTS
    short = min(1.0, asked.seconds / FULL)
    usual, calm = max(5.0, USUAL_SECONDS * short), max(5.0, CALM_SECONDS * short)
    with load.served(model, *asked.serve.split()) as server:
        load.send(server.port(door), requests, "closed:3", clients)
        peak_seconds = max(4.0, 10 * short)
        peak = load.send(server.port(door), requests, f"closed:{peak_seconds:g}", clients).rate(
            0, peak_seconds
        )
        schedule = [(USUAL * peak, usual), (asked.times * peak, asked.seconds), (CALM * peak, calm)]
        before, used = server.metrics(), server.cpu_seconds()
        with Watch(server) as watch:
            connections = asked.connections if door == "http" else 32
            told = ",".join(f"{rate:.3f}:{seconds:g}" for rate, seconds in schedule)
            traffic = load.send(server.port(door), requests, told, connections)
        used = server.cpu_seconds() - used
        inside = refusals_inside(door, before, server.metrics())
    about = {
        "way": way, "door": door, "times": asked.times, "peak": round(peak, 1), "connections": connections,
        "seconds": {"usual": usual, "overload": asked.seconds, "calm": calm},
        "cpu_seconds": {"server": round(used, 1), "generator": round(traffic.cpu_seconds, 1)},
        "refusals_inside_ms": inside,
    }  # fmt: skip
    return about | judged(traffic, watch, about)


def asking(way: str, titles: list[str]) -> Any:
    """The requests of one way of asking."""
    if way.endswith("grpc"):
        return load.over_grpc(titles)
    if way.endswith("http"):
        return load.over_http([{"products": {"title": title}} for title in titles])
    lists = [titles[start : start + LIST] for start in range(0, len(titles) - LIST + 1, LIST)]
    return load.over_http([{"products": [{"title": title} for title in some]} for some in lists])


def judged(traffic: Traffic, watch: Watch, about: dict[str, Any]) -> dict[str, Any]:
    """Figures of the stretches, and whether each bar is met."""
    first = about["seconds"]["usual"]
    last = first + about["seconds"]["overload"]
    usual, much = traffic.between(0, first), traffic.between(first, last)
    normal, strained = milliseconds(usual.good), milliseconds(much.good)
    refused = turned_away(much)
    memory = watch.between(traffic.start + first, traffic.start + last)
    half, end = len(memory) // 2, max(1, len(memory) // 10)
    growth = statistics.median(memory[-end:]) / statistics.median(memory[half : half + end]) - 1
    refusals = milliseconds(refused)
    figures = {
        "accepted p99, times that at 80 %": _ratio(strained["p99"], normal["p99"]),
        "answered, share of the peak": round(traffic.rate(first, last) / about["peak"], 3),
        "refusals p99, ms": refusals["p99"],
        "refused in due form, share": _ratio(len(much.refused), len(much.records) - len(much.good)),
        "memory, growth in the second half": round(growth, 4),
        "recovery, s": recovery(traffic, last, 3 * (normal["p99"] or 0) / 1000),
    }
    return {
        "at_80": normal | {"outcomes": usual.statuses()},
        "overload": strained | {"outcomes": much.statuses(), "refused": refusals},
        "waited_for_a_connection_p99_ms": round(1000 * float(np.percentile(much.records["sent"], 99)), 2),
        "memory_mb": [round(mb, 1) for _, mb in watch.seen],
        "figures": figures,
        "met": {name: _met(name, value) for name, value in figures.items()},
    }


def turned_away(traffic: Traffic) -> np.ndarray:
    """Records of refusals, those of gRPC's core included."""
    if traffic.door == "http":
        return traffic.refused
    rows = traffic.records
    return rows[np.isin(rows["status"], (load.REFUSED["grpc"], CANCELLED))]


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else round(part / whole, 3)


def _met(name: str, value: float | None) -> bool | None:
    """Whether a bar is met; None where there was nothing to measure."""
    if value is None:
        return None if name != "recovery, s" else False
    return value >= BARS[name] if name in MORE_IS_BETTER else value <= BARS[name]


def recovery(traffic: Traffic, over: float, slow: float) -> float | None:
    """Seconds after the overload until a second goes well: nothing refused, p99 below `slow` seconds."""
    last = float(traffic.records["due"].max()) - 1.0
    for start in np.arange(over, last, 0.1):
        then = traffic.between(float(start), float(start) + 1.0)
        good = then.good
        if len(good) and len(good) == len(then.records) and np.percentile(good["took"], 99) <= slow:
            return round(float(start) - over, 1)
    return None


def refusals_inside(door: str, before: str, after: str) -> dict[str, float] | None:
    """Upper bounds in ms of the median and 99th percentile of refusals as the server clocked them.

    None where its metrics do not tell refusals apart from answers.
    """
    counts = [_refusal_buckets(door, page) for page in (before, after)]
    bounds = {edge: counts[1][edge] - counts[0].get(edge, 0.0) for edge in sorted(counts[1])}
    most = bounds.get(float("inf"), 0.0)
    if not most:
        return None
    found = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        found[name] = 1000 * next(edge for edge, count in bounds.items() if count >= share * most)
    return found


def _refusal_buckets(door: str, page: str) -> dict[float, float]:
    """Cumulated counts by upper edge in seconds of `shelfwise_refusal_seconds`."""
    found: dict[float, float] = {}
    for labels, value in re.findall(r"^shelfwise_refusal_seconds_bucket\{(.*)\} (\S+)$", page, re.M):
        given = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if given.get("door") == door:
            edge = float(given["le"])
            found[edge] = found.get(edge, 0.0) + float(value)
    return found


def in_markdown(result: dict[str, Any]) -> str:
    """Tables of the figures and of the bars, and where they were measured."""
    runs = result["runs"]
    lines: list[list[str]] = [[name] for name in (
        "answers a second, closed loop", "accepted at 80 %: p50 / p99", "accepted in overload: p50 / p99",
        "refused in overload: p50 / p99", "the same by the server's own clock, below",
        "memory before / at most", "processor time of server / clients",
    )]  # fmt: skip
    for run in runs:
        memory, inside = run["memory_mb"], run["refusals_inside_ms"]
        cells = (
            f"{run['peak']:,.0f}", _pair(run["at_80"]), _pair(run["overload"]),
            _pair(run["overload"]["refused"]), _pair(inside) if inside else "not told",
            f"{memory[0]:,.0f} / {max(memory):,.0f} MB",
            f"{run['cpu_seconds']['server']:.0f} / {run['cpu_seconds']['generator']:.0f} s",
        )  # fmt: skip
        for line, cell in zip(lines, cells, strict=True):
            line.append(cell)
    bars = [
        [f"{name}: {'at least' if name in MORE_IS_BETTER else 'at most'} {bar:g}"]
        + [f"{run['figures'][name]}: {_word(run['met'][name])}" for run in runs]
        for name, bar in BARS.items()
    ]
    times, seconds = runs[-1]["times"], runs[-1]["seconds"]["overload"]
    head = [f"{times:g} times the peak for {seconds:g} s", *(WAYS[run["way"]] for run in runs)]
    outcomes = "; ".join(
        f"{WAYS[run['way']]}: "
        + ", ".join(f"{name}: {count:,}" for name, count in run["overload"]["outcomes"].items())
        for run in runs
    )
    notes = (
        "Times count from when a request was due, at a fixed rate, as its caller sees it; callers and server "
        f"share the processors. What became of the requests of the overload, by status: {outcomes}."
    )
    before = [
        f" {WAYS[run['way']]} was measured earlier, {run['when']}."
        for run in runs
        if run.get("when", result["where"]["when"]) != result["where"]["when"]
    ]
    notes += "".join(before)
    tables = f"{record.table(head, lines)}\n\n{record.table(['bar', *head[1:]], bars)}"
    return f"{tables}\n\n{notes}\n\n{record.in_words(result['where'])}"


def _pair(times: dict[str, Any]) -> str:
    return (
        " / ".join("-" if times[name] is None else f"{times[name]:,.1f}" for name in ("p50", "p99")) + " ms"
    )


def _word(met: bool | None) -> str:
    return {True: "met", False: "**missed**", None: "nothing to measure"}[met]


if __name__ == "__main__":
    main()
