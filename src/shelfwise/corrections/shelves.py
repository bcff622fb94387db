"""The shelves as people changed them after training: renamed, moved, merged, added.

Training's own tree stays as it was; `Shelves` says where each of its categories stands now, and builds the
tree that predictions speak of. Probabilities are carried over by sums: a renamed category keeps its own, a
merged one has the sum of its parts, a new one has none of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.paths import tidy
from shelfwise.catalogue.taxonomy import Taxonomy, split_path
from shelfwise.errors import LabelError, ModelError

Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shelves:
    """Where the categories that were learned stand now, and what stands beside them.

    trained: the tree of training. names: trained label -> label now. paths: label now -> levels of its path.
    """

    trained: Taxonomy
    names: Mapping[str, str]
    paths: Mapping[str, Path]

    @staticmethod
    def of(trained: Taxonomy) -> Shelves:
        """The shelves right after training."""
        return Shelves(
            trained,
            {label: label for label in trained.labels},
            dict(zip(trained.labels, trained.paths, strict=True)),
        )

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The tree as it is now; training's own object where nothing has changed."""
        labels = tuple(sorted(self.paths))
        now = Taxonomy(labels, tuple(self.paths[label] for label in labels), self.trained.separator)
        return self.trained if now == self.trained else now

    @cached_property
    def into(self) -> NDArray[np.int32]:
        """[trained categories] the code that each of them has now."""
        return self.taxonomy.codes([self.names[label] for label in self.trained.labels])

    @property
    def changed(self) -> bool:
        """Whether anything is otherwise than after training."""
        return self.taxonomy is not self.trained or any(old != new for old, new in self.names.items())

    @cached_property
    def learned(self) -> frozenset[str]:
        """The labels of now that products were learned for."""
        return frozenset(self.names.values())

    def tidy(self, name: str) -> str:
        """A category's name as the tree writes it: a label exactly, or a path brought to its one form."""
        if name in self.paths:
            return name
        import polars as pl

        text = tidy(pl.Series([name], dtype=pl.String), self.trained.separator)[0][0] or ""
        if not text:
            raise LabelError("a category needs a name; got an empty one")
        return str(text)

    def labels_below(self, shelf: str) -> list[str]:
        """The labels at a shelf and below it: a label, or the path of any node; LabelError for none."""
        name = self.tidy(shelf)
        if name in self.paths:
            at = self.paths[name]
            inner = self._path(name) == at and any(
                len(p) > len(at) for p in self.paths.values() if p[: len(at)] == at
            )
            return sorted(self._below(at)) if inner else [name]
        found = sorted(self._below(self._path(name)))
        if not found:
            raise LabelError(f"there is no shelf {shelf!r}{self.suggest(name)}")
        return found

    def suggest(self, name: str) -> str:
        """The categories that may have been meant, as the end of a sentence."""
        folded = {label.casefold(): label for label in sorted(self.paths, reverse=True)}
        near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.75)
        return f"; did you mean {' or '.join(repr(folded[label]) for label in near)}?" if near else ""

    def add(self, name: str, path: str | None = None) -> Shelves:
        """One category more; `path`: its readable path, where labels are ids."""
        label = self.tidy(name)
        if label in self.paths:
            raise LabelError(f"there is a category {label!r} already")
        return replace(self, paths={**self.paths, label: self._path(self.tidy(path or label))})

    def rename(self, old: str, new: str) -> tuple[Shelves, dict[str, str]]:
        """Rename or move a category, or a shelf with all below it; also what each label is called now.

        Where labels are ids, renaming a path moves it and leaves the ids; renaming an id changes that alone.
        """
        source, target = self.tidy(old), self.tidy(new)
        moved = self.labels_below(source)
        begin, end = self.paths.get(source, self._path(source)), self._path(target)
        paths, names = dict(self.paths), {}
        for label in moved:
            readable = self._path(label) == self.paths[label]
            path = (
                end + paths.pop(label)[len(begin) :]
                if readable or source not in self.paths
                else paths.pop(label)
            )
            after = (self.trained.separator or "").join(path) if readable else label
            names[label] = target if label == source and not readable else after
            paths[names[label]] = path
        if len(paths) != len(self.paths):
            taken = next(name for name in names.values() if name in self.paths and name not in names)
            raise LabelError(f"there is a category {taken!r} already; to put both on one shelf, merge them")
        return self._renamed(names, paths), names

    def merge(self, shelves: Sequence[str], into: str) -> tuple[Shelves, dict[str, str]]:
        """Put categories together under a name, which may be one of theirs, another one's or new."""
        gone = list(dict.fromkeys(label for shelf in shelves for label in self.labels_below(shelf)))
        target = self.tidy(into)
        if not [label for label in gone if label != target]:
            raise LabelError(
                f"nothing to merge into {target!r}: name the categories that shall become part of it"
            )
        paths = {label: path for label, path in self.paths.items() if label not in gone}
        paths[target] = self.paths.get(target, self._path(target))
        if len(paths) < 2:
            raise LabelError("merging these would leave one category: there would be nothing to tell apart")
        names = dict.fromkeys(gone, target)
        return self._renamed(names, paths), names

    def _renamed(self, names: Mapping[str, str], paths: Mapping[str, Path]) -> Shelves:
        followed = {old: names.get(now, now) for old, now in self.names.items()}
        return replace(self, names=followed, paths=dict(paths))

    def _path(self, name: str) -> Path:
        return split_path(name, self.trained.separator)

    def _below(self, path: Path) -> Iterable[str]:
        return (label for label, own in self.paths.items() if own[: len(path)] == path)

    def fold(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of the trained categories, float32 [rows, trained], as those of now [rows, labels].

        Parts of a merged category are added in the order of the trained ones.
        """
        into = self.into
        labels = len(self.taxonomy.labels)
        if labels == len(into) and np.array_equal(into, np.arange(labels)):
            return probabilities
        folded = np.zeros((len(probabilities), labels), np.float32)
        first = np.unique(into, return_index=True)[1]
        folded[:, into[first]] = probabilities[:, first]
        for code in np.setdiff1d(np.arange(len(into)), first).tolist():
            folded[:, into[code]] += probabilities[:, code]
        return folded

    def counts(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts by trained category [trained] as counts by category [labels]."""
        folded = np.zeros(len(self.taxonomy.labels), np.int64)
        np.add.at(folded, self.into, counts)
        return folded

    def follow(self, renamed: Mapping[str, str | None]) -> dict[str, str | None]:
        """What became of the names that a catalogue may still use: those of training's mapping, and trained.

        A name that is a category now is nobody's old name.
        """
        told = {old: None if new is None else self.names.get(new, new) for old, new in renamed.items()}
        told |= {old: new for old, new in self.names.items() if old != new}
        return {old: new for old, new in told.items() if old not in self.paths}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: what differs from training."""
        return {
            "names": {old: new for old, new in self.names.items() if old != new},
            "paths": {label: list(path) for label, path in self.paths.items()},
        }

    @staticmethod
    def from_dict(trained: Taxonomy, values: Mapping[str, Any]) -> Shelves:
        """Take what `to_dict` gave; ModelError where it does not fit the tree of training."""
        names = {label: str(values["names"].get(label, label)) for label in trained.labels}
        paths = {str(label): tuple(map(str, path)) for label, path in values["paths"].items()}
        if (
            not set(values["names"]) <= set(names)
            or not set(names.values()) <= set(paths)
            or not all(paths.values())
        ):
            raise ModelError("the corrections do not fit the model's categories")
        return Shelves(trained, names, paths)
