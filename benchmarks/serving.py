"""`shelfwise serve` beside FastAPI and LitServe: answers a second and how long they take.

    python benchmarks/serving.py [--rounds 5] [--seconds 10] [--model FOLDER] [--svc FOLDER]

All models learn from instacart's rows marked `train`; the titles of those marked `test` are asked, each
request another one. Peers serve TF-IDF + LinearSVC, as `peers.py` trains it, and LitServe our model, too (see
`peer_servers.py`); `grpc.aio` answers with no model at all, which shows what calls cost by themselves. All
servers run all the time and take turns, a short stretch each, round after round, so
that other work on the machine slows all; medians of the rounds count, and their spread is told. Clients are
one process of C on the same processors (see `load.py` for what it needs); each asks again once it was
answered. A run of at least 5 rounds of 10 s is kept in `benchmarks/results/serving.json` and `.md` and in the
README, a shorter one only printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import load
import record
from load import Requests, Server, milliseconds
from measure import BenchmarkError, measured

CLIENTS = 32
LISTS = 8
"""Clients that ask for lists: there are 32 products in each."""
_START = 120.0
"""Seconds in which a peer has to answer."""
FULL = 5, 10.0
TITLES = {
    "shelfwise": "shelfwise serve",
    "shelfwise-2": "shelfwise serve --workers 2",
    "fastapi": "FastAPI, TF-IDF + LinearSVC",
    "litserve": "LitServe, TF-IDF + LinearSVC",
    "litserve-shelfwise": "LitServe, the model of Shelfwise",
    "grpc-aio": "grpc.aio by itself, no model",
}
KINDS = {"single": "one product", "list": "lists of 32", "grpc": "gRPC, one product"}
BARS = (
    ("list", "products a second, at least", "products", 5000.0),
    ("single", "requests a second, at least", "rate", 2500.0),
    ("single", "p99 in ms, below", "p99", 25.0),
    ("grpc", "calls a second, at least", "rate", 3000.0),
)


@dataclass(frozen=True)
class Case:
    """What is asked of one server: requests, from how many clients, how many products in each."""

    name: str
    kind: str
    server: Server
    requests: Requests
    clients: int = CLIENTS
    products: int = 1


def main() -> None:
    """Measure, print, and keep the result of a full run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=FULL[0])
    parser.add_argument("--seconds", type=float, default=FULL[1], help="of each stretch")
    parser.add_argument("--model", type=Path, help="folder of a model of Shelfwise's that is there already")
    parser.add_argument("--svc", type=Path, help="what `peers.py train svc` made")
    parser.add_argument("--servers", default=",".join(TITLES))
    parser.add_argument("--serve", default="", help="more options of `shelfwise serve`")
    asked = parser.parse_args()
    load.end_on_sigterm()
    products = record.DATA / "instacart" / "products.parquet"
    titles = load.titles_to_ask(products)
    with tempfile.TemporaryDirectory() as box, contextlib.ExitStack() as stack:
        places = {
            "shelfwise": asked.model or load.trained(products, Path(box) / "model"),
            "svc": asked.svc or _trained_svc(products, Path(box) / "svc"),
        }
        cases = [case for name in _chosen(asked) for case in _open(stack, name, places, asked.serve, titles)]
        runs = rounds(cases, asked.rounds, asked.seconds)
    where = record.circumstances("uvicorn", "grpcio", "fastapi", "litserve")
    result = {"runs": runs, "rounds": asked.rounds, "seconds": asked.seconds, "where": where}
    text = in_markdown(result)
    print(text)
    if asked.rounds >= FULL[0] and asked.seconds >= FULL[1]:
        record.store("serving", result, text)


def _chosen(asked: argparse.Namespace) -> list[str]:
    """Names of the servers that are measured; that with workers where there is such an option."""
    names = [name for name in TITLES if name in asked.servers.split(",")]
    if "--workers" not in measured(load.SHELFWISE, "serve", "--help").stdout:
        names = [name for name in names if name != "shelfwise-2"]
    return names


def _trained_svc(products: Path, folder: Path) -> Path:
    command = [sys.executable, record.HERE / "peers.py", "train", "svc", products, "--model", folder]
    measured(*command, "--label", "category_path", "--fields", "title")
    return folder


def _open(
    stack: contextlib.ExitStack, name: str, places: dict[str, Path], options: str, titles: Sequence[str]
) -> list[Case]:
    """Start a server, and the cases that it is measured in."""
    if name == "grpc-aio":
        server = stack.enter_context(peer(name, Path("none"), load.over_grpc(titles[:1])))
        return [Case(name, "grpc", server, load.over_grpc(titles))]
    lists = [titles[at : at + 32] for at in range(0, len(titles) - 31, 32)]
    if not name.startswith("shelfwise"):
        folder = places["shelfwise" if name.endswith("shelfwise") else "svc"]
        server = stack.enter_context(
            peer(name, folder, load.over_http([{"titles": ["Red apples"]}], "/predict"))
        )
        single = load.over_http([{"titles": [title]} for title in titles], "/predict")
        many = load.over_http([{"titles": list(part)} for part in lists], "/predict")
        return [Case(name, "single", server, single), Case(name, "list", server, many, LISTS, 32)]
    more = [*options.split(), *(("--workers", "2") if name.endswith("-2") else ())]
    server = stack.enter_context(load.served(places["shelfwise"], *more))
    single = load.over_http([{"products": {"title": title}} for title in titles])
    many = load.over_http([{"products": [{"title": title} for title in part]} for part in lists])
    return [
        Case(name, "single", server, single),
        Case(name, "list", server, many, LISTS, 32),
        Case(name, "grpc", server, load.over_grpc(titles)),
    ]


@contextlib.contextmanager
def peer(name: str, folder: Path, ask: Requests) -> Iterator[Server]:
    """Run a server of `peer_servers.py` with all the processes that it starts, once it answers `ask`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, record.HERE / "peer_servers.py", name, folder, "--port", port]
    with tempfile.TemporaryFile("w+") as told:
        child = subprocess.Popen(
            [str(word) for word in command], stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_for(child, port, ask, told)
            yield Server(child.pid, *((port, 0) if ask.door == "http" else (0, port)))
        finally:
            for end in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, end)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(10)


def _wait_for(child: subprocess.Popen[bytes], port: int, ask: Requests, told: Any) -> None:
    """Until a server answers; BenchmarkError where it does not."""
    end = time.monotonic() + _START
    while child.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            if len(load.send(port, ask, "closed:0.01", 1).good):
                return
        time.sleep(1)
    told.seek(0)
    raise BenchmarkError(f"{child.args} does not answer\n{told.read()[-2000:]}")


def rounds(cases: Sequence[Case], count: int, seconds: float) -> list[dict[str, Any]]:
    """All cases in turn, `count` times after one to warm up; figures of each case over its rounds."""
    found: list[list[dict[str, Any]]] = [[] for _ in cases]
    for number in range(count + 1):
        for case, before in zip(cases, found, strict=True):
            once = stretch(case, seconds if number else min(seconds, 3.0))
            if number:
                before.append(once)
    return [
        {"server": case.name, "kind": case.kind, "clients": case.clients, "rounds": these} | _middle(these)
        for case, these in zip(cases, found, strict=True)
    ]


def stretch(case: Case, seconds: float) -> dict[str, Any]:
    """One stretch: what came back, how fast, and what it cost the server."""
    used = case.server.cpu_seconds()
    traffic = load.send(
        case.server.port(case.requests.door), case.requests, f"closed:{seconds:g}", case.clients
    )
    used = case.server.cpu_seconds() - used
    bad = len(traffic.records) - len(traffic.good)
    if bad:
        raise BenchmarkError(f"{case.name}, {case.kind}: {bad} requests failed: {traffic.statuses()}")
    rate = traffic.rate(0, seconds)
    return {
        "rate": round(rate, 1),
        "products": round(rate * case.products, 1),
        "products_per_cpu_second": round(len(traffic.good) * case.products / max(used, 0.01), 1),
        "processors": round(used / (float(np.max(traffic.records["due"])) or seconds), 2),
        **milliseconds(traffic.good),
    }


def _middle(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the rounds, and from where to where the products a second went."""
    middle = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    rates = [run["products"] for run in runs]
    return middle | {"spread": [min(rates), max(rates)]}


def in_markdown(result: dict[str, Any]) -> str:
    """The table of all servers, the bars, and where they were measured."""
    head = ["asked", "server", "products/s", "from-to", "p50 ms", "p99 ms", "per processor second"]
    rows = [
        [
            KINDS[run["kind"]], TITLES[run["server"]], f"{run['products']:,.0f}",
            "{:,.0f}-{:,.0f}".format(*run["spread"]), f"{run['p50']:.1f}", f"{run['p99']:.1f}",
            f"{run['products_per_cpu_second']:,.0f}",
        ]
        for kind in KINDS for run in result["runs"] if run["kind"] == kind
    ]  # fmt: skip
    ours = {run["kind"]: run for run in result["runs"] if run["server"] == "shelfwise"}
    bars = [
        f"{KINDS[kind]}, {told} {bar:,.0f}: {ours[kind][key]:,.0f}, {_met(key, ours[kind][key], bar)}"
        for kind, told, key, bar in BARS
        if kind in ours
    ]
    notes = (
        f"{CLIENTS} clients ({LISTS} for lists) on the same processors, {result['seconds']:g} s a stretch, "
        f"medians of {result['rounds']} rounds in which all servers take turns. Shelfwise answers with "
        "confidence and five candidates, LinearSVC with a category, grpc.aio with as many bytes as an answer "
        "has. Per processor second of the server: of all its processes."
    )
    parts = [record.table(head, rows), notes, "; ".join(bars) + "." if bars else ""]
    return "\n\n".join([*filter(None, parts), record.in_words(result["where"])])


def _met(key: str, value: float, bar: float) -> str:
    return "met" if (value < bar if key == "p99" else value >= bar) else "**missed**"


if __name__ == "__main__":
    main()
