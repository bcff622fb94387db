"""The corrected products: what they are compared by, and the shelf that people put each of them on.

Values, never changed in place: a correction makes a new memory. Of two corrections of one product the later
stands, and a product of the very same text (or, without text, the same picture) is the same product here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.artifact import pack_texts, unpack_texts
from shelfwise.corrections.ground import RIVALS, Ground
from shelfwise.corrections.rows import Rows, vector_digests
from shelfwise.errors import ModelError

CORRECTED, EXAMPLE, NAMED = 0, 1, 2
"""Kinds of what is remembered: corrected products, examples of a new shelf, the words of its name."""
_TABLE: dict[str, type[pl.DataType]] = {
    "product_id": pl.String, "title": pl.String, "label": pl.String, "kind": pl.UInt8, "head": pl.Int32,
}  # fmt: skip
_TEXTS = ("product_id", "title", "label")


@dataclass(frozen=True)
class Vectors:
    """Vectors of some remembered products: their places int64 [k], directions float32 [k, width], digests."""

    places: NDArray[np.int64]
    directions: NDArray[np.float32]
    digests: NDArray[np.uint64]

    def taken(self, kept: NDArray[np.bool_]) -> Vectors:
        """Those of the remembered products that are kept, bool [remembered], in their new places."""
        mine = kept[self.places]
        places = (np.cumsum(kept) - 1)[self.places[mine]]
        return Vectors(places.astype(np.int64), self.directions[mine], self.digests[mine])

    def joined(self, other: Vectors, before: int) -> Vectors:
        """These and others, whose products follow after `before` products."""
        return Vectors(
            np.concatenate([self.places, other.places + before]),
            np.concatenate([self.directions, other.directions]) if len(self.places) else other.directions,
            np.concatenate([self.digests, other.digests]),
        )


@dataclass(frozen=True)
class Memory:
    """Remembered products.

    table: product_id, title, label, kind, head (number of the new shelf that it is an example of, -1: none).
    rows: float32 [remembered, n-grams] of length 1. digests: uint64 of their texts, 0: none. near int32 and
    cosine float32 [remembered, RIVALS]: the kept products most like each. vectors: by name.
    """

    table: pl.DataFrame
    rows: sparse.csr_matrix
    digests: NDArray[np.uint64]
    near: NDArray[np.int32]
    cosine: NDArray[np.float32]
    vectors: dict[str, Vectors] = field(default_factory=dict)

    @staticmethod
    def empty() -> Memory:
        """Nothing remembered."""
        nobody = np.empty((0, RIVALS))
        return Memory(
            pl.DataFrame(schema=_TABLE),
            sparse.csr_matrix((0, 0), dtype=np.float32),
            np.empty(0, np.uint64),
            nobody.astype(np.int32),
            nobody.astype(np.float32),
        )

    @staticmethod
    def of(products: pl.DataFrame, told: pl.DataFrame, rows: Rows, ground: Ground | None) -> Memory:
        """Remember clean products (with their vectors); told: label, kind and head of each."""
        matrix = rows.of(products)
        near, cosine = _near(matrix, ground)
        vectors = {}
        for name in rows.dense:
            directions, known = rows.vectors(products, name)
            digests = vector_digests(directions[known])
            vectors[name] = Vectors(np.flatnonzero(known), directions[known], digests)
        table = products.select("product_id", "title").hstack(told.select("label", "kind", "head"))
        return Memory(_typed(table), matrix, rows.digests(products), near, cosine, vectors)

    @staticmethod
    def of_kept(places: NDArray[np.int64], told: pl.DataFrame, ground: Ground) -> Memory:
        """Remember products that the model kept as neighbours, of which it knows no more than that."""
        matrix = ground.rows[places]
        near, cosine = _near(matrix, ground)
        table = ground.kept[places.tolist()].hstack(told.select("label", "kind", "head"))
        return Memory(_typed(table), matrix, np.zeros(len(places), np.uint64), near, cosine)

    def __len__(self) -> int:
        return self.table.height

    def add(self, other: Memory, by_id: bool) -> Memory:
        """Join a later memory, which replaces what both know; `by_id`: product ids tell products apart."""
        gone = self.said_again(other, by_id)
        kept = self._taken(~gone)
        vectors = {
            name: kept.vectors[name].joined(later, len(kept))
            if name in kept.vectors
            else replace(later, places=later.places + len(kept))
            for name, later in other.vectors.items()
        }
        return Memory(
            pl.concat([kept.table, other.table]),
            sparse.vstack([kept.rows, other.rows], format="csr", dtype=np.float32)
            if len(kept)
            else other.rows,
            np.concatenate([kept.digests, other.digests]),
            np.concatenate([kept.near, other.near]),
            np.concatenate([kept.cosine, other.cosine]),
            {**kept.vectors, **vectors},
        )

    def said_again(self, other: Memory, by_id: bool) -> NDArray[np.bool_]:
        """Which of these products a later memory speaks of as well, bool [remembered]."""
        product = (self.table["kind"] != NAMED).to_numpy()
        later = other.table.filter(pl.col("kind") != NAMED)
        told = other.digests[(other.table["kind"] != NAMED).to_numpy()]
        again = np.isin(self.digests, told[told != 0])
        if by_id:
            known = later["product_id"].filter(later["product_id"] != "")
            again |= self.table["product_id"].is_in(known.implode()).to_numpy()
        for name, own in self.vectors.items():
            if name in other.vectors:
                silent = (self.digests[own.places] == 0) & np.isin(own.digests, other.vectors[name].digests)
                again[own.places[silent]] = True
        return np.asarray(again & product, bool)

    def last(self, by_id: bool) -> Memory:
        """The memory without products that it speaks of again later."""
        ids = self.table["product_id"]
        keys = [(pl.Series("digest", self.digests), self.digests != 0)]
        keys += [(ids, (ids != "").to_numpy())] if by_id else []
        stays = np.ones(len(self), bool)
        for key, there in keys:
            told = np.flatnonzero(there)
            final = dict(zip(key.gather(told).to_list(), told.tolist(), strict=True))
            stays[np.setdiff1d(told, list(final.values()))] = False
        stays |= (self.table["kind"] == NAMED).to_numpy()
        return self._taken(stays)

    def followed(self, names: Mapping[str, str]) -> Memory:
        """The memory after labels were renamed or merged."""
        return replace(self, table=self.table.with_columns(pl.col("label").replace(dict(names))))

    def _taken(self, stays: NDArray[np.bool_]) -> Memory:
        if stays.all():
            return self
        return Memory(
            self.table.filter(pl.Series(stays)),
            self.rows[np.flatnonzero(stays)],
            self.digests[stays],
            self.near[stays],
            self.cosine[stays],
            {name: part.taken(stays) for name, part in self.vectors.items()},
        )

    # -- keeping ---------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The memory as named arrays."""
        state: dict[str, NDArray[np.generic]] = {
            "rows.ends": self.rows.indptr.astype(np.int64),
            "rows.features": self.rows.indices.astype(np.int32),
            "rows.weights": self.rows.data.astype(np.float16),
            "digests": self.digests,
            "near": self.near,
            "cosine": self.cosine,
            "kind": self.table["kind"].to_numpy(),
            "head": self.table["head"].to_numpy(),
        }
        for column in _TEXTS:
            packed = pack_texts(self.table[column].to_list())
            state |= {f"{column}.{part}": array for part, array in packed.items()}
        for name, part in self.vectors.items():
            state |= {
                f"vectors.{name}.places": part.places,
                f"vectors.{name}.directions": part.directions.astype(np.float16),
                f"vectors.{name}.digests": part.digests,
            }
        return state

    @staticmethod
    def restore(tensors: Mapping[str, Any], kept: int, widths: Mapping[str, int]) -> Memory:
        """Take what `tensors` gave; ModelError where it does not fit.

        kept: how many learned products are kept. widths: of the n-grams ("") and of each kind of vectors.
        """
        ends, features = tensors["rows.ends"], tensors["rows.features"]
        rows = sparse.csr_matrix((len(ends) - 1, widths[""]), dtype=np.float32)
        rows.data = tensors["rows.weights"].astype(np.float32)
        rows.indices, rows.indptr = features, ends
        texts = {
            column: unpack_texts({part: tensors[f"{column}.{part}"] for part in ("bytes", "ends")})
            for column in _TEXTS
        }
        table = pl.DataFrame({**texts, "kind": tensors["kind"], "head": tensors["head"]}, schema=_TABLE)
        found = {
            name: Vectors(
                tensors[f"vectors.{name}.places"],
                tensors[f"vectors.{name}.directions"].astype(np.float32),
                tensors[f"vectors.{name}.digests"],
            )
            for name in widths
            if f"vectors.{name}.places" in tensors
        }
        memory = Memory(table, rows, tensors["digests"], tensors["near"], tensors["cosine"], found)
        if not memory._sound(kept, widths):
            raise ModelError("the arrays of the corrections do not fit each other: the model is damaged")
        return memory

    def _sound(self, kept: int, widths: Mapping[str, int]) -> bool:
        """Whether every place that an array names is there; kernels check no bounds."""
        count, width = len(self), self.rows.shape[1]
        ends, features = self.rows.indptr, self.rows.indices
        return bool(
            len(ends) == count + 1
            and ends[0] == 0
            and ends[-1] == len(features) == len(self.rows.data)
            and (np.diff(ends) >= 0).all()
            and _within(features, width)
            and self.near.shape == self.cosine.shape == (count, RIVALS)
            and self.digests.shape == (count,)
            and _within(self.near + 1, kept + 1)
            and all(
                part.directions.shape == (len(part.places), widths[name])
                and part.digests.shape == part.places.shape
                and _within(part.places, count)
                for name, part in self.vectors.items()
            )
        )


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(pl.col(name).cast(kind) for name, kind in _TABLE.items())


def _near(matrix: sparse.csr_matrix, ground: Ground | None) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if ground is None:
        return np.full((matrix.shape[0], RIVALS), -1, np.int32), np.zeros(
            (matrix.shape[0], RIVALS), np.float32
        )
    return ground.nearest(matrix)


def _within(values: NDArray[np.generic], limit: int) -> bool:
    return values.size == 0 or (int(values.min()) >= 0 and int(values.max()) < limit)
