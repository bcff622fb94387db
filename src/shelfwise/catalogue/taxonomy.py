"""The category tree: labels, the paths they stand for, and sums of probabilities along the branches.

A *label* is what the source calls a category and what the learner calls a class: a path such as ``Shoes >
Men``, or an id with its path beside it. A *node* is a path or the beginning of one. Labels and nodes are kept
apart because catalogues mix them: two ids may share one path, and ``Shoes`` may be a label of its own beside
``Shoes > Men``. Each label hangs directly under exactly one node.

Nodes are numbered depth-first, so that all labels below a node are a contiguous run of `Taxonomy.order` and
all nodes below it a contiguous run of node numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from shelfwise.errors import LabelError, ModelError

_BLOCK_BYTES = 1 << 22  # a block of rows in `roll_up` should stay within the last-level cache


class NodeArrays(NamedTuple):
    """The tree as plain int32 arrays, for compiled kernels; see `Taxonomy` for what each one means."""

    parent: NDArray[np.int32]
    order: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    node_of_label: NDArray[np.int32]


@lru_cache(maxsize=32)
def _divider(separator: str) -> re.Pattern[str]:
    """Pattern for a separator: its white space may be any amount, but none is made optional.

    ``" > "`` thus finds the border in ``A  >  B`` and in the trailing ``A >``, and leaves ``A>B`` whole.
    """
    core = separator.strip()
    if not core:
        return re.compile(re.escape(separator))
    before = r"(?:^|\s+)" if separator[0].isspace() else ""
    after = r"(?=\s|$)" if separator[-1].isspace() else ""
    return re.compile(before + re.escape(core) + after)


def split_path(text: str, separator: str | None) -> tuple[str, ...]:
    """Split a category path into its levels, trimmed; empty levels are left out.

    A text without any level (only separators) stays one level, so that no label is without a path.
    """
    if separator is None:
        return (text.strip(),)
    levels = tuple(level for part in _divider(separator).split(text) if (level := part.strip()))
    return levels or (text.strip(),)


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """The categories of a catalogue as a forest of paths.

    Attributes
    ----------
    labels
        What the learner calls a class, exactly as in the source; sorted. The class code is the index.
    paths
        For each label the levels of its path, from the top.
    separator
        What joins the levels in the source, or None where there is one level.

    """

    labels: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    separator: str | None = None

    @classmethod
    def build(
        cls,
        labels: Iterable[str | None] | pl.Series,
        paths_text: Iterable[str | None] | pl.Series | None = None,
        separator: str | None = None,
    ) -> Taxonomy:
        """Build the tree from the labels of all rows (repeats, nulls and any order are fine).

        Parameters
        ----------
        labels
            [n] labels as in the source; null means unlabelled.
        paths_text
            [n] readable path beside each label (for labels that are ids). A label that comes with several
            paths takes the commonest one, and the alphabetically first among equals.
        separator
            Between the levels of a path; None = one level.

        Raises
        ------
        LabelError
            No row has a label.

        """
        label = pl.Series("label", labels, dtype=pl.String, strict=True)
        path = label if paths_text is None else pl.Series("path", paths_text, dtype=pl.String, strict=True)
        counted = (
            pl.DataFrame({"label": label, "path": path.fill_null("").str.strip_chars()})
            .drop_nulls("label")
            .group_by("label", "path")
            .len()
            # A row without a name must not outvote those that have one.
            .sort(pl.col("label"), pl.col("path") == "", pl.col("len"), pl.col("path"),
                  descending=[False, False, True, False])
            .unique("label", keep="first", maintain_order=True)
        )  # fmt: skip
        if counted.is_empty():
            raise LabelError("no row has a category: name the column to learn with --label")
        rows = sorted(zip(counted["label"].to_list(), counted["path"].to_list(), strict=True))
        return cls(
            labels=tuple(name for name, _ in rows),
            paths=tuple(split_path(text or name, separator) for name, text in rows),
            separator=separator,
        )

    # -- the tree --------------------------------------------------------------------------------------------

    @cached_property
    def nodes(self) -> tuple[tuple[str, ...], ...]:
        """Every beginning of every path, parents before children, depth-first, siblings by name."""
        # Tuples sort their own beginnings directly before them, which is a depth-first walk.
        return tuple(sorted({path[:depth] for path in self.paths for depth in range(1, len(path) + 1)}))

    @cached_property
    def _index(self) -> dict[tuple[str, ...], int]:
        return {path: index for index, path in enumerate(self.nodes)}

    @cached_property
    def _code(self) -> dict[str, int]:
        return {label: code for code, label in enumerate(self.labels)}

    @cached_property
    def node_of_label(self) -> NDArray[np.int32]:
        """[labels] the node each label hangs at; two labels may share one."""
        return np.array([self._index[path] for path in self.paths], np.int32)

    @cached_property
    def parent(self) -> NDArray[np.int32]:
        """[nodes] the node above; -1 at the top."""
        return np.array([self._index.get(path[:-1], -1) for path in self.nodes], np.int32)

    @cached_property
    def node_depth(self) -> NDArray[np.int32]:
        """[nodes] number of levels down to the node, 1 at the top."""
        return np.array([len(path) for path in self.nodes], np.int32)

    @property
    def depth(self) -> int:
        """Number of levels of the longest path."""
        return int(self.node_depth.max())

    @cached_property
    def order(self) -> NDArray[np.int32]:
        """[labels] label codes in tree order: those hanging at a node, then those of its children."""
        return np.argsort(self.node_of_label, kind="stable").astype(np.int32)

    @cached_property
    def _nodes_end(self) -> NDArray[np.int32]:
        """[nodes] number of the first node after the subtree."""
        end = np.arange(1, len(self.nodes) + 1, dtype=np.int32)
        for node in range(len(end) - 1, -1, -1):
            above = self.parent[node]
            if above >= 0:
                end[above] = max(end[above], end[node])
        return end

    @cached_property
    def first(self) -> NDArray[np.int32]:
        """[nodes] where the run of labels at and below the node begins in `order`."""
        ordered = self.node_of_label[self.order]
        return np.searchsorted(ordered, np.arange(len(self.nodes))).astype(np.int32)

    @cached_property
    def last(self) -> NDArray[np.int32]:
        """[nodes] where that run ends in `order` (exclusive)."""
        return np.searchsorted(self.node_of_label[self.order], self._nodes_end).astype(np.int32)

    @cached_property
    def departments(self) -> NDArray[np.int32]:
        """[labels] number of the top-level shelf above each label, from 0."""
        return np.unique(self.chains[:, 0], return_inverse=True)[1].astype(np.int32)

    @cached_property
    def chains(self) -> NDArray[np.int32]:
        """[labels, depth] the nodes from the top down to each label's own, which is repeated to the end."""
        chains = np.empty((len(self.labels), self.depth), np.int32)
        for code, path in enumerate(self.paths):
            nodes = [self._index[path[:depth]] for depth in range(1, len(path) + 1)]
            chains[code] = nodes + nodes[-1:] * (self.depth - len(nodes))
        return chains

    def node_arrays(self) -> NodeArrays:
        """Give the tree as plain int32 arrays, for compiled kernels."""
        return NodeArrays(self.parent, self.order, self.first, self.last, self.node_of_label)

    # -- questions -------------------------------------------------------------------------------------------

    def codes(self, labels: pl.Series | Sequence[str | None]) -> NDArray[np.int32]:
        """Class codes [n] of labels; -1 for null and for labels that are not in the tree."""
        names = pl.Series(labels, dtype=pl.String, strict=True)
        table = pl.Series(list(self._code), dtype=pl.String)
        codes = names.replace_strict(table, np.arange(len(table), dtype=np.int32), default=-1)
        return codes.cast(pl.Int32).to_numpy()

    def level(self, codes: ArrayLike, depth: int) -> NDArray[np.int32]:
        """Node [n] above each label at a depth (1 = top); a label that is shallower stays at its own node."""
        if depth < 1:
            raise ValueError(f"depth counts from 1 at the top; got {depth}")
        result: NDArray[np.int32] = self.chains[np.asarray(codes), min(depth, self.depth) - 1]
        return result

    def distance(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int32]:
        """Steps in the tree between the nodes of two labels (codes, broadcast); the roots meet one step up.

        0 for two labels that share a path, 2 for sisters, 1 for a label and one directly below it.
        """
        a, b = np.asarray(a), np.asarray(b)
        deep_a, deep_b = (self.node_depth[self.node_of_label[codes]] for codes in (a, b))
        alike = (self.chains[a] == self.chains[b]).sum(axis=-1)
        # The repeated ends of two equal short chains count as alike as well: cut them off.
        common = np.minimum(alike, np.minimum(deep_a, deep_b))
        return np.asarray(deep_a + deep_b - 2 * common, np.int32)

    def name(self, node: int) -> str:
        """Readable path of a node, joined as in the source."""
        return (self.separator or " > ").join(self.nodes[node])

    def roll_up(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Probability of every node: the sum over the labels at and below it.

        Sums are built bottom-up in one fixed order: a node starts at 0, takes the labels that hang at it in
        the order of `order`, then its children from the last to the first. So a parent is its children's sum
        to the bit, and a row does not depend on the batch it is in. A kernel that walks the nodes from last
        to first, adding each to its parent, gives the same bits.

        Parameters
        ----------
        probabilities
            [n, labels], columns in the order of `labels`.

        Returns
        -------
        [n, nodes] float32

        """
        given = np.asarray(probabilities, np.float32)
        if given.ndim != 2 or given.shape[1] != len(self.labels):
            raise ValueError(f"expected [n, {len(self.labels)}] probabilities, got {given.shape}")
        rolled = np.empty((len(given), len(self.nodes)), np.float32)
        step = max(1, _BLOCK_BYTES // (4 * len(self.nodes)))
        for start in range(0, len(given), step):
            rolled[start : start + step] = self._roll_up_block(given[start : start + step]).T
        return rolled

    def _roll_up_block(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, labels] -> [nodes, n]: nodes first, so that each sum is one pass over contiguous memory."""
        sums = np.zeros((len(self.nodes), len(block)), np.float32)
        by_label = block.T
        for into, labels in self._layers:
            sums[into] += by_label[labels]
        for node, above in self._upwards:
            sums[above] += sums[node]
        return sums

    @cached_property
    def _layers(self) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Labels by their place among those that share a node, so that each layer has a node once."""
        nodes = self.node_of_label[self.order]
        place = np.arange(len(nodes)) - np.searchsorted(nodes, nodes)
        return [(nodes[place == p], self.order[place == p]) for p in range(int(place.max()) + 1)]

    @cached_property
    def _upwards(self) -> list[tuple[int, int]]:
        pairs = enumerate(self.parent.tolist())
        return [(node, above) for node, above in pairs if above >= 0][::-1]

    # -- keeping ---------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values from which `from_dict` builds the same tree."""
        return {
            "separator": self.separator,
            "labels": list(self.labels),
            "paths": [list(path) for path in self.paths],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Taxonomy:
        """Build the tree that `to_dict` described.

        Raises
        ------
        ModelError
            The values are not a taxonomy.

        """
        try:
            labels = tuple(values["labels"])
            paths = tuple(tuple(path) for path in values["paths"])
            separator = values.get("separator")
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"the taxonomy is damaged: {error!r}") from error
        texts = all(isinstance(text, str) for text in (*labels, *(level for path in paths for level in path)))
        if not (
            texts
            and labels
            and len(labels) == len(paths)
            and all(paths)
            and list(labels) == sorted(set(labels))
            and (separator is None or isinstance(separator, str))
        ):
            raise ModelError("the taxonomy is damaged: labels and paths do not fit each other")
        return cls(labels, paths, separator)

    def __eq__(self, other: object) -> bool:
        """Two trees are equal when their labels, paths and separator are."""
        if not isinstance(other, Taxonomy):
            return NotImplemented
        return (self.labels, self.paths, self.separator) == (other.labels, other.paths, other.separator)

    def __hash__(self) -> int:
        """Hash of what equality compares."""
        return hash((self.labels, self.paths, self.separator))
