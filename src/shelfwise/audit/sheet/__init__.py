"""Pages of one HTML file that need nothing else: no script, no server; their templates and one style."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from typing import Any

from shelfwise.errors import MissingExtraError


def check_sheet(what: str) -> None:
    """Raise MissingExtraError where jinja2 is not installed, before any work; `what` is the page's name."""
    if find_spec("jinja2") is None:
        raise MissingExtraError(what, "report")


def render(template: str, values: dict[str, Any]) -> str:
    """Return a page as text; all values are escaped, and one that is missing is an error.

    `template`: the name of a file beside this one, without its ending.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    sheet = resources.files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(sheet.joinpath(f"{template}.html.j2").read_text("utf-8"))
    return page.render(css=Markup(sheet.joinpath("sheet.css").read_text("utf-8")), **values)
