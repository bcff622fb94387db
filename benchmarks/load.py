"""Load for servers: `load.c` compiled and run, a server of Shelfwise's as a process, what both used.

Needs a C compiler and the headers of nghttp2 (Debian: `gcc libnghttp2-dev`).
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from measure import BenchmarkError
from peers import labelled

SOURCE = Path(__file__).with_name("load.c")
SHELFWISE = Path(sys.executable).with_name("shelfwise")
RECORD = np.dtype([("due", "<f8"), ("sent", "<f4"), ("took", "<f4"), ("status", "<i4"), ("again", "<i4")])
GOOD = {"http": 200, "grpc": 0}
REFUSED = {"http": 429, "grpc": 8}
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Requests:
    """What is sent, in turn.

    door: "http" or "grpc". items: whole requests of HTTP/1.1, or framed messages of gRPC. path: the method
    that gRPC calls.
    """

    door: str
    items: Sequence[bytes]
    path: str = "/shelfwise.v1.Categorizer/Predict"


@dataclass(frozen=True)
class Traffic:
    """Requests that were sent and what became of them.

    records: one row of `RECORD` a request; seconds after `start` (`time.monotonic`) or after it was due.
    cpu_seconds: processor time of the generator.
    """

    door: str
    records: np.ndarray
    start: float
    cpu_seconds: float

    def between(self, first: float, last: float) -> Traffic:
        """Those that were due in this time."""
        due = self.records["due"]
        return Traffic(self.door, self.records[(due >= first) & (due < last)], self.start, self.cpu_seconds)

    @property
    def good(self) -> np.ndarray:
        """Records of what was answered."""
        return self.records[self.records["status"] == GOOD[self.door]]

    @property
    def refused(self) -> np.ndarray:
        """Records of what was refused as busy."""
        return self.records[self.records["status"] == REFUSED[self.door]]

    def rate(self, first: float, last: float) -> float:
        """Answers a second that came in this time."""
        ended = self.good["due"] + self.good["took"]
        return float(((ended >= first) & (ended < last)).sum() / (last - first))

    def statuses(self) -> dict[str, int]:
        """How many requests had which outcome."""
        names = {-1: "broken", -2: "no answer"}
        values, counts = np.unique(self.records["status"], return_counts=True)
        return {names.get(int(value), str(value)): int(n) for value, n in zip(values, counts, strict=True)}


def milliseconds(records: np.ndarray) -> dict[str, float | None]:
    """Median, 99th percentile and slowest of the times of requests, from when each was due."""
    if not len(records):
        return {"p50": None, "p99": None, "max": None}
    took = 1000 * records["took"].astype(float)
    return {
        "p50": round(float(np.percentile(took, 50)), 2),
        "p99": round(float(np.percentile(took, 99)), 2),
        "max": round(float(took.max()), 2),
    }


@functools.cache
def generator() -> Path:
    """Compile the generator; BenchmarkError says what is missing."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise BenchmarkError("the load generator needs a C compiler (Debian: apt-get install gcc)")
    folder = tempfile.TemporaryDirectory(prefix="shelfwise-load-")
    _KEPT.append(folder)
    made = Path(folder.name) / "load"
    command = [compiler, "-O2", "-o", made, SOURCE, "-lnghttp2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(
            f"load.c does not compile (Debian: apt-get install libnghttp2-dev)\n{done.stderr}"
        )
    return made


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # for as long as the process lives


def send(
    port: int, requests: Requests, schedule: str, connections: int = 32, patience: float = 10.0
) -> Traffic:
    """Send requests to 127.0.0.1.

    Parameters
    ----------
    port, requests
        Where and what.
    schedule
        `closed:SECONDS`, or `RATE:SECONDS,RATE:SECONDS...`, as in `load.c`.
    connections
        Of HTTP: at most so many; of gRPC: so many.
    patience
        Seconds that a request waits for a connection, and that the last answers are waited for.

    """
    with tempfile.TemporaryDirectory() as box:
        given, found = Path(box) / "requests", Path(box) / "records"
        given.write_bytes(b"".join(struct.pack("<I", len(item)) + item for item in requests.items))
        command = [generator(), requests.door, port, connections, schedule, patience, given, found]
        command += [f"127.0.0.1:{port}", requests.path]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"the load generator ended with {done.returncode}\n{done.stderr}")
        raw = found.read_bytes()
    start, cpu = struct.unpack_from("<dd", raw)
    return Traffic(requests.door, np.frombuffer(raw, RECORD, offset=16), start, cpu)


def over_http(bodies: Sequence[Any], path: str = "/v1/predict") -> Requests:
    """POST requests with these values as JSON."""
    items = []
    for body in bodies:
        text = json.dumps(body, ensure_ascii=False).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        items.append(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
    return Requests("http", items)


def over_grpc(titles: Sequence[str]) -> Requests:
    """Calls of `Predict`, a title each."""
    from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

    items = []
    for title in titles:
        message = pb.PredictRequest(product=pb.Product(title=title)).SerializeToString()
        items.append(struct.pack(">BI", 0, len(message)) + message)
    return Requests("grpc", items)


def titles_to_ask(products: Path, label: str = "category_path") -> list[str]:
    """Titles of the labelled test rows of a catalogue, shuffled."""
    frame = pl.read_parquet(products, columns=["title", "split", label])
    frame = frame.filter((pl.col("split") == "test") & labelled(label) & (pl.col("title") != ""))
    return frame["title"].shuffle(seed=0).to_list()


def trained(products: Path, folder: Path, *options: str) -> Path:
    """Train a model of Shelfwise's on the rows marked `train`; the folder of the model."""
    command = [SHELFWISE, "train", products, "--model", folder, "--label", "category_path"]
    done = subprocess.run(
        [str(word) for word in (*command, "--split", "split", *options)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"training failed: {done.stderr[-2000:]}")
    return folder


# -- servers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, and where it listens on 127.0.0.1 (0: that door is shut)."""

    pid: int
    http: int
    grpc: int

    def port(self, door: str) -> int:
        """The port of a door."""
        return self.http if door == "http" else self.grpc

    def cpu_seconds(self) -> float:
        """Processor time of the process and its children up to now."""
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in family(self.pid)) / _TICK

    def memory(self) -> float:
        """Resident set of the process and its children in MB; pages that they share count for each."""
        return sum(int(_stat(pid)[21]) for pid in family(self.pid)) * _PAGE / 1e6

    def metrics(self) -> str:
        """The page for Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=30) as page:
            return str(page.read().decode())


def _stat(pid: int) -> list[str]:
    """Fields of a process from its third on (`man 5 proc`): [11:13] are its ticks, [21] its pages."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return text.rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """A process and its children, and theirs."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, thread.read_text(encoding="ascii").split())
    return found


@contextlib.contextmanager
def served(model: Path, *options: str) -> Iterator[Server]:
    """Run `shelfwise serve` on free ports, and end it."""
    command = [SHELFWISE, "serve", f"shelf={model}", "--http-port", "0", "--grpc-port", "0", "--json"]
    with process([str(word) for word in (*command, *options)]) as (child, line):
        where = json.loads(line)
        ports = [int(re.sub(r".*:", "", where[door])) if where[door] else 0 for door in ("http", "grpc")]
        yield Server(child.pid, *ports)


@contextlib.contextmanager
def process(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server until the block ends; yields it with the first line it prints."""
    with tempfile.TemporaryFile("w+") as complaints:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True)
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            if not line:
                complaints.seek(0)
                raise BenchmarkError(f"{' '.join(command)} did not start\n{complaints.read()[-2000:]}")
            yield child, line
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            child.stdout.close()


def end_on_sigterm() -> None:
    """Let a script that is told to end (by `timeout`, say) end its servers, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Watch:
    """Memory of a server, twice a second, while the block runs."""

    def __init__(self, server: Server) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: list[tuple[float, float]] = []
        """Times (`time.monotonic`) and MB."""

    def _look(self) -> None:
        while not self._over.wait(0.5):
            with contextlib.suppress(OSError):
                self.seen.append((time.monotonic(), self._server.memory()))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, first: float, last: float) -> list[float]:
        """MB that were seen in this time."""
        return [mb for when, mb in self.seen if first <= when < last]
