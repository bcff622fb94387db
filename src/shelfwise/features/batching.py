"""`BatchedEncoder`: what encoders share that prepare values on any thread and run them in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
Item = TypeVar("Item")


class BatchedEncoder(ABC, Generic[Value, Item]):
    """An encoder in two steps, so that the first can be done ahead, on other threads, while the second runs.

    Attributes
    ----------
    name, width, fingerprint: see `shelfwise.features.encoders`.
    batch: values at once.
    concurrency: how many batches may run at the same time.

    """

    name: str
    width: int
    fingerprint: str
    batch: int
    concurrency: int = 1

    @abstractmethod
    def prepare(self, values: Sequence[Value]) -> list[Item]:
        """Make values ready; may be called on any thread."""

    @abstractmethod
    def run(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Vectors float32 [items, width] of one batch that `batches` put together."""

    def run_filled(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """As `run`, with the last item repeated until there are as many as `fewest` asks for."""
        missing = max(self.fewest(items[0]) - len(items), 0)
        found = self.run([*items, *[items[-1]] * missing])
        return found[: len(items)] if missing else found

    def length(self, item: Item) -> int:
        """Items of the same length may share a batch."""
        return 0

    def fewest(self, item: Item) -> int:
        """How many items as long as that one must run at once, for its vector to be the same in any batch.

        What other rows hold never matters, but torch takes other kernels for matrices of few rows, which
        differ in the last bits.
        """
        return 1

    def batches(self, items: Sequence[Item]) -> list[list[int]]:
        """Which items go together, as positions: equally long, at most `batch`.

        Nothing is ever padded to the length of a neighbour, so an item's vector does not depend on one.
        """
        by_length: dict[int, list[int]] = {}
        for at, item in enumerate(items):
            by_length.setdefault(self.length(item), []).append(at)
        return [
            together[start : start + self.batch]
            for _, together in sorted(by_length.items())
            for start in range(0, len(together), self.batch)
        ]

    def encode(self, values: Sequence[Value | None]) -> NDArray[np.float32]:
        """Vectors float32 [values, width]; a row of zeros for None."""
        given = [at for at, value in enumerate(values) if value is not None]
        items = self.prepare([value for value in values if value is not None])
        vectors = np.zeros((len(values), self.width), np.float32)
        for together in self.batches(items):
            vectors[[given[at] for at in together]] = self.run_filled([items[at] for at in together])
        return vectors
