"""Opening a desk: the doubts file, its catalogue, the decisions beside it, and a model if wanted."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shelfwise.corrections.doubted import BESIDE
from shelfwise.review.decisions import Decisions
from shelfwise.review.desk import Desk, DeskOptions
from shelfwise.review.doubts import Doubts, read_doubts
from shelfwise.review.products import find_catalogue, read_products

if TYPE_CHECKING:
    from shelfwise.review.model import Voice


def decisions_beside(doubts: Path) -> Path:
    """Return where the decisions about a doubts file are kept: beside it."""
    return doubts.with_name(doubts.name + BESIDE)


def _decisions(doubts: Doubts) -> Path:
    """Where decisions are kept; where nothing was judged there will be none, and nothing is left behind."""
    if doubts.audit.judged:
        return decisions_beside(doubts.path)
    folder = tempfile.mkdtemp(prefix="shelfwise-look-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "none.sqlite"


def open_desk(doubts: str | os.PathLike[str], options: DeskOptions | None = None) -> Desk:
    """Open a doubts file, its catalogue and its decisions.

    Raises
    ------
    CatalogueError
        One of them cannot be used, or they do not belong together; says what to do.

    """
    options = options or DeskOptions()
    opened = read_doubts(doubts)
    where = Path(options.decisions) if options.decisions else _decisions(opened)
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
