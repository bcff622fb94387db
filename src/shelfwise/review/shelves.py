"""All shelves of a shop: their codes and paths, the search of the picker, and the tree to browse."""

from __future__ import annotations

import heapq
import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import split_path
from shelfwise.errors import CatalogueError

JOINT = " > "
"""Between the names of a path as it is shown and searched."""

_MOST = 500  # characters of a shelf
_WORDS = 8  # of a question; more narrow nothing down


@dataclass(frozen=True)
class Hit:
    """A shelf that was found: its code, and [start, end) of each word in the joined path, in UTF-16 units."""

    code: int
    matches: list[tuple[int, int]]


@dataclass
class _Node:
    name: str
    parent: int
    children: dict[str, int]
    code: int = -1  # a shelf that hangs here; the first of several


class Shelves:
    """The shelves of a catalogue and those that were made since, each with a code that never changes.

    Parameters
    ----------
    labels, paths_text, products
        [n] categories as in the source, their readable paths and numbers of products; 0: known only from
        doubts.
    separator
        Between the levels of a path; None: one level.

    Attributes
    ----------
    labels
        Category by code.
    paths
        Names from the top by code.
    products
        Products of the catalogue by code.
    known
        Whether the catalogue has it, or it was made: only these can be chosen.

    """

    def __init__(
        self,
        labels: Sequence[str],
        paths_text: Sequence[str | None],
        products: Sequence[int],
        separator: str | None,
    ) -> None:
        self.separator = separator
        self.labels: list[str] = []
        self.paths: list[tuple[str, ...]] = []
        self.products: list[int] = []
        self.known: list[bool] = []
        self._code: dict[str, int] = {}
        self._folded: list[tuple[str, str]] = []
        self._order: tuple[list[int], list[int]] = ([], [])
        self._nodes = [_Node("", -1, {})]
        self._node_of: list[int] = []
        for label, path, count in zip(labels, paths_text, products, strict=True):
            self._append(label, split_path(path or label, separator), count, count > 0)

    def __len__(self) -> int:
        return len(self.labels)

    def code(self, label: str) -> int:
        """Return the code of a category, -1 for one that is not there."""
        return self._code.get(label, -1)

    def label_of(self, code: int) -> str | None:
        """Return the category of a code, None for -1."""
        return self.labels[code] if code >= 0 else None

    def add(self, category: str) -> tuple[int, bool]:
        """Make a new shelf; return its code and whether it is new indeed.

        Levels are trimmed and empty ones dropped.

        Raises
        ------
        CatalogueError
            The name is empty, longer than 500 characters, or holds control characters.

        """
        label = self.named(category)
        code = self.code(label)
        if code >= 0 and self.known[code]:
            return code, False
        if code >= 0:
            self.known[code] = True
            return code, True
        return self._append(label, split_path(label, self.separator), 0, True), True

    def named(self, category: str) -> str:
        """Return how a new shelf would be called; CatalogueError where it cannot be one (see `add`)."""
        label = (self.separator or "").join(split_path(category, self.separator))
        if not label or len(label) > _MOST or any(unicodedata.category(sign)[0] == "C" for sign in label):
            raise CatalogueError(
                f"{category[:80]!r} cannot be a shelf: give 1 to {_MOST} letters, signs and spaces."
            )
        return label

    def _append(self, label: str, path: tuple[str, ...], products: int, known: bool) -> int:
        code = len(self.labels)
        self.labels.append(label)
        self.paths.append(path)
        self.products.append(products)
        self.known.append(known)
        self._code[label] = code
        whole = " " + _words(fold(JOINT.join(path)))
        self._folded.append((whole, " " + _words(fold(path[-1]))))
        self._node_of.append(self._hang(path, code))
        return code

    # -- search ----------------------------------------------------------------------------------------------

    def search(self, question: str, limit: int = 30) -> list[Hit]:
        """Find shelves as one types: every word must be somewhere in the path.

        Letter case and accents do not matter, in any script. A word that begins a word of the last level
        counts most, then one inside of it, then the same of the levels above; equal shelves come by their
        number of products, then by path.
        """
        words = _words(fold(question)).split()[:_WORDS]
        if not words:
            known = (code for code in self._ranked()[0] if self.known[code])
            return [Hit(code, []) for code in itertools.islice(known, limit)]
        place = self._ranked()[1]
        scored = []
        for code, (path, leaf) in enumerate(self._folded):
            if not self.known[code]:
                continue
            score = 0
            for word in words:
                worth = _worth(word, path, leaf)
                if worth < 0:
                    break
                score += worth
            else:
                scored.append((score, place[code], code))
        best = heapq.nsmallest(limit, scored)
        return [Hit(code, spans(JOINT.join(self.paths[code]), words)) for _, _, code in best]

    def _ranked(self) -> tuple[list[int], list[int]]:
        """Codes from the most used shelf on, equal ones by path; and the place of each code in that order."""
        if len(self._order[0]) != len(self):
            order = sorted(range(len(self)), key=lambda code: (-self.products[code], self.paths[code]))
            place = [0] * len(order)
            for at, code in enumerate(order):
                place[code] = at
            self._order = order, place
        return self._order

    # -- tree ------------------------------------------------------------------------------------------------

    def _hang(self, path: tuple[str, ...], code: int) -> int:
        at = 0
        for name in path:
            below = self._nodes[at].children
            if name not in below:
                below[name] = len(self._nodes)
                self._nodes.append(_Node(name, at, {}))
            at = below[name]
        if self._nodes[at].code < 0:
            self._nodes[at].code = code
        return at

    @property
    def depth(self) -> int:
        """Levels of the longest path."""
        return max(map(len, self.paths), default=1)

    def node(self, number: int) -> tuple[list[str], list[int]]:
        """Return the names down to a node (0: root) and the nodes below it by name, or raise IndexError."""
        if not 0 <= number < len(self._nodes):
            raise IndexError(f"node {number} of {len(self._nodes)}")
        names: list[str] = []
        at = number
        while at > 0:
            names.insert(0, self._nodes[at].name)
            at = self._nodes[at].parent
        below = self._nodes[number].children
        return names, [below[name] for name in sorted(below, key=lambda name: (fold(name), name))]

    def node_label(self, number: int) -> tuple[str, str | None, int]:
        """Return a node's name, the category that hangs at it (None: none to choose), and its children."""
        node = self._nodes[number]
        there = node.code >= 0 and self.known[node.code]
        return node.name, self.labels[node.code] if there else None, len(node.children)

    def roll_up(self, by_code: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum numbers by code [shelves] over each node [nodes]: of all shelves at and below it."""
        sums = np.zeros(len(self._nodes), np.int64)
        np.add.at(sums, np.array(self._node_of, np.int64), by_code)
        for number in range(len(self._nodes) - 1, 0, -1):  # a node comes after its parent
            sums[self._nodes[number].parent] += sums[number]
        return sums

    def below(self, path_text: str) -> NDArray[np.bool_]:
        """Whether each shelf [shelves] is the category of that name, or is at or below that path."""
        start = split_path(path_text, self.separator)
        exact = self.code(path_text)
        found = np.fromiter((path[: len(start)] == start for path in self.paths), np.bool_, len(self))
        if not found.any():  # written as it is shown
            shown = split_path(path_text, JOINT)
            found = np.fromiter((path[: len(shown)] == shown for path in self.paths), np.bool_, len(self))
        if exact >= 0:
            found[exact] = True
        return found

    def at_level(self, level: int) -> tuple[list[str], NDArray[np.int64]]:
        """Return the names of all nodes of a level (1: the top), and each shelf's number among them."""
        names: dict[tuple[str, ...], int] = {}
        codes = [names.setdefault(path[:level], len(names)) for path in self.paths]
        return [JOINT.join(path) for path in names], np.array(codes, np.int64)


def fold(text: str) -> str:
    """Return text without case and accents, for comparing: ``É`` and ``e`` are one."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Mn")


def _words(folded: str) -> str:
    """Everything that is no letter and no digit as one space."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in folded).split())


def _worth(word: str, path: str, leaf: str) -> int:
    """How well a word is met, 0 best; -1: not at all."""
    if word not in path:
        return -1
    if word in leaf:
        return 0 if " " + word in leaf else 1
    return 2 if " " + word in path else 3


def spans(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Where words (folded) stand in a text, as [start, end) in UTF-16 units; the last place of each.

    The last, because the leaf is at the end.
    """
    folded: list[str] = []
    start_of: list[int] = []
    end_of: list[int] = []
    unit = 0
    for sign in text:
        width = 2 if ord(sign) > 0xFFFF else 1
        for part in fold(sign):
            folded.append(part)
            start_of.append(unit)
            end_of.append(unit + width)
        unit += width
    whole = "".join(part if part.isalnum() else " " for part in folded)
    found = []
    for word in words:
        at = max(whole.rfind(" " + word) + 1, 0 if whole.startswith(word) else -1)
        if at <= 0 and not whole.startswith(word):
            at = whole.rfind(word)
        if at >= 0:
            found.append((start_of[at], end_of[at + len(word) - 1]))
    return sorted(set(found))
