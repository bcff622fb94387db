"""How fast the review server answers, and in how much memory, with 100,000 doubts.

    python benchmarks/review_server.py [--products 100000] [--repeats 30]

The shop is generated (see tests/review_shop.py), without pictures. Times are those of whole requests over
HTTP, a connection each, on the machine itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from review_client import Client, served
from review_shop import make_shop


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--shop", type=Path, help="folder of a shop that is there already")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        there = asked.shop is not None and (asked.shop / "doubts.parquet").exists()
        doubts = asked.shop / "doubts.parquet" if there else make_shop(
            asked.shop or Path(folder), asked.products, pictures=False
        )[0]  # fmt: skip
        result = run(doubts, Path(folder), asked.repeats)
    where = record.circumstances()
    rows = [(name, *(f"{1000 * value:.0f}" for value in times)) for name, times in result["times"].items()]
    text = (
        f"With {result['products']:,} doubts the server was ready after {result['ready']:.0f} s and held "
        f"{result['memory']:.0f} MB at its peak.\n\n"
        + record.table(("request", "median, ms", "slowest, ms"), rows)
        + f"\n\n{record.in_words(where)}"
    )
    record.store("review_server", {"result": result, "where": where}, text)
    print(text)


def run(doubts: Path, folder: Path, repeats: int) -> dict[str, object]:
    """Start a server and ask it everything several times."""
    started = time.perf_counter()
    with served(doubts, "--decisions", str(folder / "d.sqlite")) as client:
        ready = time.perf_counter() - started
        about = client.get("about")
        times = {name: measure(ask, repeats) for name, ask in requests(client).items()}
        status = Path(f"/proc/{client.process.pid}/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))
    return {"products": about["products"], "ready": ready, "memory": peak, "times": times}


def requests(client: Client) -> dict[str, Callable[[int], object]]:
    """Requests by name; each takes the number of the repeat."""
    shelf = client.get("doubts", limit=1)["items"][0]["given"]
    top = shelf.split(" > ")[0]

    def decided(n: int) -> dict:
        return client.decide({"id": 50 + n, "action": "accept"})

    def bulk(n: int) -> dict:
        narrowed = {"shelf": shelf, "least": 0.9 - n / 1000, "state": "open", "role": "given"}
        total = client.get("doubts", limit=1, **narrowed)["total"]
        return client.post("bulk", key=str(uuid.uuid4()), filter=narrowed, action="keep", expect=total)

    return {
        "list, first page": lambda n: client.get("doubts"),
        "list by shelf, kind and doubt": lambda n: client.get("doubts", shelf=top, kind="outlier", least=0.1),
        "list by words of the title": lambda n: client.get("doubts", text=f"No {n} rot"),
        "list, page 1,000": lambda n: client.get("doubts", offset=50_000),
        "one product": lambda n: client.get(f"products/{n}"),
        "picker": lambda n: client.get("shelves", q="kuche tast"),
        "tree": lambda n: client.get("tree"),
        "a decision": decided,
        "list after a decision": lambda n: (decided(100 + n), client.get("doubts"))[1],
        "changes": lambda n: client.get("changes", since=0),
        "map, by level": lambda n: client.ask("GET", "/api/map?colour=level2"),
        "bulk decision with its count": bulk,
    }


def measure(ask: Callable[[int], object], repeats: int) -> tuple[float, float]:
    """Median and slowest in seconds."""
    times = []
    for number in range(repeats):
        started = time.perf_counter()
        ask(number)
        times.append(time.perf_counter() - started)
    return statistics.median(times), max(times)


if __name__ == "__main__":
    main()
