"""Which products are learned from in which step: a function of seed and epoch, so that it needs no state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def epoch_order(y: NDArray[np.int32], sampling: str, seed: int, epoch: int) -> NDArray[np.int64]:
    """Positions in `y` in the order in which an epoch visits them, as many as there are.

    "plain" visits each once. "balanced" visits all classes equally often, "root" in proportion to the root of
    their size: small classes come round several times, large ones in part, another part each epoch.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    if sampling == "plain":
        return rng.permutation(len(y))
    present, sizes = np.unique(y, return_counts=True)
    wanted = np.sqrt(sizes) if sampling == "root" else np.ones(len(sizes))
    quota = wanted / wanted.sum() * len(y)
    counts = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(quota)]) + rng.random())).astype(np.int64)
    counts[int(np.argmax(sizes))] += len(y) - int(counts.sum())
    drawn = [
        _cycled(np.flatnonzero(y == code), int(count), rng)
        for code, count in zip(present, counts, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def _cycled(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows in random order, again and again, until there are `count`."""
    rounds = -(-count // len(rows))
    parts = [rng.permutation(rows) for _ in range(rounds)]
    return np.concatenate(parts)[:count] if parts else rows[:0]


def share_of(
    rows: NDArray[np.int64], worker: int, workers: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """A worker's part of a step's rows, and a weight for each; all workers get equally many.

    What is short is filled up with a row of weight 0, so that no worker waits for another in vain.
    """
    most = -(-len(rows) // workers)
    own = rows[worker::workers]
    filled = np.concatenate([own, np.full(most - len(own), rows[0], np.int64)])
    return filled, (np.arange(most) < len(own)).astype(np.float32)
