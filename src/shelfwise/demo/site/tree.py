"""The web shop's category tree: four levels at most, worlds above departments, in two languages."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib import resources

from shelfwise.demo.words import Shelf

LANGUAGES = ("en", "de")
HOME = {"en": "Home", "de": "Startseite"}
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@cache
def _words() -> tuple[dict[str, str], dict[str, str]]:
    """The world of each department, and the German name of each level."""
    source = resources.files("shelfwise.demo.site").joinpath("tree.toml")
    words = tomllib.loads(source.read_text(encoding="utf-8"))
    worlds = {department: world for world, inside in words["worlds"].items() for department in inside}
    return worlds, words["german"]


def names(shelf: Shelf, language: str) -> tuple[str, ...]:
    """Return the way to a shelf from the top down, as the shop calls it in a language ("en" or "de")."""
    worlds, german = _words()
    path = (worlds[shelf.path[0]], *shelf.path)
    return path if language == "en" else tuple(german[name] for name in path)


def slug(text: str) -> str:
    """Return a name as it stands in an address: small letters without accents, digits, hyphens."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
