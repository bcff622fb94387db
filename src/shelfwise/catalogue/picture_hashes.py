"""Pictures that are the same: by their bytes, or nearly, as when one was saved again or made smaller.

Two pictures are nearly the same when two tests agree. A hash of 64 bits (dHash: whether each of 8 x 8 cells
is darker than the one to its right; Krawetz 2013) finds the candidates, and a tiny copy in colour (12 x 12 of
brightness, 4 x 4 of two colours) decides. The second test is strict, because a shop's pictures are alike: on
white, in the same pose, one shirt in five colours. The hash alone would call them all the same. It is the
stricter the less contrast there is, because a white shirt on white differs little from any other.

Candidates are found without comparing all pairs: when no more than four bits differ, two of six parts of the
hash at least are equal, so that equals of any two parts meet by sorting. Where very many pictures share two
parts, each is compared with its next `WINDOW` neighbours alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalogue.decoding import decode
from shelfwise.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

    from shelfwise.catalogue.pictures import Picture

DISTANCE = 4
"""Bits of the hash in which two nearly equal pictures may differ."""
WINDOW = 64
"""Pictures that share two parts of the hash are each compared with this many of their neighbours."""
MEAN_DIFFERENCE, LARGEST_DIFFERENCE = 2.0, 16
"""How far the tiny copies of two nearly equal pictures may be apart, of 255: on average, and anywhere."""
FULL_CONTRAST = 40.0
"""Standard deviation of brightness from which on that holds; below it the two shrink in proportion."""

_GREY, _COLOUR = 12, 4
WIDTH = _GREY * _GREY + 2 * _COLOUR * _COLOUR
"""Bytes of a tiny copy."""
_FLAT = 4.0  # standard deviation of brightness below which a picture shows nothing
_DECODED = 64  # pixels of a side that are plenty for all of this
_PARTS = 6
_MARGIN = 2  # steps of brightness that count as none, or noise would be half of a white ground's bits
_BLOCK = 2**20  # pairs that are compared at a time


class PictureHash(NamedTuple):
    """What one picture is compared by."""

    bits: int
    tiny: NDArray[np.uint8]
    telling: bool
    """False for a picture of one plain colour, which looks like any other such."""


@dataclass(frozen=True)
class PictureHashes:
    """What the pictures of [n] products are compared by.

    Attributes
    ----------
    digests
        [n] SHA-256 of the bytes; None where there is no picture that can be read.
    bits
        [n] hashes, uint64.
    tiny
        [n, WIDTH] tiny copies, uint8.
    telling
        [n] whether the picture could be decoded and shows something: only these are nearly equal to others.

    """

    digests: tuple[str | None, ...]
    bits: NDArray[np.uint64]
    tiny: NDArray[np.uint8]
    telling: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.digests)

    @staticmethod
    def joined(parts: Sequence[PictureHashes]) -> PictureHashes:
        """Return those of several runs of products, one after the other."""
        return PictureHashes(
            tuple(digest for part in parts for digest in part.digests),
            np.concatenate([part.bits for part in parts]),
            np.concatenate([part.tiny for part in parts]),
            np.concatenate([part.telling for part in parts]),
        )

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> PictureHashes:
        """Return those of some rows, by number or by a mask."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        digests = tuple(self.digests[row] for row in numbers.tolist())
        return PictureHashes(digests, self.bits[numbers], self.tiny[numbers], self.telling[numbers])


def hash_picture(image: Image) -> PictureHash:
    """Return what an RGB picture is compared by."""
    from PIL.Image import Resampling

    grey, blue, red = image.convert("YCbCr").split()
    cells = np.asarray(grey.resize((9, 8), Resampling.BILINEAR), np.int16)
    bits = np.packbits((cells[:, 1:] > cells[:, :-1] + _MARGIN).ravel())
    parts = [grey.resize((_GREY, _GREY), Resampling.BILINEAR)]
    parts += [band.resize((_COLOUR, _COLOUR), Resampling.BILINEAR) for band in (blue, red)]
    tiny = np.concatenate([np.asarray(part, np.uint8).ravel() for part in parts])
    shows = float(tiny[: _GREY * _GREY].std()) >= _FLAT
    return PictureHash(int.from_bytes(bits.tobytes(), "big"), tiny, shows)


def hash_pictures(pictures: Sequence[Picture | None], threads: int = 0) -> PictureHashes:
    """Read, decode and hash pictures; those that cannot be read or decoded are equal to no other."""
    with ThreadPoolExecutor(threads or None) as pool:
        done = list(pool.map(_hash, pictures, chunksize=64))
    none = np.zeros(WIDTH, np.uint8)
    known = [one for _, one in done]
    return PictureHashes(
        tuple(digest for digest, _ in done),
        np.array([0 if one is None else one.bits for one in known], np.uint64),
        np.array([none if one is None else one.tiny for one in known], np.uint8).reshape(len(known), WIDTH),
        np.array([one is not None and one.telling for one in known], bool),
    )


def _hash(picture: Picture | None) -> tuple[str | None, PictureHash | None]:
    if picture is None:
        return None, None
    digest = None
    try:
        data = picture.read()
        digest = hashlib.sha256(data).hexdigest()
        return digest, hash_picture(decode(data, picture.name, size_hint=_DECODED))
    except PictureError:
        return digest, None


def near_pairs(hashes: PictureHashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of pictures that are nearly the same: pair i is `one[i]`, `other[i]`, each pair once at least."""
    rows = np.flatnonzero(hashes.telling)
    pairs = [np.zeros((0, 2), np.int64)]
    for one, other in _candidates(hashes.bits[rows]):
        same = _alike(hashes, rows[one], rows[other])
        pairs.append(np.stack([rows[one[same]], rows[other[same]]], axis=1))
    every = np.unique(np.concatenate(pairs), axis=0)
    return every[:, 0], every[:, 1]


def _candidates(bits: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of which two of the parts are equal."""
    edges = np.linspace(0, 64, _PARTS + 1).astype(np.uint64)
    ones = [np.uint64((1 << int(end)) - (1 << int(start))) for start, end in pairwise(edges)]
    for first, second in combinations(ones, 2):
        key = bits & (first | second)
        order = np.lexsort((bits, key))  # equal hashes side by side, so that no window parts them
        sorted_key = key[order]
        alive = np.arange(len(order) - 1)
        for step in range(1, WINDOW + 1):
            alive = alive[alive + step < len(order)]
            alive = alive[sorted_key[alive] == sorted_key[alive + step]]
            if not len(alive):
                break
            for start in range(0, len(alive), _BLOCK):
                block = alive[start : start + _BLOCK]
                one, other = order[block], order[block + step]
                yield np.minimum(one, other), np.maximum(one, other)


def _alike(hashes: PictureHashes, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs pass both tests."""
    same = np.asarray(np.bitwise_count(hashes.bits[one] ^ hashes.bits[other]) <= DISTANCE)
    places = np.flatnonzero(same)
    apart = np.abs(hashes.tiny[one[places]].astype(np.int16) - hashes.tiny[other[places]])
    contrast = hashes.tiny[one[places], : _GREY * _GREY].std(axis=1)
    share = np.minimum(1.0, contrast / FULL_CONTRAST)
    same[places] = (apart.max(1) <= share * LARGEST_DIFFERENCE) & (apart.mean(1) <= share * MEAN_DIFFERENCE)
    return same
