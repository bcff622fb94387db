"""The doubts of a catalogue as a table and as a file; what `shelfwise review` opens.

Reasons and neighbours are made for every product: a reviewer may look at any of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.audit.claims import Codes, Floats
from shelfwise.audit.doubt import Doubt
from shelfwise.audit.evidence import Evidence
from shelfwise.audit.kinds import kinds_of, suggestions
from shelfwise.audit.nearest import Nearest, nearest_on
from shelfwise.audit.reasons import Facts, reasons_of
from shelfwise.errors import CatalogueError
from shelfwise.unfinished import whole_file

METADATA = "shelfwise.audit"
"""Key of the file's metadata, a JSON object; see docs/how-to/audit.md."""
_CANDIDATES = 5
_CROWD = 1_000  # near-duplicates from which on they are not named
_BLOCK = 20_000  # rows of sentences at a time
_NEIGHBOUR = pl.Struct(
    {"product_id": pl.String, "title": pl.String, "category": pl.String, "similarity": pl.Float32}
)
_CANDIDATE = pl.Struct({"category": pl.String, "confidence": pl.Float32})
SCHEMA: dict[str, pl.DataType] = {
    "product_id": pl.String(),
    "row": pl.UInt32(),
    "given": pl.String(),
    "suggested": pl.String(),
    "doubt": pl.Float32(),
    "kind": pl.String(),
    "reasons": pl.List(pl.String),
    "neighbours": pl.List(_NEIGHBOUR),
    "distance": pl.UInt8(),
    "confidence": pl.Float32(),
    "candidates": pl.List(_CANDIDATE),
    "x": pl.Float32(),
    "y": pl.Float32(),
}
"""Columns of the doubts, one row for each labelled product, the most doubtful first."""


def tabulate(evidence: Evidence, doubt: Doubt, vectors: Floats, places: Floats | None) -> pl.DataFrame:
    """The doubts as a table with the columns of `SCHEMA`.

    `vectors`: float32 [products, width], see `embedding`; `places`: float32 [products, 2] on the map, None:
    there is no map.
    """
    lesson = evidence.lesson
    y, groups, taxonomy = lesson.y, lesson.articles, lesson.taxonomy
    suggested = suggestions(evidence.given, y, groups)
    near = (nearest_on(y, vectors, y), nearest_on(suggested, vectors, y))
    kinds = kinds_of(evidence.given, y, groups, len(taxonomy.labels), near)
    facts = Facts(
        taxonomy, evidence.given, suggested, kinds, near, groups, evidence.views,
        _names(lesson.products), evidence.codes, evidence.probabilities,
    )  # fmt: skip
    labels = pl.Series(taxonomy.labels, dtype=pl.String)
    spots = np.full((len(y), 2), np.nan, np.float32) if places is None else places
    table = pl.DataFrame(
        {
            "product_id": lesson.products["product_id"],
            "row": lesson.products["row"].cast(pl.UInt32),
            "given": labels.gather(y),
            "suggested": labels.gather(suggested),
            "doubt": doubt.doubt,
            "kind": pl.Series(kinds.tolist(), dtype=pl.String),
            "reasons": sentences(_reasons(facts, y, groups)),
            "neighbours": neighbours_of(lesson.products, labels, y, near),
            "distance": taxonomy.distance(y, suggested).astype(np.uint8),
            "confidence": _confidence(suggested, evidence.codes, evidence.probabilities),
            "candidates": candidates_of(labels, evidence.codes, evidence.probabilities),
            "x": spots[:, 0],
            "y": spots[:, 1],
        },
        schema=SCHEMA,
    )
    return table.sort("doubt", descending=True, maintain_order=True)


def _names(products: pl.DataFrame) -> list[str]:
    """What to call each product: its title, or its id where it has none."""
    name = pl.when(pl.col("title") == "").then("product_id").otherwise("title")
    return products.select(name.alias("name"))["name"].to_list()


def _reasons(facts: Facts, y: Codes, groups: NDArray[np.int64]) -> Iterator[list[str]]:
    """Sentences about each product, in order."""
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    for row, (group, own) in enumerate(zip(groups.tolist(), y.tolist(), strict=True)):
        members = order[ends[group - 1] if group else 0 : ends[group]]
        crowd = members.tolist() if 1 < len(members) < _CROWD else []
        yield reasons_of(facts, row, [twin for twin in crowd if y[twin] != own])


def sentences(rows: Iterable[list[str]]) -> pl.Series:
    """Texts of each row as lists, [rows]; some rows at a time, as long lists of lists take much memory."""
    waiting, parts = iter(rows), [pl.Series(dtype=SCHEMA["reasons"])]
    while block := list(islice(waiting, _BLOCK)):
        texts = pl.Series([text for row in block for text in row], dtype=pl.String)
        parts.append(_lists(texts, np.array([len(row) for row in block], np.int64), SCHEMA["reasons"]))
    return pl.concat(parts)


def neighbours_of(
    products: pl.DataFrame, labels: pl.Series, y: Codes, near: tuple[Nearest, Nearest]
) -> pl.Series:
    """The nearest products of two searches as lists, [asked]; `y` [products]: -1 is no category."""
    rows = np.concatenate([near[0].rows, near[1].rows], axis=1)
    cosine = np.concatenate([near[0].cosine, near[1].cosine], axis=1)
    there = rows >= 0
    flat = rows[there]
    listed = pl.DataFrame(
        {
            "product_id": products["product_id"].gather(flat),
            "title": products["title"].gather(flat),
            "category": labels.extend_constant(None, 1).gather(np.where(y < 0, len(labels), y)[flat]),
            "similarity": cosine[there],
        }
    ).to_struct("neighbours")
    return _lists(listed, there.sum(axis=1), SCHEMA["neighbours"])


def candidates_of(labels: pl.Series, codes: Codes, probabilities: Floats) -> pl.Series:
    """The most probable categories as lists, [products]."""
    codes, probabilities = codes[:, :_CANDIDATES], probabilities[:, :_CANDIDATES]
    listed = pl.DataFrame({"category": labels.gather(codes.ravel()), "confidence": probabilities.ravel()})
    counts = np.full(len(codes), codes.shape[1])
    return _lists(listed.to_struct("candidates"), counts, SCHEMA["candidates"])


def _lists(values: pl.Series, counts: NDArray[np.int64], kind: pl.DataType) -> pl.Series:
    """Values after one another as lists of so many each."""
    owner = np.repeat(np.arange(len(counts)), counts)
    grouped = pl.DataFrame({"owner": owner, "value": values}).group_by("owner", maintain_order=True).all()
    every = pl.DataFrame({"owner": np.arange(len(counts))})
    every = every.join(grouped, on="owner", how="left", maintain_order="left")
    empty = pl.lit([], dtype=kind)
    return every.select(pl.col("value").fill_null(empty)).to_series().cast(kind)


def _confidence(suggested: Codes, codes: Codes, probabilities: Floats) -> Floats:
    hit = codes == suggested[:, None]
    found: Floats = np.where(hit, probabilities, 0).sum(axis=1).astype(np.float32)
    return found


def write_doubts(table: pl.DataFrame, output: str | os.PathLike[str], about: Mapping[str, Any]) -> Path:
    """Write doubts with what they are about, whole or not at all.

    Raises
    ------
    CatalogueError
        The file has another ending than .parquet, or cannot be written.

    """
    path = check_doubts(output)
    try:
        with whole_file(path) as building:
            table.write_parquet(building, metadata={METADATA: json.dumps(dict(about), sort_keys=True)})
    except OSError as error:
        raise CatalogueError(f"cannot write {path}: {error}") from error
    return path


def check_doubts(output: str | os.PathLike[str]) -> Path:
    """The path of a doubts file, or CatalogueError before any work when it cannot be written."""
    path = Path(output)
    if path.suffix.lower() != ".parquet":
        raise CatalogueError(f"cannot write {path}: doubts are a Parquet file; let its name end in .parquet")
    if path.is_dir():
        raise CatalogueError(f"cannot write {path}: it is a folder")
    return path
