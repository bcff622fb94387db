"""Collecting: from the saved page of a shop to one row of a catalogue.

`extract` is pure: bytes and an address in, plain values out. It needs the extra `collect`, which is imported
when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.collect.extraction import extract as extract
    from shelfwise.collect.rules import Rules as Rules
    from shelfwise.collect.rules import read_rules as read_rules

__all__ = ["Rules", "extract", "read_rules"]

_HOMES = {
    "Rules": "shelfwise.collect.rules",
    "extract": "shelfwise.collect.extraction",
    "read_rules": "shelfwise.collect.rules",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load what is asked for, with the extra that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from shelfwise.errors import MissingExtraError

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name in ("lxml", "cssselect", "chompjs", "w3lib", "charset_normalizer"):
            raise MissingExtraError("reading the pages of shops", "collect") from error
        raise
