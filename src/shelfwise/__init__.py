"""Shelfwise: put every product on the right shelf.

The public names, loaded when they are first used, so that `import shelfwise` is instant:

    Categorizer     learn, predict, explain, save
    load            a saved model
    Recipe          every setting
    PredictOptions  what a prediction should hold
    open_source     a catalogue in any format
    find_roles      which column is what
    Taxonomy        the category tree
    judge, score, write_report    how good a model is
    ShelfwiseError  the root of all errors
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shelfwise.catalogue.read import open_source
    from shelfwise.catalogue.roles import find_roles
    from shelfwise.catalogue.taxonomy import Taxonomy
    from shelfwise.categorizer import Categorizer, load
    from shelfwise.errors import ShelfwiseError
    from shelfwise.evaluate import score, write_report
    from shelfwise.evaluate.judge import judge
    from shelfwise.predictions import PredictOptions
    from shelfwise.recipe import Recipe

_HOMES = {
    "Categorizer": "shelfwise.categorizer",
    "PredictOptions": "shelfwise.predictions",
    "Recipe": "shelfwise.recipe",
    "ShelfwiseError": "shelfwise.errors",
    "Taxonomy": "shelfwise.catalogue.taxonomy",
    "find_roles": "shelfwise.catalogue.roles",
    "judge": "shelfwise.evaluate.judge",
    "load": "shelfwise.categorizer",
    "open_source": "shelfwise.catalogue.read",
    "score": "shelfwise.evaluate",
    "write_report": "shelfwise.evaluate",
}

__all__ = [
    "Categorizer", "PredictOptions", "Recipe", "ShelfwiseError", "Taxonomy", "find_roles", "judge", "load",
    "open_source", "score", "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a lazily loaded name is in the imports above
    if name not in _HOMES:
        raise AttributeError(f"module 'shelfwise' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
