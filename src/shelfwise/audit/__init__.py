"""The audit: which products lie on the wrong shelf, how surely, and why.

`audit` gathers what models that never saw a product say of its label (`evidence`), turns that into one
calibrated doubt a product (`doubt`), and tells kind, reasons, neighbours and a place on the map (`doubts`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import polars as pl

from shelfwise.audit.about import about_catalogue
from shelfwise.audit.doubts import check_doubts, tabulate, write_doubts
from shelfwise.catalogue.read import Source, open_source
from shelfwise.errors import MissingExtraError
from shelfwise.lesson import Training
from shelfwise.recipe import Recipe

if TYPE_CHECKING:
    from shelfwise.audit.evidence import Elsewhere


@dataclass(frozen=True)
class AuditOptions:
    """How to audit.

    layout: whether products get a place on the map (needs the extra `map`). model: the folder that the doubts
    are remembered to belong to, for `shelfwise review`. elsewhere: has folds answered by other processes or
    machines (`shelfwise.scale.FoldEngine`); None: this process answers them. The doubts are the same.
    """

    layout: bool = True
    model: str = ""
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    doubts: a table with the columns of `doubts.SCHEMA`; shares: estimated share of wrong labels by kind of
    error; report: what became of every row; about: what the doubts file is told.
    """

    doubts: pl.DataFrame
    shares: dict[str, float]
    report: Training
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def expected(self) -> float:
        """How many labels are wrong, as the doubts add up."""
        return float(self.doubts["doubt"].sum())

    def write(self, output: str | os.PathLike[str]) -> None:
        """Write the doubts file (.parquet)."""
        write_doubts(self.doubts, check_doubts(output), self.about)


def audit(
    catalogue: object,
    recipe: Recipe | None = None,
    options: AuditOptions = AuditOptions(),
    notify: Callable[[str], None] | None = None,
) -> Audit:
    """Find the products of a catalogue that seem to lie on the wrong shelf.

    Args:
        catalogue: a path (file, folder, glob), a `Source`, or any frame that speaks Arrow.
        recipe: which views to learn, and how; the defaults if there is none.
        options: see `AuditOptions`.
        notify: called with the name of each step as it begins.

    Raises:
        CatalogueError, LabelError, RecipeError: what is wrong with the catalogue, its categories or the
            recipe.
        MissingExtraError: a map is wanted, and its extra is not installed.

    """
    from shelfwise.audit.doubt import find_doubts
    from shelfwise.audit.embedding import content_keys, embed
    from shelfwise.audit.evidence import Answering, gather
    from shelfwise.audit.layout import lay_out

    if options.layout and find_spec("openTSNE") is None:  # said before the work, not after it
        raise MissingExtraError("the map", "map")
    recipe = recipe or Recipe()
    source = catalogue if isinstance(catalogue, Source) else open_source(catalogue)
    say = notify or _silent
    threads = recipe.threads or os.cpu_count() or 1
    evidence = gather(source, recipe, threads, notify, Answering(options.elsewhere))
    lesson = evidence.lesson
    say("doubts")
    doubt = find_doubts(evidence, recipe.seed)
    dense = [name for name in lesson.dense if name != "table"]
    vectors = embed(lesson.products, lesson.fields, dense, recipe.seed)
    places = None
    if options.layout:
        say("map")
        keys = content_keys(lesson.products, lesson.fields, dense)
        places = lay_out(vectors, recipe.seed, keys=keys, threads=threads)
    say("reasons")
    table = tabulate(evidence, doubt, vectors, places)
    about = about_catalogue(source, lesson.roles, lesson.taxonomy.separator, recipe.pictures.folder) | {
        "data_sha256": evidence.report.data_sha256,
        "model": options.model,
        "shares": doubt.shares,
    }
    return Audit(table, doubt.shares, evidence.report, about)


def _silent(step: str) -> None:
    """Tell nobody."""
