"""What happens to servers in production, in short or long form: reloads, restarts and hours under load.

Used by tests/test_serve_faults.py (seconds) and benchmarks/serving_faults.py (minutes to hours).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import numpy as np
import psutil

from serve_shop import offline
from shelfwise.artifact import MANIFEST
from shelfwise.categorizer import Categorizer
from shelfwise.client import ClientOptions, RefusedError, Retries, connect_async
from shelfwise.predictions import PredictOptions

ONCE = ClientOptions(retries=Retries(attempts=1), timeout=60)
_AT_ONCE = 48
"""Requests under way at most: the client of a machine that is too busy falls behind, and does not drown."""
AGAIN = ClientOptions(retries=Retries(attempts=300, most=1.0), timeout=60)


def version(folder: Path) -> str:
    """What a server calls the model in a folder."""
    import hashlib

    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]


def shortest(value: object) -> object:
    """A value of the library as HTTP has it: every float32 the shortest number that is it."""
    if isinstance(value, float):
        return float(str(np.float32(value)))
    if isinstance(value, dict):
        return {name: shortest(inner) for name, inner in value.items() if name != "evidence"}
    return [shortest(inner) for inner in value] if isinstance(value, list) else value


def known(model: Categorizer, products: list[dict]) -> list[dict]:
    """What the library says of products, as rows to compare with."""
    return [shortest(row) for row in offline(model, products, PredictOptions(top=3, promise=0.6))]


@dataclass
class Tally:
    """What came back. wrong: answers that are not those of the library, in words; lost: no answer at all."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def faultless(self) -> bool:
        """Whether everything was answered, and rightly."""
        return not self.wrong and not self.lost

    def share(self, part: float) -> float:
        """Seconds within which this part of the requests was answered."""
        return sorted(self.seconds)[int(part * (len(self.seconds) - 1))] if self.seconds else 0.0


class Asker:
    """Asks one server through both doors, in an event loop in a thread of its own, until told to stop.

    Parameters
    ----------
    addresses: http:// and grpc:// of the server, asked in turn.
    products: what is asked, one a request.
    answers: version of a model -> what it says of each product; empty: not compared.

    """

    def __init__(self, addresses: list[str], products: list[dict], answers: dict[str, list[dict]]) -> None:
        self._addresses, self._products, self._answers = addresses, products, answers
        self._numbers = itertools.count()
        self.tally = Tally()
        self.stop = threading.Event()
        self.pause = threading.Event()
        """While set, those who honour readiness do not ask."""

    @contextlib.contextmanager
    def steadily(self, rate: float):
        """Ask so many times a second, whatever becomes of the requests before, but for a bound."""
        with self._running(self._steadily(rate)):
            yield self.tally

    @contextlib.contextmanager
    def busily(self, clients: int, options: ClientOptions, rest: float = 0.0):
        """So many clients ask again as soon as they are answered, and have rested."""
        with self._running(self._busily(clients, options, rest)):
            yield self.tally

    @contextlib.contextmanager
    def _running(self, work):
        thread = threading.Thread(target=asyncio.run, args=(work,))
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join()

    async def _steadily(self, rate: float) -> None:
        began, sent = time.monotonic(), itertools.count()

        async def one(number: int) -> None:
            async with connect_async(self._addresses[number % len(self._addresses)], ONCE) as client:
                while not self.stop.is_set():
                    await asyncio.sleep(began + next(sent) / rate - time.monotonic())  # its turn, or late
                    await self._ask(client)

        await asyncio.gather(*(one(number) for number in range(_AT_ONCE)))

    async def _busily(self, count: int, options: ClientOptions, rest: float) -> None:
        async def one(number: int) -> None:
            async with connect_async(self._addresses[number % len(self._addresses)], options) as client:
                while not self.stop.is_set():
                    if not self.pause.is_set():
                        await self._ask(client)
                    await asyncio.sleep(rest)

        await asyncio.gather(*(one(number) for number in range(count)))

    async def _ask(self, client) -> None:
        place = next(self._numbers) % len(self._products)
        began = time.monotonic()
        try:
            answer = await client.predict(self._products[place], top=3, promise=0.6)
        except RefusedError as error:
            self.tally.lost[f"{error.kind} {error.code}: {str(error)[:80]}"] += 1
            return
        self.tally.seconds.append(time.monotonic() - began)
        self.tally.answered += 1
        self.tally.versions[answer.model.version] += 1
        if self._answers:
            got = msgspec.to_builtins(answer.predictions[0])
            if got != self._answers.get(answer.model.version, [None] * (place + 1))[place]:
                self.tally.wrong.append(f"{answer.model.version}: {got}"[:300])


def state(pid: int) -> dict[str, float]:
    """Memory in MB, file handles and threads of a process."""
    process = psutil.Process(pid)
    memory = process.memory_info().rss / 1e6
    return {"memory": round(memory, 1), "files": process.num_fds(), "threads": process.num_threads()}


# -- reloads -------------------------------------------------------------------------------------------------


def reload_often(
    server, place: Path, models: list[Categorizer], numbers: range, tally: Tally
) -> dict[str, int]:
    """Put models into a served folder in turn; each has to be taken, by signal, by request or by itself.

    numbers: of the reloads, which say the model and the way. tally: of those who ask meanwhile; the next
    reload waits until one of them was answered by this model. Returns how many were taken by each way.
    AssertionError where one was not within a minute.
    """
    taken: Counter[str] = Counter()
    with server.client() as client:
        for number in numbers:
            models[(number + 1) % len(models)].save(place)
            wanted, end = version(place), time.monotonic() + 60
            before = tally.versions[wanted]
            way = ("signal", "request", "change")[number % 3]
            if way == "signal":
                os.kill(server.process.pid, signal.SIGHUP)
            elif way == "request":
                response = client.post("/v1/models/m/reload", json={}, timeout=60)
                assert response.status_code == 200, response.text
            while (now := client.get("/v1/models/m").json()["version"]) != wanted:
                assert time.monotonic() < end, f"{way}: {now} still answers, not {wanted}"
                time.sleep(0.02)
            while tally.versions[wanted] == before:
                assert time.monotonic() < end, f"{way}: nobody was answered by {wanted}: {tally.lost}"
                time.sleep(0.02)
            taken[way] += 1
    return dict(taken)


# -- restarts ------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


class Supervisor:
    """Runs a server on fixed ports and starts it again whenever it ends, as systemd or Kubernetes would."""

    def __init__(self, model: Path, *more: object) -> None:
        ports = ["--http-port", free_port(), "--grpc-port", free_port(), "--json"]
        command = [sys.executable, "-m", "shelfwise", "serve", f"m={model}", *ports, *more]
        self._command = [str(word) for word in command]
        self.http, self.grpc = f"http://127.0.0.1:{ports[1]}", f"grpc://127.0.0.1:{ports[3]}"
        self.ended: list[tuple[int, float]] = []
        """Exit code, and seconds from the signal to the end, of each server."""
        self.process = self._start()

    def _start(self) -> subprocess.Popen:
        process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = process.stdout.readline()
        assert json.loads(line or b"{}").get("http") == self.http, line
        return process

    def restart(self, tallies: list[Tally]) -> None:
        """End the server once all are being answered, as a supervisor does, and start it again at once."""
        before, end = [tally.answered for tally in tallies], time.monotonic() + 60
        while any(tally.answered < least + 20 for tally, least in zip(tallies, before, strict=True)):
            assert time.monotonic() < end, f"the server does not answer: {[t.lost for t in tallies]}"
            time.sleep(0.05)
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.ended.append((code, time.monotonic() - began))
        self.process.stdout.close()
        self.process = self._start()

    def close(self) -> None:
        """End it for good."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()


@contextlib.contextmanager
def watching(address: str, asker: Asker, every: float = 0.1):
    """Keep `asker.pause` as the server's readiness has it, as a balancer does with its probes."""
    end = threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=address, trust_env=False, timeout=10) as client:
            while not end.is_set():
                try:
                    ready = client.get("/health/ready").status_code == 200
                except httpx.TransportError:
                    ready = False
                asker.pause.clear() if ready else asker.pause.set()
                end.wait(every)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


# -- hours ---------------------------------------------------------------------------------------------------


def slope(times: list[float], values: list[float]) -> float:
    """By how much values grow a minute, by least squares; times in seconds."""
    return float(np.polyfit(np.array(times) / 60, values, 1)[0]) if len(times) > 1 else 0.0


def soak(pid: int, tally: Tally, seconds: float, every: float = 5.0) -> list[dict[str, float]]:
    """Look at a server under load again and again."""
    seen, began = [], time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        seen.append({"at": round(at, 1), **state(pid), "answered": tally.answered})
        time.sleep(every)
    return seen
