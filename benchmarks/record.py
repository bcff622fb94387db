"""Where measurements are kept: on what machine, when, in which file, and how they get into a document."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE.parent / "README.md"
DOCUMENTS = (README, *sorted((HERE.parent / "docs" / "how-to").glob("*.md")))
DATA = Path(os.environ.get("SHELFWISE_DATA", HERE.parent.parent / "shared" / "data"))
PACKAGES = (
    *("shelfwise", "numpy", "scipy", "numba", "polars", "scikit-learn", "fasttext-wheel"),
    *("onnxruntime", "torch", "transformers", "tokenizers", "pillow"),
)


def _ticks() -> tuple[int, int]:
    """Processor time that the host gave to others, and all of it, since the machine was started."""
    try:
        times = [
            int(word)
            for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        ]
    except (OSError, ValueError):
        return 0, 0
    return times[7] if len(times) > 7 else 0, sum(times)


_BEGAN = _ticks()


def _stolen() -> int:
    """Per cent of the processor time since this module was loaded that a virtual machine's host kept back."""
    (stolen, total), (before, all_before) = _ticks(), _BEGAN
    return round(100 * (stolen - before) / max(1, total - all_before))


def circumstances(*more: str) -> dict[str, Any]:
    """What a reader needs to judge a number: when, on how much machine, with which versions; no names.

    more: packages whose versions matter besides `PACKAGES`.
    """
    versions = {}
    for package in (*PACKAGES, *more):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "stolen": _stolen(),
        "packages": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def in_words(where: dict[str, Any]) -> str:
    """One line about `circumstances` for under a table."""
    versions = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    stolen = f"; the host kept back {where['stolen']} % of their time" if where.get("stolen") else ""
    machine = f"{where['cpus']} cores ({where['processor']}, {where['system']}{stolen})"
    return f"Measured {where['when']} on {machine}, Python {where['python']}; {versions}."


def stored(name: str) -> dict[str, Any]:
    """The results kept under `name`, or an empty start."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}


def store(name: str, results: dict[str, Any], text: str) -> None:
    """Keep results as JSON for programs, as Markdown for people, and in the documents that have markers."""
    RESULTS.mkdir(exist_ok=True)
    body = json.dumps(results, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(body + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    for document in DOCUMENTS:
        fill(document, name)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table: the first column left, all others right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def fill(document: Path, name: str) -> bool:
    """Put `results/NAME.md` between the lines `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` of a document.

    Returns whether the document changed; a document without the two markers is left alone.
    """
    text = document.read_text(encoding="utf-8")
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if opening not in text or closing not in text:
        return False
    before, rest = text.split(opening, 1)
    after = rest.split(closing, 1)[1]
    body = (RESULTS / f"{name}.md").read_text(encoding="utf-8").strip()
    filled = f"{before}{opening}\n{body}\n{closing}{after}"
    document.write_text(filled, encoding="utf-8")
    return filled != text
