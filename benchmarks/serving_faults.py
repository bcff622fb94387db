"""What reloads, restarts and hours under load do to a server: requests lost, answers wrong, memory grown.

    python benchmarks/serving_faults.py reloads [--count 100] [--rate 300]
    python benchmarks/serving_faults.py drains [--count 30] [--clients 64]
    python benchmarks/serving_faults.py soak [--minutes 60] [--share 0.7]

reloads: two models take turns in a served folder, by SIGHUP, by request and by the change alone, while both
doors are asked at a fixed rate without a second try; each answer is compared with what the library says with
the model whose version the answer names. drains: a supervisor ends the server (SIGTERM) and starts it again
on the same ports while clients ask as fast as they are answered; half of them try again, half ask only while
/health/ready says so and never try again. soak: a share of what the server can answer, for a long time.
The generated shop, the client of the package, and server and clients on one machine. Each part is kept on
its own; a later run of one leaves the others.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from serve_faults import (
    AGAIN,
    ONCE,
    Asker,
    Supervisor,
    Tally,
    known,
    reload_often,
    slope,
    state,
    version,
    watching,
)
from serve_faults import soak as look
from serve_shop import serving
from shelfwise.categorizer import Categorizer, load
from shelfwise.demo import generate

PATIENT = ["--max-delay", "30", "--steady-delay", "30", "--concurrency", "4096"]
"""A refused request counts as lost; a busy machine would refuse some, and that is not the question here."""


def main() -> None:
    """Run one part and keep its result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["reloads", "drains", "soak"])
    parser.add_argument("--count", type=int, help="reloads (100) or drains (30)")
    parser.add_argument("--rate", type=float, default=300, help="requests a second while models change")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=0.7, help="of what the server can answer")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"reloads": reloads, "drains": drains, "soak": soak}[asked.part](Shop(Path(folder)), asked)
    kept = record.stored("serving_faults")
    kept.pop("runs", None)
    kept[asked.part] = result | {"where": record.circumstances()}
    text = "\n\n".join(TOLD[part](kept[part]) for part in TOLD if part in kept)
    record.store("serving_faults", kept, text)
    print(TOLD[asked.part](kept[asked.part]))


class Shop:
    """Two models of one shop, and what each says of some products."""

    def __init__(self, folder: Path) -> None:
        catalogue = generate(folder, products=600).catalogue
        frame = pl.read_parquet(catalogue)
        self.folder, self.places = folder, [folder / "one", folder / "two"]
        for place, ending in zip(self.places, ("", " old"), strict=True):
            Categorizer().fit(frame.with_columns(pl.col("category") + ending), split="split").save(place)
        self.models = [load(place) for place in self.places]
        self.products = frame.select("product_id", "title", "brand").head(200).to_dicts()
        self.answers = {
            version(place): known(model, self.products)
            for place, model in zip(self.places, self.models, strict=True)
        }


def reloads(shop: Shop, asked: argparse.Namespace) -> dict[str, object]:
    """Models change under load."""
    place = shop.folder / "served"
    shutil.copytree(shop.places[0], place)
    more = ["--watch", "0.3", "--admin", "--lame-duck", "0", *PATIENT]
    with serving(f"m={place}", *more) as server:
        asker = Asker([server.http, f"grpc://{server.grpc}"], shop.products, shop.answers)
        memory = []
        with asker.steadily(asked.rate) as tally:
            time.sleep(5)
            memory.append(state(server.process.pid)["memory"])
            taken: dict[str, int] = {}
            began = time.monotonic()
            for done in range(0, asked.count or 100, 2):
                new = reload_often(server, place, shop.models, range(done, done + 2), tally)
                for way, count in new.items():
                    taken[way] = taken.get(way, 0) + count
                memory.append(state(server.process.pid)["memory"])
                at = round(time.monotonic() - began)
                print(at, taken, tally.answered, memory[-1], len(tally.wrong), tally.lost, file=sys.stderr)
            seconds = time.monotonic() - began
            time.sleep(5)
            memory.append(state(server.process.pid)["memory"])
    return counted(tally) | {
        "taken": taken,
        "memory": memory,
        "rate": asked.rate,
        "seconds": round(seconds, 1),
    }


def drains(shop: Shop, asked: argparse.Namespace) -> dict[str, object]:
    """The server ends and comes back, again and again."""
    supervisor = Supervisor(shop.places[0], "--lame-duck", "1", "--drain", "20", *PATIENT)
    addresses, half = [supervisor.http, supervisor.grpc], asked.clients // 2
    again, honest = (Asker(addresses, shop.products, shop.answers) for _ in range(2))
    try:
        with (
            again.busily(half, AGAIN, 0.1) as first,
            watching(supervisor.http, honest),
            honest.busily(asked.clients - half, ONCE, 0.1) as second,
        ):
            for _ in range(asked.count or 30):
                supervisor.restart([first, second])
                print(supervisor.ended[-1], first.answered, first.lost, second.lost, file=sys.stderr)
    finally:
        supervisor.close()
    codes = [code for code, _ in supervisor.ended]
    slowest = max(seconds for _, seconds in supervisor.ended)
    parts = {"again": counted(first), "readiness": counted(second)}
    return parts | {"clients": asked.clients, "codes": codes, "slowest": round(slowest, 2), "limit": 21}


def soak(shop: Shop, asked: argparse.Namespace) -> dict[str, object]:
    """A long time under load."""
    with serving(f"m={shop.places[0]}", "--lame-duck", "0") as server:
        addresses = [server.http, f"grpc://{server.grpc}"]
        with Asker(addresses, shop.products, {}).busily(8, ONCE) as tally:
            time.sleep(10)
            before, began = tally.answered, time.monotonic()
            time.sleep(10)
            most = (tally.answered - before) / (time.monotonic() - began)
        asker = Asker(addresses, shop.products, shop.answers)
        with asker.steadily(asked.share * most) as tally:
            seen = look(server.process.pid, tally, asked.minutes * 60)
    warm = [one for one in seen if one["at"] >= min(120, asked.minutes * 60 / 5)]
    times = [one["at"] for one in warm]
    slopes = {
        name: round(slope(times, [one[name] for one in warm]), 4) for name in ("memory", "files", "threads")
    }
    return counted(tally) | {
        "most": round(most),
        "minutes": asked.minutes,
        "slopes": slopes,
        "seen": seen[::6],
    }


def counted(tally: Tally) -> dict[str, object]:
    """What is kept of a tally."""
    return {
        "answered": tally.answered, "wrong": tally.wrong[:20], "wrong_count": len(tally.wrong),
        "lost": dict(tally.lost), "lost_count": sum(tally.lost.values()), "versions": dict(tally.versions),
        "ms": {str(part): round(1000 * tally.share(part), 1) for part in (0.5, 0.99)},
    }  # fmt: skip


def told_reloads(result: dict) -> str:
    """The reloads in words."""
    memory, taken, quick = result["memory"], result["taken"], result["ms"]
    ways = ", ".join(f"{count} by {way}" for way, count in taken.items())
    return (
        f"**{sum(taken.values())} reloads** ({ways}) in {result['seconds']:.0f} s at {result['rate']:.0f} "
        f"requests a second over both doors: {result['answered']:,} answered (half within {quick['0.5']} ms, "
        f"99 in 100 within {quick['0.99']} ms), **{result['lost_count']} lost, {result['wrong_count']} other "
        f"than what the library says** with the version that the answer names. Memory was {memory[0]:.0f} MB "
        f"before, {memory[1]:.0f} MB after two, {max(memory):.0f} MB at most and {memory[-1]:.0f} MB "
        f"({100 * (memory[-1] / memory[0] - 1):+.0f} %) at the end.\n\n" + record.in_words(result["where"])
    )


def told_drains(result: dict) -> str:
    """The drains in words."""
    again, honest, codes = result["again"], result["readiness"], result["codes"]
    return (
        f"**{len(codes)} drains** with {result['clients']} clients: exit code 0 {codes.count(0)} times, the "
        f"slowest after {result['slowest']} s (limit {result['limit']} s). Clients that try again had "
        f"{again['answered']:,} answers, **{again['lost_count']} lost, {again['wrong_count']} wrong**; "
        f"clients that honour readiness and never try again had {honest['answered']:,}, "
        f"**{honest['lost_count']} lost, {honest['wrong_count']} wrong**.\n\n"
        + record.in_words(result["where"])
    )


def told_soak(result: dict) -> str:
    """The hours in words."""
    slopes, total = result["slopes"], result["answered"] + result["lost_count"]
    lost = ", ".join(f"{count:,} {why}" for why, count in result["lost"].items()) or "none"
    return (
        f"**{result['minutes']:g} minutes** at {total / result['minutes'] / 60:.0f} requests a second, of "
        f"{result['most']} that it could answer: {result['answered']:,} answered, "
        f"{result['wrong_count']} wrong, refused or lost: {lost}. A minute of it added "
        f"{slopes['memory']:+.3f} MB of memory, {slopes['files']:+.3f} file handles and "
        f"{slopes['threads']:+.3f} threads.\n\n" + record.in_words(result["where"])
    )


TOLD = {"reloads": told_reloads, "drains": told_drains, "soak": told_soak}

if __name__ == "__main__":
    main()
