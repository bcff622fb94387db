"""The review page: a local web page on which people work through the doubts that an audit has found.

    open_desk, DeskOptions      a doubts file with its catalogue and its decisions
    open_socket, serve, ServerOptions      the server of the page
    correct      decisions put into a catalogue

The names are loaded when they are first used: the server needs the extra `review`, `correct` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.review.correct import correct
    from shelfwise.review.desk import DeskOptions
    from shelfwise.review.opening import open_desk
    from shelfwise.review.server import ServerOptions, open_socket, serve

_HOMES = {
    "DeskOptions": "shelfwise.review.desk",
    "ServerOptions": "shelfwise.review.server",
    "correct": "shelfwise.review.correct",
    "open_desk": "shelfwise.review.opening",
    "open_socket": "shelfwise.review.server",
    "serve": "shelfwise.review.server",
}

__all__ = ["DeskOptions", "ServerOptions", "correct", "open_desk", "open_socket", "serve"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a lazily loaded name is in the imports above
    if name not in _HOMES:
        raise AttributeError(f"module 'shelfwise.review' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
