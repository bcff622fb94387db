"""What hostile pictures and hostile addresses do to a server, and what decoding them elsewhere costs.

    python benchmarks/serving_pictures.py [--pictures 5000] [--sound 400]

A model with the `pixels` encoder learns a small generated shop and is served as users serve it. It is sent
broken and made-to-hurt pictures through both doors (tests/hostile_pictures.py), then addresses that look
public and lead to this machine (tests/hostile_addresses.py), with listeners on 127.0.0.1 and ::1 that count
who connects. Every outcome is counted; a process that dies, a refusal without a code, or a sound picture that
is answered differently afterwards ends the run with an error.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hostile_addresses import forms
from hostile_pictures import hostile, photo, saved
from picture_hosts import Canary, picture_host
from serve_shop import PATIENT, serving
from shelfwise.catalogue.decoders import Decoders
from shelfwise.catalogue.decoding import decode
from shelfwise.categorizer import Categorizer
from shelfwise.client import Client, ClientOptions, connect
from shelfwise.demo import generate
from shelfwise.recipe import PicturesRecipe, Recipe

PART = 20  # pictures of one request
THREADS = 4  # clients at a time
PLAIN = {"product_id": "7", "title": "thing"}


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--sound", type=int, default=400)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder))
        attack = attacked(model, asked.pictures)
        addresses = disguised(model)
        speed = speeds(model, asked.sound)
    where = record.circumstances()
    result = {"attack": attack, "addresses": addresses, "speed": speed}
    text = told(attack, addresses, speed) + f"\n\n{record.in_words(where)}"
    record.store("serving_pictures", {"result": result, "where": where}, text)
    print(text)


def train(folder: Path) -> Path:
    """Return the folder of a model that looks at pictures."""
    shop = generate(folder / "shop", products=600)
    pictures = PicturesRecipe(folder=str(shop.images), learner="both", units=16, members=1)
    model = Categorizer(Recipe(pictures=pictures, threads=1)).fit(shop.catalogue, split="split")
    model.recipe = replace(model.recipe, pictures=replace(pictures, folder=""))
    model.save(folder / "model")
    return folder / "model"


def sent(data: bytes) -> dict:
    """A product with a picture, as JSON has it."""
    return PLAIN | {"picture": base64.b64encode(data).decode()}


def attacked(model: Path, count: int) -> dict:
    """Send hostile pictures through both doors, half of the requests each; a sound one before and after."""
    sound = saved(photo(np.random.default_rng(1), 320, 240), "JPEG")
    made = list(hostile(count))
    parts = [made[place : place + PART] for place in range(0, count, PART)]
    settings = ("--watch", "0", "--picture-time", "5", "--timeout", "600", *PATIENT)
    with serving(model, *settings) as server, ThreadPoolExecutor(THREADS) as pool:
        with connect(f"grpc://{server.grpc}", ClientOptions(timeout=600)) as rpc, server.client() as http:
            http.timeout = 600
            wanted = over_http(http, [sound])
            before, started = memory(server.process.pid), time.perf_counter()
            work = [
                pool.submit(over_grpc, rpc, part) if number % 2 else pool.submit(over_http, http, part)
                for number, part in enumerate([data for _, data in part] for part in parts)
            ]
            outcomes = [one for done in work for one in done.result()]
            seconds = time.perf_counter() - started
            after = memory(server.process.pid)
            assert server.process.poll() is None, "the server died"
            assert over_http(http, [sound]) == wanted, "a sound picture is answered differently afterwards"
            workers = workers_of(server.process.pid)
        ended = server.stop()
    assert len(outcomes) == count
    assert {one[0] for one in outcomes} == {"ok"}, "text was not answered"
    assert ended == 0, f"the server ended with {ended}"
    counts = Counter(one[1] or "no code: used" for one in outcomes)
    return {"pictures": count, "outcomes": dict(counts.most_common()), "seconds": seconds,
            "memory before": before, "memory after": after, "workers": workers}  # fmt: skip


def over_http(http: httpx.Client, pictures: list[bytes]) -> list[tuple[str, str, float]]:
    """Status, code and confidence of the answers to pictures."""
    answer = http.post("/v1/predict", json={"products": [sent(data) for data in pictures]})
    assert answer.status_code == 200, answer.text
    rows = answer.json()["predictions"]
    return [(one["status"], one.get("code", ""), one["confidence"]) for one in rows]


def over_grpc(rpc: Client, pictures: list[bytes]) -> list[tuple[str, str, float]]:
    """The same through the other door."""
    rows = rpc.predict([PLAIN | {"picture": data} for data in pictures]).predictions
    return [(one.status, one.code or "", one.confidence) for one in rows]


def memory(pid: int) -> dict[str, float]:
    """Megabytes that a process holds, and held at most."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in lines if line.startswith("Vm")}
    return {"now": found["VmRSS"], "peak": found["VmHWM"]}


def workers_of(pid: int) -> list[dict[str, float]]:
    """The same of the processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [memory(child) for child in children]


def disguised(model: Path) -> dict:
    """Send addresses that lead to this machine: as they are, and as redirects from a host that is trusted."""
    with Canary() as canary, picture_host(b"") as host:
        every = forms(canary.port)
        ports = ("--picture-ports", str(canary.port), "--picture-ports", "80", "--picture-ports", "443")
        with serving(model, "--watch", "0", "--picture-urls", *ports) as server:
            direct = codes(server, every)
        plain = [address for address in every if address.isascii() and address.isprintable()]
        with serving(model, "--watch", "0", "--picture-hosts", f"127.0.0.1:{host.port}") as server:
            redirected = codes(server, [f"{host.url}/to/{address}" for address in plain])
        assert canary.count == 0, f"{canary.count} connections were made"
        return {"forms": len(every), "direct": direct, "redirected": redirected, "connections": canary.count,
                "listeners": canary.listening}  # fmt: skip


def codes(server: object, addresses: list[str]) -> dict[str, int]:
    """How many addresses had each code."""
    answer = server.predict({"products": [PLAIN | {"picture_url": address} for address in addresses]})
    return dict(Counter(one.get("code", "used") for one in answer.json()["predictions"]))


def speeds(model: Path, count: int) -> dict:
    """Sound pictures: decoded here and elsewhere, one after another, and answered by the server."""
    rng = np.random.default_rng(2)
    found: dict = {"milliseconds": {}}
    with Decoders() as decoders:
        decoders.decode(saved(photo(rng), "PNG"))
        for side in (100, 300, 800, 1600):
            listed = [saved(photo(rng, side, side), "JPEG") for _ in range(20)]
            here, there = [], []
            for data in listed:
                for work, times in ((decode, here), (decoders.decode, there)):
                    started = time.perf_counter()
                    work(data)
                    times.append(time.perf_counter() - started)
            found["milliseconds"][side] = [1000 * float(np.median(times)) for times in (here, there)]
    requests = [sent(saved(photo(rng, 300, 300), "JPEG")) for _ in range(count)]
    settings = ("--watch", "0", *PATIENT)
    with serving(model, *settings) as server, server.client() as http, ThreadPoolExecutor(16) as pool:

        def ask(product: dict) -> str:
            answer = http.post("/v1/predict", json={"products": product})
            assert answer.status_code == 200, answer.text
            return answer.json()["predictions"][0].get("code", "used")

        list(pool.map(ask, requests[:50]))
        started = time.perf_counter()
        outcomes = Counter(pool.map(ask, requests))
        found["answers a second"] = count / (time.perf_counter() - started)
    assert set(outcomes) == {"used"}, outcomes
    return found


TEXT = """\
{pictures:,} hostile pictures through HTTP and gRPC, {threads} clients at a time, in {seconds:.0f} s: the
server lived, answered every text, and a sound picture afterwards as before. It held {before:.0f} MB before
and {after:.0f} MB after, {peak:.0f} MB at most; the decoding processes that were there at the end at most
{workers} MB.

{outcomes}

{forms} addresses in disguise, sent as they are: {direct}; behind a redirect of a host that is trusted:
{redirected}. Connections that {listeners} listeners on this machine counted: {connections}.

{times}

The server answered {rate:.0f} products with a picture of 300 x 300 a second (16 clients at a time, one
product a request)."""


def told(attack: dict, addresses: dict, speed: dict) -> str:
    """The result in words and tables."""
    rows = [(code, f"{count:,}") for code, count in attack["outcomes"].items()]
    listed = speed["milliseconds"].items()
    times = [(f"{side} x {side}", *(f"{value:.1f}" for value in pair)) for side, pair in listed]
    return TEXT.format(
        pictures=attack["pictures"], threads=THREADS, seconds=attack["seconds"],
        before=attack["memory before"]["now"], after=attack["memory after"]["now"],
        peak=attack["memory after"]["peak"],
        workers=" and ".join(f"{one['peak']:.0f}" for one in attack["workers"]),
        outcomes=record.table(("what became of the picture", "pictures"), rows),
        forms=addresses["forms"], direct=_counts(addresses["direct"]),
        redirected=_counts(addresses["redirected"]), listeners=addresses["listeners"],
        connections=addresses["connections"], rate=speed["answers a second"],
        times=record.table(("JPEG", "decoded in the process, ms", "in another, ms"), times),
    )  # fmt: skip


def _counts(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} `{code}`" for code, count in outcomes.items())


if __name__ == "__main__":
    main()
