"""The learning rate by how far training is: a rise, then half a cosine (Loshchilov, Hutter 2017)."""

from __future__ import annotations

import math


def rate_at(progress: float, warmup: float) -> float:
    """Share of the highest learning rate, 0 to 1.

    Parameters
    ----------
    progress
        How much of the training is done, 0 to 1.
    warmup
        Share of the training in which the rate rises in a straight line.

    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def progress_of(step: int, steps: int, seconds: float, limit: float) -> float:
    """How much is done: by steps or, where there is a limit of seconds, by time if that is further.

    Counted in the middle of a step, so that neither the first nor the last is one with no rate at all.
    """
    done = (step + 0.5) / steps
    return max(done, seconds / limit) if limit else done
