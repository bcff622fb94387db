"""What an audit costs: instacart as it is, and a million products made from it; time and peak memory.

    python benchmarks/audit_scale.py                      both (about 1 GB under --scratch)
    python benchmarks/audit_scale.py --products 100000    a tenth of it
    python benchmarks/audit_scale.py --source cdiscount --generated-only    2,682 categories, longer texts

The large catalogue is generated as in `scale.py`. The map is measured in `map.py`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from measure import measured
from record import DATA, circumstances, in_words, store, stored, table
from scale import generate
from text import SHELFWISE

COLUMNS = ("title", "description", "brand", "category_path")


def run(name: str, catalogue: Path, box: Path) -> dict[str, Any]:
    """One audit as a process of its own."""
    output = box / "doubts.parquet"
    cost = measured(SHELFWISE, "audit", catalogue, "--output", output, "--no-map", "--json")
    told = json.loads(cost.stdout)
    given = pl.scan_parquet(output).select(pl.col("given").n_unique()).collect().item()
    return {
        "name": name, "products": told["products"], "categories": given, "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds, "peak_mb": cost.peak_mb, "expected_wrong": told["expected_wrong"],
        "output_mb": round(output.stat().st_size / 1e6, 1), "circumstances": circumstances(),
    }  # fmt: skip


def main() -> None:
    """Run what was asked for, and keep the results after each line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--source", default="instacart")
    parser.add_argument("--categories", type=int, default=0, help="at least so many; those of the source")
    parser.add_argument("--generated-only", action="store_true", help="leave out instacart as it is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", type=Path, help="where the catalogue is put meanwhile")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.scratch) as folder:
        box = Path(folder)
        if not asked.generated_only:
            keep("instacart", DATA / "instacart" / "products.parquet", box)
        rows = pl.read_parquet(DATA / asked.source / "products.parquet", columns=list(COLUMNS))
        rows = rows.drop_nulls("category_path").with_columns(pl.col(COLUMNS[:3]).fill_null(""))
        rows.filter(pl.col("category_path") != "missing > missing").write_parquet(box / "source.parquet")
        generate(box / "source.parquet", box / "generated.parquet", asked)
        keep(f"generated from {asked.source}", box / "generated.parquet", box)


def keep(name: str, catalogue: Path, box: Path) -> None:
    """Measure, and put it in the place of what was known of the same size."""
    found = run(name, catalogue, box)
    print(found, flush=True)
    same = (found["name"], found["products"])
    runs = [old for old in stored("audit_scale")["runs"] if (old["name"], old["products"]) != same]
    results = {"runs": sorted([*runs, found], key=lambda r: (r["products"], r["name"]))}
    store("audit_scale", results, in_markdown(results))


def in_markdown(results: dict[str, Any]) -> str:
    """One row for each catalogue."""
    rows = [
        (
            r["name"], f"{r['products']:,}", f"{r['categories']:,}", f"{r['seconds']:,.0f}",
            f"{r['cpu_seconds']:,.0f}", f"{r['peak_mb']:,.0f}",
        )
        for r in results["runs"]
    ]  # fmt: skip
    latest = max((r["circumstances"] for r in results["runs"]), key=lambda where: where["when"])
    head = ("catalogue", "products", "categories", "seconds", "processor seconds", "peak MB")
    return f"{table(head, rows)}\n\n{in_words(latest)}"


if __name__ == "__main__":
    main()
