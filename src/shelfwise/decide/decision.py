"""The decision: what the views' scores come to, and which answers may be accepted at an asked precision.

Holds the fusion of the views and the out-of-fold record, the answers that were given to labelled products by
models that had not seen them. The record is what promises are made from, when training or at any later time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide import kernels
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.promise import Promise, make_promise, make_shelf_promise
from shelfwise.errors import ModelError


@dataclass(frozen=True)
class Record:
    """Out-of-fold answers of n products.

    confidence: float32 [n], of the best category; right: bool [n]; chain: float32 [n, depth], probabilities
    of the shelves from the top down to the best category; chain_right: bool [n, depth], whether the true
    category lies at or below each; groups: int64 [n], equal for near-duplicates.
    """

    confidence: NDArray[np.float32]
    right: NDArray[np.bool_]
    chain: NDArray[np.float32]
    chain_right: NDArray[np.bool_]
    groups: NDArray[np.int64]

    @staticmethod
    def of(
        probabilities: NDArray[np.float32],
        y: NDArray[np.int32],
        taxonomy: Taxonomy,
        groups: NDArray[np.int64],
    ) -> Record:
        """Record the probabilities float32 [n, categories] of products whose true codes are y [n]."""
        best = probabilities.argmax(axis=1)
        chain = taxonomy.chains[best]  # the truth lies at or below a shelf when its own path passes there
        right = taxonomy.chains[y][np.arange(len(y))[:, None], taxonomy.node_depth[chain] - 1] == chain
        return Record(
            probabilities[np.arange(len(y)), best],
            best == y,
            chain_of(probabilities, best, taxonomy),
            right,
            groups,
        )

    @staticmethod
    def joined(parts: Sequence[Record]) -> Record:
        """The records of several runs of products, one after the other."""
        names = Record.__dataclass_fields__
        return Record(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def only(self, rows: NDArray[np.int64], groups: NDArray[np.int64], depth: int) -> Record:
        """Some of the answers, in other groups [rows], in a tree of another depth.

        Where that is deeper, a shelf without shelves below stands for itself, as ever.
        """
        level = np.minimum(np.arange(depth), self.chain.shape[1] - 1)
        return Record(
            self.confidence[rows],
            self.right[rows],
            np.ascontiguousarray(self.chain[np.ix_(rows, level)]),
            np.ascontiguousarray(self.chain_right[np.ix_(rows, level)]),
            groups,
        )

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The record as named arrays."""
        return {
            name: getattr(self, name).astype(_STORED.get(name, np.uint8))
            for name in self.__dataclass_fields__
        }

    @staticmethod
    def restore(tensors: Mapping[str, NDArray[np.generic]]) -> Record:
        """Take what `tensors` gave."""
        try:
            return Record(
                tensors["confidence"].astype(np.float32), tensors["right"].astype(bool),
                tensors["chain"].astype(np.float32), tensors["chain_right"].astype(bool),
                tensors["groups"].astype(np.int64),
            )  # fmt: skip
        except KeyError as error:
            raise ModelError(f"the model's out-of-fold record lacks {error}") from error


_STORED: dict[str, type[np.generic]] = {"confidence": np.float32, "chain": np.float32, "groups": np.int64}


@dataclass(frozen=True)
class Decision:
    """Fusion of the views and the record behind promises; `delta`: probability that a promise is not kept."""

    fusion: Fusion
    record: Record
    delta: float
    _made: dict[tuple[str, float], Promise] = field(default_factory=dict, repr=False, compare=False)

    def promise(self, asked: float) -> Promise:
        """Threshold on the best category's confidence that keeps the asked precision, or PromiseError."""
        key = ("category", asked)
        if key not in self._made:
            record = self.record
            self._made[key] = make_promise(record.confidence, record.right, asked, self.delta, record.groups)
        return self._made[key]

    def shelf_promise(self, asked: float) -> Promise:
        """Threshold on shelves' probabilities (see `promise.choose_shelf`) that keeps it, or PromiseError."""
        key = ("shelf", asked)
        if key not in self._made:
            record = self.record
            self._made[key] = make_shelf_promise(
                record.chain, record.chain_right, asked, self.delta, record.groups
            )
        return self._made[key]


def chain_of(
    probabilities: NDArray[np.float32], best: NDArray[np.integer], taxonomy: Taxonomy
) -> NDArray[np.float32]:
    """Probabilities float32 [n, depth] of the shelves above each best category, top down, never rising.

    They are `Taxonomy.roll_up`'s, to the bit, but where rounding let a sum pass 1 or its parent's.
    """
    tree = taxonomy.node_arrays()
    chain = np.empty((len(best), taxonomy.depth), np.float32)
    values = np.ascontiguousarray(probabilities, np.float32)
    kernels.chain_rows(
        values, best.astype(np.int32), tree.order, tree.node_of_label, tree.parent, taxonomy.chains, chain
    )
    return chain
