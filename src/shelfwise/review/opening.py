"""Opening a desk: the doubts file, its catalogue, the decisions beside it, and a model if wanted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shelfwise.review.decisions import Decisions
from shelfwise.review.desk import Desk, DeskOptions
from shelfwise.review.doubts import read_doubts
from shelfwise.review.products import find_catalogue, read_products

if TYPE_CHECKING:
    from shelfwise.review.model import Voice


def decisions_beside(doubts: Path) -> Path:
    """Return where the decisions about a doubts file are kept: beside it."""
    return doubts.with_name(f"{doubts.name}.decisions.sqlite")


def open_desk(doubts: str | os.PathLike[str], options: DeskOptions | None = None) -> Desk:
    """Open a doubts file, its catalogue and its decisions.

    Raises
    ------
    CatalogueError
        One of them cannot be used, or they do not belong together; says what to do.

    """
    options = options or DeskOptions()
    opened = read_doubts(doubts)
    where = Path(options.decisions) if options.decisions else decisions_beside(opened.path)
    store = Decisions(where)  # before the long reading, so that a wrong file is told at once
    try:
        voice = _open_voice(options.model)
        products = read_products(opened, find_catalogue(opened.audit, options.catalogue, opened.path))
        return Desk(opened, products, store, options, voice)
    except BaseException:
        store.close()
        raise


def _open_voice(model: str) -> Voice | None:
    if not model:
        return None
    from shelfwise.review.model import Voice

    return Voice(model)
