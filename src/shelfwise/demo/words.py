"""The demo shop's words: its departments and shelves, as `words.toml` lists them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Words = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]  # the English and the German word

WEARERS = {"Women": ("women", "Damen"), "Men": ("men", "Herren"), "Kids": ("kids", "Kinder")}


@dataclass(frozen=True)
class Department:
    """What all shelves of one department share: the words that tell the department, but not the shelf.

    Attributes:
        brands: Makers that sell in the whole department.
        models: Names of product lines; a title may give one instead of saying what the thing is.
        sizes: As printed on the label, the same in both languages.
        materials: What things are made of.
        praise: Sentences that fit everything in the department.

    """

    brands: Words
    models: Words
    sizes: Words
    materials: Pairs
    praise: Pairs


@dataclass(frozen=True)
class Shelf:
    """One leaf of the category tree.

    Attributes:
        path: From the top down.
        share: How many products lie here beside other shelves; 0 for exactly one product.
        kinds: What the things are called that lie here.
        remarks: Sentences that only these things get.
        wearer: For whom it is ("women", "Damen"), where the shelf is for one group of people.

    """

    path: Words
    share: float
    kinds: Pairs
    remarks: Pairs
    wearer: tuple[str, str] | None


@dataclass(frozen=True)
class Vocabulary:
    """All words of the shop; `departments` by name, `shelves` in the order of the file."""

    shops: Words
    colours: Pairs
    boilerplate: Pairs
    departments: dict[str, Department]
    shelves: tuple[Shelf, ...]


@cache
def vocabulary() -> Vocabulary:
    """Read the words that come with the package."""
    source = resources.files("shelfwise.demo").joinpath("words.toml")
    words = tomllib.loads(source.read_text(encoding="utf-8"))
    return Vocabulary(
        shops=tuple(words["shops"]),
        colours=_pairs(words["colours"]),
        boilerplate=_pairs(words["boilerplate"]),
        departments={entry["name"]: _department(entry) for entry in words["departments"]},
        shelves=tuple(_shelf(entry) for entry in words["shelves"]),
    )


def _department(entry: dict[str, Any]) -> Department:
    plain = {name: tuple(entry[name]) for name in ("brands", "models", "sizes")}
    return Department(**plain, materials=_pairs(entry["materials"]), praise=_pairs(entry["praise"]))


def _shelf(entry: dict[str, Any]) -> Shelf:
    path = tuple(entry["path"].split(" > "))
    wearer = next((WEARERS[part] for part in path if part in WEARERS), None)
    return Shelf(path, entry["share"], _pairs(entry["kinds"]), _pairs(entry["remarks"]), wearer)


def _pairs(words: dict[str, list[str]]) -> Pairs:
    return tuple(zip(words["english"], words["german"], strict=True))
