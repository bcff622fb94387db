"""The queue: which products without a shelf people should label next, most telling first.

`find_queue` asks a model about all unlabelled products of a catalogue (`pool`), takes those whose shelf would
teach it most (`choice`), and writes them down as a table of the same form as doubts, so that `shelfwise
review` opens it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shelfwise.audit.about import about_catalogue
from shelfwise.audit.choice import Chosen, choose, closest, resembling, worth_of
from shelfwise.audit.doubts import SCHEMA, candidates_of, check_doubts, neighbours_of, sentences, write_doubts
from shelfwise.audit.nearest import Nearest, nearest_on
from shelfwise.audit.pool import Counts, Pool, read_pool
from shelfwise.audit.reasons import percent
from shelfwise.catalogue.duplicates import find_near_duplicates
from shelfwise.catalogue.read import Source, open_source
from shelfwise.errors import MissingExtraError
from shelfwise.learners.matrix import one_blas_thread

if TYPE_CHECKING:
    from shelfwise.categorizer import Categorizer

COUNT = 500
"""Products that are asked about, where nobody says how many."""

KIND = "unlabelled"
"""Kind of all products of a queue."""

_FEW = 10  # labelled products below which a shelf is said to have few
_WAVERS = 0.3  # a second shelf at least this far from certainty is named
_LIKELY = 0.1  # a second shelf is worth a word
_STRANGE, _LOST = 0.4, 0.5  # likeness and probability below which no known shelf is for a product


@dataclass(frozen=True)
class QueueOptions:
    """How to choose.

    count: products to ask about. label: the column of the category; the model's own otherwise. layout:
    whether products get a place on the map (needs the extra `map`). model: where the model lies, for
    `shelfwise review`.
    """

    count: int = COUNT
    label: str | None = None
    layout: bool = True
    model: str = ""


@dataclass(frozen=True)
class Queue:
    """What to label next.

    table: with the columns of `doubts.SCHEMA`, the most telling product first; counts: what became of every
    row; twins: products passed over because one that is the same is in the table; about: what the file is
    told.
    """

    table: pl.DataFrame
    counts: Counts
    twins: int
    about: dict[str, Any] = field(default_factory=dict)

    def write(self, output: str | os.PathLike[str]) -> None:
        """Write the file (.parquet)."""
        write_doubts(self.table, check_doubts(output), self.about)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for programs."""
        return {"products": self.table.height, "twins": self.twins, **asdict(self.counts)}


def find_queue(
    catalogue: object,
    model: Categorizer,
    options: QueueOptions = QueueOptions(),
    notify: Callable[[str], None] | None = None,
) -> Queue:
    """Choose the products without a category whose category would teach a model most.

    Args:
        catalogue: a path (file, folder, glob), a `Source`, or any frame that speaks Arrow.
        model: what is to learn; it is asked about every product without a category.
        options: see `QueueOptions`.
        notify: called with the name of each step as it begins.

    Raises:
        CatalogueError, LabelError: there is nothing to ask for, or the model knows other categories.
        MissingExtraError: a map is wanted, and its extra is not installed.

    """
    if options.layout and find_spec("openTSNE") is None:  # said before the work, not after it
        raise MissingExtraError("the map", "map")
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    say = notify or _silent
    counts = Counts()
    say("reading")
    pool = read_pool(source, model, options.label, counts)
    say("choosing")
    with one_blas_thread():  # the same bits on any number of cores
        chosen = _choose(pool, options.count)
        facts = _Facts.of(pool, chosen)
    places = None
    if options.layout:
        from shelfwise.audit.layout import lay_out

        say("map")
        rows = pool.open[chosen.places]
        places = lay_out(pool.vectors[rows], model.recipe.seed, keys=pool.keys[rows], threads=model.threads)
    say("reasons")
    if len(chosen.places) < options.count:
        counts.notes.append(
            f"{len(chosen.places):,} products are all that there are to ask about, not {options.count:,}"
        )
    return Queue(_tabulate(facts, places), counts, chosen.twins, _about(source, pool, model, options))


def _silent(step: str) -> None:
    """Tell nobody."""


def _choose(pool: Pool, count: int) -> Chosen:
    worth = worth_of(pool.codes, pool.probabilities, pool.known)
    groups = find_near_duplicates(pool.products[pool.open.tolist()], quick=True).articles
    return choose(worth, pool.vectors[pool.open], groups, count)


# -- the table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What is told of the chosen products, each by its place in the queue.

    near: labelled products of the suggested shelf and of the runner-up, as rows of `pool.products`. alike:
    likeness to the nearest labelled product. crowd: unlabelled products that resemble it.
    """

    pool: Pool
    chosen: Chosen
    near: tuple[Nearest, Nearest]
    alike: np.ndarray[Any, np.dtype[np.float32]]
    crowd: np.ndarray[Any, np.dtype[np.int64]]

    @staticmethod
    def of(pool: Pool, chosen: Chosen) -> _Facts:
        rows = pool.open[chosen.places]
        own = pool.vectors[rows]
        labels = len(pool.taxonomy.labels)
        y = np.where(pool.y < 0, labels, pool.y).astype(np.int32)
        near = []
        for rank in (0, 1):
            wanted = np.full(len(y), -1, np.int32)
            if rank < pool.codes.shape[1]:
                wanted[rows] = pool.codes[chosen.places, rank]
            found = nearest_on(wanted, pool.vectors, y)
            near.append(Nearest(found.rows[rows], found.cosine[rows]))
        alike = closest(own, pool.vectors[pool.y >= 0])
        crowd = resembling(own, pool.vectors[pool.open]) - 1
        return _Facts(pool, chosen, (near[0], near[1]), alike, crowd)


def _tabulate(facts: _Facts, places: np.ndarray[Any, np.dtype[np.float32]] | None) -> pl.DataFrame:
    pool, chosen = facts.pool, facts.chosen
    rows = pool.open[chosen.places]
    products = pool.products[rows.tolist()]
    labels = pl.Series(pool.taxonomy.labels, dtype=pl.String)
    codes, probabilities = pool.codes[chosen.places], pool.probabilities[chosen.places]
    spots = np.full((len(rows), 2), np.nan, np.float32) if places is None else places
    return pl.DataFrame(
        {
            "product_id": products["product_id"],
            "row": products["row"].cast(pl.UInt32),
            "given": pl.Series([None], dtype=pl.String).new_from_index(0, len(rows)),
            "suggested": labels.gather(codes[:, 0]),
            "doubt": chosen.worth,
            "kind": pl.Series([KIND]).new_from_index(0, len(rows)),
            "reasons": sentences(_reasons(facts, n) for n in range(len(rows))),
            "neighbours": neighbours_of(pool.products, labels, pool.y, facts.near),
            "distance": pl.Series([None], dtype=pl.UInt8).new_from_index(0, len(rows)),
            "confidence": probabilities[:, 0],
            "candidates": candidates_of(labels, codes, probabilities),
            "x": spots[:, 0],
            "y": spots[:, 1],
        },
        schema=SCHEMA,
    )


def _reasons(facts: _Facts, number: int) -> list[str]:
    """Sentences about one product."""
    pool, place = facts.pool, int(facts.chosen.places[number])
    p = pool.probabilities[place]
    named = [_name(pool, int(code)) for code in pool.codes[place]]
    second = float(p[1]) if len(p) > 1 else 0.0
    first = f"{named[0]!r} ({percent(float(p[0]))})"
    if not pool.heard[place]:
        told = ["The model has met nothing of it before."]
    elif float(p[0]) - second < 1 - _WAVERS and second > 0:
        told = [f"The model wavers between {first} and {named[1]!r} ({percent(second)})."]
    else:
        told = [f"The model takes it for {first}."]
    if facts.alike[number] < _STRANGE and float(p[0]) < _LOST:
        told.append("Nothing known resembles it: it may need a new shelf.")
    for rank in range(1 + (second >= _LIKELY)) if pool.heard[place] else ():
        told += _few(int(pool.known[pool.codes[place, rank]]), named[rank])
    crowd = int(facts.crowd[number])
    if crowd > 0:
        told.append(f"{crowd:,} unlabelled product{'s resemble' if crowd > 1 else ' resembles'} it.")
    return told


def _few(known: int, name: str) -> list[str]:
    if known >= _FEW:
        return []
    if known == 0:
        return [f"No product is known on {name!r}."]
    return [f"Only {known} product{'s are' if known > 1 else ' is'} known on {name!r}."]


def _name(pool: Pool, code: int) -> str:
    return (pool.taxonomy.separator or " > ").join(pool.taxonomy.paths[code])


def _about(source: Source, pool: Pool, model: Categorizer, options: QueueOptions) -> dict[str, Any]:
    """What the file remembers: as that of an audit, and the shelves that the model knows beside."""
    taxonomy = pool.taxonomy
    joint = taxonomy.separator or " > "
    return about_catalogue(source, pool.roles, taxonomy.separator, model.recipe.pictures.folder) | {
        "model": options.model,
        "shelves": {
            label: joint.join(path) for label, path in zip(taxonomy.labels, taxonomy.paths, strict=True)
        },
    }
