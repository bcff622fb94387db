"""How much memory processes take that have loaded the same model: what is shared counts once.

    python benchmarks/sharing.py MODEL CATALOGUE [--processes 10]

Each process loads the model and answers 300 rows, then waits; the proportional set size (PSS) of the kernel's
account gives every process its share of what several have mapped. Processes that only import the libraries
stand beside them. Linux only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from record import circumstances, in_words, store, table
from text import folder_mb

IMPORTS = "import numba, numpy, polars, scipy.sparse, sys"
ASK = f"""
{IMPORTS}
from shelfwise.categorizer import Categorizer
model = Categorizer.load(sys.argv[1], mapped=True)
model.predict(polars.scan_parquet(sys.argv[2]).head(300).collect())
"""
WAIT = "\nprint('ready', flush=True); sys.stdin.readline()"
KINDS = ("Pss", "Private_Dirty")


def memory_each(code: str, count: int, *words: str | Path) -> dict[str, int]:
    """Mean PSS and private memory in MB of so many processes that run the same at a time."""
    command = [sys.executable, "-c", code + WAIT, *map(str, words)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    for process in running:
        process.stdout.readline()
    told = [Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii") for process in running]
    for process in running:
        process.communicate(b"\n")
    kilobytes = {
        kind: sum(int(re.search(rf"^{kind}:\s+(\d+)", one, re.M)[1]) for one in told) for kind in KINDS
    }
    return {kind: round(total * 1024 / 1e6 / count) for kind, total in kilobytes.items()}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("catalogue", type=Path, help="Parquet file")
    parser.add_argument("--processes", type=int, default=10)
    asked = parser.parse_args()
    runs = {}
    for count in (1, asked.processes):
        runs[f"{count} with the model"] = memory_each(ASK, count, asked.model, asked.catalogue)
    runs[f"{asked.processes} without"] = memory_each(IMPORTS, asked.processes)
    where = circumstances()
    head = [f"processes (model: {folder_mb(asked.model):,.0f} MB)", "PSS, MB each", "private, MB each"]
    text = table(head, [[name, *told.values()] for name, told in runs.items()])
    store("sharing", {"runs": [{"memory": runs, "circumstances": where}]}, f"{text}\n\n{in_words(where)}")
    print(text)


if __name__ == "__main__":
    main()
