"""Does nonsense break a server? Both doors are sent what nobody should send, thousands of times.

    python benchmarks/serving_fuzz.py [--requests 20000] [--examples 40] [--seed 0]

tests/serve_fuzz.py makes the nonsense: JSON, tensors and forms that do not fit, HTTP/1.1 that is none, HTTP/2
frames at random, messages of gRPC that are none. Schemathesis asks besides what the server's OpenAPI document
allows and what it does not, and holds answers to it. Counted as faults: a status of 500 or above, INTERNAL or
UNKNOWN of gRPC, a traceback in a body or the log, no answer within a minute, other answers afterwards.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

import psutil
from schemathesis import GenerationMode

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from serve_fuzz import Fuzzer
from serve_shop import serving
from shelfwise.categorizer import Categorizer
from shelfwise.demo import generate
from test_serve_openapi import ask, described

BODY = {"products": [{"title": "red leather boot"}, {"title": "Uhr, Quarz", "brand": "Nork"}]}
ROUND = 500


def main() -> None:
    """Send, count, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--examples", type=int, default=40, help="of schemathesis, each operation and mode")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), asked)
    where = record.circumstances()
    record.store(
        "serving_fuzz", {"asked": vars(asked), "result": result, "where": where}, told(result, where)
    )
    print(told(result, where))


def run(folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Send everything to one server; what came back, and how the server was afterwards."""
    Categorizer().fit(generate(folder, products=600).catalogue, split="split").save(folder / "model")
    more = ["--admin", "--lame-duck", "0", "--corrections", folder / "corrections.jsonl"]
    with serving(f"shop={folder / 'model'}", *more) as server:
        process = psutil.Process(server.process.pid)
        first = server.predict(BODY).json()["predictions"]
        fuzzer = Fuzzer(server.http, server.grpc, asked.seed)
        fuzzer.send(ROUND)  # what is made at the first use is made now
        state = [about(process)]
        began = time.monotonic()
        while (sent := sum(fuzzer.outcomes.values())) < asked.requests:
            fuzzer.send(min(ROUND, asked.requests - sent))
            state.append(about(process))
            fine = server.predict(BODY).json()["predictions"] == first
            if not fine:
                fuzzer.faults.append("an answer changed")
            print(f"{sent + ROUND:6} {state[-1]} {len(fuzzer.faults)} faults", file=sys.stderr)
        fuzzer.close()
        seconds = time.monotonic() - began
        broken = schemas(server, asked.examples)
        code = server.stop()
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in sorted(fuzzer.outcomes.items()):
        by_kind.setdefault(kind, {})[outcome] = count
    return {
        "outcomes": by_kind, "faults": fuzzer.faults, "seconds": seconds, "state": state,
        "tracebacks": sum('"traceback"' in line for line in server.log), "code": code, "schemathesis": broken,
    }  # fmt: skip


def about(process: psutil.Process) -> dict[str, float]:
    """Memory in MB, file handles and threads of a process."""
    memory = process.memory_info().rss / 1e6
    return {"memory": round(memory, 1), "files": process.num_fds(), "threads": process.num_threads()}


def schemas(server: object, examples: int) -> dict[str, object]:
    """What schemathesis finds, operation by operation."""
    failed, count = [], 0
    operations = described(server)
    for operation in operations:
        rejecting = operation.body and not operation.path.endswith("/reload")
        for mode in GenerationMode if rejecting else [GenerationMode.POSITIVE]:
            count += examples
            try:
                ask(operation, mode, examples)
            except Exception as error:
                failed.append(f"{operation.label} {mode.value}: {str(error)[:500]}")
    return {"operations": len(operations), "most_examples": count, "failed": failed}


def told(result: dict, where: dict) -> str:
    """The result in words and a table."""
    first, last = result["state"][0], result["state"][-1]
    rows = []
    for kind, outcomes in result["outcomes"].items():
        common = collections.Counter(outcomes).most_common()
        rows.append((kind, sum(outcomes.values()), ", ".join(f"{name}: {n:,}" for name, n in common)))
    total = sum(count for _, count, _ in rows)
    found = result["schemathesis"]
    return (
        f"{total:,} requests that nobody should send, through both doors: **{len(result['faults'])} "
        f"faults**, {result['tracebacks']} tracebacks in the log, exit code {result['code']} at the end. "
        f"From the first {ROUND} requests to the last, memory went from {first['memory']:.0f} to "
        f"{last['memory']:.0f} MB, file handles from {first['files']} to {last['files']}, threads from "
        f"{first['threads']} to {last['threads']}. Schemathesis asked {found['operations']} operations up to "
        f"{found['most_examples']:,} times and found {len(found['failed'])} faults.\n\n"
        + record.table(("kind", "requests", "outcomes"), rows)
        + f"\n\n{record.in_words(where)}"
    )


if __name__ == "__main__":
    main()
