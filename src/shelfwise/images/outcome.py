"""What came of a run, as files: the index by product, the dead links, and the counts.

All of them follow from the ledger alone, in the order of the catalogue, without times: the same answers of
the hosts make the same bytes, however often a run was killed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from shelfwise.images.codes import LOCAL, meaning
from shelfwise.images.ledger import FAILED, STORED, Ledger
from shelfwise.images.store import file_of
from shelfwise.images.wanted import Counts
from shelfwise.unfinished import whole_file, write_whole
from shelfwise.writing import write_parquet

if TYPE_CHECKING:
    from shelfwise.images.lanes import Lanes

INDEX, REPORT, DEAD, CHECKED = "index.parquet", "report.json", "dead-links.csv", "links.parquet"
_PAGE = 20_000
_WORST = 100
_STATES = {STORED: "stored", FAILED: "failed"}

_INDEX_SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.Int64, "position": pl.Int64, "product_id": pl.String, "image": pl.String, "url": pl.String,
    "state": pl.String, "code": pl.String, "http": pl.Int64, "file": pl.String, "sha256": pl.String,
    "format": pl.String, "width": pl.Int64, "height": pl.Int64, "bytes": pl.Int64,
}  # fmt: skip
_CHECKED_SCHEMA: dict[str, type[pl.DataType]] = {
    "url": pl.String, "host": pl.String, "status": pl.Int64, "code": pl.String, "products": pl.Int64,
}  # fmt: skip
_INDEX_SQL = """
SELECT w.row, w.position, w.product_id, w.image, l.url, l.state, l.code, l.http, l.sha, l.form, l.width,
       l.height, l.bytes
FROM wanted w LEFT JOIN links l ON l.id = w.link ORDER BY w.number
"""
_LINKS_SQL = """
SELECT l.url, l.host, l.http, l.code, count(*)
FROM wanted w JOIN links l ON l.id = w.link {where} GROUP BY l.id ORDER BY min(w.number)
"""


@dataclass(frozen=True)
class Report:
    """What came of a run.

    rows, without, inside, local: of the catalogue (see `Counts`). links: addresses, each once. stored,
    failed: of them. contents, bytes: files, duplicates once. asked: addresses that this run was done with.
    codes: failures by code. hosts: those with most failures, as (host, links, failed, most frequent code).
    """

    rows: int
    without: int
    inside: int
    local: int
    links: int
    stored: int
    failed: int
    contents: int
    bytes: int
    codes: dict[str, int]
    hosts: list[tuple[str, int, int, str]]
    asked: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        names = ("host", "links", "failed", "mostly")
        return plain | {"hosts": [dict(zip(names, one, strict=True)) for one in self.hosts]}


def write_outcome(folder: Path, ledger: Ledger, counts: Counts, check: bool) -> None:
    """Write the index, the dead links and the report; after a check the table of links instead of the index.

    Parameters
    ----------
    folder
        Where to.
    ledger
        What is known.
    counts
        Of the catalogue.
    check
        Whether was only looked.

    """
    if check:
        _write_table(folder / CHECKED, _checked(ledger), _CHECKED_SCHEMA)
    else:
        _write_table(folder / INDEX, _indexed(ledger), _INDEX_SCHEMA)
    _write_dead(folder / DEAD, ledger)
    plain = report_of(ledger, counts).to_dict()
    lasting = {name: value for name, value in plain.items() if name not in ("asked", "seconds")}
    write_whole(folder / REPORT, msgspec.json.format(msgspec.json.encode(lasting), indent=1) + b"\n")


def report_of(ledger: Ledger, counts: Counts, lanes: Lanes | None = None, seconds: float = 0.0) -> Report:
    """Return the counts of a run."""
    states = ledger.count()
    codes: dict[str, int] = dict(
        ledger.rows(  # type: ignore[arg-type]
            "SELECT code, count(*) FROM links WHERE wanted = 1 AND state = 2 GROUP BY code ORDER BY 2 DESC, 1"
        )
    )
    contents = next(
        ledger.rows(
            "SELECT count(*), coalesce(sum(size), 0) FROM (SELECT min(bytes) AS size FROM links NOT INDEXED "
            "WHERE wanted = 1 AND state = 1 AND sha IS NOT NULL GROUP BY sha)"
        )
    )
    return Report(
        counts.rows, counts.without, counts.inside, counts.local, sum(states.values()),
        states.get(STORED, 0), states.get(FAILED, 0), int(str(contents[0])), int(str(contents[1])), codes,
        _worst(ledger), 0 if lanes is None else lanes.stored + lanes.failed, round(seconds, 3),
    )  # fmt: skip


def _worst(ledger: Ledger) -> list[tuple[str, int, int, str]]:
    rows = ledger.rows(
        "SELECT host, count(*), sum(state = 2) FROM links WHERE wanted = 1 GROUP BY host "
        "HAVING sum(state = 2) > 0 ORDER BY 3 DESC, 1 LIMIT ?",
        (_WORST,),
    )
    found: list[tuple[str, int, int, str]] = []
    for host, links, failed in rows:
        code = next(
            ledger.rows(
                "SELECT code FROM links WHERE wanted = 1 AND state = 2 AND host = ? GROUP BY code "
                "ORDER BY count(*) DESC, code LIMIT 1",
                (host,),
            )
        )[0]
        found.append((str(host), int(str(links)), int(str(failed)), str(code)))
    return found


def _write_table(
    path: Path, rows: Iterator[tuple[object, ...]], schema: dict[str, type[pl.DataType]]
) -> None:
    def pieces() -> Iterator[pl.DataFrame]:
        while page := list(islice(rows, _PAGE)):
            yield pl.DataFrame(page, schema=schema, orient="row")

    with whole_file(path) as building:
        write_parquet(pl.DataFrame(schema=schema), pieces(), building)


def _indexed(ledger: Ledger) -> Iterator[tuple[object, ...]]:
    for row, position, product, image, url, state, code, http, sha, form, *about in ledger.rows(_INDEX_SQL):
        told = LOCAL if url is None else code
        file = file_of(str(sha), str(form)) if state == STORED else None
        kept = (sha, form, *about) if state == STORED else (None,) * 5
        named = _STATES.get(int(str(state)), "") if state is not None else "failed"
        yield row, position, product, image, url, named, told or None, http, file, *kept


def _checked(ledger: Ledger) -> Iterator[tuple[object, ...]]:
    for url, host, http, code, products in ledger.rows(_LINKS_SQL.format(where="")):
        yield url, host, http, code or "ok", products


def _write_dead(path: Path, ledger: Ledger) -> None:
    """The failed addresses with their reasons, for whoever mends the catalogue; safe in a spreadsheet."""
    with whole_file(path) as building, building.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["url", "host", "status", "code", "meaning", "products"])
        for url, host, http, code, products in ledger.rows(_LINKS_SQL.format(where="WHERE l.state = 2")):
            safe = f"'{url}" if str(url)[:1] in "=+-@\t\r" else url
            writer.writerow([safe, host, http, code, meaning(str(code)), products])
