"""What a model keeps of the products that it learned from, so that another one can start where it ended.

Of each product two digests, of its id and of what it shows, and its category: enough to tell in the next dump
what is new, changed and gone. Of each linear view the dual variables (`Support`): enough to be solved again
from where it stood. And which of the products were held out for the record behind promises. No texts. A model
that answers needs none of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.pieces import Pieces
from shelfwise.errors import ModelError
from shelfwise.features.vectors import PREFIX, TABLE, vectors_of
from shelfwise.learners.active_set import Support

MOST = 2_000_000
"""Of more products nothing is kept: it would be most of the model."""
_LARGEST = np.float32(np.finfo(np.float16).max)
_SUPPORT = "support."
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Rows:
    """Products by their digests: of the id (or without ids of what they show) and of what they show.

    keys, contents: uint64 [products]; keys are each there once.
    """

    keys: NDArray[np.uint64]
    contents: NDArray[np.uint64]

    @staticmethod
    def of(pieces: Pieces, fields: Sequence[str], by_id: bool) -> Rows:
        """Digests of products: their text fields, their vectors and the columns of a table."""
        keys: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        contents: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        for piece in pieces:
            contents.append(_digests(_shown(piece, fields)))
            ids = (text.encode("utf-8", "replace") for text in piece["product_id"].to_list())
            keys.append(_digests(list(ids)) if by_id else contents[-1])
        return Rows(_told_apart(np.concatenate(keys)), np.concatenate(contents))


@dataclass(frozen=True)
class Past:
    """Products that were learned, and what of the learning can be taken up again.

    rows: digests. y: int32 [products], codes of the model's categories. record: int32, which products the
    record's answers are of. supports: by linear view, in numbers of these products.
    """

    rows: Rows
    y: NDArray[np.int32]
    record: NDArray[np.int32]
    supports: dict[str, Support]

    @staticmethod
    def of(
        rows: Rows, y: NDArray[np.int32], record: NDArray[np.int64], supports: Mapping[str, Support]
    ) -> Past:
        """Round dual variables as they are stored, so that a saved model starts another to the same bits."""
        rounded = {
            name: Support(part.rows, _halves(part.alphas).astype(np.float32), part.starts)
            for name, part in supports.items()
        }
        return Past(rows, y, record.astype(np.int32), rounded)

    def knows(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which of these product ids were learned, bool [ids]; of a catalogue that has ids."""
        return np.isin(_digests([text.encode("utf-8", "replace") for text in ids]), self.rows.keys)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to store, by name."""
        state: dict[str, NDArray[np.generic]] = {
            "keys": self.rows.keys, "contents": self.rows.contents, "y": self.y, "record": self.record,
        }  # fmt: skip
        for name, support in self.supports.items():
            state[f"{_SUPPORT}{name}.rows"] = support.rows
            state[f"{_SUPPORT}{name}.sizes"] = np.diff(support.starts)
            state[f"{_SUPPORT}{name}.alphas"] = _halves(support.alphas)
        return state

    @staticmethod
    def restore(tensors: Mapping[str, NDArray[np.generic]], classes: int) -> Past:
        """Take what `tensors` gave, for that many categories; ModelError where it does not fit together."""
        rows = Rows(tensors["keys"].astype(np.uint64), tensors["contents"].astype(np.uint64))
        supports = {}
        for key in tensors:
            if key.startswith(_SUPPORT) and key.endswith(".rows"):
                name = key.removeprefix(_SUPPORT).removesuffix(".rows")
                sizes = tensors[f"{_SUPPORT}{name}.sizes"].astype(np.int64)
                starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
                alphas = tensors[f"{_SUPPORT}{name}.alphas"].astype(np.float32)
                supports[name] = Support(tensors[key].astype(np.int32, copy=False), alphas, starts)
        past = Past(rows, tensors["y"].astype(np.int32), tensors["record"].astype(np.int32), supports)
        if not past._sound(classes):
            raise ModelError("what the model keeps of its products does not fit together: it is damaged")
        return past

    def _sound(self, classes: int) -> bool:
        count = len(self.y)
        return (
            self.rows.keys.shape == self.rows.contents.shape == self.y.shape == (count,)
            and _within(self.y, classes)
            and _within(self.record, count)
            and all(
                len(part.rows) == len(part.alphas) == part.starts[-1]
                and len(part.starts) <= classes + 1
                and (np.diff(part.starts) >= 0).all()
                and _within(part.rows, count)
                and bool(np.isfinite(part.alphas).all())
                and bool((part.alphas >= 0).all())
                for part in self.supports.values()
            )
        )


@dataclass(frozen=True)
class Match:
    """The products of a past beside those of now.

    then: int64 [now], the same product in the past, -1: none. now: int64 [past], the product of now that
    shows the same and stands in the same category, else -1. changed: products that show something else.
    moved: that show the same but stand elsewhere.
    """

    then: NDArray[np.int64]
    now: NDArray[np.int64]
    changed: int
    moved: int

    @staticmethod
    def of(past: Past, rows: Rows, y: NDArray[np.int32], codes: NDArray[np.int32]) -> Match:
        """Find the products of a past again.

        y: int32 [rows], their categories. codes: int32 [categories of the past], what each is now, or -1.
        """
        order = np.argsort(past.rows.keys, kind="stable")
        place = np.searchsorted(past.rows.keys[order], rows.keys)
        found = order[np.minimum(place, max(len(order) - 1, 0))] if len(order) else np.zeros(len(y), np.int64)
        known = np.zeros(len(y), bool) if not len(order) else past.rows.keys[found] == rows.keys
        then = np.where(known, found, -1).astype(np.int64)
        old = then[known]
        shown = past.rows.contents[old] == rows.contents[known]
        placed = codes[past.y[old]] == y[known]
        now = np.full(len(past.y), -1, np.int64)
        same = shown & placed
        now[old[same]] = np.flatnonzero(known)[same]
        return Match(then, now, int((~shown).sum()), int((shown & ~placed).sum()))

    @property
    def same(self) -> int:
        """How many products show the same and stand where they stood."""
        return int((self.now >= 0).sum())

    @property
    def new(self) -> int:
        """How many products the past does not know."""
        return int((self.then < 0).sum())

    @property
    def gone(self) -> int:
        """How many products of the past are not there any more."""
        return len(self.now) - int((self.then >= 0).sum())


def carried(support: Support, now: NDArray[np.int64], codes: NDArray[np.int32], classes: int) -> Support:
    """A support in numbers and classes of now; what is of products or classes that are not there is left out.

    now: int64 [products then], -1: gone. codes: int32 [classes then], -1: gone. A class that was made of
    several begins anew: their dual variables are not those of their union.
    """
    once = np.bincount(codes[codes >= 0], minlength=classes) == 1
    kept_class = np.where(codes >= 0, np.where(once[np.maximum(codes, 0)], codes, -1), -1)
    target = np.repeat(kept_class, np.diff(support.starts))
    rows = now[support.rows]
    kept = (target >= 0) & (rows >= 0) & (support.alphas > 0)
    order = np.argsort(target[kept], kind="stable")
    found, alphas = np.asarray(rows[kept][order], np.int32), support.alphas[kept][order]
    sizes = np.bincount(target[kept], minlength=classes)
    return Support(found, alphas, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))


def _shown(piece: pl.DataFrame, fields: Sequence[str]) -> list[bytes]:
    """What each product shows, as bytes."""
    columns = [pl.col(name) for name in fields]
    columns += [pl.col(name).fill_null("\x1e") for name in piece.columns if name.startswith(TABLE)]
    texts = [""] * piece.height
    if columns:
        texts = piece.select(pl.concat_str(columns, separator="\x1f")).to_series().to_list()
    shown = [text.encode("utf-8", "replace") for text in texts]
    for column in piece.columns:
        if column.startswith(PREFIX):
            vectors, known = vectors_of(piece, column.removeprefix(PREFIX))
            shown = [
                said + vector.tobytes() if has else said
                for said, vector, has in zip(shown, vectors, known.tolist(), strict=True)
            ]
    return shown


def _halves(alphas: NDArray[np.float32]) -> NDArray[np.float16]:
    return np.minimum(alphas, _LARGEST).astype(np.float16)


def _digests(contents: Sequence[bytes]) -> NDArray[np.uint64]:
    joined = b"".join(hashlib.blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def _told_apart(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keys of which the second and further ones of the same value become others, each its own."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.concatenate([np.ones(min(len(keys), 1), bool), ordered[1:] != ordered[:-1]])
    begin = np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))
    apart = np.empty_like(keys)
    apart[order] = ordered + (np.arange(len(keys)) - begin).astype(np.uint64) * _ODD
    return apart


def _within(values: NDArray[np.generic], limit: int) -> bool:
    return values.size == 0 or (int(values.min()) >= 0 and int(values.max()) < limit)
