"""What a file for `shelfwise review` remembers of the catalogue that it was made of, whoever made it."""

from __future__ import annotations

from typing import Any

from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles


def about_catalogue(
    source: Source, roles: Roles, separator: str | None, images: str | None
) -> dict[str, Any]:
    """Plain values, by which the page finds the products and their columns again.

    `roles`: of the columns; `separator`: of the categories' paths; `images`: the folder of pictures.
    """
    from importlib.metadata import version

    return {
        "version": 1,
        "shelfwise": version("shelfwise"),
        "catalogue": ", ".join(str(file) for file in source.files),
        "files": [str(file) for file in source.files],
        "roles": roles.to_dict(),
        "label": roles.label or "",
        "separator": separator,
        "images": images,
        "rows": source.rows,
    }


def named(source: Source) -> str:
    """The files of a catalogue, as messages call them."""
    return ", ".join(str(file) for file in source.files) or "the catalogue"
