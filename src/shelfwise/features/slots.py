"""Which feature a slot of the hash table is: a bitmap of the slots in use, with counts, and their order.

A table with a number for each of four million slots takes 16 MB, is made anew by every process, and each
look-up waits for the memory. Of 32 slots at a time one word holds which are in use and how many are before
them (a rank, after Jacobson 1989): one megabyte, which stays in the caches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.features import ngrams_kernels as kernels
from shelfwise.features.compiled import read_only


@dataclass(frozen=True)
class Slots:
    """The slots in use.

    words: uint64 [slots / 32], the lower half says which of 32 slots are in use, the upper how many are
    before them. features: int32 [in use], the feature of each slot in use, in the order of the slots.
    """

    words: NDArray[np.uint64]
    features: NDArray[np.int32]

    @staticmethod
    def of(kept: NDArray[np.uint32], bits: int) -> Slots:
        """The slots `kept` [features] of a table of 2**bits; feature i is in slot kept[i]."""
        features = np.argsort(kept, kind="stable").astype(np.int32)
        ordered = kept[features].astype(np.int64)
        words = -(-(1 << bits) // 32)
        used = np.bincount(ordered >> 5, weights=2.0 ** (ordered & 31), minlength=words).astype(np.uint64)
        counts = np.bincount(ordered >> 5, minlength=words)
        before = (np.cumsum(counts) - counts).astype(np.uint64)
        return Slots(read_only(used | before << np.uint64(32)), read_only(features))

    def find(self, hashes: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The feature of each hash, -1 where its slot is not in use: int32 [hashes]."""
        found = np.empty(len(hashes), np.int32)
        kernels.find_features(hashes, self.words, self.features, found)
        return found
