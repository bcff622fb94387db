"""Run one command as its own process and measure it whole: wall time, processor time, peak memory.

    python benchmarks/measure.py OUTPUT.json COMMAND [ARGUMENT ...]

The numbers come from the kernel's own account (`wait4`), so nothing is sampled and nothing is missed. A
forked process starts out with its parent's peak, which is why this file runs as a small process of its own
between a benchmark (that may hold gigabytes) and what it measures, and imports only the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """What one process cost and what it printed.

    Attributes:
        seconds: Wall time from start to exit.
        cpu_seconds: User and system time of the process and of the children it waited for.
        peak_mb: Largest resident set of any one process among them, in MiB.
        code: Exit code; negative for a signal.
        stdout: What it printed.
        stderr: What it complained about.

    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    code: int
    stdout: str
    stderr: str


class BenchmarkError(RuntimeError):
    """A measured command failed."""


def measured(*command: str | os.PathLike[str]) -> Measured:
    """Run `command` and return its cost; raises `BenchmarkError` when it does not end with exit code 0."""
    with tempfile.TemporaryDirectory() as box:
        answer = Path(box) / "measured.json"
        words = [os.fspath(word) for word in command]
        subprocess.run([sys.executable, "-I", __file__, answer, *words], check=True)
        result = Measured(**json.loads(answer.read_text(encoding="utf-8")))
    if result.code != 0:
        raise BenchmarkError(f"exit {result.code} from {' '.join(words)}\n{result.stderr[-2000:]}")
    return result


def _measure(answer: Path, command: list[str]) -> None:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        complaints.seek(0)
        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
        answer.write_text(
            json.dumps(
                {
                    "seconds": round(seconds, 3),
                    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
                    "peak_mb": round(usage.ru_maxrss / unit, 1),
                    "code": process.returncode,
                    "stdout": out.read().decode("utf-8", "replace"),
                    "stderr": complaints.read().decode("utf-8", "replace"),
                }
            ),
            encoding="utf-8",
        )


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), sys.argv[2:])
