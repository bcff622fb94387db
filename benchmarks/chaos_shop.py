"""How many answers a second the chaos shop and its server of pictures give, and what one costs them.

    python benchmarks/chaos_shop.py [--answers 20000] [--connections 8]

It tells whether a scraper measured on them is measured, and not they. No faults; every address is asked for
about equally often, each page is built once before. The visitor runs on the same machine and takes most of
the time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chaos_shop.process import Running, running
from chaos_shop.settings import PictureSettings, ShopSettings

SERVERS = {
    "pages of products": ShopSettings(products=10_000, faults=0.0),
    "pictures of 256 x 256": PictureSettings(pictures=10_000, faults=0.0, dead=0.0),
}


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    asked = parser.parse_args()
    results = {}
    for name, settings in SERVERS.items():
        with running(settings) as server:
            results[name] = measure(server, asked.answers, asked.connections)
    where = record.circumstances()
    rows = [
        (name, f"{one['per_second']:,.0f}", f"{1e6 * one['processor']:.0f}", f"{one['bytes'] / 1000:.1f}")
        for name, one in results.items()
    ]
    text = record.table(("", "answers a second", "processor, µs an answer", "kB an answer"), rows)
    text += f"\n\n{asked.answers:,} answers over {asked.connections} connections. {record.in_words(where)}"
    record.store("chaos_shop", {"result": results, "where": where}, text)
    print(text)


def measure(server: Running, answers: int, connections: int) -> dict[str, float]:
    """Ask for every address once, then `answers` times in turn; the second round counts."""
    known = server.truth()
    paths = [urlsplit(url).path for url in known["url"]]
    asyncio.run(visit(server, paths, connections))
    before, began = processor(server.pid), time.perf_counter()
    received = asyncio.run(visit(server, [paths[n % len(paths)] for n in range(answers)], connections))
    seconds = time.perf_counter() - began
    if server.stats()["bugs"]:
        raise RuntimeError("the server made mistakes of its own")
    return {
        "per_second": answers / seconds,
        "processor": (processor(server.pid) - before) / answers,
        "bytes": received / answers,
    }


async def visit(server: Running, paths: list[str], connections: int) -> int:
    """Ask for all paths, so many at a time; returns the bytes that came."""
    shares = [paths[number::connections] for number in range(connections)]
    return sum(await asyncio.gather(*(ask(server, share) for share in shares)))


async def ask(server: Running, paths: list[str]) -> int:
    """Ask for paths one after the other over one connection."""
    host, port = urlsplit(server.address).netloc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**22)
    received = 0
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shelfwise-bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise RuntimeError(f"{path}: {status.decode()}")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        received += len(await reader.readexactly(length))
    writer.close()
    return received


def processor(pid: int) -> float:
    """Seconds of processor time that a process took."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
